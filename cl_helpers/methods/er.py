"""ER: each batch is joined by as many stored examples; the memory is a reservoir."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .memory import Memory


@dataclass(eq=False)
class ER(Memory):
    """Experience Replay: train on each batch of the task together with stored examples.

        L(θ) = mean cross-entropy over B examples of the task ∪ B stored ones

    The memory is a reservoir, a uniform sample of all examples seen so far (Vitter 1985,
    doi:10.1145/3147.3165): once it is full, example i, counted from 0, takes the place of a random
    one with probability M / (i + 1). An example that is seen in every epoch counts each time.
    During the first task the memory only fills: it has no old examples yet.

    Args:
        memory: M, examples stored in all. Default 500.

    Raises:
        ValueError: `memory` is not a whole number, 1 or more.

    Chaudhry et al. 2019, arXiv:1902.10486, algorithms 1 and 2.
    """

    name = "er"
    label = "ER"
    kept = Memory.kept | {"seen": ""}

    memory: int = 500
    seen = 0  # examples, of all tasks

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        self.batch = {"x": x, "y": y}
        if not self.competed:  # the memory holds examples of this task alone
            return self.task_loss(model, x, y)
        index = self.drawn(len(y))
        of = torch.cat([self.of.new_full((len(y),), len(self.competed)), self.of[index]])
        x, y = torch.cat([x, self.x[index]]), torch.cat([y, self.y[index]])
        return self.loss_of(model, x, y, of)

    def after_step(self, model: nn.Module) -> None:
        y = self.batch["y"]
        if not self.seen:
            for name, v in self.batch.items():
                setattr(self, name, v.new_empty(self.memory, *v.shape[1:]))
            self.of = torch.empty(self.memory, dtype=torch.long, device=y.device)
        taken = reservoir(self.seen, len(y), self.memory, self.rng)
        slots, items = (torch.tensor(v, device=y.device) for v in (list(taken), [*taken.values()]))
        if taken:
            for name, v in self.batch.items():
                getattr(self, name)[slots] = v[items]
            self.of[slots] = len(self.competed)
        self.seen += len(y)

    @property
    def n_stored(self) -> int:
        return min(self.seen, self.memory)


def reservoir(seen: int, n: int, size: int, rng: torch.Generator | None) -> dict[int, int]:
    """Decide which of the next examples are stored, and where (algorithm 2, for a whole batch).

    Afterwards each of the seen + n examples is in the memory with the same probability.

    Args:
        seen: examples that have come by before.
        n: examples in the batch.
        size: M, slots in the memory.
        rng: generator of the draws; None is torch's global one.

    Returns:
        {slot: position in the batch}, only of the examples that are in the memory afterwards.
    """
    taken = {}
    for i, u in enumerate(torch.rand(n, generator=rng, dtype=torch.float64).tolist()):
        before = seen + i
        slot = before if before < size else int(u * (before + 1))  # uniform on 0 … before
        if slot < size:
            taken[slot] = i
    return taken
