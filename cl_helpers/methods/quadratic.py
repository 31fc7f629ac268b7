"""What EWC, MAS, SI, RWalk and SCP share: hold each weight near θ*, the important ones tighter.

    L_total(θ) = L(θ) + λ · penalty(θ),        penalty(θ) = ½ Σ_i Ω_i (θ_i − θ*_i)²

θ* is where the last task ended. Ω is summed over the tasks, so what is stored does not grow with
their number: two numbers a weight. The methods differ only in Ω.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ..data.tasks import Task
from ..models.flat import flatten, unflatten
from .base import TRACED, Method


class Quadratic(Method):
    """A method that is its Ω: subclasses say `importance_of`."""

    kept: ClassVar[dict[str, str]] = {
        "tasks_held": "",
        "omega": "importance",
        "theta_star": "anchor",
        "shapes": "",
    }

    tasks_held: int = 0
    omega: Tensor  # (P,) Ω, summed over the tasks so far
    theta_star: Tensor  # (P,) θ*, where the last task ended
    shapes: dict[str, torch.Size]  # by parameter name

    def begin_task(self, model: nn.Module, task: Task) -> None:
        if self.tasks_held and not torch.equal(flatten(model).theta, self.theta_star):
            raise ValueError(
                f"this {self.label} holds on to the weights of another model: "
                f"make a new one, cl.{type(self).__name__}(...), for this one"
            )
        super().begin_task(model, task)

    def importance_of(self, model: nn.Module, task: Task) -> Tensor:
        """(P,) Ω of the task just learned, from its training data alone."""
        raise NotImplementedError(f"{type(self).__name__} must say what its Ω is: importance_of")

    def penalty(self, model: nn.Module) -> Tensor:
        """½ Σ_i Ω_i (θ_i − θ*_i)², a 0-dim tensor; zero during the first task."""
        if not self.tasks_held:
            return super().penalty(model)
        theta = torch.cat([p.reshape(-1) for p in flatten(model).parameters])
        return 0.5 * (self.omega * (theta - self.theta_star).square()).sum()

    def traced_loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return self.task_loss(model, x, y)

    def after_backward(self, model: nn.Module) -> None:
        # The gradient of λ · penalty is known, λ Ω (θ − θ*), and costs an eighth of tracing it.
        if self.tasks_held:
            flat = flatten(model)
            off = torch.sub(flat.theta, self.theta_star, out=flat.scratch)
            flat.grad.addcmul_(self.omega, off.mul_(self.acting_lam))

    def end_task(self, model: nn.Module, task: Task) -> None:
        flat = flatten(model)
        omega = self.importance_of(model, task)
        self.omega = self.omega + omega if self.tasks_held else omega
        self.theta_star = flat.theta.clone()
        self.shapes = flat.shapes
        self.tasks_held += 1

    @property
    def traces_task_loss(self) -> bool:
        return self._leaves(Quadratic, *TRACED)

    def read_in_a_step(self) -> dict[str, object]:
        # Without the number λ: steps read `acting_lam`, which is changed in place.
        kept = vars(self).items()
        by_number = not self._leaves(Quadratic, "traced_loss")
        return {name: value for name, value in kept if name != "lam" or by_number}

    @property
    def importance(self) -> dict[str, Tensor]:
        """Ω by parameter name, in the parameter's shape; empty before the first task has ended."""
        return unflatten(self.omega, self.shapes) if self.tasks_held else {}


class PathIntegral(Quadratic):
    """A quadratic method that watches the path: SI and RWalk say `accumulate`."""

    theta_start: Tensor  # (P,) where the task began
    theta_before: Tensor  # (P,) before the step in progress
    g: Tensor  # (P,) gradient of the task loss at theta_before

    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        self.theta_start = flatten(model).theta.clone()
        self.theta_before = self.theta_start.clone()
        self.g = torch.zeros_like(self.theta_start)

    def after_backward(self, model: nn.Module) -> None:
        self.g.copy_(flatten(model).grad)  # of the task loss alone, before the penalty pulls
        super().after_backward(model)

    def after_step(self, model: nn.Module) -> None:
        flat = flatten(model)
        self.accumulate(self.g, torch.sub(flat.theta, self.theta_before, out=flat.scratch))
        self.theta_before.copy_(flat.theta)

    def accumulate(self, g: Tensor, step: Tensor) -> None:
        """One step was taken.

        Args:
            g: (P,) gradient of the task loss before the step.
            step: (P,) the move, Δθ; its memory is used again.
        """
        raise NotImplementedError(f"{type(self).__name__} must say what it does at each step")
