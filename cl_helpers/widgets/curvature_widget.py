"""Two tasks, one regime after another: sharpness, distance and the bound beside forgetting."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from functools import partial
from typing import Any, ClassVar

import traitlets

from ..analysis.trajectories import Trajectory, follow_steps
from ..checks import at_least_one
from ..data.tasks import Task
from ..models.small import MLP, mlp_for
from ..training.events import Event
from .training_view import TrainingView

SIZES = (100, 100)  # hidden units
REGIME = ("lr", "batch_size", "dropout", "lr_decay")
OFTEN = 0.05  # seconds between two reports of progress


class Curvature(TrainingView):
    """Choose a regime, train on two tasks, and compare it with the regimes before.

    Args:
        tasks: the first two are trained on.
        epochs: of each.
        trajectories: to begin with, from `cl.trajectories.follow` on the same tasks.
        seed: of all runs.

    Attributes:
        lr, batch_size, dropout, lr_decay: the regime of the next run.
        across: what forgetting is laid against: "bound", "quadratic", "sharpness" or "distance".
        trajectories: what has been trained so far; each is a numbered point.
        trajectory: what the latest run gave; None if it gave nothing, or before it has.
    """

    ACTIONS: ClassVar[tuple[str, ...]] = ("start", "stop", "clear")
    SETTINGS: ClassVar[tuple[str, ...]] = REGIME

    view = traitlets.Unicode("curvature").tag(sync=True)
    lr = traitlets.Float(0.05, min=1e-12).tag(sync=True)
    batch_size = traitlets.Int(64, min=1).tag(sync=True)
    dropout = traitlets.Float(0.0, min=0.0, max=0.99).tag(sync=True)
    lr_decay = traitlets.Float(1.0, min=1e-12).tag(sync=True)
    across = traitlets.Enum(("bound", "quadratic", "sharpness", "distance"), "bound").tag(sync=True)
    now: traitlets.Dict = traitlets.Dict().tag(sync=True)  # regime, task, step and n_steps
    points: traitlets.List = traitlets.List().tag(sync=True)

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
        self._reported = 0.0
        begin = _regime(trajectories[0].run.config) if trajectories else {}
        super().__init__(points=list(map(_numbers, trajectories)), **begin)

    # ---- what the buttons do; also from code ----

    def start(self) -> None:
        """Train with the regime on the page."""
        self.trajectory, self.now = None, {}
        self._begin(partial(self._events, {name: getattr(self, name) for name in REGIME}))

    def wait(self, timeout: float | None = None) -> Trajectory | None:
        super().wait(timeout)
        return self.trajectory

    def clear(self) -> None:
        """Forget all points."""
        self.trajectories.clear()
        self.points = []

    # ---- in the training thread ----

    def _events(self, regime: dict[str, Any]) -> Generator[Event, None, None]:
        sizes = mlp_for(self.tasks).sizes
        settings = regime | {"epochs": self.epochs, "seed": self.seed}
        trajectory = yield from follow_steps(
            self.tasks, MLP((sizes[0], *SIZES, sizes[-1])), **settings
        )
        if lost := trajectory.run.diverged:
            raise ValueError(
                f"training diverged with {describe_regime(regime)} at step {lost['step'] + 1} of "
                f"task {lost['task'] + 1}: lower the learning rate"
            )
        _ = _numbers(trajectory)  # the bounds take their time
        if self.is_latest:
            self.trajectory = trajectory
        self.trajectories.append(trajectory)
        self.points = [_numbers(each) for each in self.trajectories]

    def _take_event(self, event: Event) -> None:
        last = event.step == event.n_steps
        if self.is_latest and (last or time.monotonic() - self._reported > OFTEN):
            self._reported = time.monotonic()
            self.now = {
                "regime": _regime(event.run.config),
                "task": event.task + 1,
                "step": event.step,
                "n_steps": event.n_steps,
            }


def _regime(config: dict[str, Any]) -> dict[str, Any]:
    return {name: config[name] or 0 for name in REGIME}


def describe_regime(regime: dict[str, Any]) -> str:
    """The regime, in a few words."""
    short = {"lr": "lr", "batch_size": "batch", "dropout": "dropout", "lr_decay": "decay"}
    return ", ".join(f"{text} {regime[name]:g}" for name, text in short.items())


def _numbers(trajectory: Trajectory) -> dict[str, Any]:
    """What the page draws of a trajectory, and says."""
    b, a = trajectory.bounds[0], trajectory.run.accuracy
    names = ("sharpness", "distance", "bound", "quadratic", "forgetting")
    return {
        **_regime(trajectory.run.config),
        **{name: float(getattr(b, name)) for name in names},
        **{"learned": float(a[0, 0]), "kept": float(a[1, 0]), "second": float(a[1, 1])},
    }
