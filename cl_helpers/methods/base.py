"""The hooks of a method, in the order of the training loop, and what the method stores."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import plain, shortened, warn
from ..data.tasks import Scenario, Task, check_scenario, joined
from ..identity import Unidentifiable, attributes_of, fingerprint_of
from ..models.flat import flatten, token_of
from .hooks import check_hooks, elementwise, is_elementwise

# The hooks that decide what is trained on and what autograd differentiates.
TRACED = ("stages", "task_loss", "loss", "traced_loss", "penalty")
FLOAT32_MAX = torch.finfo(torch.float32).max


class Method:
    """Base class of all methods: hooks that the training loop calls, in this order.

        check_task, for each task
        for each task:
            begin_task → try_out
            for each step:  begin_step → traced_loss, backward → after_backward → after_step
            every `interval` steps:  after_interval
            end_task

    By default the loss is the task's own and no other hook does anything: naive fine-tuning. A
    method is a dataclass whose fields are its knobs. In all hooks `model` is the network in
    training, `task` the task in training, `x` (B, …) and `y` (B, …) a batch of its examples.

    Attributes:
        name, label: the method's name in code ("ewc") and in text ("EWC"); by default those of its
            class.
        lam: λ ≥ 0, the strength of what protects the past; 0 is off. It may be set at any time and
            acts at the next step.
        kept: the attributes that are stored from one task to the next, and what each of them is:
            "importance", "exemplars", …; "" for bookkeeping.
        scenarios: those that the method can be trained in: "task", "domain", "class".
        recordable: whether every step runs the same operations, so that a CUDA graph can replay
            it. False where a step draws random numbers on the host.
        mixes_tasks: whether inputs of several tasks come together, and so must have one shape.
        made_of_steps: whether what it keeps of a task comes from the steps that were taken on it.
        takes_steps: whether weights are trained. If False, a task is begun and ended, with no step
            between: the network stays as it is.
        interval: steps from one `after_interval` to the next; 0, the default, is never.
        rng: the generator that the method draws from, one for each run; None outside of a run.
        task: the task in training, or the last one; None before any training.

    Raises:
        ValueError: `lam` is set to something other than a finite number, 0 or larger.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    kept: ClassVar[dict[str, str]] = {}
    scenarios: ClassVar[tuple[Scenario, ...]] = ("task", "domain", "class")
    recordable: ClassVar[bool] = True
    mixes_tasks: ClassVar[bool] = False
    takes_steps: ClassVar[bool] = True
    made_of_steps: ClassVar[bool] = False

    rng: torch.Generator | None = None
    lam: float = 0.0
    acting_lam: Tensor  # λ of the step in progress, 0-dim, beside the model's parameters
    interval: int = 0  # steps from one `after_interval` to the next; 0: it is never called
    task: Task | None = None  # the task in training

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse a class whose hook nothing would call, or which does not call one that it must.

        Raises:
            TypeError: such a class is made; the message says what to override instead.
        """
        super().__init_subclass__(**options)
        check_hooks(cls)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "lam":
            real = isinstance(value, numbers.Real) and not isinstance(value, bool)
            if not (real and 0 <= value < math.inf):
                raise ValueError(f"λ is {value!r}: choose a number, 0 (off) or larger")
            if value > FLOAT32_MAX:
                raise ValueError(f"λ is {value!r}, beyond float32: choose 0 to {FLOAT32_MAX:.1e}")
            value = float(value)
        super().__setattr__(name, value)

    def check_task(self, task: Task) -> None:
        """Find out, before any training, whether the method can be trained on `task`.

        Raises:
            ValueError: it cannot; by default, if its scenario is none of `scenarios`.
        """
        check_scenario(self.label, self.scenarios, task.scenario)

    def stages(self, tasks: Sequence[Task]) -> Sequence[Task]:
        """What is trained on, one after the other: by default `tasks` as they are."""
        return tasks

    @property
    def is_elementwise(self) -> bool:
        """Whether something is done between backward and the next step, to each weight alone."""
        return is_elementwise(self.after_backward) and is_elementwise(self.after_step)

    def begin_task(self, model: nn.Module, task: Task) -> None:
        """Prepare for `task`, before its first step."""
        self.task = task

    def try_out(self, model: nn.Module, task: Task) -> None:
        """Find out, before the first step of `task`, whether `end_task` will work with `model`.

        Raises:
            ValueError: it will not.
        """

    def begin_step(self, model: nn.Module) -> None:
        """Copy λ for the step to come, which then does not see later changes of `lam`."""
        beside = next(model.parameters())
        if not hasattr(self, "acting_lam") or self.acting_lam.device != beside.device:
            self.acting_lam = torch.zeros((), dtype=beside.dtype, device=beside.device)
        self.acting_lam.fill_(self.lam)

    def task_loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Compute L(θ) on inputs `x` (B, …) and targets `y` (B, …), a 0-dim tensor.

        The task in training defines L: in nats, the mean cross-entropy over the active outputs,
        unless the task has a loss of its own.
        """
        z = model(x)
        return F.cross_entropy(z, y) if self.task is None else self.task.loss(z, y)

    def mask(self, z: Tensor) -> Tensor:
        """Set the logits in `z` (B, K) that do not compete in the task in training to −∞.

        For hooks of one's own; what is trained and evaluated asks the task.
        """
        return z if self.task is None else self.task.mask(z)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Compute what is minimised: L(θ) + λ · penalty(θ), a 0-dim tensor."""
        loss = self.task_loss(model, x, y)
        return loss + self.lam * self.penalty(model) if self.lam else loss

    def traced_loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Compute the part of `loss` that autograd differentiates; by default all of it.

        A method that knows the gradient of the other part adds it in `after_backward`. Here
        the parameters' `.grad` is None; after backward it is a new tensor in each step.
        """
        return self.loss(model, x, y)

    def penalty(self, model: nn.Module) -> Tensor:
        """Compute what λ multiplies, a 0-dim tensor; by default 0."""
        return torch.zeros(())

    def after_backward(self, model: nn.Module) -> None:
        """Change the gradient: that of `traced_loss` is in `.grad`, the step is not yet taken."""

    @elementwise
    def after_step(self, model: nn.Module) -> None:
        """Look at the step: the parameters have moved, `.grad` is still that of before."""

    def after_interval(self, model: nn.Module) -> None:
        """Look back on `interval` steps of this task, each time so many have been taken."""

    def end_task(self, model: nn.Module, task: Task) -> None:
        """Store what protects `task` from now on, after its last step."""

    def leave_task(self, model: nn.Module) -> None:
        """Take out of `model` what `begin_task` put into it: training has ended, perhaps early."""

    def predict(self, model: nn.Module, x: Tensor, task: Task) -> Tensor:
        """Predict the targets of the inputs `x` (B, …) of `task`: labels (B,) in classification."""
        return task.prediction(model(x))

    @property
    def traces_task_loss(self) -> bool:
        """Whether autograd differentiates the task loss and nothing else of this method.

        If so, several models that differ only in their weights can be differentiated as one
        (`cl_helpers.scale.stacked`). Overriding one of the hooks in TRACED makes this False.
        """
        return False

    def _leaves(self, kind: type[Method], *hooks: str) -> bool:
        """Whether this method has these hooks from `kind`, neither its class nor it its own."""
        return all(
            getattr(type(self), hook) is getattr(kind, hook) and hook not in vars(self)
            for hook in hooks
        )

    def read_in_a_step(self) -> dict[str, object]:
        """Name the attributes that a step reads: a recorded step is valid for these objects."""
        return dict(vars(self))

    @property
    def knobs(self) -> dict[str, Any]:
        """Settings of the method by name, such as {"lam": 400.0, "fisher": "empirical"}.

        These are the fields of a dataclass. A class with an `__init__` of its own has the numbers
        and texts that it sets instead.
        """
        maker = next(kind for kind in type(self).__mro__ if "__init__" in vars(kind))
        if getattr(vars(maker).get("__dataclass_params__"), "init", False):
            return {f.name: _knob(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]
        own = {k: plain(v) for k, v in vars(self).items() if k not in self.kept}
        return {k: v for k, v in own.items() if isinstance(v, bool | int | float | str)}

    def fingerprint(self) -> object:
        """Return what identifies the method: all its attributes but those of a run in progress."""
        of_a_run = {"task", "rng", "acting_lam", "whose"}
        if self.task is not None:  # before a run, what it keeps was given to it
            of_a_run |= {*self.kept}
        return {k: v for k, v in attributes_of(self) if k not in of_a_run}

    def state(self) -> dict[str, Any]:
        """Collect what the method stores between tasks, by name: all that a checkpoint needs."""
        return {name: getattr(self, name) for name in self.kept if hasattr(self, name)}

    @property
    def stored(self) -> dict[str, int]:
        """Bytes stored between tasks by kind, such as {"importance": 5976104, …}."""
        sizes: dict[str, int] = {}
        for name, value in self.state().items():
            if self.kept[name]:
                sizes[self.kept[name]] = sizes.get(self.kept[name], 0) + nbytes(value)
        return sizes

    def restore(self, state: dict[str, Any]) -> None:
        """Take over the `state` that an earlier call of `state()` returned."""
        vars(self).update(state)


class Remembering(Method):
    """Base of methods that keep something of one model, which is no use to another.

    Attributes:
        ended: how many weights θ had where the last task ended, and what identifies it; None before
            the first has.
        follows_weights: whether weights that somebody changes between tasks are of no importance.

    Raises:
        ValueError: in `begin_task`, the model is not where the last task ended.
    """

    kept: ClassVar[dict[str, str]] = {"ended": ""}
    follows_weights: ClassVar[bool] = True

    ended: tuple[int, str] | None = None
    whose: str = ""  # the model of that task

    def begin_task(self, model: nn.Module, task: Task) -> None:
        theta = flatten(model).theta
        same = self.follows_weights and token_of(model) == self.whose
        if self.ended and not same and self.ended != (now := (len(theta), fingerprint_of(theta))):
            what = "the weights of another model"
            if self.ended[0] != now[0]:
                what = f"{self.ended[0]:,} weights, and of this model {now[0]:,} can be trained"
            raise ValueError(
                f"this {self.label} holds on to {what}: make a new one, "
                f"cl.{type(self).__name__}(...), for this one"
            )
        super().begin_task(model, task)

    def end_task(self, model: nn.Module, task: Task) -> None:
        theta = flatten(model).theta
        self.ended, self.whose = (len(theta), fingerprint_of(theta)), token_of(model)


@dataclass(eq=False)
class Baseline(Method):
    """Naive fine-tuning: train on one task after the other and do nothing against forgetting.

    Every method is compared with it, by convention as the lower bound. It has no settings.
    """

    name = "baseline"
    label = "Baseline"

    @property
    def traces_task_loss(self) -> bool:
        return self._leaves(Baseline, *TRACED)


@dataclass(eq=False)
class Joint(Method):
    """Joint training: train on the data of all tasks at once, so that nothing can be forgotten.

    Every method is compared with it, by convention as the upper bound. It has no settings. The
    outputs of all tasks compete in training, in Task-IL too; in evaluation only those that the
    scenario allows.
    """

    name = "joint"
    label = "Joint"
    mixes_tasks = True

    def stages(self, tasks: Sequence[Task]) -> Sequence[Task]:
        return [joined(tasks)]


def _knob(value: Any) -> Any:
    """A knob as JSON can have it: what it cannot is named, with a digest of its content."""
    value = plain(value)
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        name = getattr(value, "__name__", type(value).__name__)
        try:
            return f"{name} {fingerprint_of(value)[:8]}"
        except Unidentifiable:
            return name
    return value


def nbytes(value: object) -> int:
    """Sum up the bytes of all tensors in `value`: a tensor, a module, a dict, a list or a tuple."""
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, nn.Module | torch.optim.Optimizer):
        return nbytes(value.state_dict())
    if isinstance(value, dict):
        return nbytes(list(value.values()))
    return sum(map(nbytes, value)) if isinstance(value, list | tuple) else 0


def check_method(method: object) -> None:
    """Raise ValueError unless `method` is one that can be trained with, and does what it says."""
    if not isinstance(method, Method):
        raise ValueError(f"method is {shortened(method)}: give one, such as cl.EWC()")
    kind = type(method)
    for attribute, default in {"name": kind.__name__.lower(), "label": kind.__name__}.items():
        if not hasattr(method, attribute):
            setattr(kind, attribute, default)
    if not method.name or {*method.name} & {*"/\\:\n\0"}:
        raise ValueError(
            f"the name of {kind.__name__} is {method.name!r}, as no file can be: choose another"
        )
    hooks = {hook: vars(method)[hook] for hook in TRACED[1:] if hook in vars(method)}
    if hooks:  # what is set on a method must act like what is written in a class
        try:
            type(kind.__name__, (kind,), hooks)
        except TypeError as error:
            raise ValueError(str(error)) from None
    has_lam = "lam" in method.knobs or "lam" in vars(method)
    if kind.penalty is not Method.penalty and not has_lam and not method.lam:
        warn(
            f"λ of {kind.__name__} is 0, so that its penalty does nothing: give the class a field "
            "lam, as in @dataclass(eq=False) and lam: float = 1.0"
        )
