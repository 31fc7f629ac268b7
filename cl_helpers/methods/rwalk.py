"""Riemannian Walk (Chaudhry et al. 2018, arXiv:1801.10112, eqs. 6, 8 and 9).

    F_i ← α F_i + (1 − α) g_i²                                          every step
    s_i ← s_i + relu( ΔL_i / (½ F_i Δθ_i² + ε) )                          every Δt steps
    Ω_i = F_i / max F + s_i / max s

EWC's Fisher, kept as a moving average while training, plus SI's path score, measured in short
stretches and per unit of *distance in what the model says* (½ F Δθ²) instead of in θ. ΔL_i is the
fall of the task loss that weight i accounts for, −Σ g_i Δθ_i over the stretch. Each of the two is
scaled to [0, 1], or the larger would drown the other.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..checks import above_zero, at_least_one
from ..data.tasks import Task
from .quadratic import PathIntegral


@dataclass(eq=False)
class RWalk(PathIntegral):
    """
    Args:
        lam: λ.
        alpha: α, how much of F is kept at each step; the paper's α is the rest, 1 − α.
        interval: Δt, steps in a stretch.
        epsilon: ε, keeps stretches without movement from dividing by zero; in units of the loss.
    """

    name = "rwalk"
    label = "RWalk"
    kept = PathIntegral.kept | {"score": "path score"}

    lam: float = 0.5
    alpha: float = 0.9
    interval: int = 10
    epsilon: float = 0.001

    def __post_init__(self) -> None:
        if not 0 <= self.alpha < 1:
            raise ValueError(f"α is {self.alpha}: choose 0 ≤ α < 1")
        at_least_one("Δt", self.interval)
        above_zero("ε", self.epsilon)

    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        self.fisher = torch.zeros_like(self.theta_start)  # F
        self.fall = torch.zeros_like(self.theta_start)  # ΔL
        self.stretch_start = self.theta_start.clone()
        self.new_score = torch.zeros_like(self.theta_start)
        if not self.tasks_held:
            self.score = torch.zeros_like(self.theta_start)  # s

    def accumulate(self, g: Tensor, step: Tensor) -> None:
        self.fisher.mul_(self.alpha).addcmul_(g, g, value=1 - self.alpha)
        self.fall.addcmul_(g, step, value=-1)

    def after_interval(self, model: nn.Module) -> None:
        theta = self.theta_before
        distance = 0.5 * self.fisher * (theta - self.stretch_start).square()
        self.new_score += (self.fall / (distance + self.epsilon)).relu()
        self.stretch_start.copy_(theta)
        self.fall.zero_()

    def importance_of(self, model: nn.Module, task: Task) -> Tensor:
        self.after_interval(model)  # the last stretch may be a short one
        self.score = 0.5 * (self.score + self.new_score)
        return scaled(self.fisher) + scaled(self.score)


def scaled(v: Tensor) -> Tensor:
    """`v` ≥ 0 with its largest entry at 1; zeros stay zeros."""
    return v / v.max().clamp_min(torch.finfo(v.dtype).tiny)
