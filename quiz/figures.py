"""The report's figures: how the scores spread, which question does what, who ticked what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator, PercentFormatter
from matplotlib.transforms import Bbox, BboxBase

from cl_helpers.plots import LOOK, OTHER, Picture, blank, described, frame

from .bank import POINTS

CORRECT = {"facecolor": "#009E73", "edgecolor": "white", "hatch": "///"}
WRONG = {"facecolor": "#9a9a9a", "edgecolor": "white"}
PANELS = 5  # side by side
SIDES = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)])
GAPS = (7, 16, 28, 42)  # pixels between a point and its name; the nearest that is free is taken


def percent(share: float) -> str:
    """A share for people; a dash where there is none."""
    return "–" if np.isnan(share) else f"{share:.0%}"


def number(value: float) -> str:
    """Two decimals and a true minus sign; a dash where there is none."""
    return "–" if np.isnan(value) else f"{value:.2f}".replace("-", "−")


def scores(scores: Sequence[Decimal], most: Decimal) -> Picture:
    """How many papers have each score that is possible, from 0 to `most`."""
    figure = blank(7.4, 3.4)
    ax = figure.subplots()
    papers = Counter(scores)
    ax.bar([*map(float, papers)], [*papers.values()], 0.8 * float(POINTS), color=LOOK["ewc"][0])
    ax.set_xlim(-float(POINTS), float(most + POINTS))
    ax.set_ylim(0, 1.08 * max(papers.values(), default=1))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(f"score, of {most:f} points")
    ax.set_ylabel("papers")
    frame(ax)
    if not scores:
        _say_nothing_counts(ax)
        return described(figure, "An empty figure of the scores: no paper counts yet.")
    mean = float(np.mean([*map(float, scores)]))
    ax.axvline(mean, color="black", linestyle="--", label=f"mean {mean:.2f}")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
    return described(
        figure,
        f"How many papers have each score: {len(scores)} in all, from {min(scores):f} to "
        f"{max(scores):f} of {most:f} points, mean {mean:.2f}.",
    )


def item_map(items: pd.DataFrame) -> Picture:
    """Each question by difficulty and discrimination; the shaded ones tell the wrong way round."""
    figure = blank(7.4, 5.0)
    ax = figure.subplots()
    shown = items.dropna(subset=["discrimination"])
    points = {str(q): (x, y) for q, x, y in shown[["difficulty", "discrimination"]].itertuples()}
    for question, (x, y) in points.items():
        colour, marker, _ = LOOK.get(question.rpartition("-")[0], OTHER)
        ax.plot(x, y, marker, color=colour, markersize=6)
    ax.set_xlim(-0.04, 1.04)
    low, high = shown["discrimination"].min(), shown["discrimination"].max()
    ax.set_ylim(np.nanmin([-0.2, low - 0.1]), np.nanmax([0.5, high + 0.1]))
    ax.axhspan(ax.get_ylim()[0], 0, color="#fbeee6")
    ax.axhline(0, color="black", linewidth=0.8)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set_xlabel("share of papers that earn it: hard on the left, easy on the right")
    ax.set_ylabel("discrimination")
    frame(ax)
    left_out = [str(question) for question in items.index if question not in shown.index]
    if shown.empty:
        _say_nothing_counts(ax, "no question has a discrimination")
    _name(ax, points)
    upwards = sorted(points, key=lambda question: points[question][1])
    told = [f"{q} {percent(points[q][0])} and {number(points[q][1])}" for q in upwards]
    return described(
        figure,
        "Each question by the share of papers that earn it and by its discrimination: "
        f"{'; '.join(told) or 'none'}. Without a discrimination: {', '.join(left_out) or 'none'}.",
    )


def option_shares(options: pd.DataFrame) -> Picture:
    """A panel a question, a bar an option: the share of papers that ticked it."""
    questions = list(options.index.unique("question"))
    rows = -(-len(questions) // PANELS)
    figure = blank(10, 1.5 * rows + 0.6)
    panels = figure.subplots(rows, PANELS, squeeze=False, sharex=True).ravel()
    for ax, question in zip(panels, questions, strict=False):
        mine = options.loc[question]
        for place, (option, share, correct) in enumerate(mine[["share", "correct"]].itertuples()):
            bar = ax.barh(place, share, **(CORRECT if correct else WRONG))
            ax.bar_label(bar, [percent(share)], padding=3, fontsize=8)
        ticks = [f"✓ {option}" if correct else option for option, correct in mine["correct"].items()]
        ax.set_yticks(range(len(mine)), ticks, fontsize=9)
        ax.set_title(question, fontsize=10)
        ax.set(xlim=(0, 1.3), xticks=[])
        ax.invert_yaxis()
        ax.spines[["top", "right", "bottom"]].set_visible(False)
    for ax in panels[len(questions) :]:
        ax.set_axis_off()
    figure.legend(
        handles=[Patch(**CORRECT, label="✓ correct"), Patch(**WRONG, label="not correct")],
        loc="outside upper center",
        ncols=2,
        frameon=False,
    )
    return described(
        figure,
        f"The share of papers that ticked each option, a panel for each of {len(questions)} "
        "questions; correct options are ticked and hatched. The tables of the questions below "
        "have the same numbers.",
    )


def _say_nothing_counts(ax: Axes, text: str = "no paper counts yet") -> None:
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color="#555555")


def _name(ax: Axes, points: dict[str, tuple[float, float]]) -> None:
    """A name near each point, where it covers as little as possible and stays in the frame."""
    ax.figure.draw_without_rendering()  # from here on it is known what lies where, in pixels
    dots = ax.transData.transform(np.array([*points.values()]).reshape(-1, 2))
    taken = [Bbox.from_bounds(*(dot - 6), 12, 12) for dot in dots]
    for (name, point), dot in zip(points.items(), dots, strict=True):
        label = ax.annotate(
            name,
            point,
            (0, 0),
            textcoords="offset pixels",
            ha="center",
            va="center",
            fontsize=8,
            arrowprops={"arrowstyle": "-", "color": "#777777", "linewidth": 0.6},
        )
        label.set_in_layout(False)
        size = Text.get_window_extent(label).size
        moves = [side * (size / 2 + gap) for gap in GAPS for side in SIDES]
        boxes = [Bbox.from_bounds(*(dot + move - size / 2), *size) for move in moves]
        costs = [box.count_overlaps(taken) + 10 * _sticks_out(box, ax.bbox) for box in boxes]
        best = int(np.argmin(costs))
        label.xyann = tuple(moves[best])
        taken.append(boxes[best])


def _sticks_out(inner: Bbox, outer: BboxBase) -> bool:
    return not (outer.contains(*inner.min) and outer.contains(*inner.max))
