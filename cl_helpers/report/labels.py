"""What tells runs apart in tables and charts: a method, and the settings that others lack."""

from __future__ import annotations

from collections.abc import Sequence

from ..formats import format_setting, format_value
from ..methods import METHODS
from ..training.run import Run
from ..training.settings import OUTCOME, Settings

# Where runs of other methods differ in these, they have not learned the same.
PROBLEM = ("tasks", "scenario", "n_train", "judged_by", "epochs", "learned")


def label(run: Run) -> str:
    """Return the name of a setting: method, λ, and every other knob that is not at its default.

    Where λ was moved in training, it says how: "ewc lam=1→100".

    Args:
        run: of that setting.
    """
    name, knobs = run.config["method"], run.config["knobs"]
    default = METHODS[name]().knobs if name in METHODS else {}
    words = [format_setting(k, v) for k, v in knobs.items() if k == "lam" or default.get(k) != v]
    if "lam" in knobs and len(moved := _values_of_lam(run)) > 1:
        places = moved if len(moved) < 4 else [moved[0], "…", moved[-1]]
        at = words.index(format_setting("lam", knobs["lam"]))
        words[at] = format_setting("lam", "→".join(map(format_value, places)))
    return " ".join([name, *words])


def _values_of_lam(run: Run) -> list[object]:
    """λ as it was set, and each value that it was moved to."""
    values = [run.config["knobs"]["lam"]]
    for epoch in run.history:
        if epoch.get("lam", values[-1]) != values[-1]:
            values.append(epoch["lam"])
    return values


def labels(runs: Sequence[Run]) -> list[str]:
    """Return the `label` of each run, with the settings in which it is unlike others.

    These are the ones in which runs of one label differ, and where all runs have not learned the
    same (PROBLEM), what each of them has learned.

    Args:
        runs: of any methods, settings and seeds.

    Raises:
        ValueError: runs of one label have different models.
    """
    names, apart = [label(run) for run in runs], differing(runs, PROBLEM)
    differ = {
        name: [*dict.fromkeys([*differing(alike), *apart])]
        for name, alike in grouped(names, runs).items()
    }
    for name, unlike in differ.items():
        if "model" in unlike:
            raise ValueError(f"the runs of {name} have different models: compare those of one")
    return [
        " ".join([name, *(format_setting(k, _setting(run, k)) for k in differ[name])])
        for run, name in zip(runs, names, strict=True)
    ]


def grouped(names: Sequence[str], runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Return the runs of each name, in the order in which the names first occur.

    Args:
        names: that of each run.
        runs: as many.
    """
    groups: dict[str, list[Run]] = {}
    for name, run in zip(names, runs, strict=True):
        groups.setdefault(name, []).append(run)
    return groups


def differing(
    runs: Sequence[Run], names: Sequence[str] = (*OUTCOME, "model", "code", *PROBLEM)
) -> list[str]:
    """List those of `names` in which `runs` differ; what a run does not tell is no difference.

    They are different experiments; runs that differ in the seed alone are repetitions.

    "code" is one of them if the methods differ in their code, or in attributes that are no knobs,
    and "tasks" if they have other tasks: other permutations or another order of the classes, as
    with other seeds, are no others. "n_train" counts the examples of all tasks together, and
    "judged_by" says whether accuracies are of test or of held-out examples.
    """
    return [
        name
        for name in dict.fromkeys(names)
        if len({found for run in runs if (found := _setting(run, name)) is not _UNTOLD}) > 1
    ]


def unlike(runs: Sequence[Run]) -> list[str]:
    """List in what `runs` differ that should be repetitions: as `differing`, and "knobs"."""
    return differing(runs) + ["knobs"] * (len({label(run) for run in runs}) > 1)


def must_have_learned_the_same(runs: Sequence[Run], do: str) -> None:
    """Compare what `runs` of several methods have learned (PROBLEM).

    Args:
        runs: complete ones or not.
        do: what is to be done with them, for the message.

    Raises:
        ValueError: they have not learned the same.
    """
    if apart := differing(runs, PROBLEM):
        raise ValueError(
            f"the methods have not learned the same, they differ in {', '.join(apart)}: {do} those "
            "that have"
        )


_UNTOLD = object()


def _setting(run: Run, name: str) -> object:
    """The setting of a run; a run from before this setting existed had its default."""
    if name == "code":  # of a method of one's own; the package's is named
        own = not run.config.get("class", "cl_helpers.").startswith("cl_helpers.")
        digest = run.config.get("method_digest", "") if own else ""
        return digest[:6]
    if name == "tasks":
        words = sorted({*" ".join(run.config.get("tasks", ())).split()})
        return f"{len(run.accuracy)} of {run.config.get('data')}: {' '.join(words)}"
    if name == "n_train":
        return sum(run.config[name]) if name in run.config else _UNTOLD
    return run.config.get(name, getattr(Settings, name, _UNTOLD))
