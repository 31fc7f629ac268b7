"""Synaptic Intelligence (Zenke et al. 2017, arXiv:1703.04200, eqs. 3 and 5).

    ω_i = − Σ_steps g_i Δθ_i(step),        Ω_i = relu( ω_i / (Δ_i² + ξ) )

The fall of the loss along the path, shared out among the weights that moved: g is the gradient of
the task loss, Δθ the step really taken, Δ the way made over the whole task.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..checks import above_zero
from ..data.tasks import Task
from .quadratic import PathIntegral


@dataclass(eq=False)
class SI(PathIntegral):
    """
    Args:
        lam: λ.
        xi: ξ, keeps weights that hardly moved from dividing by zero; in units of θ².
    """

    name = "si"
    label = "SI"

    lam: float = 0.4
    xi: float = 0.001

    def __post_init__(self) -> None:
        above_zero("ξ", self.xi)

    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        self.path = torch.zeros_like(self.theta_start)

    def accumulate(self, g: Tensor, step: Tensor) -> None:
        self.path.addcmul_(g, step, value=-1)

    def importance_of(self, model: nn.Module, task: Task) -> Tensor:
        delta = self.theta_before - self.theta_start
        return (self.path / (delta.square() + self.xi)).relu()
