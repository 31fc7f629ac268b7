"""Methods compared: what each did not learn, what it lost, and what seeds alone can explain.

The reference of every run is its accuracy on the first task just after learning it, a[1, 1]: that
model was trained on one task alone. Where all tasks are equally hard, as permuted ones are, it is
the accuracy that each later task would have without a past.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.axes import Axes
from numpy.typing import NDArray
from torch import Tensor

from ..report.labels import must_have_learned_the_same, unlike
from ..report.plots import LOOK, OTHER, Chart, blank, described, frame, method_label
from ..training import metrics
from ..training.run import Run
from .seeds import difference, mean_sd

WEIGHTS = 20_000  # are ranked, at most


def not_learned(run: Run) -> float:
    """Compute the intransigence of `run`, with a[1, 1] as the reference."""
    return metrics.intransigence(run.accuracy, run.accuracy[0, 0])


def lost(run: Run) -> float:
    """Compute what `run` lost of the average accuracy after learning, −(T − 1)/T · transfer.

    a[1, 1] is the average accuracy plus `not_learned` plus `lost`.
    """
    return run.accuracy[0, 0] - not_learned(run) - run.average_accuracy


METRICS: dict[str, Callable[[Run], float]] = {
    "average accuracy": lambda run: run.average_accuracy,
    "intransigence": not_learned,
    "lost": lost,
}


def table(groups: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """Format λ and the three METRICS of each method, in per cent, beside each other.

    Args:
        groups: name -> runs of one preset, which differ in method and seed. A cell is mean ±
            standard deviation over the seeds; without ± there is one seed.
    """
    columns = {}
    for name, runs in groups.items():
        by_method = _by_method(runs)
        columns[name, "λ"] = {m: _lam(of[0]) for m, of in by_method.items()}
        for metric, value in METRICS.items():
            columns[name, metric] = {m: _cell(of, value) for m, of in by_method.items()}
    shown = pd.DataFrame(columns).fillna("–")
    return shown.rename(index=method_label)


def differences(runs: Sequence[Run], metric: str = "average accuracy") -> pd.DataFrame:
    """Compute the difference of each two methods within a seed, in percentage points.

    Args:
        runs: of several methods and the same two or more seeds.
        metric: a key of METRICS.

    Returns:
        A row a pair: mean over seeds, half the width of its 95 % interval (Student's t), and the
        verdict of `seeds.Difference`.

    Raises:
        ValueError: a method has other seeds, or there is one seed alone.
    """
    values = {
        method: {run.config["seed"]: _per_cent(run, METRICS[metric]) for run in of}
        for method, of in _by_method(runs).items()
    }
    seeds = {tuple(sorted(of)) for of in values.values()}
    if len(seeds) != 1 or len(common := next(iter(seeds))) < 2:
        raise ValueError("give two or more seeds, the same for each method")
    rows = {}
    for a, b in combinations(values, 2):
        by = difference(*([values[m][seed] for seed in common] for m in (a, b)))
        rows[method_label(a), method_label(b)] = [*by, by.verdict]
    columns = ["difference", "±", "verdict"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def verdict(runs: Sequence[Run], metric: str = "average accuracy") -> Markdown:
    """Say in words which `differences` seeds alone cannot explain.

    Args:
        runs, metric: as in `differences`.
    """
    d = differences(runs, metric)
    within, apart = (d[d["verdict"] == found] for found in ("within seeds", "beyond seeds"))
    said = [
        f"{pair[0]} {abs(row['difference']):.2f} ± {row['±']:.2f} percentage points "
        f"{'above' if row['difference'] > 0 else 'below'} {pair[1]}"
        for pair, row in zip(apart.index, apart.to_dict("records"), strict=True)
    ]
    counts = f"{len(within)} of {len(d)} pairs are within seeds"
    if undecided := len(d) - len(within) - len(apart):
        counts += f", {undecided} undecided: a run has no {metric} or did not come to its end"
    rest = f"; beyond seeds: {', '.join(said)}" if said else ""
    return Markdown(f"**{metric.capitalize()}**: {counts}{rest}.")


def lowest(runs: Sequence[Run], metric: str = "intransigence") -> Markdown:
    """Say in words which method has the lowest `metric`, seed by seed.

    Args:
        runs: of several methods and the same seeds. Those without an end are left out.
        metric: a key of METRICS.
    """
    values: dict[int, dict[str, float]] = {}
    for run in runs:
        value = _per_cent(run, METRICS[metric])
        if not np.isnan(value):
            values.setdefault(run.config["seed"], {})[run.config["method"]] = value
    said = [
        f"{method_label(min(of, key=lambda m: of[m]))} (seed {seed})"
        for seed, of in sorted(values.items())
    ]
    return Markdown(f"Lowest {metric}: {', '.join(said)}.")


def chart(groups: Mapping[str, Sequence[Run]]) -> Chart:
    """Draw what each method did not learn, and what it lost: a panel for each group of runs.

    Bars are means over seeds, error bars reach from the lowest seed to the highest.

    Args:
        groups: as in `table`.
    """
    figure = blank(8, 3.6)
    axes = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    told = []
    for ax, (name, runs) in zip(axes, groups.items(), strict=True):
        told.append(f"{name}: {_draw(ax, _by_method(runs))}")
        ax.set_title(name, fontsize=11)
    axes[0].set_ylabel("percentage points\nbelow the reference")
    named = axes[-1].get_legend_handles_labels()
    figure.legend(*named, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return described(
        figure,
        "Two bars a method, in percentage points: what it did not learn (intransigence), and what "
        f"it lost later. {'. '.join(told)}.",
    )


def _draw(ax: Axes, by_method: Mapping[str, Sequence[Run]]) -> str:
    words = []
    for i, (value, hatch, text) in enumerate(
        ((not_learned, "", "not learned"), (lost, "///", "lost later"))
    ):
        values = [np.array([_per_cent(run, value) for run in of]) for of in by_method.values()]
        mean = np.array([v.mean() for v in values])
        low, high = (np.array([f(v) for v in values]) for f in (np.min, np.max))
        error = [mean - low, high - mean] if max(map(len, values)) > 1 else None
        colours = [LOOK.get(m, OTHER)[0] for m in by_method]
        x = np.arange(len(values)) + 0.4 * i - 0.2
        look: dict[str, Any] = {
            "hatch": hatch,
            "edgecolor": "white",
            "error_kw": {"linewidth": 1.2},
        }
        ax.bar(x, mean, 0.38, color=colours, yerr=error, capsize=3, **look)
        ax.bar(0, 0, color="#888888", hatch=hatch, edgecolor="white", label=text)
        listed = ", ".join(
            f"{method_label(m)} {'no result' if np.isnan(v) else f'{v:.1f}'}"
            for m, v in zip(by_method, mean, strict=True)
        )
        words.append(f"{text} {listed}")
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xticks(range(len(by_method)), [method_label(m) for m in by_method])
    frame(ax)
    return "; ".join(words)


def rank_correlations(omegas: Mapping[str, Tensor]) -> pd.DataFrame:
    """Compute Spearman's rank correlation of each two Ω, on some of the weights.

    Args:
        omegas: name -> Ω (P,), all of one model.
    """
    vectors = [omega.flatten().cpu().numpy() for omega in omegas.values()]
    return pd.DataFrame(spearman(vectors), index=[*omegas], columns=[*omegas])


def spearman(vectors: Sequence[NDArray]) -> NDArray:
    """Compute Spearman's rank correlation (M, M) of M `vectors` (P,), on WEIGHTS of the places."""
    from scipy.stats import rankdata  # takes as long to import as all the rest

    n = len(vectors[0])
    some = np.arange(min(WEIGHTS, n)) * n // min(WEIGHTS, n)
    return np.atleast_2d(np.corrcoef([rankdata(v[some]) for v in vectors]))


def _by_method(runs: Sequence[Run]) -> dict[str, list[Run]]:
    groups: dict[str, list[Run]] = {}
    for name in dict.fromkeys([*LOOK, *(run.config["method"] for run in runs)]):
        if of := [run for run in runs if run.config["method"] == name]:
            groups[name] = of
        if len({run.config["seed"] for run in of}) < len(of):
            raise ValueError(f"two runs of {name} have one seed: give those of one setting alone")
        if apart := unlike(of):
            raise ValueError(
                f"the runs of {name} differ in {', '.join(apart)}: give those of one setting alone"
            )
    must_have_learned_the_same(runs, "compare")
    return groups


def _per_cent(run: Run, metric: Callable[[Run], float]) -> float:
    """`metric` in per cent; NaN for a run that diverged or was stopped before its end."""
    return 100 * metric(run) if _ended(run) else float("nan")


def _ended(run: Run) -> bool:
    return run.complete and not run.diverged


def _cell(runs: Sequence[Run], metric: Callable[[Run], float]) -> str:
    """Mean ± standard deviation of the runs that came to their end, and how many did not."""
    ended = [_per_cent(run, metric) for run in runs if _ended(run)]
    without = f" ({len(runs) - len(ended)} without an end)" * (len(ended) < len(runs))
    return f"{'–' if np.isnan(ended).all() else mean_sd(ended)}{without}"


def _lam(run: Run) -> str:
    lam = run.config["knobs"].get("lam")
    return "–" if lam is None else f"{lam:g}"
