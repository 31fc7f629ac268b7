"""Exercises on EWC beside the one in `on_importance`: what λ does, and EWC with a memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from ...data.datasets import Dataset
from ...data.tasks import Task
from ...methods import EWC
from ...models.flat import flatten
from ...models.small import MLP
from ...training.train import train
from .judge import Args, Exercise, Mistake
from .reading import Reading

N_KEPT = 10  # examples of each task in the memory


read = Reading(
    ask="the number of the run with the largest λ",
    right=2,
    mistakes={
        "Run 1 forgets most: its rows fall from left to right. That is what a small λ does.": 1,
        "Run 3 has the best average accuracy at the end, which is another question. Look for the "
        "run that keeps task 1 best and learns new tasks worst.": 3,
    },
    moral="The largest λ keeps task 1 and pays on the diagonal, where new tasks are learned.",
    hints=(
        "A large λ keeps old tasks. Look down the first column.",
        "A large λ makes new tasks harder to learn. Look along the diagonal.",
    ),
    solution="2: its first column falls least, and its diagonal falls most.",
)


def _tasks(n_tasks: int, seed: int) -> list[Task]:
    """Tasks of 24 vectors, each labelled by a random linear map of its own."""
    rng = torch.Generator().manual_seed(seed)
    tasks = []
    for name in map(str, range(n_tasks)):
        x, teacher = torch.randn(48, 6, generator=rng), torch.randn(6, 3, generator=rng)
        halves = [v for part in (x[:24], x[24:]) for v in (part, (part @ teacher).argmax(1))]
        tasks.append(Task.from_dataset(Dataset.from_tensors(*halves), name))
    return tasks


def _weights_after_training(kind: Any, n_tasks: int, seed: int) -> Tensor:
    """θ (P,) after a few steps on each of the tasks."""
    model = MLP((6, 5, 3), seed=seed)
    how: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 8,
        "lr": 0.1,
        "optimizer": "sgd",
        "device": "cpu",
    }
    train(kind(lam=20.0), _tasks(n_tasks, seed), model, progress=False, **how)
    return flatten(model).theta.clone()


def _trained(kind: Any) -> Callable[[int, int], Tensor]:
    """The function that is judged: it trains with the class and returns the weights."""
    if not issubclass(kind, EWC):
        raise Mistake("Derive your class from EWC: `class ReplayedEWC(cl.EWC):`.")
    return partial(_weights_after_training, kind)


def _known(kind: type[EWC]) -> Callable[[int, int], Tensor]:
    """The same of a class of ours; it trains once, however often it is compared with."""
    return cache(_trained(kind))


class Replayed(EWC):
    """EWC that also trains on ten examples of each old task in every step."""

    x: torch.Tensor  # inputs in the memory
    y: torch.Tensor  # their labels

    def task_loss(self, model, x, y):
        loss = super().task_loss(model, x, y)
        if self.tasks_held:
            loss = loss + super().task_loss(model, self.x, self.y)
        return loss

    def end_task(self, model, task):
        x, y = task.train.batch(torch.arange(10))
        if self.tasks_held:
            x, y = torch.cat([self.x, x]), torch.cat([self.y, y])
        self.x, self.y = x, y
        super().end_task(model, task)


class _OnlyTheLast(Replayed):
    def end_task(self, model: nn.Module, task: Task) -> None:
        super().end_task(model, task)
        self.x, self.y = task.train.batch(torch.arange(N_KEPT))


class _OfTheTestSet(Replayed):
    def end_task(self, model: nn.Module, task: Task) -> None:
        super().end_task(model, task)
        x, y = task.test.batch(torch.arange(N_KEPT))
        self.x, self.y = (torch.cat([v[:-N_KEPT], w]) for v, w in ((self.x, x), (self.y, y)))


class _OfTheNewTask(Replayed):
    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        self.x, self.y = task.train.batch(torch.arange(N_KEPT))


class _OneMean(Replayed):
    def task_loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        if self.tasks_held:
            x, y = torch.cat([x, self.x]), torch.cat([y, self.y])
        return EWC.task_loss(self, model, x, y)


class _OneMeanATask(Replayed):
    def task_loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        loss = EWC.task_loss(self, model, x, y)
        for old in range(self.tasks_held):
            part = slice(N_KEPT * old, N_KEPT * (old + 1))
            loss = loss + EWC.task_loss(self, model, self.x[part], self.y[part])
        return loss


class _HalfAndHalf(Replayed):
    def task_loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return super().task_loss(model, x, y) / (2 if self.tasks_held else 1)


class _OnlyTheMemory(Replayed):
    def task_loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        x, y = (self.x, self.y) if self.tasks_held else (x, y)
        return EWC.task_loss(self, model, x, y)


class _WithoutPenalty(Replayed):
    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return self.task_loss(model, x, y)


class _PenaltyTwice(Replayed):
    def task_loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return super().task_loss(model, x, y) + self.lam * self.penalty(model)


def _problems() -> list[Args]:
    return [(3, 0), (2, 1)]


def _look(args: Args, outcome: Tensor | BaseException) -> str | None:
    if isinstance(outcome, AttributeError):
        return (
            "What is read there was not stored yet: the memory is empty until the first task has "
            "ended. `self.tasks_held` counts the tasks that have; `super().end_task` adds one."
        )
    return None


transfer = Exercise(
    "ReplayedEWC(EWC)",
    "EWC whose loss, from the second task on, is the mean loss of the batch plus that of the "
    "memory: the first 10 training examples of every old task. The penalty stays as it is.",
    _problems,
    right=_known(Replayed),
    made=_trained,
    mistakes={
        "This is EWC alone: the memory has no effect. Add its loss to that of the batch, in "
        "`task_loss`, with a gradient.": (_known(EWC),),
        "The memory holds the last task alone: `end_task` overwrites what was there. Join the old "
        "and the new examples with `torch.cat`.": (_known(_OnlyTheLast),),
        "Your memory is filled from the test set, and training must never see that. Take "
        "`task.train`.": (_known(_OfTheTestSet),),
        "You replay examples of the new task: the memory is filled before training. Fill it in "
        "`end_task`, so that it holds old tasks.": (_known(_OfTheNewTask),),
        "You took one mean over batch and memory together, so each memory example counts as much "
        "as one of the batch. Asked for are two means, added.": (_known(_OneMean),),
        "You added one mean for each old task. Asked for is one mean over the whole memory.": (
            _known(_OneMeanATask),
        ),
        "You took the mean of the two losses, and both count half. Asked for is their sum.": (
            _known(_HalfAndHalf),
        ),
        "From the second task on you train on the memory alone: the new task's batch is missing.": (
            _known(_OnlyTheMemory),
        ),
        "The penalty is lost: what overrides `loss` must add it. Override `task_loss`, and EWC's "
        "own `loss` still adds it.": (_known(_WithoutPenalty),),
        "The penalty is counted twice: `super().loss` adds it at each call. Call "
        "`super().task_loss` for the memory.": (_known(_PenaltyTwice),),
    },
    moral="The penalty remembers the weights, the memory remembers examples; they join in one sum.",
    look=_look,
    unstable="The same training twice gave two results: take the FIRST 10 examples, drawn by "
    "nobody.",
    hints=(
        "`super().task_loss(model, x, y)` is the mean loss of any examples. Call it for the batch, "
        "and, if `self.tasks_held`, for the memory.",
        "In `end_task`: `x, y = task.train.batch(torch.arange(10))`. If `self.tasks_held`, join "
        "them to `self.x`, `self.y` with `torch.cat`. Do that before `super().end_task`.",
    ),
    solution=Replayed,
)
