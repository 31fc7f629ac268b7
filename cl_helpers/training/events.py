"""The events that the training loop yields."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Literal, TypeAlias

from torch import Tensor

from .run import Run

Kind: TypeAlias = Literal["start", "step", "epoch", "task"]


@dataclass(frozen=True)
class Event:
    """What just happened in training: the loop yields it, progress bars and widgets read it.

    Attributes:
        kind: "start" (nothing is trained yet), "step" (every few steps), "epoch" or "task" (one has
            ended).
        task, epoch: the current ones, counted from 0; in a "start" event the next ones.
        step, n_steps: steps done so far, and in the whole run.
        runs: the run so far of each model in training, the same objects in every event.
        losses: (S,) task loss of each of S models on its latest batch, or None; reading it makes
            the host wait for a GPU.
    """

    kind: Kind
    task: int
    epoch: int
    step: int
    n_steps: int
    runs: tuple[Run, ...]
    losses: Tensor | None = None

    @property
    def run(self) -> Run:
        """The run of the model in training; of the first, if there are several."""
        return self.runs[0]

    @property
    def loss(self) -> Tensor | None:
        """Task loss of the latest batch, 0-dim, or None; of the first of several models."""
        return None if self.losses is None else self.losses[0]


def reached_within(
    context: Callable[[], AbstractContextManager], events: Generator[Event, None, None]
) -> Generator[Event, None, None]:
    """Pass `events` on, each of which is reached within a new `context`; close them at the end."""
    with closing(events):
        while True:
            with context():
                event = next(events, None)
            if event is None:
                return
            yield event
