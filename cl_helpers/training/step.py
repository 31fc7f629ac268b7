"""One training step of one model.

gather the batch → forward → backward → the method's part → optimiser → the method's part
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from ..data.tasks import Task
from ..methods import Method
from ..models.flat import flatten
from ..speed.pieces import Pieces
from ..speed.precision import step_products
from .settings import Settings

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Step:
    """Training steps on one task, each on a batch of its examples.

    The optimiser sees one parameter, the vector θ of all weights, so that a step is a handful of
    operations however many layers there are.

    Args:
        method, model, task: what protects the past, what learns, and what is learned.
        settings: which optimiser, and its learning rate.
        stage: how many tasks were trained on before. Default 0.
        before: the `state` of the step in the task before; the settings say whether the optimiser
            goes on from there. Default: nothing.
    """

    def __init__(
        self,
        method: Method,
        model: nn.Module,
        task: Task,
        settings: Settings,
        stage: int = 0,
        before: Mapping[str, Any] = NOTHING,
    ):
        self.method, self.model, self.task = method, model, task
        self.flat = flatten(model)
        self.optimize(self.flat.theta, self.flat.grad, settings, stage, before)
        self.flat.moments = partial(moments_of, self.optimizer)
        ours = settings.optimizer == "adam"  # another one may do more than move θ
        self.pieces = Pieces(method, self.flat, self.optimizer) if ours else None

    def optimize(
        self,
        theta: Tensor,
        grad: Tensor,
        settings: Settings,
        stage: int,
        before: Mapping[str, Any],
    ) -> None:
        """Make the optimiser of `theta` (P,), whose gradient will be in `grad` (P,).

        `settings`, `stage` and `before` are those of the class.
        """
        self.precision = settings.precision
        parameter = nn.Parameter(theta)
        parameter.grad = grad
        self.optimizer = settings.optimizer_of(parameter, stage)
        self.keeps = settings.optimizer_state == "keep"
        if before and self.keeps:
            if before["parameters"] != self.flat.shapes:
                raise ValueError(
                    'optimizer_state is "keep", but other parameters are trained than in the task '
                    'before: choose "fresh"'
                )
            rates = [group["lr"] for group in self.optimizer.param_groups]
            self.optimizer.load_state_dict(before["optimizer"])
            for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate
        self.rates = settings.rates(stage, settings.n_steps(len(self.task.train)))
        self.rates = None if self.rates is None else self.rates.to(theta.device)

    def state(self) -> dict[str, Any]:
        """Collect what the next task's optimiser may go on from."""
        if not self.keeps:
            return {}
        return {"parameters": self.flat.shapes, "optimizer": self.optimizer.state_dict()}

    def set_rate(self, n: int) -> None:
        """Set the learning rate of the task's step n = 0, 1, …, if it has a schedule."""
        if self.rates is None:
            return
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].copy_(self.rates[n])
            else:
                group["lr"] = float(self.rates[n])

    def __call__(self, index: Tensor) -> Tensor:
        """Take a step on the examples at `index` (B,); return their loss, a 0-dim tensor."""
        if not self.flat.is_current(self.model):
            raise ValueError(
                f"parameters of {type(self.model).__name__} were replaced, frozen or unfrozen "
                "within a task: write into them (p.copy_, p.clamp_), freeze between tasks"
            )
        for p in self.flat.parameters:
            p.grad = None  # what backward makes is taken over; added up it would be read again
        x, y = self.task.train.batch(index)
        with step_products(self.precision, self.flat.theta.device):
            loss = self.method.traced_loss(self.model, x, y)
            loss.backward()
        self.move()
        return loss.detach()

    def move(self) -> None:
        """Let the method change the gradient, take the step, and let the method look at it."""
        if self.pieces is not None and self.pieces.move():
            return
        self.method.after_backward(self.model)
        self.flat.bring_in_gradients()
        self.optimizer.step()
        self.method.after_step(self.model)


def moments_of(optimizer: Optimizer, row: int | None = None) -> list[Tensor]:
    """List what `optimizer` keeps beside θ, number by number: tensors of the shape of θ.

    Args:
        optimizer: of one parameter, θ (P,), or (S, P) of S models.
        row: of these models. None, the default, is all of θ.
    """
    [theta] = optimizer.param_groups[0]["params"]
    kept = optimizer.state.get(theta, {}).values()
    whole = [v for v in kept if isinstance(v, Tensor) and v.shape == theta.shape]
    return whole if row is None else [v[row] for v in whole]
