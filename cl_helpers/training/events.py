"""What the training loop tells to whoever drains it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from torch import Tensor

from .run import Run

Kind: TypeAlias = Literal["start", "step", "epoch", "task"]


@dataclass(frozen=True)
class Event:
    """What just happened in training.

    Attributes:
        kind: "start" (nothing trained yet), "step" (every few), "epoch" or "task" (one ended).
        task, epoch: where training is, from 0; in a "start" event those that come next.
        step, n_steps: steps done so far and in the whole run.
        runs: the run so far of each model in training, the same objects in every event.
        losses: (S,) task loss of each in the latest batch, or None; reading it makes a GPU wait.
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
        """The run, where one model is in training."""
        return self.runs[0]

    @property
    def loss(self) -> Tensor | None:
        """Task loss of the latest batch, 0-dim."""
        return None if self.losses is None else self.losses[0]
