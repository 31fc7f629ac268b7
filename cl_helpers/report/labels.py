"""What tells runs apart in tables and charts: a method, and the settings that others lack."""

from __future__ import annotations

from collections.abc import Sequence

from ..formats import format_setting
from ..methods import METHODS
from ..training.run import Run
from ..training.settings import OUTCOME, Settings


def label(run: Run) -> str:
    """Return the name of a setting: method, λ, and every other knob that is not at its default."""
    name, knobs = run.config["method"], run.config["knobs"]
    default = METHODS[name]().knobs if name in METHODS else {}
    words = [format_setting(k, v) for k, v in knobs.items() if k == "lam" or default.get(k) != v]
    return " ".join([name, *words])


def labels(runs: Sequence[Run]) -> list[str]:
    """Return the `label` of each run, with the settings in which runs of one label differ.

    Args:
        runs: of any methods, settings and seeds.

    Raises:
        ValueError: runs of one label have different models.
    """
    names = [label(run) for run in runs]
    differ = {name: differing(alike) for name, alike in grouped(names, runs).items()}
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


def differing(runs: Sequence[Run]) -> list[str]:
    """List the settings of OUTCOME in which `runs` differ, and "model" if they differ in it.

    They are different experiments; runs that differ in the seed alone are repetitions.

    "code" is one of them if the methods differ in their code, or in attributes that are no knobs,
    and "tasks" if they have other tasks: other permutations or another order of the classes, as
    with other seeds, are no others.
    """
    names = (*OUTCOME, "model", "code", "tasks")
    return [name for name in names if len({_setting(run, name) for run in runs}) > 1]


def _setting(run: Run, name: str) -> object:
    """The setting of a run; a run from before this setting existed had its default."""
    if name == "code":  # of a method of one's own; the package's is named
        own = not run.config.get("class", "cl_helpers.").startswith("cl_helpers.")
        digest = run.config.get("method_digest", "") if own else ""
        return digest[:6]
    if name == "tasks":
        words = sorted({*" ".join(run.config.get("tasks", ())).split()})
        return f"{len(run.accuracy)} of {run.config.get('data')}: {' '.join(words)}"
    return run.config.get(name, getattr(Settings, name, None))
