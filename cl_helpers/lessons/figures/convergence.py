"""The figures of notebook 12: learning rates and the runs they lead to.

Several runs are drawn as their median and their range. A run that does not reach its target counts
as later than any that does, and is drawn beyond the end of the axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter
from numpy.typing import ArrayLike, NDArray

from ...data.datasets import load
from ...data.tasks import hold_out, split
from ...methods import Baseline
from ...models.small import MLP
from ...report.plots import LOOK, OTHER, blank, described, frame, note
from ...training.run import Run
from ...training.schedules import SCHEDULES, factors
from ...training.train import train
from .drawing import FAINT, INK, QUIET, bare, say

NAMES = [*SCHEDULES, "warm-up, cosine"]
# name: colour, marker, dashes
STYLE = dict(
    zip(NAMES, [LOOK[m] for m in ("baseline", "scp", "si", "ewc", "mas", "rwalk")], strict=True)
)

BEYOND = 1.35  # place of "never" on the axis, in parts of its length


def schedules() -> Figure:
    """Draw five schedules of the learning rate, and the runs they lead to.

    A small MLP that has learned the embedded digits 0 to 4 learns the others from 200 images.
    """
    runs = dict(zip(SCHEDULES, fine_tuned(), strict=True))
    figure = blank(8, 3.5)
    axes = figure.subplots(2, len(runs), sharex=True, sharey="row", height_ratios=[1, 1.5])
    texts = []
    for (above, below), (name, run) in zip(axes.T, runs.items(), strict=True):
        colour = STYLE[name][0]
        steps, accuracy = run.curve()
        rate = factors(name, int(steps[-1])).numpy()
        x = np.arange(1, len(rate) + 1)
        above.fill_between(x, rate, color=colour, alpha=0.25, linewidth=0, step="mid")
        above.plot(x, rate, color=colour, linewidth=2, drawstyle="steps-mid")
        above.set_title(name, color=INK, fontsize=11)
        for other in runs.values():
            below.plot(*other.curve(), color=FAINT, linewidth=1)
        below.plot(steps, accuracy, color=colour, linewidth=2.4)
        end = accuracy[-1]
        below.plot(steps[-1], end, "o", color=colour, markersize=7, clip_on=False)
        say(below, steps[-1], end - 0.16, f"{end:.0%}", INK, size=11, ha="right", va="top")
        for ax in (above, below):
            bare(ax)
            ax.spines[["top", "right"]].set_visible(False)
        texts.append(f"{name} {end:.0%}")
    for ax, text, top in ((axes[0, 0], "learning rate", 1.1), (axes[1, 0], "accuracy", 1.02)):
        ax.set_ylabel(text, color=QUIET)
        ax.set_ylim(0, top)
    axes[1, 2].set_xlabel("training steps, the same for all", color=QUIET)
    return described(
        figure,
        "Five schedules of the learning rate side by side, drawn against the training steps, and "
        "below each the test accuracy of the run that it gives, the others behind it in grey. They "
        f"end at: {', '.join(texts)}.",
    )


def fine_tuned() -> list[Run]:
    """Train the runs of the title figure, one for each schedule."""
    old, new = split(load("digits").first(1_400, 360), 5, "task")
    how: dict[str, Any] = {"device": "cpu", "progress": False, "batch_size": 40}
    before = train(Baseline(), [old], MLP((784, 48, 10)), epochs=5, lr=1e-3, **how)
    [few] = hold_out([new], len(new.train) - 200)
    how |= {"optimizer": "sgd", "momentum": 0.9, "lr": 0.03, "epochs": 12}
    return [
        train(Baseline(), [few], deepcopy(before.model), schedule=schedule, **how)
        for schedule in SCHEDULES
    ]


def curves(groups: Mapping[str, Sequence[Run]], target: float) -> Figure:
    """Draw accuracy while the last task is learned: a panel for each group, with a band of seeds.

    The other groups are drawn behind it in grey. A tick on the axis is where the median run reaches
    the target.

    Args:
        groups: name -> runs.
        target: accuracy in [0, 1].
    """
    n_rows = -(-len(groups) // 3)
    n_columns = -(-len(groups) // n_rows)
    figure = blank(2.8 * n_columns, 2 * n_rows + 0.2)
    axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    steps_of = {name: runs[0].curve()[0] for name, runs in groups.items()}
    values = {name: np.array([run.curve()[1] for run in runs]) for name, runs in groups.items()}
    texts = []
    for ax, (name, runs) in zip(axes.flat, groups.items(), strict=False):
        colour, _, _ = STYLE.get(name, OTHER)
        for other, those in values.items():
            ax.plot(steps_of[other], np.median(those, 0), color="#b0b0b0", linewidth=1)
        ax.axhline(target, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        steps, mine = steps_of[name], values[name]
        ax.fill_between(steps, mine.min(0), mine.max(0), color=colour, alpha=0.22, linewidth=0)
        ax.plot(steps, np.median(mine, 0), color=colour, linewidth=2.2)
        reached = median_steps(runs, target)
        if np.isfinite(reached):
            ax.plot(reached, target, "o", color=colour, markeredgecolor="white", markersize=9)
        ax.set_title(name, fontsize=11)
        words = in_steps(reached, int(steps[-1]))
        ax.text(0.97, 0.06, words, transform=ax.transAxes, ha="right", color=INK, fontsize=10)
        texts.append(f"{name} {words}")
        frame(ax)
    for ax in axes.flat[len(groups) :]:
        ax.set_visible(False)
    axes[0, 0].set_ylim(0, 1)
    axes[0, 0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for ax in axes[-1]:
        ax.set_xlabel("steps")
    return described(
        figure,
        f"Accuracy against steps, a panel for each of {len(groups)} groups of runs: median and "
        f"range over seeds. {target:.0%} is reached, in the median: {'; '.join(texts)}.",
    )


def by_lr(grid: Mapping[str, Mapping[float, Sequence[Run]]], target: float) -> Figure:
    """Draw steps to the target and final accuracy against lr, one line for each schedule.

    Lines are medians over seeds; the final accuracy has its range too. "never" is a median run that
    does not reach the target.

    Args:
        grid: schedule -> learning rate -> runs.
        target: accuracy in [0, 1].
    """
    figure = blank(9.4, 3.8)
    speed, end = figure.subplots(1, 2)
    every = [run for line in grid.values() for runs in line.values() for run in runs]
    n_steps = max(int(run.curve()[0][-1]) for run in every)
    texts = []
    for k, (name, line) in enumerate(grid.items()):
        colour, marker, dash = STYLE.get(name, OTHER)
        lrs = np.array(list(line))
        shifted = lrs * 1.03 ** (k - (len(grid) - 1) / 2)  # so that no bar hides another
        steps = np.array([median_steps(runs, target) for runs in line.values()])
        ends = np.array([[run.average_accuracy for run in runs] for runs in line.values()])
        look = {"color": colour, "marker": marker, "linestyle": dash, "label": name}
        speed.plot(shifted, beyond(steps, n_steps), **look)
        middle = np.median(ends, 1)
        error = [middle - ends.min(1), ends.max(1) - middle]
        end.errorbar(shifted, middle, error, elinewidth=1, **look)
        best = int(steps.argmin())
        texts.append(f"{name} {in_steps(steps[best], n_steps)} at lr {lrs[best]:g}")
    speed.axhline(n_steps, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    speed.set_ylim(0, 1.5 * n_steps)
    ticks = [n_steps * k // 4 for k in range(5)]
    speed.set_yticks([*ticks, BEYOND * n_steps], [*map(str, ticks), "never"])
    speed.set_title(f"steps to {target:.0%}, median", fontsize=11)
    end.set_title("accuracy at the end, median and range", fontsize=11)
    end.set_ylim(0, 1)
    end.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for ax in (speed, end):
        ax.set_xscale("log")
        ax.set_xticks(lrs, [f"{lr:g}" for lr in lrs])
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.minorticks_off()
        ax.set_xlabel("lr")
        frame(ax)
    figure.legend(*end.get_legend_handles_labels(), loc="outside right center", frameon=False)
    return described(
        figure,
        f"Two panels over the learning rate, a line for each of {len(grid)} schedules: steps until "
        f"{target:.0%} is reached, and accuracy at the end. Fastest: {'; '.join(texts)}.",
    )


def spreads(rows: Mapping[str, Mapping[str, float]], n_steps: int) -> Figure:
    """Draw how much each cause changes the steps to the target: a row for each, a dot a choice.

    Args:
        rows: cause -> choice -> its steps to the target, ∞ if it was not reached.
        n_steps: steps of training in all.
    """
    figure = blank(8.2, 0.6 * len(rows) + 0.9)
    ax = figure.subplots()
    texts = []
    places = [beyond(list(tried.values()), n_steps) for tried in rows.values()]
    for y, (x, (cause, tried)) in enumerate(zip(places, rows.items(), strict=True)):
        colour = list(STYLE.values())[-1 - y % len(STYLE)][0]
        ax.plot([x.min(), x.max()], [y, y], color=colour, linewidth=7, alpha=0.3, zorder=1)
        ax.plot(x, np.full(len(x), y), "o", color=colour, markeredgecolor="white", markersize=9)
        for end, side, off in ((x.min(), "right", -9), (x.max(), "left", 9)):
            if x.min() < x.max():
                there = [name for name, at in zip(tried, x, strict=True) if at == end]
                name = there[0] if len(there) == 1 else f"{len(there)} of {len(tried)}"
                note(ax, name, (end, y), (off, 0), ha=side, va="center", fontsize=9, color=INK)
        each = (f"{k} {in_steps(v, n_steps)}" for k, v in tried.items())
        texts.append(f"{cause}: {', '.join(each)}")
    ax.set_xscale("log")
    ax.set_xlim(0.5 * min(x.min() for x in places), 2.2 * n_steps)
    ax.axvline(n_steps, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    ticks = [n_steps / 2**k for k in range(6) if n_steps / 2**k >= ax.get_xlim()[0]]
    ax.set_xticks([*ticks, BEYOND * n_steps], [*(f"{t:.3g}" for t in ticks), "never"])
    ax.minorticks_off()
    _a_row_each(ax, rows, (len(rows) - 0.5, -0.5))
    ax.set_xlabel("steps to the target")
    return described(figure, f"Steps to the target, a row a cause. {'. '.join(texts)}.")


def kept(groups: Mapping[str, Sequence[float]], before: Sequence[float]) -> Figure:
    """Draw the accuracy on the first task after the last: a row for each group, a dot a seed.

    Args:
        groups: name -> accuracies, one for each seed.
        before: accuracies before the last task was learned.
    """
    figure = blank(7.4, 0.36 * len(groups) + 0.9)
    ax = figure.subplots()
    ax.axvspan(min(before), max(before), color=FAINT, linewidth=0)
    ax.text(np.median(before), -0.75, "before", ha="right", va="bottom", color=QUIET, fontsize=10)
    for y, (name, values) in enumerate(groups.items()):
        colour, marker, _ = STYLE.get(name, OTHER)
        ax.plot(values, [y] * len(values), marker, color=colour, alpha=0.6, markersize=7)
        ax.plot(np.median(values), y, "|", color=colour, markersize=20, markeredgewidth=2.5)
    _a_row_each(ax, groups, (len(groups) - 0.4, -0.7))
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set_xlabel("accuracy on the first classes, after the others were learned")
    texts = ", ".join(f"{name} {np.median(values):.1%}" for name, values in groups.items())
    return described(
        figure,
        "Accuracy on the first classes after the others were learned, a row a group, a dot a seed. "
        f"Before: {np.median(before):.1%}. Medians after: {texts}.",
    )


def _a_row_each(ax: Axes, names: Iterable[str], ylim: tuple[float, float]) -> None:
    """Give `ax` a row for each name, from above to below."""
    names = list(names)
    ax.set_ylim(ylim)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)


def in_steps(steps: float, n_steps: int) -> str:
    """Say in words after how many `steps` of `n_steps` something came, if at all."""
    return f"in {steps:.0f} steps" if np.isfinite(steps) else f"not in {n_steps} steps"


def beyond(steps: ArrayLike, n_steps: int) -> NDArray:
    """Compute where `steps` are drawn on an axis of `n_steps`: ∞ is beyond its end."""
    steps = np.asarray(steps, dtype=float)
    return np.where(np.isfinite(steps), np.maximum(steps, 1), BEYOND * n_steps)


def median_steps(runs: Sequence[Run], target: float) -> float:
    """Compute the median over `runs` of the steps until accuracy `target` is reached.

    ∞ if half of the runs or more do not reach it.
    """
    return median(run.steps_to(target) for run in runs)
