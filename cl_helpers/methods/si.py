"""SI: the importance of a weight is its share in the fall of the loss along the path."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..checks import above_zero
from ..data.tasks import Task
from .hooks import elementwise
from .quadratic import PathIntegral


@dataclass(eq=False)
class SI(PathIntegral):
    """Synaptic Intelligence: hold each weight by its share in the fall of the loss.

        penalty(θ) = ½ Σ_i Ω_i (θ_i − θ*_i)²,
        ω_i = − Σ_steps g_i Δθ_i(step),        Ω_i = relu( ω_i / (Δ_i² + ξ) )

    g is the gradient of the task loss alone, on the batch of the step. Δθ(step) is the step that
    the optimiser really took. Δ is the distance from where the task began to where it ended. Ω is
    computed while training and needs no pass over the data afterwards.

    Args:
        lam: λ ≥ 0, no unit; 0 is off. Default 0.4, chosen together with ξ on held-out images of the
            homework's stream, see experiments/tuning.
        xi: ξ > 0, in units of θ²; keeps weights that hardly moved from dividing by zero.
            Default 0.001.

    Raises:
        ValueError: `lam` is negative or not finite, or `xi` is not above 0.

    Zenke et al. 2017, arXiv:1703.04200, eqs. 3 to 5.

    Departs from the paper: the relu, taken here for each task, is not in the paper (the authors'
    code takes it of the sum over tasks). Its penalty has no ½: a strength c there is λ = 2c here.
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

    @elementwise
    def accumulate(self, g: Tensor, step: Tensor) -> None:
        self.path.addcmul_(g, step, value=-1)

    def importance_of(self, model: nn.Module, task: Task) -> Tensor:
        delta = self.theta_before - self.theta_start
        return (self.path / (delta.square() + self.xi)).relu()
