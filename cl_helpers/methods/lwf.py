"""Learning without Forgetting (Li & Hoiem 2016, arXiv:1606.09282, eqs. 1 to 4).

    L_total(θ) = L(θ) + λ · Σ_heads CE( softmax(z_old / T), softmax(z / T) )

z are the answers to the *new* task's images, z_old those that the network gave before it began to
learn the task: let the new images be seen as the old network saw them. No old data, no labels.

With Class-IL the new classes compete in the second term too, at probability 0, as in van de Ven &
Tolias 2019 (arXiv:1904.07734): if they had no part in it, nothing would speak for the old ones.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import above_zero
from ..data.tasks import masked
from .old_outputs import Teacher, columns


@dataclass(eq=False)
class LwF(Teacher):
    """
    Args:
        lam: λ.
        temperature: T > 1 makes the small probabilities count, which say what resembles what.
    """

    name = "lwf"
    label = "LwF"

    lam: float = 4.0
    temperature: float = 2.0

    def __post_init__(self) -> None:
        above_zero("T", self.temperature)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        if not self.competed or not self.lam:
            return self.task_loss(model, x, y)
        z = model(x)
        loss = F.cross_entropy(self.mask(z), y)
        return loss + self.lam * self.distillation(z, self.soft_targets(x))

    @torch.no_grad()
    def soft_targets(self, x: Tensor) -> list[Tensor]:
        """softmax(z_old / T) of each head, (B, outputs that compete now): the old view of `x`."""
        z_old = self.teacher(x) / self.temperature
        return [
            F.softmax(columns(masked(z_old, head), self.competing(head)), 1) for head in self.heads
        ]

    def distillation(self, z: Tensor, targets: list[Tensor]) -> Tensor:
        """What λ multiplies, given the answers `z` (B, K), a 0-dim tensor."""
        losses = [
            F.cross_entropy(columns(z, self.competing(head)) / self.temperature, target)
            for head, target in zip(self.heads, targets, strict=True)
        ]
        return torch.stack(losses).sum()
