"""Trajectories: where plain SGD goes on one task after another, and what that does to the losses.

A training regime is the settings alone (learning rate, its decay per task, batch size, dropout, …);
there is no method (Mirzadeh et al. 2020, arXiv:2006.06958).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ..data.tasks import Task, check_tasks
from ..methods import Baseline
from ..training.events import Event
from ..training.run import Run
from ..training.train import train_steps
from .curvature import Bound, Loss, bound, largest, weights

EXAMPLES = 1_000  # at most so many training examples represent a task


@dataclass(eq=False)
class Trajectory:
    """A run, and the weights at the end of each task: `follow` makes it.

    Attributes:
        run: the run, with its model.
        tasks: those that it was trained on.
        weights: θ₁*, θ₂*, …, (P,) each, after each task.
    """

    run: Run
    tasks: Sequence[Task]
    weights: list[Tensor] = field(default_factory=list)

    def examples(self, task: int) -> tuple[Tensor, Tensor]:
        """Return at most 1,000 training examples of `task` 0, 1, …, evenly spread over all."""
        train = self.tasks[task].train
        n = min(EXAMPLES, len(train))
        return train.batch(torch.arange(n) * len(train) // n)

    def loss(self, task: int) -> Loss:
        """Make the loss of `task` 0, 1, … on its `examples`, as a function of the weights."""
        return Loss(self.run.learner[0], *self.examples(task), self.tasks[task])

    def sharpness(self, task: int) -> float:
        """Compute μ_max of the Hessian of `task` 0, 1, … at the weights after it."""
        return float(largest(self.loss(task), self.weights[task])[0])

    @cached_property
    def bounds(self) -> list[Bound]:
        """Forgetting Forg₁ of the first task, and its bound, after each later task."""
        first, model, (x, y) = self.weights[0], self.run.learner[0], self.examples(0)
        sharpness = self.sharpness(0)
        return [bound(model, first, w, x, y, self.tasks[0], sharpness) for w in self.weights[1:]]


def follow_steps(
    tasks: Sequence[Task], model: nn.Module | None = None, **settings: Any
) -> Generator[Event, None, Trajectory]:
    """Train like `follow`, but yield an event at a time; the generator returns the trajectory.

    Args:
        tasks, model, settings: as in `follow`.

    Raises:
        ValueError: a setting makes no sense or cannot be chosen, or the loss of a task does not
            depend on the weights alone.
    """
    if "optimizer" in settings:
        raise ValueError(f"optimizer is {settings['optimizer']!r}: leave it out, it is SGD")
    if "checkpoint" in settings:
        raise ValueError(
            f"checkpoint is {str(settings['checkpoint'])!r}: leave it out, a checkpoint has only "
            "the latest weights and a trajectory needs those of every task"
        )
    if model is not None and any(True for _ in model.buffers()):
        raise ValueError(
            f"{type(model).__name__} has running statistics, so that its loss does not depend on "
            "its weights alone: give a model without batch normalisation, such as cl.MLP"
        )
    check_tasks(tasks)
    if tasks[0].scenario == "class" and len(tasks) > 1:
        raise ValueError(
            "these tasks are Class-IL, where later outputs compete too and L₁ itself changes: "
            'choose scenario="task" or "domain"'
        )
    trajectory = None
    for event in train_steps(Baseline(), tasks, model, optimizer="sgd", **settings):
        trajectory = trajectory or Trajectory(event.run, tasks)
        if event.kind == "task":
            trajectory.weights.append(weights(event.run.learner[0]))
        yield event
    assert trajectory is not None
    return trajectory


def follow(tasks: Sequence[Task], model: nn.Module | None = None, **settings: Any) -> Trajectory:
    """Train with SGD, and keep the weights at the end of each task.

    Args:
        tasks: as in `train`, but not Class-IL, where the loss of a task changes with later tasks.
        model: as in `train`, but without batch normalisation.
        settings: those of `train` except `optimizer` and `checkpoint`.

    Raises:
        ValueError: as `follow_steps`, or training diverged.
    """
    events = follow_steps(tasks, model, **settings)
    while True:
        try:
            next(events)
        except StopIteration as end:
            if end.value.run.diverged:
                raise ValueError(f"training {end.value.run.outcome}") from None
            return end.value
