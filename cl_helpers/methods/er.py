"""Experience Replay with a reservoir (Chaudhry et al. 2019, arXiv:1902.10486, algorithms 1 and 2).

    L(θ) = mean cross-entropy over a batch of the task ∪ as many stored examples

The memory is a uniform sample of all examples ever seen (Vitter 1985): once it is full, the i-th
example, counted from 0, takes the place of a random one with probability M / (i + 1).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .memory import Memory


@dataclass(eq=False)
class ER(Memory):
    """
    Args:
        memory: M, examples stored in all.
    """

    name = "er"
    label = "ER"
    kept = Memory.kept | {"seen": ""}

    memory: int = 500
    seen = 0  # examples, of all tasks

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        self.batch = x, y
        now = torch.full_like(y, len(self.competed))
        if not self.competed:  # the memory holds examples of this task alone
            return self.task_loss(model, x, y)
        index = self.drawn(len(y))
        x, y = torch.cat([x, self.x[index]]), torch.cat([y, self.y[index]])
        return F.cross_entropy(self.mask_of(model(x), torch.cat([now, self.of[index]])), y)

    def after_step(self, model: nn.Module) -> None:
        x, y = self.batch
        if not self.seen:
            self.x, self.y, self.of = (v.new_empty(self.memory, *v.shape[1:]) for v in (x, y, y))
        taken = reservoir(self.seen, len(y), self.memory, self.rng)
        slots, items = (torch.tensor(v, device=y.device) for v in (list(taken), [*taken.values()]))
        if taken:
            self.x[slots], self.y[slots], self.of[slots] = x[items], y[items], len(self.competed)
        self.seen += len(y)

    @property
    def n_stored(self) -> int:
        return min(self.seen, self.memory)


def reservoir(seen: int, n: int, size: int, rng: torch.Generator | None) -> dict[int, int]:
    """Which of the next `n` examples go where, {slot: example}, after `seen` have come by.

    In the end each of all the examples is in one of the `size` slots with the same probability.
    """
    taken = {}
    for i, u in enumerate(torch.rand(n, generator=rng, dtype=torch.float64).tolist()):
        before = seen + i
        slot = before if before < size else int(u * (before + 1))  # uniform on 0 … before
        if slot < size:
            taken[slot] = i
    return taken
