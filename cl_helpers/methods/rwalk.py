"""RWalk: the importance of a weight is a moving Fisher information plus a path score."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..checks import above_zero, at_least_one, below_one
from ..data.tasks import Task
from .hooks import elementwise
from .quadratic import PathIntegral


@dataclass(eq=False)
class RWalk(PathIntegral):
    """Riemannian Walk: hold each weight by its Fisher information plus a path score.

        penalty(θ) = ½ Σ_i Ω_i (θ_i − θ*_i)²,        Ω_i = F_i / max F + s_i / max s
        F_i ← α F_i + (1 − α) g_i²                                 every step
        s'_i ← s'_i + relu( ΔL_i / (½ F_i Δθ_i² + ε) )             every Δt steps
        s_i ← ½ (s_i + s'_i)                                       at the end of the task

    F is EWC's Fisher as a moving average of squared batch gradients g². s is SI's path score, but
    over stretches of Δt steps, and divided by the distance between the model's predictions
    (½ F Δθ²) instead of the distance in θ. ΔL_i = −Σ g_i Δθ_i is the fall of the task loss in a
    stretch that weight i accounts for. Both parts are scaled to [0, 1], so that neither dominates.

    Args:
        lam: λ ≥ 0, in nats per unit of θ²; 0 is off. Default 0.5, chosen on held-out images of the
            homework's stream, see experiments/tuning.
        alpha: α, 0 ≤ α < 1, the part of F that is kept at each step; the paper's α is 1 − α.
            Default 0.9; with 0.99 held-out images say the same.
        interval: Δt, steps in a stretch. Default 10; 50 does as well.
        epsilon: ε > 0, in nats; keeps stretches without movement from dividing by zero.
            Default 0.001; 0.01 does as well.
        online: True is the paper's form: Ω of the latest task takes the place of the one before, F
            goes on from task to task, and the first score is not halved. Default False: Ω is summed
            over the tasks, F starts at 0 in each, and the first score is halved.

    Raises:
        ValueError: `lam` is negative or not finite, or another argument is out of its range.

    Chaudhry et al. 2018, arXiv:1801.10112, eqs. 6, 8 and 9.

    Departs from the paper: by default, in the three ways that `online=True` does not. On the same
    gradients Ω is then another one after the first task; λ has another meaning. Held-out images do
    not tell the two apart: 91.7 ± 1.0 % with λ = 1, 91.9 ± 1.1 % online with λ = 2, each at its
    best (experiments/tuning/class). In both forms: the paper's penalty has no ½, so a λ of the
    paper is 2λ here; and the distance has F after the stretch, in the authors' code F before it.
    """

    name = "rwalk"
    label = "RWalk"
    kept = PathIntegral.kept | {"score": "path score"}

    lam: float = 0.5
    alpha: float = 0.9
    interval: int = 10
    epsilon: float = 0.001
    online: bool = False

    def __post_init__(self) -> None:
        if self.online:
            self.kept = type(self).kept | {"fisher": "moving Fisher"}  # type: ignore[misc]
        below_one("α", self.alpha)
        at_least_one("Δt", self.interval)
        above_zero("ε", self.epsilon)

    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        if not (self.online and self.tasks_held):
            self.fisher = torch.zeros_like(self.theta_start)  # F
        self.fall = torch.zeros_like(self.theta_start)  # ΔL
        self.stretch_start = self.theta_start.clone()
        self.new_score = torch.zeros_like(self.theta_start)
        if not self.tasks_held:
            self.score = torch.zeros_like(self.theta_start)  # s

    @elementwise
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
        first = self.online and not self.tasks_held
        self.score = self.new_score if first else 0.5 * (self.score + self.new_score)
        return scaled(self.fisher) + scaled(self.score)

    def joined(self, omega: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Join Ω (P,) at `theta` (P,) to the one before: their sum, or if `online` the new one."""
        return (omega, theta) if self.online else super().joined(omega, theta)


def scaled(v: Tensor) -> Tensor:
    """Scale `v` (P,), all ≥ 0, so that its largest entry is 1; zeros stay zeros."""
    return v / v.max().clamp_min(torch.finfo(v.dtype).tiny)
