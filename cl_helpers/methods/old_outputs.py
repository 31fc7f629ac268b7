"""What LwF, iCaRL and all replay methods share: they compute a loss on the old outputs again.

So they must know which outputs competed then. That is the whole difference between the scenarios:
in Task-IL every old task has its own outputs, in Class-IL all classes seen so far compete, in
Domain-IL all tasks share the same outputs.
"""

from __future__ import annotations

from copy import deepcopy
from typing import ClassVar, TypeAlias, TypeVar

from torch import Tensor, nn

from ..data.tasks import Task
from .base import Remembering

M = TypeVar("M", bound=nn.Module)
Outputs: TypeAlias = "tuple[int, ...] | None"  # of the model; None for all
Weights: TypeAlias = "dict[str, Tensor]"  # a state_dict, its tensors our own


class OldOutputs(Remembering):
    """Base of methods that need to know which outputs competed in the tasks that have ended.

    Attributes:
        competed: for each of these tasks the outputs that competed, or None for all of the model.
    """

    kept: ClassVar[dict[str, str]] = Remembering.kept | {"competed": ""}

    competed: tuple[Outputs, ...] = ()

    def end_task(self, model: nn.Module, task: Task) -> None:
        super().end_task(model, task)
        self.competed = (*self.competed, task.active)

    @property
    def heads(self) -> tuple[Outputs, ...]:
        """Groups of outputs that competed before the task in training.

        In Task-IL one group for each old task; else a single one: in Class-IL the classes known
        before, in Domain-IL the shared outputs.
        """
        assert self.task is not None
        return self.competed if self.task.scenario == "task" else self.competed[-1:]

    def competing(self, head: Outputs) -> Outputs:
        """Return the outputs that compete *now* on an old example, for which `head` competed then.

        In Task-IL the same as then; in Class-IL the new classes too.
        """
        assert self.task is not None
        return head if self.task.scenario == "task" else self.task.active


class Teacher(OldOutputs):
    """Base of methods that use the outputs of the network as it was after the last task.

    They take the outputs for those of a classifier.

    Attributes:
        old: its weights and buffers, a state_dict.
        teacher: that network, frozen and in eval mode; there is none during the first task.
    """

    kept: ClassVar[dict[str, str]] = OldOutputs.kept | {"old": "teacher"}

    old: Weights
    teacher: nn.Module

    def check_task(self, task: Task) -> None:
        super().check_task(task)
        check_classifies(task, f"{self.label} takes outputs for those of a classifier")

    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        if self.competed:
            self.teacher = frozen(model, self.old)

    def end_task(self, model: nn.Module, task: Task) -> None:
        super().end_task(model, task)
        self.old = weights_of(model)


def check_classifies(task: Task, takes: str) -> None:
    """Raise ValueError, beginning with what a method `takes`, unless `task` has classes."""
    if not task.classifies:
        raise ValueError(
            f"{takes}, but {task.name} has a prediction of its own: take ER, or a penalty such as "
            "EWC"
        )


def columns(z: Tensor, outputs: Outputs) -> Tensor:
    """Select the columns `outputs` of `z` (B, K); None is all of them."""
    return z if outputs is None else z[:, list(outputs)]


def weights_of(model: nn.Module) -> Weights:
    """Copy all weights and buffers of `model`, as a state_dict."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def frozen(model: M, weights: Weights) -> M:
    """Copy `model` with the given `weights`, in eval mode and without gradients."""
    copy = deepcopy(model)
    copy.load_state_dict(weights)
    return copy.eval().requires_grad_(False)
