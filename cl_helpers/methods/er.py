"""ER: each batch is joined by as many stored examples; the memory is a reservoir."""

import math
import numbers
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..data.tasks import Task
from .memory import Memory


@dataclass(eq=False)
class ER(Memory):
    """Experience Replay: train on each batch of the task together with stored examples.

        L(θ) = mean cross-entropy over B examples of the task ∪ share · B stored ones

    The memory is a reservoir, a uniform sample of all examples seen so far (Vitter 1985,
    doi:10.1145/3147.3165): once it is full, example i, counted from 0, takes the place of a random
    one with probability M / (i + 1). An example that is seen in every epoch counts each time.
    During the first task the memory only fills: it has no old examples yet. Of a task that the
    model had learned before (`learned` in the settings) each example counts once.

    Args:
        memory: M, examples stored in all. Default 500.
        share: stored examples for each example of the task, 0 < share ≤ 1. Where share · B is no
            whole number, the numbers drawn have it as their mean. Default 1, the paper's.

    Raises:
        ValueError: `memory` is not a whole number, 1 or more, or `share` is out of its range.

    Chaudhry et al. 2019, arXiv:1902.10486, algorithms 1 and 2.
    """

    name = "er"
    label = "ER"
    kept = Memory.kept | {"seen": ""}

    memory: int = 500
    share: float = 1.0
    seen = 0  # examples, of all tasks
    seen_before = 0  # the task in training

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isinstance(self.share, numbers.Real) and 0 < self.share <= 1):
            raise ValueError(f"share is {self.share!r}: choose 0 < share ≤ 1")

    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        self.seen_before = self.seen

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        self.batch = {"x": x, "y": y}
        if not self.competed:  # the memory holds examples of this task alone
            return self.task_loss(model, x, y)
        index = self.drawn(self.n_drawn(len(y)))
        of = torch.cat([self.of.new_full((len(y),), len(self.competed)), self.of[index]])
        x, y = torch.cat([x, self.x[index]]), torch.cat([y, self.y[index]])
        return self.loss_of(model, x, y, of)

    def n_drawn(self, n: int) -> int:
        """Draw how many stored examples join `n` of the task: share · n, or one beside it."""
        if self.share == 1:
            return n
        chance = torch.rand((), generator=self.rng, dtype=torch.float64)
        return math.floor(self.share * n + float(chance))

    def after_step(self, model: nn.Module) -> None:
        n = len(self.batch["y"])
        self.store(self.batch, reservoir(self.seen, n, self.memory, self.rng))
        self.seen += n

    def end_task(self, model: nn.Module, task: Task) -> None:
        if self.seen == self.seen_before:  # no step was taken on it: the model knew it
            taken = reservoir(self.seen, len(task.train), self.memory, self.rng)
            if taken:
                which = torch.tensor([*taken.values()], device=task.train.device)
                x, y = task.train.batch(which)
                self.store(self.record(model, x, y), {slot: n for n, slot in enumerate(taken)})
            self.seen += len(task.train)
        super().end_task(model, task)

    def record(self, model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """What is stored of examples `x` (B, …) and `y` (B, …) of a task without steps."""
        return {"x": x, "y": y}

    def store(self, batch: dict[str, Tensor], taken: dict[int, int]) -> None:
        """Store examples of `batch`, each (B, …), as {slot: position} in `taken` says."""
        device = batch["y"].device
        if not hasattr(self, "x"):
            for name, v in batch.items():
                setattr(self, name, v.new_empty(self.memory, *v.shape[1:]))
            self.of = torch.empty(self.memory, dtype=torch.long, device=device)
        slots, items = (torch.tensor(v, device=device) for v in (list(taken), [*taken.values()]))
        if taken:
            for name, v in batch.items():
                getattr(self, name)[slots] = v[items]
            self.of[slots] = len(self.competed)

    @property
    def n_stored(self) -> int:
        return min(self.seen, self.memory)

    @property
    def stored(self) -> dict[str, int]:
        return {kind: n * self.n_stored // self.memory for kind, n in super().stored.items()}


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
