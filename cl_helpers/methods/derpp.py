"""DER++: ER, and the network keeps to the logits that it gave when an example was stored."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import zero_or_more
from ..data.tasks import Task
from ..models.forward import evaluating
from .er import ER
from .old_outputs import check_classifies


@dataclass(eq=False)
class DERpp(ER):
    """Dark Experience Replay ++: replay stored examples with their labels and their old logits.

        L(θ) = CE(z, y) + α · mean (z′ − h′)² + β · CE(z″, y″)

    z are the logits of the B examples of the task. z′ and z″ are those of two draws of B stored
    examples each. h′ are logits that were stored with the examples: what the network of *that* step
    gave. They are never computed again, so no old network is kept. The memory is ER's reservoir.
    During the first task it only fills.

    Args:
        memory: M, examples stored in all, each with K logits. Default 500.
        share: stored examples of each draw for each example of the task, as in `ER`. Default 1.
        alpha: α ≥ 0, weight of the stored logits, no unit. Default 0.3, the best of
            0.1, 0.3 and 1 on held-out images of Split MNIST, see experiments/pretrained.
        beta: β ≥ 0, weight of the stored labels, no unit. Default 1. In that experiment 4 was
            better, the largest that was tried.

    Raises:
        ValueError: `memory` is not a whole number, 1 or more; α or β is negative or not finite.

    Buzzega et al. 2020, arXiv:2004.07211, eq. 6 and algorithm 2.

    Departs from the paper: the mean over logits is that of the authors' code. Only logits that
    competed when the example was stored are compared; there all outputs compete from the start. The
    memory is not used during the first task, as in `ER`. With α = 0 and β = 1 the loss is twice
    that of `ER`, which is one mean over both batches, if the memory holds a batch or more.
    """

    name = "derpp"
    label = "DER++"
    kept = ER.kept | {"z": "logits"}

    alpha: float = 0.3
    beta: float = 1.0
    z = torch.empty(0)  # (M, K) logits of the stored examples, of the step in which they came

    def __post_init__(self) -> None:
        super().__post_init__()
        zero_or_more("α", self.alpha)
        zero_or_more("β", self.beta)

    def check_task(self, task: Task) -> None:
        super().check_task(task)
        check_classifies(task, "DER++ takes outputs for logits of classes")

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        z = model(x)
        self.batch = {"x": x, "y": y, "z": z.detach().to(next(model.parameters()).dtype)}
        loss = F.cross_entropy(z, y) if self.task is None else self.task.loss(z, y)
        for weight, term in ((self.alpha, self.logit_loss), (self.beta, self.memory_loss)):
            n = self.n_drawn(len(y)) if self.competed and weight else 0
            if n:
                loss = loss + weight * term(model, self.drawn(n))
        return loss

    def record(self, model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        with evaluating(model), torch.no_grad():
            return {"x": x, "y": y, "z": model(x)}

    def logit_loss(self, model: nn.Module, index: Tensor) -> Tensor:
        """Compute what α multiplies, on the stored examples at `index`: a 0-dim tensor."""
        z = model(self.x[index])
        competed = self.mask_of(torch.zeros_like(z), self.of[index]) == 0
        return (z - self.z[index])[competed].square().mean()
