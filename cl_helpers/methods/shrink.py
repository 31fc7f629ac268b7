"""Shrink and perturb: before each task, mix the weights with new ones."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn

from ..checks import up_to_one
from ..data.tasks import Task
from ..models.flat import flatten
from ..models.seeded import Seeded
from .base import TRACED, Remembering


@dataclass(eq=False)
class ShrinkPerturb(Remembering):
    """Shrink and perturb: between tasks, shrink all weights and add noise; then train as usual.

        θ ← (1 − p) θ + p ε,        ε drawn like the initial weights

    Each weight is shrunk by the factor 1 − p. ε of a layer with n inputs is uniform on ±1/√n, so
    that the noise has mean 0 and variance p² / 3n. p = 0 changes nothing, and with p = 1 every task
    begins with a new network. It does not protect the past.

    Args:
        share: p, the share of the new weights, 0 to 1. Default 0.01, chosen on held-out images (see
            experiments/).

    Raises:
        ValueError: `share` is out of its range, or the model cannot draw its weights (`Seeded`).

    Departs from the paper: shrinkage and noise have one setting together; there θ ← λ θ + ε with a
    normal ε has two.

    Ash & Adams 2020, arXiv:1910.08475, section 4.
    """

    name = "shrink"
    label = "Shrink and perturb"

    share: float = 0.01

    def __post_init__(self) -> None:
        up_to_one("share", self.share)

    @torch.no_grad()
    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        if not isinstance(model, Seeded) or not (self.ended or model.draws_all()):
            raise ValueError(
                f"{type(model).__name__} cannot draw all of its weights anew: give a model such as "
                "cl.MLP, or derive it from cl.models.Seeded, whose draw_weights draws them"
            )
        if self.ended and self.share:
            new = deepcopy(model)
            new.draw_weights(int(torch.randint(2**31, (), generator=self.rng)))
            flatten(model).theta.mul_(1 - self.share).add_(flatten(new).theta, alpha=self.share)

    @property
    def traces_task_loss(self) -> bool:
        return self._leaves(ShrinkPerturb, *TRACED)
