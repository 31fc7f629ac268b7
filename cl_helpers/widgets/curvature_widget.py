"""Two tasks, one regime after another: sharpness, distance and the bound beside forgetting."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..analysis.trajectories import Trajectory, follow_steps
from ..checks import at_least_one
from ..data.tasks import Task
from ..models.small import MLP, mlp_for
from ..report import plots
from ..training.events import Event
from .accessible import Slider, Status
from .canvas import Canvas
from .controls import buttons, choice, row
from .training_widget import TrainingWidget

SIZES = (100, 100)  # hidden units
LEAST = 1e-6  # where on a logarithmic axis a sharpness or distance of 0 stands
# argument of `train`: name, stops, where it begins
OFFERED: dict[str, tuple[str, list[float], float]] = {
    "lr": ("Learning rate", [0.01, 0.02, 0.05, 0.1, 0.2], 0.05),
    "batch_size": ("Batch size", [8, 16, 32, 64, 128], 64),
    "dropout": ("Dropout", [0.0, 0.25, 0.5], 0.0),
    "lr_decay": ("Decay per task", [0.2, 0.4, 0.6, 0.8, 1.0], 1.0),
}
SHORT = {"lr": "lr", "batch_size": "batch", "dropout": "dropout", "lr_decay": "decay"}
ACROSS = {  # what is laid against Forg₁
    "the bound ½ μ_max ‖δ‖²": "bound",
    "the quadratic term ½ δᵀHδ": "quadratic",
    "sharpness μ_max": "sharpness",
    "distance ‖δ‖": "distance",
}


class Curvature(TrainingWidget):
    """Choose a regime, train on two tasks, and compare it with the regimes before.

    Args:
        tasks: the first two are trained on.
        epochs: of each.
        trajectories: to begin with, from `cl.trajectories.follow` on the same tasks.
        seed: of all runs.

    Attributes:
        trajectories: what has been trained so far; each is a numbered point.
        trajectory: what the latest run gave; None if it gave nothing, or before it has.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        epochs: int = 3,
        trajectories: Sequence[Trajectory] = (),
        seed: int = 0,
    ):
        if len(tasks) < 2:
            there = f"there is {len(tasks) or 'no'} task"
            raise ValueError(f"{there}: give two, one to learn and one to forget by")
        at_least_one("epochs", epochs)
        self.tasks, self.epochs, self.seed = tasks[:2], epochs, seed
        self.trajectories = list(trajectories)
        if any(len(trajectory.weights) < 2 for trajectory in trajectories):
            raise ValueError(
                "a trajectory has learned one task: give those of two, one to forget by"
            )
        self.trajectory: Trajectory | None = None
        self.event: Event | None = None
        start = self.trajectories[0].run.config if trajectories else {}
        self.sliders = {
            name: _slider(text, stops, start.get(name) or begin)
            for name, (text, stops, begin) in OFFERED.items()
        }
        self.across = choice("Against forgetting", ACROSS, "bound")
        self.across.observe(lambda _: self.canvas.ask(), "value")
        self.start_, self.stop_, self.clear_ = buttons(
            ("Train on two tasks", self.start), ("Stop", self.stop), ("Clear", self.clear)
        )
        self.progress = widgets.FloatProgress(max=1.0, tooltip="done", layout={"width": "120px"})
        self.status = Status()
        self.canvas = Canvas(plots.blank(9.6, 4.2), self._update)
        self.box = widgets.VBox(
            [
                row(*self.sliders.values()),
                row(self.start_, self.stop_, self.clear_, self.progress, self.across),
                self.status,
                self.canvas.box,
            ]
        )

    # ---- what the buttons do; also from code ----

    def start(self, *_: object) -> None:
        """Train with the regime on the page."""
        self.event = self.trajectory = None
        regime = {name: slider.value for name, slider in self.sliders.items()}
        self._begin(partial(self._events, regime))

    def wait(self, timeout: float | None = None) -> Trajectory | None:
        super().wait(timeout)
        return self.trajectory

    def clear(self, *_: object) -> None:
        """Forget all points."""
        self.trajectories.clear()
        self.canvas.ask()

    # ---- in the training thread ----

    def _events(self, regime: dict[str, Any]) -> Generator[Event, None, None]:
        model = MLP((mlp_for(self.tasks).sizes[0], *SIZES, mlp_for(self.tasks).sizes[-1]))
        settings = regime | {"epochs": self.epochs, "seed": self.seed}
        trajectory = yield from follow_steps(self.tasks, model, **settings)
        if trajectory.run.diverged:
            raise ValueError(
                f"training diverged with {describe_regime(trajectory)}: lower the learning rate"
            )
        _ = trajectory.bounds  # here, and not while drawing
        if self.is_latest:
            self.trajectory = trajectory
        self.trajectories.append(trajectory)

    def _take_event(self, event: Event) -> None:
        self.event = event
        self.canvas.ask()

    # ---- in the drawing thread ----

    def _update(self) -> None:
        training, event, live = self.training, self.event, self.trains
        self.stop_.disabled, self.clear_.disabled = not live, not self.trajectories
        self.progress.value = event.step / event.n_steps if event else 0.0
        trajectories = list(self.trajectories)
        if live:
            where = f"task {event.task + 1} of 2" if event else "starting"
            self.status.value = f"training: {where}"
        elif training is not None and training.state in ("stopped", "failed"):
            self.status.value = training.reason or "failed: see below"
        elif trajectories:
            self.status.value = f"{len(trajectories)}: {describe_trajectory(trajectories[-1])}"
        else:
            self.status.value = "Choose a regime and press the button: each one becomes a point."
        figure = self.canvas.figure
        figure.clear()
        left, right = figure.subplots(1, 2)
        _draw_factors(left, trajectories)
        name = next(text for text, what in ACROSS.items() if what == self.across.value)
        _draw_forgetting(right, trajectories, self.across.value, name)
        plots.described(
            figure,
            "Left: sharpness μ_max against distance ‖δ‖, a point a regime; along a dotted line "
            f"the bound is the same. Right: Forg₁ against {name}. "
            + (
                " ".join(
                    f"{i}: {describe_trajectory(trajectory)}."
                    for i, trajectory in enumerate(trajectories, 1)
                )
                or "No point yet."
            ),
        )


def _slider(text: str, stops: list[float], value: float) -> Slider:
    return Slider(text, [(f"{stop:g}", stop) for stop in sorted({*stops, value})], value)


def describe_regime(trajectory: Trajectory) -> str:
    """The regime, in a few words."""
    config = trajectory.run.config
    return ", ".join(f"{text} {config[name] or 0:g}" for name, text in SHORT.items())


def describe_trajectory(trajectory: Trajectory) -> str:
    """The regime and what came of it."""
    b, a = trajectory.bounds[0], trajectory.run.accuracy
    return (
        f"{describe_regime(trajectory)}: sharpness {b.sharpness:.1f}, distance {b.distance:.1f}, "
        f"bound {b.bound:.0f}, quadratic term {b.quadratic:.3f}; Forg₁ {b.forgetting:.3f}, "
        f"task 1 from {a[0, 0]:.1%} to {a[1, 0]:.1%}, task 2 {a[1, 1]:.1%}"
    )


def _draw_factors(ax: Axes, trajectories: Sequence[Trajectory]) -> None:
    x = [trajectory.bounds[0].distance for trajectory in trajectories] or [1.0, 10.0]
    y = [trajectory.bounds[0].sharpness for trajectory in trajectories] or [1.0, 30.0]
    ax.set(xscale="log", yscale="log")
    x, y = ([max(value, LEAST) for value in values] for values in (x, y))
    xlim, ylim = ((min(v) / 1.6, 1.6 * max(v)) for v in (x, y))
    distance = np.geomspace(*xlim, 50)
    for bound in (1, 3, 10, 30, 100, 300, 1000):
        sharpness = 2 * bound / distance**2
        ax.plot(distance, sharpness, color="#999999", linestyle=":", linewidth=1, zorder=1)
        seen = (sharpness > ylim[0]) & (sharpness < ylim[1]) & (distance < xlim[1] / 1.1)
        if seen.any():
            at = int(np.argmax(seen))
            where = distance[at], sharpness[at]
            plots.note(ax, f"{bound}", where, (4, -12), fontsize=9, color="#666666")
    _points(ax, x, y, trajectories)
    ax.set(xlim=xlim, ylim=ylim, xlabel="distance ‖δ‖", ylabel="sharpness $μ_{max}$")
    ax.set_title("dotted: the same bound ½ $μ_{max}$ ‖δ‖²", fontsize=11)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axis.set_minor_formatter(NullFormatter())
    plots.frame(ax)


def _draw_forgetting(ax: Axes, trajectories: Sequence[Trajectory], what: str, name: str) -> None:
    x = [getattr(trajectory.bounds[0], what) for trajectory in trajectories]
    y = [trajectory.bounds[0].forgetting for trajectory in trajectories]
    ax.axhline(0, color="black", linewidth=0.8)
    _points(ax, x, y, trajectories)
    ax.margins(0.12)
    ax.set(xlabel=name.replace("μ_max", "$μ_{max}$"), ylabel="forgetting Forg₁, measured")
    ax.set_title(_rank(x, y), fontsize=11)
    plots.frame(ax)


def _rank(x: Sequence[float], y: Sequence[float]) -> str:
    """The rank correlation, where there are enough points for one."""
    if len(x) < 4:
        return "with four points or more: do the ranks agree?"
    from scipy.stats import spearmanr  # takes as long to import as all the rest

    return f"rank correlation {spearmanr(x, y).statistic:.2f} of {len(x)} regimes"


def _points(
    ax: Axes, x: Sequence[float], y: Sequence[float], trajectories: Sequence[Trajectory]
) -> None:
    """Numbered discs, the latest filled."""
    for i, at in enumerate(zip(x, y, strict=False), 1):
        if i > len(trajectories):
            return
        face, ink = ("#0072B2", "white") if i == len(trajectories) else ("white", "black")
        ax.plot(*at, "o", markersize=15, color="#0072B2", markerfacecolor=face, zorder=3)
        ax.annotate(str(i), at, ha="center", va="center", fontsize=9, zorder=4, color=ink)
