"""What λ does: the runs of one sweep, λ by λ."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from .. import metrics, plots
from ..comparison import label
from ..methods import METHODS
from ..run import Run
from .canvas import Canvas
from .controls import choice, row, told
from .elements import Slider, Status
from .shown import Shown

CLOSE = 0.04  # of the axes: a λ nearer than this to one with a label has none


class Sweep(Shown):
    """Scrub through λ: the run it gave, and where it lies between stability and plasticity.

    Args:
        runs: from `cl.sweep(..., lam=[...])`; one or several methods, any number of seeds.
        on: which images the accuracies are of; the best λ is the best on them.

    Raises:
        ValueError: no run is complete and has a λ.
    """

    def __init__(self, runs: Sequence[Run], on: str = "held-out training images"):
        self.on = on
        self.by: dict[str, dict[float, list[Run]]] = {}
        for run in runs:
            if "lam" in run.config["knobs"] and run.complete:
                lams = self.by.setdefault(_without_lam(run), {})
                lams.setdefault(run.config["knobs"]["lam"], []).append(run)
        if not self.by:
            raise ValueError("there is no complete run with a λ: make some with cl.sweep(lam=[…])")
        self.method = choice("Method", {_named(n): n for n in self.by}, next(iter(self.by)))
        self.lam = Slider("λ", self._stops(), self.best())
        self.said = Status()
        self.canvas = Canvas(plots.blank(9.8, 3.9), self._update)
        self.method.observe(self._suit_the_method, "value")
        self.lam.observe(lambda _: self.canvas.ask(), "value")
        self.box = widgets.VBox([row(self.method, self.lam), self.said, self.canvas.box])

    def best(self, method: str | None = None) -> float:
        """The λ with the highest average accuracy on these images, mean over seeds."""
        lams = self.by[method or self.method.value]
        return max(lams, key=lambda lam: _mean(lams[lam], "average_accuracy"))

    def _stops(self) -> list[tuple[str, float]]:
        return [(told(lam), lam) for lam in sorted(self.by[self.method.value])]

    def _suit_the_method(self, _: object) -> None:
        self.lam.offer(self._stops(), self.best())
        self.canvas.ask()

    def _update(self) -> None:
        name, lam = self.method.value, self.lam.value
        lams = self.by[name]
        if lam not in lams:  # the method was changed a moment ago
            return
        best = self.best(name)
        average = _mean(lams[lam], "average_accuracy")
        words = (
            f"λ {told(lam)}: average accuracy {average:.1%}, forgetting "
            f"{100 * _mean(lams[lam], 'forgetting'):.1f} points. Best of the sweep: λ {told(best)} "
            f"with {_mean(lams[best], 'average_accuracy'):.1%}, on {self.on}."
        )
        figure = self.canvas.figure
        figure.clear()
        left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
        a = np.mean([run.accuracy for run in lams[lam]], axis=0)
        _draw_tasks(left, a, f"{_named(name)}, λ {told(lam)}")
        self._draw_fronts(right, name, lam, best)
        self.said.value = words
        plots.described(
            figure,
            f"{_named(name)}: accuracy on each task after each task, and stability against "
            f"plasticity for {len(lams)} values of λ. {words}",
        )

    def _draw_fronts(self, ax: Axes, name: str, lam: float, best: float) -> None:
        """Stability against plasticity in per cent, a line a method, λ at its markers."""
        fronts = {
            n: {x: 100 * _place(lams[x]) for x in sorted(lams)} for n, lams in self.by.items()
        }
        for n, front in fronts.items():
            colour, marker, dash = plots.LOOK.get(n.split()[0], plots.OTHER)
            ax.plot(
                *np.array([*front.values()]).T,
                color=colour,
                marker=marker,
                linestyle=dash,
                label=_named(n),
                alpha=1 if n == name else 0.35,
            )
        mine = fronts[name]
        every = np.array([where for front in fronts.values() for where in front.values()])
        room = np.maximum(0.1 * np.ptp(every, axis=0), 1.0)  # a point is nothing to magnify
        low, high = every.min(0) - room, every.max(0) + room
        ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        labelled: list[NDArray] = []
        for x in sorted(mine, key=lambda x: (x != best, x)):  # the best one comes first
            if all(np.hypot(*((mine[x] - other) / (high - low))) >= CLOSE for other in labelled):
                ax.annotate(told(x), tuple(mine[x]), (9, 5), textcoords="offset points", fontsize=9)
                labelled.append(mine[x])
        ax.plot(*mine[best], "*", markersize=18, color="#F0C000", markeredgecolor="k")
        ax.plot(*mine[lam], "o", markersize=17, fillstyle="none", color="black")
        ax.set_xlabel("plasticity: accuracy on each task just learned")
        ax.set_ylabel("stability: accuracy on\nthe old tasks at the end")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(5, integer=True))
            axis.set_major_formatter(PercentFormatter(decimals=0))
        ax.set_title("every λ of the sweep; star: best average", fontsize=11)
        plots.frame(ax)
        if len(fronts) > 1:
            ax.legend(frameon=False, fontsize=9)


def _without_lam(run: Run) -> str:
    """Of what the λ is swept: the method and its other knobs, "ewc" or "ewc fisher=true"."""
    return " ".join(word for word in label(run).split() if not word.startswith("lam="))


def _named(name: str) -> str:
    """The name for people: "EWC", "EWC fisher=true"."""
    method, *knobs = name.split()
    return " ".join([METHODS[method].label if method in METHODS else method, *knobs])


def _mean(runs: Sequence[Run], figure: str) -> float:
    return float(np.mean([getattr(run, figure) for run in runs]))


def _place(runs: Sequence[Run]) -> NDArray:
    """(2,): plasticity and stability of runs that differ in the seed."""
    a = np.mean([run.accuracy for run in runs], axis=0)
    return np.array([np.diag(a).mean(), a[-1, :-1].mean()])


def _draw_tasks(ax: Axes, a: NDArray, title: str) -> None:
    """A line a task, in the manner of the Lab's picture."""
    n = len(a)
    for j in range(n):
        for line in plots.task_line(ax, j, n):
            line.set_data(range(j + 1, n + 1), a[j:, j])
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
