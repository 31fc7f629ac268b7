"""The Lab's chart: accuracy on every task while it is learned, and the accuracy matrix."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

import numpy as np
from matplotlib.ticker import PercentFormatter

from ..formats import format_lam
from ..report import plots
from ..report.tables import label
from ..training import metrics
from ..training.run import Run

LOOKS = 4  # at the test images, so many times a task
KEPT = ["o", "s", "^", "D", "v", "P", "X", "*"]


@dataclass
class Curves:
    """What is drawn of a run while it goes on.

    Attributes:
        run: what is exact: accuracies after each epoch and each task.
        points: (step, accuracies on the tasks so far, whether they are exact). After an epoch they
            are exact; between epochs they are of a sample of the test images.
        moved: (step, λ) wherever λ was changed.
    """

    run: Run
    points: list[tuple[int, Sequence[float], bool]] = field(default_factory=list)
    moved: list[tuple[int, float]] = field(default_factory=list)

    @cached_property
    def ends(self) -> list[int]:
        """The steps at which stages begin and end, 0 and on."""
        config = self.run.config
        steps = (config["epochs"] * -(-n // config["batch_size"]) for n in config["n_train"])
        return list(accumulate(steps, initial=0))

    def x(self, step: int) -> float:
        """In tasks: 2.5 is half-way through the third. Joint training has only the last."""
        stages = np.arange(len(self.ends)) + len(self.run.accuracy) - len(self.ends) + 1
        return float(np.interp(step, self.ends, stages))

    def looks_at(self, step: int) -> bool:
        """Whether it is time for a look; the end of an epoch is looked at anyway."""
        s = bisect_left(self.ends, step) - 1  # the stage that it is a step of
        done, steps = step - self.ends[s], self.ends[s + 1] - self.ends[s]
        an_epoch = steps // self.run.config["epochs"]
        return done % max(1, steps // LOOKS) == 0 and done % an_epoch != 0


class LabChart:
    """Draws curves and kept runs; artists are made once a run and then only moved."""

    def __init__(self) -> None:
        self.figure = plots.blank(9.8, 4.0)
        self.figure.set_dpi(100)  # as wide as it is shown
        self.figure.set_layout_engine("none")  # laid out by hand: the engine takes half the time
        self.left = self.figure.add_axes((0.065, 0.21, 0.60, 0.71))
        self.right = self.figure.add_axes((0.735, 0.21, 0.255, 0.71))
        self.n_tasks = 0
        self.curves: Curves | None = None

    def update(self, curves: Curves | None, n_tasks: int, kept: Sequence[Run]) -> None:
        """Bring the figure up to date, and its text."""
        if curves is not self.curves or n_tasks != self.n_tasks:
            self._prepare(n_tasks)
            self.curves = curves
        if list(kept) != self.drawn_kept:
            self._draw_kept(kept)
        text = "Nothing has been trained yet."
        if curves is not None:
            self._draw_curves(curves)
            self._draw_matrix(curves.run)
            text = describe_curves(curves)
            lines = [line for pair in self.lines for line in pair]
            cells = [text for row in self.cells for text in row]
            right = [self.image, *cells, self.empty, self.right.title]
            self.figure.moving = [self.average, *lines, *self.marks, *right]
        beside = "; ".join(f"{describe_run(run)} {run.average_accuracy:.1%}" for run in kept)
        plots.described(self.figure, text + (f" Kept runs: {beside}." if kept else ""))

    def _prepare(self, n_tasks: int) -> None:
        self.n_tasks = n_tasks
        self.figure.moving, self.figure.still = (), None
        left, right = self.left, self.right
        left.clear()
        right.clear()
        for t in range(0, n_tasks, 2):
            left.axvspan(t, t + 1, color="#f1f1f1", zorder=0)
        plots.frame(left)
        left.set(xlim=(0, n_tasks + 0.09), ylim=(0.6, 1.02))
        left.set_xticks(np.arange(n_tasks) + 0.5, [f"task {t + 1}" for t in range(n_tasks)])
        left.tick_params(axis="x", length=0)
        left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        left.set_title("accuracy on each task, by its number, as training goes on", fontsize=11)
        self.lines = [plots.task_line(left, j, n_tasks) for j in range(n_tasks)]
        (self.average,) = left.plot(
            [], [], color="black", linewidth=3.4, label="average", zorder=1.9
        )
        self.marks: list = []
        self.others: list = []
        self.drawn_kept: list[Run] | None = None

        shown = np.full((n_tasks, n_tasks), np.nan)
        self.image = right.imshow(shown, cmap="cividis", vmin=0, vmax=1)
        size = 10 if n_tasks <= 6 else 0
        self.cells = [
            [right.text(j, t, "", ha="center", va="center", fontsize=size) for j in range(t + 1)]
            for t in range(n_tasks if size else 0)
        ]
        ticks = range(0, n_tasks, max(1, n_tasks // 6))
        right.set_xticks(ticks, [str(j + 1) for j in ticks])
        right.set_yticks(ticks, [str(t + 1) for t in ticks])
        right.set_xlabel("accuracy on task (%)")
        right.set_ylabel("after learning task")
        right.spines[:].set_visible(False)
        right.set_title(" ", fontsize=11)
        middle = (n_tasks - 1) / 2
        self.empty = right.text(
            middle, middle, "fills in\nrow by row", ha="center", va="center", color="#767676"
        )

    def _draw_curves(self, curves: Curves) -> None:
        # Discs at the end of every epoch would touch each other if there are many.
        shown = curves.ends if curves.run.config["epochs"] > 5 else ()
        points = [
            (curves.x(step), a, exact and (step in shown or not shown))
            for step, a, exact in curves.points
        ]
        for j, pair in enumerate(self.lines):
            mine = [(x, a[j], exact) for x, a, exact in points if len(a) > j]
            for line in pair:
                line.set_data([x for x, _, _ in mine], [a for _, a, _ in mine])
                line.set_markevery([i for i, (_, _, exact) in enumerate(mine) if exact])
        lowest = min([0.6, *(min(a) for _, a, _ in points)])
        bottom = min(self.left.get_ylim()[0], 0.2 * (lowest // 0.2))
        if bottom < self.left.get_ylim()[0]:
            self.left.set_ylim(bottom, 1.02)
            self.figure.still = None
        self.average.set_data([x for x, _, _ in points], [np.mean(a) for _, a, _ in points])
        for mark in self.marks:
            mark.remove()
        self.marks, on_x = [], self.left.get_xaxis_transform()
        for step, lam in settled(curves.moved, close=curves.ends[1] // 12):
            x, text = curves.x(step), f" λ {format_lam(lam)}"
            look = {"color": "#A03C00", "fontsize": 10, "rotation": 90, "transform": on_x}
            self.marks += [
                self.left.axvline(x, color="#D55E00", linestyle=(0, (4, 2)), linewidth=1.4),
                self.left.text(x, 0.03, text, look),
            ]

    def _draw_matrix(self, run: Run) -> None:
        n = self.n_tasks
        shown = np.where(np.tril(np.ones((n, n), dtype=bool)), run.accuracy, np.nan)
        self.image.set_data(shown)
        self.empty.set_visible(bool(np.isnan(shown).all()))
        for t, row in enumerate(self.cells):
            for j, text in enumerate(row):
                there = not np.isnan(shown[t, j])
                text.set_text(f"{100 * shown[t, j]:.1f}" if there else "")
                text.set_color("black" if shown[t, j] > 0.6 else "white")
        self.right.set_title(describe_metrics(run), fontsize=11)

    def _draw_kept(self, kept: Sequence[Run]) -> None:
        self.drawn_kept = list(kept)
        self.figure.still = None
        for artist in self.others:
            artist.remove()
        self.others = []
        for k, run in enumerate(kept):
            colour, _, dash = plots.LOOK.get(run.config["method"], plots.OTHER)
            averages = metrics.average_accuracies(run.accuracy)
            x = [t + 1 for t, a in enumerate(averages) if not np.isnan(a)]
            self.others += self.left.plot(
                x,
                [averages[i - 1] for i in x],
                color=colour,
                linestyle=dash,
                marker=KEPT[k % len(KEPT)],
                markersize=7,
                linewidth=1.4,
                label=f"{describe_run(run)}  {run.average_accuracy:.1%}",
            )
        self.figure.legends.clear()
        self.figure.legend(
            handles=[self.average, *self.others],
            loc="lower left",
            bbox_to_anchor=(0.055, 0.0),
            ncols=4,
            frameon=False,
            fontsize=9.5,
            handlelength=3,
        )


def settled(moved: Sequence[tuple[int, float]], close: int) -> list[tuple[int, float]]:
    """Changes of λ as they are marked: of those that follow each other closely, only the last."""
    marked: list[tuple[int, float]] = []
    for step, lam in moved:
        if marked and step - marked[-1][0] <= close:
            marked.pop()
        marked.append((step, lam))
    return marked


def describe_run(run: Run) -> str:
    """What a kept run is called: its method, λ and where it was moved to; its tasks, if unusual."""
    lab = run.config.get("lab", {})
    moved = f" → {format_lam(lab['lam_at'][-1][1])}" if lab.get("lam_at") else ""
    tasks = [lab.get("stream", "permuted"), lab.get("scenario", "domain")]
    return " ".join([label(run) + moved, *(t for t in tasks if t not in ("permuted", "domain"))])


def describe_metrics(run: Run) -> str:
    """Average accuracy and forgetting, after the last finished task."""
    if np.isnan(run.average_accuracy):
        return " "
    lost = "" if np.isnan(run.forgetting) else f", forgetting {100 * run.forgetting:.1f}"
    return f"average {run.average_accuracy:.1%}{lost}"


def describe_curves(curves: Curves) -> str:
    """The chart in words."""
    run = curves.run
    text = f"Accuracy on each task while {label(run)} learns {len(run.accuracy)} tasks. "
    if curves.points:
        step, latest, _ = curves.points[-1]
        on = ", ".join(f"{a:.0%}" for a in latest)
        text += f"After step {step} of {curves.ends[-1]}: {on} on tasks 1 to {len(latest)}. "
    for step, lam in curves.moved:
        text += f"λ was set to {format_lam(lam)} after step {step}. "
    return text + describe_metrics(run).strip().capitalize()
