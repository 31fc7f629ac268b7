"""What ER, DER++, GEM and A-GEM share: a memory of examples that never grows beyond its budget."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import at_least_one
from ..data.tasks import Task, masked
from ..models.flat import flatten
from .base import Method
from .old_outputs import OldOutputs


class Memory(OldOutputs):
    """Base of ER, DER++, GEM and A-GEM: store at most `memory` examples, as the model saw them.

    Attributes:
        memory: M, the budget; a whole number, 1 or more.
        x, y: (M, …) inputs and (M,) labels of the stored examples.
        of: (M,) the task that each is from, counted from 0.
    """

    kept = OldOutputs.kept | {"x": "exemplars", "y": "exemplars", "of": "exemplars"}
    recordable = False
    mixes_tasks = True

    memory: int
    x: Tensor
    y: Tensor
    of: Tensor

    def __post_init__(self) -> None:
        at_least_one("memory", self.memory)

    def begin_task(self, model: nn.Module, task: Task) -> None:
        if task.scenario == "task" and not self._leaves(Method, "task_loss"):
            raise ValueError(
                f"{type(self).__name__} overrides task_loss, but in Task-IL each stored example "
                "has outputs of its own: override loss_of instead"
            )
        super().begin_task(model, task)

    @property
    def n_stored(self) -> int:
        """Number of examples that are stored."""
        return len(self.y)

    def drawn(self, n: int) -> Tensor:
        """Draw the positions of `n` stored examples without replacement; all if there are fewer."""
        if n >= self.n_stored:
            return torch.arange(self.n_stored, device=self.y.device)
        return torch.randperm(self.n_stored, generator=self.rng)[:n].to(self.y.device)

    def mask_of(self, z: Tensor, of: Tensor) -> Tensor:
        """Set the logits in `z` (B, …, K) that did not compete in the tasks `of` (B,) to −∞."""
        assert self.task is not None
        k = z.shape[-1]
        competing = [masked(z.new_zeros(1, k), each) for each in (*self.competed, self.task.active)]
        return z + torch.cat(competing)[of].view(len(of), *[1] * (z.ndim - 2), k)

    def loss_of(self, model: nn.Module, x: Tensor, y: Tensor, of: Tensor) -> Tensor:
        """Compute the loss on examples of the tasks `of` (B,), a 0-dim tensor, in nats.

        It is the loss of the task in training; with Task-IL the cross-entropy over the outputs of
        each example's own task.
        """
        if self.task is None or self.task.scenario != "task":
            return self.task_loss(model, x, y)
        return F.cross_entropy(self.mask_of(model(x), of).movedim(-1, 1), y)

    def memory_loss(self, model: nn.Module, index: Tensor) -> Tensor:
        """Compute the loss on the stored examples at `index`, a 0-dim tensor, in nats."""
        return self.loss_of(model, self.x[index], self.y[index], self.of[index])


class TaskMemory(Memory):
    """Base of GEM and A-GEM: replace each gradient by one that does not hurt the old tasks.

    Subclasses define `reconciled`. After t tasks the memory holds memory / t examples of each.
    """

    def reconciled(self, model: nn.Module, g: Tensor) -> Tensor:
        """Compute the gradient (P,) that takes the place of `g` (P,), the new task's."""
        raise NotImplementedError(f"{type(self).__name__} must say what it makes of a gradient")

    def after_backward(self, model: nn.Module) -> None:
        if self.competed:
            g = flatten(model).grad
            g.copy_(self.reconciled(model, g))

    def memory_gradient(self, model: nn.Module, index: Tensor) -> Tensor:
        """Compute the gradient (P,) of `memory_loss` on the stored examples at `index`."""
        loss = self.memory_loss(model, index)
        grads = torch.autograd.grad(loss, flatten(model).parameters, materialize_grads=True)
        return torch.cat([p.reshape(-1) for p in grads])

    def end_task(self, model: nn.Module, task: Task) -> None:
        """Shrink the share of the old tasks and store examples of `task`, evenly by class."""
        t = len(self.competed)
        super().end_task(model, task)
        share = max(1, self.memory // (t + 1))
        data = task.train.to(next(model.parameters()).device)
        index = evenly(data.y, share, self.rng)
        x, y = data.batch(index)
        of = torch.full((len(y),), t, device=y.device)
        if t:
            stays = torch.cat([(self.of == k).nonzero()[:share, 0] for k in range(t)])
            x, y, of = (
                torch.cat([old[stays], new])
                for old, new in ((self.x, x), (self.y, y), (self.of, of))
            )
        self.x, self.y, self.of = x[-self.memory :], y[-self.memory :], of[-self.memory :]


def evenly(y: Tensor, n: int, rng: torch.Generator | None) -> Tensor:
    """Draw examples at random, from each class in turn.

    However many of them are taken from the front, their numbers by class differ by one at most, as
    long as no class runs out of examples.

    Args:
        y: (N,) labels; other targets are drawn from at random.
        n: how many to draw; all N if N is less.
        rng: generator of the draws; None is torch's global one.

    Returns:
        Their positions in `y`.
    """
    order = torch.randperm(len(y), generator=rng).to(y.device)
    if y.ndim > 1 or y.is_floating_point():  # no classes
        return order[:n]
    shuffled = y[order]
    turn = torch.zeros_like(shuffled)
    for label in shuffled.unique():
        own = shuffled == label
        turn[own] = torch.arange(int(own.sum()), device=y.device)
    return order[turn.argsort(stable=True)][:n]
