"""Exercise on the hooks of the training loop: a method that freezes the first layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import cl_helpers as cl

from ...data.datasets import Dataset
from ...data.tasks import Task
from ...methods import Method
from ...models.small import MLP
from ...training.train import train
from .judge import Answer, Exercise, Mistake


class FreezeFirst(cl.Method):
    """After the first task, weight and bias of `model.fc1` stay as they are."""

    first_is_learned = False

    def after_backward(self, model: nn.Module) -> None:
        if self.first_is_learned:
            for p in model.get_submodule("fc1").parameters():
                p.grad = torch.zeros_like(p)

    def end_task(self, model: nn.Module, task: cl.Task) -> None:
        self.first_is_learned = True


def _stream(seed: int) -> list[Task]:
    """Make three tasks of 48 points with three classes; each task has other labels."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(48, 6, generator=rng)
    labels = [(x @ torch.randn(6, 3, generator=rng)).argmax(1) for _ in range(3)]
    return [Task.from_dataset(Dataset.from_tensors(x, y, x, y)) for y in labels]


def _trained(make: Callable[[], Method]) -> Answer:
    """A function of the seed that trains on three tasks, and returns all weights in the end."""

    def weights(seed: int) -> Tensor:
        model, how = MLP((6, 5, 4, 3), seed=seed), {"epochs": 2, "batch_size": 16, "lr": 0.02}
        train(make(), _stream(seed), model, device="cpu", progress=False, **how)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    return weights


def _of_student(kind: type) -> Answer:
    if not issubclass(kind, Method):
        raise Mistake("The loop takes methods only: write `class FreezeFirst(cl.Method):`.")
    return _trained(kind)


class _Freeze(Method):
    """Freezes the parameters whose name is `chosen`, in the tasks (0, 1, 2) in `when`."""

    def __init__(self, chosen: Callable[[str], bool], when: tuple[int, ...] = (1, 2)):
        self.chosen, self.when, self.n_learned = chosen, when, 0

    def after_backward(self, model: nn.Module) -> None:
        for name, p in model.named_parameters():
            if self.n_learned in self.when and self.chosen(name) and p.grad is not None:
                p.grad.zero_()

    def end_task(self, model: nn.Module, task: Task) -> None:
        self.n_learned += 1


class _PutBack(Method):
    """Trains all weights, and puts those of the first layer back after each later task."""

    kept_weights: list[Tensor] | None = None

    def end_task(self, model: nn.Module, task: Task) -> None:
        first = model.get_submodule("fc1")
        now = [p.detach().clone() for p in first.parameters()]
        self.kept_weights = self.kept_weights or now
        with torch.no_grad():
            for p, value in zip(first.parameters(), self.kept_weights, strict=True):
                p.copy_(value)


def _frozen(chosen: Callable[[str], bool], *when: int) -> Answer:
    return _trained(lambda: _Freeze(chosen, when or (1, 2)))


def _first(name: str) -> bool:
    return name.startswith("fc1.")


transfer = Exercise(
    "FreezeFirst(cl.Method)",
    "a method that trains all weights on the first task, and from the second task on keeps weight "
    "and bias of `model.fc1` as they are.",
    lambda: [(0,), (1,)],
    right=_trained(FreezeFirst),
    made=_of_student,
    mistakes={
        "This trains like the baseline: nothing is frozen. Three usual reasons: the gradient is "
        "set to zero in `after_step`, when the step has been taken; `end_task` does not remember "
        "that a task was learned; or the hook's name is misspelt, so that nothing calls it.": (
            _frozen(lambda name: False),
        ),
        "The first layer is frozen from the very first step, so task 1 has to do with random "
        "features. Begin after the first `end_task`.": (_frozen(_first, 0, 1, 2),),
        "All layers are frozen after the first task, so the later tasks are not learned at all. "
        "Set only the gradients of `model.fc1` to zero.": (_frozen(lambda name: True),),
        "It is the other way round: you froze all layers except the first.": (
            _frozen(lambda name: not _first(name)),
        ),
        "That is the last layer. The first one, next to the pixels, is `model.fc1`.": (
            _frozen(lambda name: name.startswith("fc3.")),
            _frozen(lambda name: name == "fc3.weight"),
        ),
        "That is the second layer: `fc1` is the first, layers are counted from 1.": (
            _frozen(lambda name: name.startswith("fc2.")),
        ),
        "Half of the layer still moves: it has a weight and a bias. Set both gradients to zero.": (
            _frozen(lambda name: name == "fc1.weight"),
            _frozen(lambda name: name == "fc1.bias"),
        ),
        "The layer is frozen in the second task and trained again in the third. Once it is frozen "
        "it must stay so.": (_frozen(_first, 1),),
        "It is frozen one task too late: the second task still moves the layer. `end_task` is "
        "called after each task, for the first time after the first.": (_frozen(_first, 2),),
        "The first layer is right in the end, but it moved during each task and was put back "
        "afterwards. So the other layers learned with a first layer that is gone. Set its "
        "gradient to zero at each step.": (_trained(_PutBack),),
    },
    moral="Two hooks make a method of continual learning. It never forgets its first layer, and it "
    "pays with plasticity: that layer learns nothing new.",
    hints=(
        "Which hook sees the gradient *before* the step? And which hook is called when a task has "
        "ended, so that the method can remember it?",
        "In `end_task` set `self.first_is_learned = True`. In `after_backward`, if that is set, "
        "call `model.fc1.weight.grad.zero_()`, and the same for the bias.",
    ),
    solution=FreezeFirst,
)
