"""Divergence is an outcome: it is noted in the run, and ends it. A step waits for nothing.

The losses stay on their device until the epoch has ended; then all of them are looked at together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..data.tasks import Task
from ..data.views import is_finite
from .run import Run


class AllDiverged(Exception):
    """There is no run left to go on with."""


def look_at_weights(runs: Sequence[Run], t: int, step: int) -> None:
    """Note in each of `runs` whether its weights and buffers are finite, after `step` of task `t`.

    Raises:
        AllDiverged: none is.
    """
    for run in runs:
        model, _ = run.learner
        finite = all(bool(p.isfinite().all()) for p in model.parameters())
        # A buffer may hold ∞, as the mask of attention does, but not NaN.
        finite = finite and not any(bool(b.isnan().any()) for b in model.buffers())
        if run.diverged is None and not finite:
            run.diverged = {"task": t, "step": step, "loss": None}
    if all(run.diverged for run in runs):
        raise AllDiverged


class WatchedStep:
    """A step that keeps the losses of an epoch.

    Args:
        step: takes the positions of a batch, returns losses: 0-dim, or (S,) of S models.
        task: the task in training.

    Attributes:
        taken: steps on this task before those whose losses are kept.
        before: (S,) the losses of the last of these.
    """

    def __init__(self, step: Callable[[Tensor], Tensor], task: Task):
        self.step, self.task = step, task
        self.taken, self.before = 0, torch.empty(0)
        self.losses: list[Tensor] = []

    def __call__(self, index: Tensor) -> Tensor:
        losses = self.step(index)
        self.losses.append(losses.clone())  # a recorded step writes over it
        return losses

    def look(self, runs: Sequence[Run], theta: Tensor, t: int) -> None:
        """Note in each of `runs` whether it has diverged since the last look.

        Args:
            runs: S runs that were trained together.
            theta: (S, P) their weights, now.
            t: the task in training, from 0.

        Raises:
            AllDiverged: every run has.
        """
        losses = torch.stack(self.losses).view(len(self.losses), len(runs)).cpu()
        finite = losses.isfinite()
        finite[-1] &= theta.isfinite().all(1).cpu()
        for s, run in enumerate(runs):
            if run.diverged is None and not finite[:, s].all():
                n = int(finite[:, s].int().argmin())
                step, before = self.taken + n, losses[n - 1] if n else self.before
                run.diverged = {"task": t, "step": step, "loss": float(before[s]) if step else None}
                if not step and not is_finite(self.task.train):
                    run.diverged["inputs"] = "not finite"
        self.taken, self.before = self.taken + len(losses), losses[-1]
        self.losses.clear()
        if all(run.diverged for run in runs):
            raise AllDiverged
