"""Many tasks: what is still learned of the newest, and what is kept of the others.

The runs are those of `load_results("plasticity")`: each has "arm", "seed", "learned" (accuracy on
each task just after it was learned), "kept" (on each task at the end) and "states".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from ..report.plots import (
    LOOK,
    OTHER,
    Chart,
    blank,
    described,
    frame,
    legend_beside,
    method_label,
    note,
)
from .seeds import difference, mean_sd

Stored = Mapping[str, Any]

NAMES = {  # of arms that are no methods; the others are called as everywhere
    "fresh": "new network each task",
    "l2": "L2",
    "norm": "layer normalisation",
    "ewc-strong": "EWC, λ = 1000",
    "sgd": "plain SGD",
    "sgd-long": "plain SGD, 80 tasks of 2,000",
    "slow": "Adam, lr 1e-3",
    "kept-moments": "Adam, never reset",
}
STYLE = LOOK | {
    "fresh": ("#777777", "", ":"),
    "l2": LOOK["lwf"],
    "norm": LOOK["gem"],
    "ewc-strong": LOOK["ewc"],
    "sgd": LOOK["agem"],
    "sgd-long": LOOK["agem"],
    "slow": LOOK["dgr"],
    "kept-moments": LOOK["icarl"],
}
TAIL = 10  # tasks at the beginning and at the end, over which accuracies are averaged


def named(arm: str) -> str:
    """Return what `arm` is called in tables and charts."""
    return NAMES.get(arm) or method_label(arm)


def first(run: Stored) -> float:
    """Compute the mean accuracy of `run` on the first TAIL tasks, each just after learning it."""
    return float(np.mean(run["learned"][:TAIL]))


def last(run: Stored) -> float:
    """Compute the same of `run` for the last TAIL tasks: what the network can still learn."""
    return float(np.mean(run["learned"][-TAIL:]))


def fall(run: Stored) -> float:
    """Compute `first` − `last` of `run`: the plasticity that was lost."""
    return first(run) - last(run)


def forgotten(run: Stored) -> float:
    """Compute the mean fall of `run` from just after learning to the end, over earlier tasks."""
    return float(np.mean(np.subtract(run["learned"], run["kept"])[:-1]))


COLUMNS: dict[str, Callable[[Stored], float]] = {
    "learned, first 10": first,
    "learned, last 10": last,
    "fall": fall,
    "forgetting": forgotten,
    "average accuracy": lambda run: float(np.mean(run["kept"])),
}


def table(runs: Sequence[Stored], arms: Sequence[str]) -> pd.DataFrame:
    """Format what each of `arms` learned and kept in `runs`, in per cent: mean ± deviation."""
    rows = {
        named(arm): [mean_sd([100 * of(run) for run in _of(runs, arm)]) for of in COLUMNS.values()]
        for arm in arms
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=[*COLUMNS])


def against(
    runs: Sequence[Stored], arms: Sequence[str], other: str = "baseline", column: str = "fall"
) -> Markdown:
    """Say of each arm whether its `column` differs from that of `other` beyond seeds.

    Args:
        runs: with the same seeds for each arm.
        arms: those to compare.
        other: the arm that they are compared with.
        column: a key of COLUMNS.
    """
    value = COLUMNS[column]
    said = []
    for arm in arms:
        both = [_of(runs, name) for name in (arm, other)]
        if len({tuple(run["seed"] for run in of) for of in both}) > 1:
            raise ValueError(f"{arm} and {other} have other seeds: give runs of the same")
        pair = ([100 * value(run) for run in of] for of in both)
        by = difference(*pair)
        words = f"{abs(by.mean):.1f} ± {by.half:.1f} {'lower' if by.mean < 0 else 'higher'}"
        said.append(f"{named(arm)} {words if by.verdict == 'beyond seeds' else by.verdict}")
    return Markdown(
        f"**{column.capitalize()}, against {named(other)}** (percentage points): {'; '.join(said)}."
    )


def newest(runs: Sequence[Stored], arms: Sequence[str]) -> Chart:
    """Draw the accuracy on each task just after it was learned, as a mean of ten tasks.

    A line is the mean over seeds, its band reaches from the lowest to the highest seed.

    Args:
        runs, arms: the runs, and which arms of them are drawn.
    """
    figure = blank(8.4, 3.9)
    ax = figure.subplots()
    told = []
    for arm in arms:
        curves = np.array([_smooth(run["learned"]) for run in _of(runs, arm)])
        x = np.arange(curves.shape[1]) + (TAIL + 1) / 2
        colour, _, dash = STYLE.get(arm, OTHER)
        ax.plot(x, curves.mean(0), color=colour, linestyle=dash, linewidth=2, label=named(arm))
        ax.fill_between(x, curves.min(0), curves.max(0), color=colour, alpha=0.15, linewidth=0)
        told.append(f"{named(arm)} {curves.mean(0)[0]:.0%} to {curves.mean(0)[-1]:.0%}")
    ax.set_ylim(0, 1)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set(xlabel="task", ylabel="accuracy on it, just learned\n(mean of ten tasks)")
    frame(ax)
    legend_beside(ax)
    return described(
        figure,
        "Accuracy on the newest task, just after it was learned, against its number, a line an "
        f"arm. From the first to the last ten tasks: {', '.join(told)}.",
    )


# Where the name of an arm is written, points beside its dot.
BESIDE: dict[str, tuple[float, float]] = {
    "norm": (2, 9),
    "baseline": (-9, -11),
    "shrink": (9, -13),
    "ewc": (9, -13),
    "rwalk": (9, -6),
    "si": (-9, 5),
}


def two_axes(runs: Sequence[Stored], arms: Sequence[str]) -> Chart:
    """Draw what was forgotten against what is still learned: a dot an arm, a cross its seeds.

    Args:
        runs, arms: the runs, and which arms of them are drawn.
    """
    figure = blank(8.4, 5.6)
    ax = figure.subplots()
    told = []
    for arm in arms:
        x, y = (np.array([100 * of(run) for run in _of(runs, arm)]) for of in (forgotten, last))
        colour, marker, _ = STYLE.get(arm, OTHER)
        ax.plot([x.min(), x.max()], [y.mean()] * 2, color=colour, linewidth=1)
        ax.plot([x.mean()] * 2, [y.min(), y.max()], color=colour, linewidth=1)
        ax.plot(x.mean(), y.mean(), ls="", marker=marker or "o", color=colour, markersize=9)
        dx, dy = BESIDE.get(arm, (8, 4))
        side = "right" if dx < 0 else "left"
        note(ax, named(arm), (x.mean(), y.mean()), (dx, dy), ha=side, fontsize=9)
        told.append(f"{named(arm)} {x.mean():.0f} and {y.mean():.0f}")
    ax.set(xlabel="forgetting (percentage points): stability is on the left", ylim=(0, 100))
    ax.set_ylabel("accuracy on each of the last ten tasks,\njust learned (%): plasticity is above")
    ax.set_xlim(min(0, ax.get_xlim()[0]), 1.25 * ax.get_xlim()[1])
    frame(ax)
    return described(
        figure,
        "Forgetting in percentage points against the accuracy on the newest tasks in per cent, a "
        f"dot an arm: {', '.join(told)}.",
    )


STATES = {
    "dead": "dead units",
    "dormant": "dormant units",
    "rank": "effective rank of\nthe last hidden layer",
    "weight": "mean of |θ|",
}


def states(runs: Sequence[Stored], arms: Sequence[str]) -> Chart:
    """Draw the state of the network after every tenth task, a panel for each measure of STATES.

    Args:
        runs, arms: the runs, and which arms of them are drawn.
    """
    figure = blank(9.4, 3.0)
    axes = figure.subplots(1, len(STATES))
    told = []
    for ax, (key, title) in zip(axes, STATES.items(), strict=True):
        for arm in arms:
            of = _of(runs, arm)
            x = [state["task"] + 1 for state in of[0]["states"]]
            y = np.array([[state[key] for state in run["states"]] for run in of]).mean(0)
            colour, _, dash = STYLE.get(arm, OTHER)
            ax.plot(x, y, color=colour, linestyle=dash, linewidth=2, label=named(arm))
            told.append(f"{key}, {named(arm)}: {y[0]:.2g} to {y[-1]:.2g}")
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("task")
        ax.set_ylim(bottom=0)
        frame(ax)
        if key in ("dead", "dormant"):
            ax.set_ylim(0, 1)
            ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return described(
        figure,
        "The state of the network against the number of tasks, mean over seeds. From the first to "
        f"the last task: {'; '.join(told)}.",
    )


def _smooth(values: Sequence[float]) -> NDArray:
    n = min(TAIL, len(values))
    return np.convolve(values, np.full(n, 1 / n), "valid")


def _of(runs: Sequence[Stored], arm: str) -> list[Stored]:
    found = sorted((run for run in runs if run["arm"] == arm), key=lambda run: run["seed"])
    if not found:
        raise ValueError(f"there is no run of {arm!r}: choose {sorted({r['arm'] for r in runs})}")
    return found
