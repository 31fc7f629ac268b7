"""What λ does, or another knob: the runs of one sweep, value by value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from ..formats import format_knob
from ..report import plots
from ..report.tables import label
from ..training import metrics
from ..training.run import Run
from .accessible import Slider, Status
from .canvas import Canvas
from .controls import choice, row
from .course_widget import CourseWidget

CLOSE = 0.04  # of the axes: a value nearer than this to one with a label has none
# How a knob is called, if not by its name, and what it counts.
SYMBOLS = {
    "lam": "λ",
    "xi": "ξ",
    "alpha": "α",
    "epsilon": "ε",
    "interval": "Δt",
    "temperature": "T",
}
UNITS = {"memory": "images stored"}


class Sweep(CourseWidget):
    """Scrub through λ, or another knob: the run it gave, between stability and plasticity.

    Args:
        runs: of `cl.sweep`, which differ in the knob; one or several methods, any number of seeds.
        on: which images the accuracies are of; the best value is the best on them.
        knob: of the methods, what is swept: "lam", "memory", …

    Raises:
        ValueError: no run is complete and has that knob.
    """

    def __init__(
        self, runs: Sequence[Run], on: str = "held-out training images", knob: str = "lam"
    ):
        self.on, self.knob = on, knob
        self.symbol = SYMBOLS.get(knob, knob)
        self.by: dict[str, dict[Any, list[Run]]] = {}
        diverged: list[str] = []
        for run in runs:
            if knob in run.config["knobs"] and run.complete:
                values = self.by.setdefault(_without(knob, run), {})
                values.setdefault(run.config["knobs"][knob], []).append(run)
            elif run.diverged and knob in run.config["knobs"]:
                value = self._describe(run.config["knobs"][knob])
                diverged.append(f"{_method_label(_without(knob, run))} with {value}")
        self.left_out = f" Diverged: {', '.join(diverged)}." if diverged else ""
        if not self.by:
            raise ValueError(
                f"there is no complete run with a {self.symbol}: make some with cl.sweep, of "
                f"methods that have the knob {knob!r}, each with a value of its own"
            )
        self.method = choice("Method", {_method_label(n): n for n in self.by}, next(iter(self.by)))
        self.slider = Slider(UNITS.get(knob, self.symbol), self._stops(), self.best())
        self.status = Status()
        self.canvas = Canvas(plots.blank(9.8, 3.9), self._update)
        self.method.observe(self._suit_the_method, "value")
        self.slider.observe(lambda _: self.canvas.ask(), "value")
        self.box = widgets.VBox([row(self.method, self.slider), self.status, self.canvas.box])

    def best(self, method: str | None = None) -> Any:
        """The value with the highest average accuracy on these images, mean over seeds."""
        values = self.by[method or self.method.value]
        return max(values, key=lambda value: _mean(values[value], "average_accuracy"))

    def _stops(self) -> list[tuple[str, Any]]:
        return [
            (format_knob(self.knob, value), value) for value in sorted(self.by[self.method.value])
        ]

    def _describe(self, value: Any) -> str:
        """A value among other words: λ 400, 1,000 images stored."""
        value = format_knob(self.knob, value)
        return f"{value} {UNITS[self.knob]}" if self.knob in UNITS else f"{self.symbol} {value}"

    def _suit_the_method(self, _: object) -> None:
        self.slider.offer(self._stops(), self.best())
        self.canvas.ask()

    def _update(self) -> None:
        name, value = self.method.value, self.slider.value
        values = self.by[name]
        if value not in values:  # the method was changed a moment ago
            return
        best = self.best(name)
        shown, top = (self._describe(v) for v in (value, best))
        words = (
            f"{shown}: average accuracy {_mean(values[value], 'average_accuracy'):.1%}, forgetting "
            f"{100 * _mean(values[value], 'forgetting'):.1f} points. Best of the sweep: {top} "
            f"with {_mean(values[best], 'average_accuracy'):.1%}, on {self.on}.{self.left_out}"
        )
        figure = self.canvas.figure
        figure.clear()
        left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
        a = np.mean([run.accuracy for run in values[value]], axis=0)
        _draw_tasks(left, a, f"{_method_label(name)}, {shown}")
        self._draw_fronts(right, name, value, best)
        self.status.value = words
        plots.described(
            figure,
            f"{_method_label(name)}: accuracy on each task after each task, and stability against "
            f"plasticity for {len(values)} values of {self.symbol}. {words}",
        )

    def _draw_fronts(self, ax: Axes, name: str, value: Any, best: Any) -> None:
        """Stability against plasticity in per cent, a line a method, the values at its markers."""
        fronts = {
            n: {v: 100 * _place(values[v]) for v in sorted(values)} for n, values in self.by.items()
        }
        for n, front in fronts.items():
            colour, marker, dash = plots.LOOK.get(n.split()[0], plots.OTHER)
            ax.plot(
                *np.array([*front.values()]).T,
                color=colour,
                marker=marker,
                linestyle=dash,
                label=_method_label(n),
                alpha=1 if n == name else 0.35,
            )
        mine = fronts[name]
        every = np.array([where for front in fronts.values() for where in front.values()])
        room = np.maximum(0.1 * np.ptp(every, axis=0), 1.0)  # a point is nothing to magnify
        low, high = every.min(0) - room, every.max(0) + room
        ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        labelled: list[NDArray] = []
        for v in sorted(mine, key=lambda v: (v != best, v)):  # the best one comes first
            if all(np.hypot(*((mine[v] - other) / (high - low))) >= CLOSE for other in labelled):
                at_edge = (mine[v] - low)[0] > 0.8 * (high - low)[0]
                off, side = (-9, "right") if at_edge else (9, "left")
                plots.note(ax, format_knob(self.knob, v), mine[v], (off, 5), ha=side, fontsize=9)
                labelled.append(mine[v])
        ax.plot(*mine[best], "*", markersize=18, color="#F0C000", markeredgecolor="k")
        ax.plot(*mine[value], "o", markersize=17, fillstyle="none", color="black")
        ax.set_xlabel("plasticity: accuracy on each task just learned")
        ax.set_ylabel("stability: accuracy on\nthe old tasks at the end")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(5, integer=True))
            axis.set_major_formatter(PercentFormatter(decimals=0))
        ax.set_title(f"at the points: {self.slider.description}; star: best average", fontsize=11)
        plots.frame(ax)
        if len(fronts) > 1:
            ax.legend(frameon=False, fontsize=9)


def _without(knob: str, run: Run) -> str:
    """Of what the knob is swept: the method and its other knobs, "ewc" or "ewc fisher=true"."""
    return " ".join(word for word in label(run).split() if not word.startswith(f"{knob}="))


def _method_label(name: str) -> str:
    """The name for people: "EWC", "EWC fisher=true"."""
    method, *knobs = name.split()
    return " ".join([plots.method_label(method), *knobs])


def _mean(runs: Sequence[Run], metric: str) -> float:
    return float(np.mean([getattr(run, metric) for run in runs]))


def _place(runs: Sequence[Run]) -> NDArray:
    """(2,): plasticity and stability of runs that differ in the seed."""
    a = np.mean([run.accuracy for run in runs], axis=0)
    return np.array([np.diag(a).mean(), a[-1, :-1].mean()])


def _draw_tasks(ax: Axes, a: NDArray, title: str) -> None:
    """A line a task, in the manner of the Lab's chart."""
    n = len(a)
    for j in range(n):
        for line in plots.task_line(ax, j, n):
            line.set_data(range(j + 1, n + 1), a[j:, j])
            line.set_clip_on(False)  # a disc at 0% is a whole one
    averages = metrics.average_accuracies(a)
    ax.plot(range(1, n + 1), averages, color="black", linewidth=3.4, zorder=1.9)
    ax.relim()
    ax.autoscale_view()
    ax.set_xticks(range(1, n + 1))
    ax.set(
        xlabel="after learning task",
        ylabel="accuracy on task 1, 2, …",
        ylim=(min(0.8, 0.2 * (np.nanmin(np.where(np.tri(n, dtype=bool), a, np.nan)) // 0.2)), 1.01),
    )
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set_title(f"{title}; thick: the average", fontsize=11)
    plots.frame(ax)
