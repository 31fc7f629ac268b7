"""Memory Aware Synapses (Aljundi et al. 2018, arXiv:1711.09601, eq. 2 and sect. 4.1).

    Ω_i = 1/N Σ_n | ∂ ‖f(x_n; θ)‖²₂ / ∂θ_i |,        f = logits

How far the learned *function* moves when a weight moves. The loss is not involved: no labels.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from ..data.tasks import Task
from .gradients import mean_abs_grad
from .quadratic import Quadratic


@dataclass(eq=False)
class MAS(Quadratic):
    """
    Args:
        lam: λ.
    """

    name = "mas"
    label = "MAS"

    lam: float = 0.02

    def importance_of(self, model: nn.Module, task: Task) -> Tensor:
        def squared_norm(logits: Tensor, _: Tensor) -> Tensor:
            return task.outputs(logits).square().sum(-1)

        return mean_abs_grad(model, task.train, squared_norm)
