"""LwF: the old network's outputs on the new inputs are targets that the network keeps to."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import above_zero
from ..data.tasks import masked
from .base import Method
from .old_outputs import Teacher, columns


@dataclass(eq=False)
class LwF(Teacher):
    """Learning without Forgetting: keep the old outputs on the new inputs, by distillation.

        L_total(θ) = L(θ) + λ · Σ_heads CE( softmax(z_old / τ), softmax(z / τ) )

    z are the logits for the inputs of the *new* task, z_old those of the network as it was before
    it began to learn the task. No old data are used, and the second term needs no labels. There is
    one head, the outputs of all old classes; in Task-IL there is one for each old task.

    Args:
        lam: λ ≥ 0, no unit; 0 is off. Default 4, the best of 1, 4 and 16 on held-out images of
            Split MNIST, see experiments/scenarios.
        temperature: τ > 0; τ > 1 gives more weight to small probabilities, which say how similar
            the old network finds the classes. Default 2, the paper's.

    Raises:
        ValueError: `lam` is negative or not finite, or `temperature` is not above 0.

    Li & Hoiem 2016, arXiv:1606.09282, eqs. 1 to 4.

    Departs from the paper: all weights are trained from the first step, without its warm-up of the
    new outputs. In Class-IL the new classes compete in the second term too, with target 0, as in
    van de Ven & Tolias 2019 (arXiv:1904.07734); otherwise nothing would hold them down.
    """

    name = "lwf"
    label = "LwF"

    lam: float = 4.0
    temperature: float = 2.0

    def __post_init__(self) -> None:
        above_zero("τ", self.temperature)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        if not self.competed or not self.lam:
            return self.task_loss(model, x, y)
        z = model(x)
        usual = self._leaves(Method, "task_loss")  # else a second pass, for what it may want
        loss = self.task.loss(z, y) if usual and self.task else self.task_loss(model, x, y)
        return loss + self.lam * self.distillation(z, self.soft_targets(x))

    @torch.no_grad()
    def soft_targets(self, x: Tensor) -> list[Tensor]:
        """Compute softmax(z_old / τ) of `x` (B, …), for each head (B, outputs that compete now).

        With several positions an example these are (B · positions, outputs).
        """
        z_old = self.teacher(x).flatten(0, -2) / self.temperature
        return [
            F.softmax(columns(masked(z_old, head), self.competing(head)), 1) for head in self.heads
        ]

    def distillation(self, z: Tensor, targets: list[Tensor]) -> Tensor:
        """Compute what λ multiplies, a 0-dim tensor, in nats.

        Args:
            z: (B, …, K) logits.
            targets: `soft_targets` of the same inputs.
        """
        z = z.flatten(0, -2)
        losses = [
            F.cross_entropy(columns(z, self.competing(head)) / self.temperature, target)
            for head, target in zip(self.heads, targets, strict=True)
        ]
        return torch.stack(losses).sum()
