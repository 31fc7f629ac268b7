"""What a method can do, and when the training loop lets it do it."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import plain
from ..data.tasks import Scenario, Task, joined

# The hooks that decide what is trained on and what autograd differentiates.
TRACED = ("stages", "task_loss", "loss", "traced_loss", "penalty")


class Method:
    """The hooks that the loop calls, in this order; by default none does anything.

    A method is a dataclass whose fields are its knobs. `lam` is λ, the strength of what holds on to
    the past; it may be set at any time and acts at the next step.

    Attributes:
        kept: the attributes that are stored from one task to the next, and what each of them is:
            "importance", "exemplars", …; "" for bookkeeping.
        scenarios: where the method makes sense.
        recordable: whether every step does the same; False if it draws random numbers on the host.
        rng: what the method draws from; each run has its own. None is torch's global generator.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    kept: ClassVar[dict[str, str]] = {}
    scenarios: ClassVar[tuple[Scenario, ...]] = ("task", "domain", "class")
    recordable: ClassVar[bool] = True

    rng: torch.Generator | None = None
    lam: float = 0.0
    acting_lam: Tensor  # λ of the step in progress, 0-dim, beside the model's parameters
    interval: int = 0  # steps from one `after_interval` to the next; 0: it is never called
    task: Task | None = None  # the task in training

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "lam":
            real = isinstance(value, numbers.Real) and not isinstance(value, bool)
            if not (real and 0 <= value < math.inf):
                raise ValueError(f"λ is {value!r}: choose a number, 0 (off) or larger")
            value = float(value)
        super().__setattr__(name, value)

    def stages(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """What is trained on, one after the other: the tasks as they come."""
        return tasks

    def begin_task(self, model: nn.Module, task: Task) -> None:
        """Before the first step of `task`."""
        self.task = task

    def begin_step(self, model: nn.Module) -> None:
        """λ as it stands now acts on the whole step, whatever happens to `lam` meanwhile."""
        beside = next(model.parameters())
        if not hasattr(self, "acting_lam") or self.acting_lam.device != beside.device:
            self.acting_lam = torch.zeros((), dtype=beside.dtype, device=beside.device)
        self.acting_lam.fill_(self.lam)

    def task_loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """L(θ) on inputs `x` (B, …) and targets `y` (B, …), as the task in training defines it.

        That is the cross-entropy over the active outputs, unless the task has a loss of its own.
        """
        z = model(x)
        return F.cross_entropy(z, y) if self.task is None else self.task.loss(z, y)

    def mask(self, z: Tensor) -> Tensor:
        """Logits `z` (B, K), those that do not compete in the task in training at −∞."""
        return z if self.task is None else self.task.mask(z)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """What is minimised: L(θ) + λ · penalty(θ), a 0-dim tensor."""
        loss = self.task_loss(model, x, y)
        return loss + self.lam * self.penalty(model) if self.lam else loss

    def traced_loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """The part of `loss` that autograd is to differentiate; `after_backward` adds the rest.

        A method may know some of its gradient better than autograd does.
        """
        return self.loss(model, x, y)

    def penalty(self, model: nn.Module) -> Tensor:
        """What λ multiplies, a 0-dim tensor."""
        return torch.zeros(())

    def after_backward(self, model: nn.Module) -> None:
        """The gradient of `traced_loss` is in `.grad`, the step not yet taken."""

    def after_step(self, model: nn.Module) -> None:
        """The parameters have moved; `.grad` is still that of before."""

    def after_interval(self, model: nn.Module) -> None:
        """Another `interval` steps of this task have been taken."""

    def end_task(self, model: nn.Module, task: Task) -> None:
        """After the last step of `task`."""

    def predict(self, model: nn.Module, x: Tensor, task: Task) -> Tensor:
        """What the model predicts for the inputs `x` of `task`: labels (B,), as a rule."""
        return task.prediction(model(x))

    @property
    def traces_task_loss(self) -> bool:
        """Whether autograd differentiates the task loss and nothing else of this method.

        Then models that differ only in their weights may share its product. A class that changes
        what is differentiated says so by changing one of these hooks.
        """
        return False

    def _leaves(self, kind: type[Method], *hooks: str) -> bool:
        """Whether this class has these hooks as `kind` has them."""
        return all(getattr(type(self), hook) is getattr(kind, hook) for hook in hooks)

    def read_in_a_step(self) -> dict[str, object]:
        """The attributes that a step reads, by name; a step that is replayed knows the objects."""
        return dict(vars(self))

    @property
    def knobs(self) -> dict[str, Any]:
        """The method's settings by name."""
        names = getattr(self, "__dataclass_fields__", ())
        return {name: plain(getattr(self, name)) for name in names}

    def state(self) -> dict[str, Any]:
        """What the method stores between tasks, by name: all that a checkpoint needs."""
        return {name: getattr(self, name) for name in self.kept if hasattr(self, name)}

    @property
    def stored(self) -> dict[str, int]:
        """Bytes stored between tasks, by what they are: {"importance": 5976104, …}."""
        sizes: dict[str, int] = {}
        for name, value in self.state().items():
            if self.kept[name]:
                sizes[self.kept[name]] = sizes.get(self.kept[name], 0) + nbytes(value)
        return sizes

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state()` gave."""
        vars(self).update(state)


@dataclass(eq=False)
class Baseline(Method):
    """Train on one task after the other, whatever becomes of the past: forgetting as it is."""

    name = "baseline"
    label = "Baseline"

    @property
    def traces_task_loss(self) -> bool:
        return self._leaves(Baseline, *TRACED)


@dataclass(eq=False)
class Joint(Method):
    """Train on all tasks at once: the upper bound, since nothing is ever in the past.

    The outputs of all tasks compete in training, also with Task-IL; each is asked with its own.
    """

    name = "joint"
    label = "Joint"

    def stages(self, tasks: Sequence[Task]) -> Sequence[Task]:
        return [joined(tasks)]


def nbytes(value: object) -> int:
    """Of the tensors that `value` is, or holds."""
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, nn.Module | torch.optim.Optimizer):
        return nbytes(value.state_dict())
    if isinstance(value, dict):
        return nbytes(list(value.values()))
    return sum(map(nbytes, value)) if isinstance(value, list | tuple) else 0


def check_method(method: object) -> None:
    """Raise ValueError unless this is a method."""
    if not isinstance(method, Method):
        raise ValueError(f"method is {method!r}: give one, such as cl.EWC()")
