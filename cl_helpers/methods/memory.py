"""What ER, GEM and A-GEM share: a memory of examples that never grows beyond its budget."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import at_least_one
from ..data.tasks import Task, masked
from ..models.flat import flatten
from .old_outputs import OldOutputs


class Memory(OldOutputs):
    """A method that stores `memory` examples in all, as the model saw them."""

    kept = OldOutputs.kept | {"x": "exemplars", "y": "exemplars", "of": "exemplars"}
    recordable = False

    memory: int
    x: Tensor  # (M, …) images
    y: Tensor  # (M,) their labels
    of: Tensor  # (M,) the task that each is from, counted from 0

    def __post_init__(self) -> None:
        at_least_one("memory", self.memory)

    @property
    def n_stored(self) -> int:
        """How many examples there are."""
        return len(self.y)

    def drawn(self, n: int) -> Tensor:
        """Positions of `n` stored examples, or of all if there are no more, at random."""
        if n >= self.n_stored:
            return torch.arange(self.n_stored, device=self.y.device)
        return torch.randperm(self.n_stored, generator=self.rng)[:n].to(self.y.device)

    def mask_of(self, z: Tensor, of: Tensor) -> Tensor:
        """Answers `z` (B, K) to examples of the tasks `of` (B,): what did not compete is at −∞."""
        if self.task is None or self.task.scenario != "task":
            return self.mask(z)
        competing = [
            masked(z.new_zeros(1, z.shape[1]), each) for each in (*self.competed, self.task.active)
        ]
        return z + torch.cat(competing)[of]

    def memory_loss(self, model: nn.Module, index: Tensor) -> Tensor:
        """Cross-entropy on the stored examples at `index`, a 0-dim tensor."""
        z = self.mask_of(model(self.x[index]), self.of[index])
        return F.cross_entropy(z, self.y[index])


class TaskMemory(Memory):
    """What GEM and A-GEM share: no step may contradict the past, in their own sense of it.

    Each task has its share of the memory: after t tasks, memory / t examples of each.
    """

    def reconciled(self, model: nn.Module, g: Tensor) -> Tensor:
        """(P,): what is stepped along in place of the gradient `g` (P,)."""
        raise NotImplementedError(f"{type(self).__name__} must say what it makes of a gradient")

    def after_backward(self, model: nn.Module) -> None:
        if self.competed:
            g = flatten(model).grad
            g.copy_(self.reconciled(model, g))

    def memory_gradient(self, model: nn.Module, index: Tensor) -> Tensor:
        """(P,): of `memory_loss`, as the model is now."""
        loss = self.memory_loss(model, index)
        grads = torch.autograd.grad(loss, flatten(model).parameters)
        return torch.cat([p.reshape(-1) for p in grads])

    def end_task(self, model: nn.Module, task: Task) -> None:
        """Make room, and store examples of the task just learned, its classes evenly."""
        t = len(self.competed)
        super().end_task(model, task)
        share = max(1, self.memory // (t + 1))
        data = task.train.to(next(model.parameters()).device)
        index = evenly(data.y, share, self.rng)
        x, y = data.batch(index)
        of = torch.full_like(y, t)
        if t:
            stays = torch.cat([(self.of == k).nonzero()[:share, 0] for k in range(t)])
            x, y, of = (
                torch.cat([old[stays], new])
                for old, new in ((self.x, x), (self.y, y), (self.of, of))
            )
        self.x, self.y, self.of = x[-self.memory :], y[-self.memory :], of[-self.memory :]


def evenly(y: Tensor, n: int, rng: torch.Generator | None) -> Tensor:
    """Positions of `n` examples with labels `y` (N,), at random: from each class in turn.

    However many of them are taken from the front, no class has two more than another.
    """
    order = torch.randperm(len(y), generator=rng).to(y.device)
    shuffled = y[order]
    turn = torch.zeros_like(shuffled)
    for label in shuffled.unique():
        own = shuffled == label
        turn[own] = torch.arange(int(own.sum()), device=y.device)
    return order[turn.argsort(stable=True)][:n]
