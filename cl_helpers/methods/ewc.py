"""EWC: the importance of a weight is its Fisher information."""

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
    """Elastic Weight Consolidation: hold each weight by its Fisher information.

        penalty(θ) = ½ Σ_i Ω_i (θ_i − θ*_i)²,
        Ω_i = F_ii = 1/N Σ_n E_y [ (∂ log p(y | x_n; θ*) / ∂θ_i)² ]

    The diagonal of the Fisher information says how fast the likelihood of the predictions falls
    off around θ*. Gradients are per example, so Ω does not depend on any batch size.

    Args:
        lam: λ ≥ 0, no unit; 0 is off. With "true", λ = 1 is what Laplace's approximation gives for
            tasks of equal size. Default 400, chosen on held-out images of the homework's stream,
            see experiments/tuning.
        fisher: which y the expectation runs over. "empirical", the default: the label in the data
            set alone, as in most code. "true": all y, weighted by p(y | x_n; θ*); exact, without
            labels, at the price of K backward passes for K classes.

    Raises:
        ValueError: `lam` is negative or not finite, or there is no such `fisher`.

    Kirkpatrick et al. 2017, arXiv:1612.00796, eq. 3; true and empirical Fisher: Kunstner et al.
    2019, arXiv:1905.12558.

    Departs from the paper: the paper keeps an anchor θ* and an Ω for every old task. Here Ω is
    summed over the tasks and anchored at the latest θ* (Huszár 2018, arXiv:1712.03847), so that
    memory does not grow with the number of tasks.
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
