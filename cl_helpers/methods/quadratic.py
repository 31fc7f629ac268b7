"""What EWC, MAS, SI, RWalk and SCP share: a quadratic penalty, weighted by importance."""

from __future__ import annotations

from contextlib import suppress
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..checks import at_least_one, seeded, warn
from ..data.tasks import Task
from ..data.views import DatasetView, PartialView, is_finite
from ..formats import format_error, format_tensor
from ..models.flat import flatten, unflatten
from .base import TRACED, Remembering
from .hooks import elementwise, forgets, is_elementwise

N_SAMPLES = 1024  # examples of a task that Ω is measured on, if nothing else is asked for
TRIED = 2  # examples of the first task that Ω is tried out with


class Quadratic(Remembering):
    """Base of EWC, MAS, SI, RWalk and SCP: hold each weight near θ*, important ones tighter.

        L_total(θ) = L(θ) + λ · penalty(θ),        penalty(θ) = ½ Σ_i Ω_i (θ_i − θ*_i)²

    θ* is where the last task ended. Ω ≥ 0 is the importance of each weight, summed over the tasks,
    so that two numbers for each weight are stored however many tasks there are. The methods differ
    only in Ω: a subclass defines `importance_of`.

    Attributes:
        omega: (P,) Ω, summed over the tasks so far.
        theta_star: (P,) θ*.
        tasks_held: how many tasks Ω is the sum of.
        shapes: parameter name -> shape.

    Raises:
        ValueError: in `begin_task`, the model is not where the last task ended: the penalty would
            pull it to the weights of another model.
    """

    kept: ClassVar[dict[str, str]] = Remembering.kept | {
        "tasks_held": "",
        "omega": "importance",
        "theta_star": "anchor",
        "shapes": "",
    }

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse a class that counts the penalty twice, or overrides what nothing calls.

        Raises:
            TypeError: such a class is made; the message says what to override instead.
        """
        super().__init_subclass__(**options)
        if forgets(cls, "traced_loss", "loss"):
            raise TypeError(
                f"{cls.__name__} overrides traced_loss without the penalty: call "
                "super().traced_loss(model, x, y) in it, or override task_loss"
            )
        if "importance" in vars(cls):
            raise TypeError(
                f"{cls.__name__} overrides importance, which only shows Ω by parameter: override "
                "importance_of(model, task)"
            )

    follows_weights = False

    tasks_held: int = 0
    offset: float = 0.0  # what a method adds to the penalty that does not depend on θ
    omega: Tensor
    theta_star: Tensor
    shapes: dict[str, torch.Size]

    def try_out(self, model: nn.Module, task: Task) -> None:
        """Compute Ω of a few examples of the first task: an error then costs no training.

        Raises:
            ValueError: Ω cannot be computed, or is not a vector (P,).
        """
        some = torch.linspace(0, len(task.train) - 1, min(TRIED, len(task.train))).long()
        few = replace(task, train=PartialView(task.train, some.to(task.train.device)))
        if self.tasks_held or not is_finite(few.train):  # that is named when training diverges
            return
        try:
            self._try_importance(model, few)
        except Exception:  # it may need more examples than a few
            try:
                self._try_importance(model, task)
            except Exception as error:
                if isinstance(error, AttributeError) and isinstance(error.obj, type(self)):
                    return  # it needs what only steps leave
                raise ValueError(
                    f"{self.label} cannot compute its Ω with this {type(model).__name__}: "
                    f"{format_error(error)}"
                ) from error

    def _try_importance(self, model: nn.Module, task: Task) -> None:
        """Let a copy of this method compute Ω; the model's buffers stay as they are."""
        trial = copy(self)
        for name, value in vars(self).items():
            if name not in ("task", "rng"):
                with suppress(Exception):  # what cannot be copied is shared
                    setattr(trial, name, deepcopy(value))
        trial.rng = torch.Generator().manual_seed(0)
        buffers = {name: value.clone() for name, value in model.named_buffers()}
        try:
            with torch.random.fork_rng(devices=[]):
                self._checked(trial.importance_of(model, task), flatten(model).theta)
        finally:
            for name, value in model.named_buffers():
                value.copy_(buffers[name])

    def importance_of(self, model: nn.Module, task: Task) -> Tensor:
        """Compute Ω (P,) of the `task` just learned, from its training data alone."""
        raise NotImplementedError(f"{type(self).__name__} must say what its Ω is: importance_of")

    def joined(self, omega: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Join Ω (P,) of the task just learned, at `theta` (P,), to that of the tasks before.

        Returns:
            Ω and θ* from now on, (P,) each: the sum, and `theta`.
        """
        return self.omega + omega, theta

    def penalty(self, model: nn.Module) -> Tensor:
        """Compute ½ Σ_i Ω_i (θ_i − θ*_i)², a 0-dim tensor; zero during the first task."""
        if not self.tasks_held:
            return super().penalty(model)
        theta = torch.cat([p.reshape(-1) for p in flatten(model).parameters])
        return 0.5 * (self.omega * (theta - self.theta_star).square()).sum() + self.offset

    def traced_loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return self.task_loss(model, x, y) if self._adds_gradient else self.loss(model, x, y)

    @property
    def _adds_gradient(self) -> bool:
        """Whether `after_backward` adds the penalty's gradient; a subclass may have another one."""
        return self._leaves(Quadratic, "loss", "penalty", "traced_loss")

    @elementwise
    def after_backward(self, model: nn.Module) -> None:
        # Add the gradient of λ · penalty, λ Ω (θ − θ*), at an eighth of the cost of tracing it.
        if self.tasks_held and self._adds_gradient:
            flat = flatten(model)
            off = torch.sub(flat.theta, self.theta_star, out=flat.scratch)
            flat.grad.addcmul_(self.omega, off.mul_(self.acting_lam))

    def end_task(self, model: nn.Module, task: Task) -> None:
        flat = flatten(model)
        omega = self._checked(self.importance_of(model, task), flat.theta, tried=False)
        theta = flat.theta.clone()
        both = self.joined(omega, theta) if self.tasks_held else (omega, theta)
        self.omega, self.theta_star = both
        self.shapes = flat.shapes
        self.tasks_held += 1
        super().end_task(model, task)

    def _checked(self, omega: object, theta: Tensor, tried: bool = True) -> Tensor:
        """Ω (P,) of its own memory, without a graph; ValueError if it is no importance of θ."""
        given = format_tensor(omega) if isinstance(omega, Tensor) else f"a {type(omega).__name__}"
        if not isinstance(omega, Tensor) or omega.shape != theta.shape:
            raise ValueError(
                f"importance_of of {type(self).__name__} returned {given}: return a vector with "
                f"one number for each of the {len(theta):,} parameters"
            )
        omega = omega.detach().to(theta, copy=True)
        if tried and not bool(omega.isfinite().all()):  # later it is a matter of divergence
            first = float(omega[~omega.isfinite()][0])
            raise ValueError(
                f"importance_of of {type(self).__name__} holds {first:g}: return finite numbers ≥ 0"
            )
        if bool((omega < 0).any()):
            warn(
                f"importance_of of {type(self).__name__} holds {float(omega.min()):g}: below 0 the "
                "penalty pushes away from θ*"
            )
        return omega

    @property
    def traces_task_loss(self) -> bool:
        return self._leaves(Quadratic, *TRACED)

    def read_in_a_step(self) -> dict[str, object]:
        # Without the number λ: steps read `acting_lam`, which is changed in place.
        kept = vars(self).items()
        by_number = not self._leaves(Quadratic, "traced_loss", "loss", "penalty")
        return {name: value for name, value in kept if name != "lam" or by_number}

    @property
    def importance(self) -> dict[str, Tensor]:
        """Ω by parameter name, in the parameter's shape; {} before the first task has ended."""
        return unflatten(self.omega, self.shapes) if self.tasks_held else {}


class Measured(Quadratic):
    """Base of EWC, MAS and SCP: Ω is measured on the examples of a task, once it is learned.

    Attributes:
        n_samples: how many of the examples Ω is measured on; None is all of them.
    """

    n_samples: int | None = N_SAMPLES

    def __post_init__(self) -> None:
        if self.n_samples is not None:
            at_least_one("n_samples", self.n_samples)

    def measured_on(self, task: Task) -> DatasetView:
        """Draw the training examples of `task` that Ω is measured on, from the run's generator.

        Outside of a run they are always the same ones.
        """
        if self.n_samples is None or self.n_samples >= len(task.train):
            return task.train
        generator = seeded(0) if self.rng is None else self.rng
        drawn = torch.randperm(len(task.train), generator=generator)[: self.n_samples]
        return PartialView(task.train, drawn.to(task.train.device))


class PathIntegral(Quadratic):
    """Base of SI and RWalk: a quadratic method that follows the path of θ, step by step.

    A subclass defines `accumulate`, which is called after every step, and `importance_of`.

    Attributes:
        theta_start: (P,) θ where the task began.
        theta_before: (P,) θ before the step in progress; after it, where θ is now.
        g: (P,) gradient of the task loss alone, before the step, on its batch.
    """

    made_of_steps = True

    theta_start: Tensor
    theta_before: Tensor
    g: Tensor

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse a class whose gradient would not be that of the task loss alone.

        Raises:
            TypeError: it overrides `loss` or `penalty`.
        """
        super().__init_subclass__(**options)
        for hook in ("loss", "penalty", "traced_loss"):
            if getattr(cls, hook) is not getattr(PathIntegral, hook):
                raise TypeError(
                    f"{cls.__name__} overrides {hook}, but its path needs the gradient of the "
                    "task's loss alone: override task_loss, or add a gradient in after_backward"
                )

    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        self.theta_start = flatten(model).theta.clone()
        self.theta_before = self.theta_start.clone()
        self.g = torch.zeros_like(self.theta_start)

    def try_out(self, model: nn.Module, task: Task) -> None:
        """Do nothing: Ω is made of the steps, which every model takes."""

    @property
    def is_elementwise(self) -> bool:
        return super().is_elementwise and is_elementwise(self.accumulate)

    @elementwise
    def after_backward(self, model: nn.Module) -> None:
        self.g.copy_(flatten(model).grad)  # of the task loss alone: the penalty's is added below
        super().after_backward(model)

    @elementwise
    def after_step(self, model: nn.Module) -> None:
        flat = flatten(model)
        self.accumulate(self.g, torch.sub(flat.theta, self.theta_before, out=flat.scratch))
        self.theta_before.copy_(flat.theta)

    def accumulate(self, g: Tensor, step: Tensor) -> None:
        """Take one step of the path into account.

        Args:
            g: (P,) gradient of the task loss before the step.
            step: (P,) the step taken, Δθ; copy it to keep it, its memory is reused.
        """
        raise NotImplementedError(f"{type(self).__name__} must say what it does at each step")
