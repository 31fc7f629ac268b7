"""The report's figures: how the scores spread, which question does what, who ticked what."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator, PercentFormatter
from matplotlib.transforms import Bbox, BboxBase

from cl_helpers.formats import format_number, format_percent
from cl_helpers.report.plots import LOOK, OTHER, Chart, blank, described, frame

CORRECT: dict[str, Any] = {"facecolor": "#009E73", "edgecolor": "white", "hatch": "///"}
WRONG: dict[str, Any] = {"facecolor": "#9a9a9a", "edgecolor": "white"}
PANELS = 5  # side by side
SIDES = np.array([(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)])
GAPS = (7, 16, 28, 42)  # pixels between a point and its name; the nearest that is free is taken


def scores(scores: Sequence[Decimal], most: Decimal, each: Decimal) -> Chart:
    """How many papers have each score, from 0 to `most`, in steps of what `each` question gives."""
    figure = blank(7.4, 3.4)
    ax = figure.subplots()
    papers = Counter(scores)
    ax.bar([*map(float, papers)], [*papers.values()], 0.8 * float(each), color=LOOK["ewc"][0])
    ax.set(xlim=(-float(each), float(most + each)), xlabel=f"score, of {most:f} points")
    ax.set(ylim=(0, 1.08 * max(papers.values(), default=1)), ylabel="papers")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    frame(ax)
    if not scores:
        _say_empty(ax)
        return described(figure, "An empty figure of the scores: no paper counts yet.")
    mean = float(np.mean([*map(float, scores)]))
    ax.axvline(mean, color="black", linestyle="--", label=f"mean {mean:.2f}")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
    return described(
        figure,
        f"How many papers have each score: {len(scores)} in all, from {min(scores):f} to "
        f"{max(scores):f} of {most:f} points, mean {mean:.2f}.",
    )


def item_map(items: pd.DataFrame) -> Chart:
    """Each question by difficulty and discrimination; shaded: weak students do better."""
    figure = blank(7.4, 5.0)
    ax = figure.subplots()
    rows = items[["difficulty", "discrimination"]].to_dict("index")
    points = {str(q): (row["difficulty"], row["discrimination"]) for q, row in rows.items()}
    shown = {q: point for q, point in points.items() if not np.isnan(point).any()}
    for question, (x, y) in shown.items():
        colour, marker, _ = LOOK.get(question.rpartition("-")[0], OTHER)
        ax.plot(x, y, marker, color=colour, markersize=6)
    heights = [y for _, y in shown.values()]
    low, high = min([-0.1, *heights]) - 0.1, max([0.4, *heights]) + 0.1
    ax.set(xlim=(-0.04, 1.04), ylim=(low, high), ylabel="discrimination")
    ax.axhspan(low, 0, color="#fbeee6")
    ax.axhline(0, color="black", linewidth=0.8)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set_xlabel("share of papers that earn it: hard on the left, easy on the right")
    frame(ax)
    if not shown:
        _say_empty(ax, "no question has a discrimination")
    figure.draw_without_rendering()  # from here on it is known what lies where, in pixels
    together = defaultdict(list)
    for question, (x, y) in shown.items():
        together[round(x, 3), round(y, 3)].append(question)
    _name_points(ax, {place: _few_of(names) for place, names in together.items()})
    texts = [f"{q} {format_percent(x)}, {format_number(y)}" for q, (x, y) in shown.items()]
    without = [q for q in points if q not in shown]
    return described(
        figure,
        "Each question by the share of papers that earn it and by its discrimination: "
        f"{'; '.join(texts) or 'none'}. Without a discrimination: {', '.join(without) or 'none'}.",
    )


def option_shares(options: pd.DataFrame) -> Chart:
    """A panel a question, a bar an option: the share of papers that ticked it."""
    questions = list(options.index.unique("question"))
    rows = max(1, -(-len(questions) // PANELS))
    figure = blank(10, 1.5 * rows + 0.6)
    panels = figure.subplots(rows, PANELS, squeeze=False).ravel()
    for ax, question in zip(panels, questions, strict=False):
        mine = options.loc[question].to_dict("index")
        for place, option in enumerate(mine.values()):
            bar = ax.barh(place, option["share"], **(CORRECT if option["correct"] else WRONG))
            ax.bar_label(bar, [format_percent(option["share"])], padding=3, fontsize=8)
        names = [f"✓ {o}" if option["correct"] else str(o) for o, option in mine.items()]
        ax.set_yticks(range(len(mine)), names, fontsize=9)
        ax.set_title(question, fontsize=10)
        ax.set(xlim=(0, 1.3), xticks=[])
        ax.invert_yaxis()
        ax.spines[["top", "right", "bottom"]].set_visible(False)
    for ax in panels[len(questions) :]:
        ax.set_axis_off()
    handles = [Patch(**CORRECT, label="✓ correct"), Patch(**WRONG, label="not correct")]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, frameon=False)
    return described(
        figure,
        f"The share of papers that ticked each option, a panel for each of {len(questions)} "
        "questions; correct ones are hatched and marked ✓. The same numbers are in options.csv and "
        "in the tables of report.html.",
    )


def _say_empty(ax: Axes, text: str = "no paper counts yet") -> None:
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color="#555555")


def _few_of(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 4 else f"{names[0]} and {len(names) - 1} more"


def _name_points(ax: Axes, names: dict[tuple[float, float], str]) -> None:
    """A name near each point, where it covers as little as possible and stays in the frame."""
    dots = ax.transData.transform(np.array([*names]).reshape(-1, 2))
    taken = [Bbox([dot - 6, dot + 6]) for dot in dots]
    halo = [withStroke(linewidth=2, foreground="white")]
    line = {"arrowstyle": "-", "color": "#777777", "linewidth": 0.6}
    look: dict[str, Any] = {"fontsize": 8, "path_effects": halo, "arrowprops": line}
    for (point, name), dot in zip(names.items(), dots, strict=True):
        label = ax.annotate(name, point, (0, 0), textcoords="offset pixels", **look)
        label.set(ha="center", va="center")
        label.set_in_layout(False)
        half = np.array(Text.get_window_extent(label).size) / 2
        moves = [side * (half + gap) for gap in GAPS for side in SIDES]
        boxes = [Bbox([dot + move - half, dot + move + half]) for move in moves]
        costs = [box.count_overlaps(taken) + 10 * _sticks_out(box, ax.bbox) for box in boxes]
        best = int(np.argmin(costs))
        label.xyann = tuple(moves[best])
        taken.append(boxes[best])


def _sticks_out(inner: Bbox, outer: BboxBase) -> bool:
    return not (outer.contains(*inner.min) and outer.contains(*inner.max))
