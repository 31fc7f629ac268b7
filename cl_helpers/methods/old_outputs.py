"""What LwF, iCaRL and all that replays have in common: they ask about the past again.

So they must know which outputs competed for an answer then. That is the whole difference between
the scenarios: with Task-IL every old task has its outputs to itself, with Class-IL all classes seen
so far compete, with Domain-IL all tasks share the same ones.
"""

from __future__ import annotations

from copy import deepcopy
from typing import ClassVar, TypeAlias, TypeVar

from torch import Tensor, nn

from ..data.tasks import Task
from .base import Method

M = TypeVar("M", bound=nn.Module)
Outputs: TypeAlias = "tuple[int, ...] | None"  # of the model; None for all
Weights: TypeAlias = "dict[str, Tensor]"  # a state_dict, its tensors our own


class OldOutputs(Method):
    """A method that knows which outputs competed in the tasks that have ended."""

    kept: ClassVar[dict[str, str]] = {"competed": ""}

    competed: tuple[Outputs, ...] = ()

    def end_task(self, model: nn.Module, task: Task) -> None:
        self.competed = (*self.competed, task.active)

    @property
    def heads(self) -> tuple[Outputs, ...]:
        """Groups of outputs that answered before the task in training: one, but with Task-IL.

        With Class-IL that is all classes known before, which says what an old model may be asked.
        """
        assert self.task is not None
        return self.competed if self.task.scenario == "task" else self.competed[-1:]

    def competing(self, head: Outputs) -> Outputs:
        """What competes *now* for an answer that `head` gave once.

        With Class-IL an old class has the new ones for rivals; with Task-IL it never has.
        """
        assert self.task is not None
        return head if self.task.scenario == "task" else self.task.active


class Teacher(OldOutputs):
    """A method that asks the network as it was when the last task had ended."""

    kept: ClassVar[dict[str, str]] = OldOutputs.kept | {"old": "teacher"}

    old: Weights
    teacher: nn.Module  # that network, at work

    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        if self.competed:
            self.teacher = frozen(model, self.old)

    def end_task(self, model: nn.Module, task: Task) -> None:
        super().end_task(model, task)
        self.old = weights_of(model)


def columns(z: Tensor, outputs: Outputs) -> Tensor:
    """Those of `z` (B, K)."""
    return z if outputs is None else z[:, list(outputs)]


def weights_of(model: nn.Module) -> Weights:
    """A copy of all weights and buffers, to be kept."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def frozen(model: M, weights: Weights) -> M:
    """A model like this one with those weights, in eval mode, that never learns again."""
    copy = deepcopy(model)
    copy.load_state_dict(weights)
    return copy.eval().requires_grad_(False)
