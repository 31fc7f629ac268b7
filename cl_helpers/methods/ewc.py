"""Elastic Weight Consolidation (Kirkpatrick et al. 2017, arXiv:1612.00796, eq. 3).

    Ω_i = F_ii = 1/N Σ_n E_y [ (∂ log p(y | x_n; θ) / ∂θ_i)² ]

The diagonal Fisher information: how fast the likelihood of the answers falls off around θ*.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import one_of
from ..data.tasks import Task
from .gradients import mean_square_grad
from .quadratic import Quadratic


@dataclass(eq=False)
class EWC(Quadratic):
    """
    Args:
        lam: λ.
        fisher: which y the Fisher averages over. "empirical": the label of the data set, as in most
            code. "true": all y, each as probable as the model finds it, exactly; needs no labels.
    """

    name = "ewc"
    label = "EWC"

    lam: float = 400.0
    fisher: Literal["empirical", "true"] = "empirical"

    def __post_init__(self) -> None:
        one_of("fisher", self.fisher, "empirical", "true")

    def importance_of(self, model: nn.Module, task: Task) -> Tensor:
        def root_p_log_p(logits: Tensor, y: Tensor) -> Tensor:
            # (∂ √p log p)² with √p held fixed is p (∂ log p)²: the terms of the expectation over y.
            log_p = F.log_softmax(task.outputs(logits), -1)
            return log_p.detach().div(2).exp() * log_p

        of = task.log_likelihood if self.fisher == "empirical" else root_p_log_p
        return mean_square_grad(model, task.train, of)
