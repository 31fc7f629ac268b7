"""What a training run leaves behind."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..files import replacing
from . import metrics

if TYPE_CHECKING:
    from torch import nn

    from ..methods import Method

FORMAT = 1


@dataclass(eq=False)
class Run:
    """One method's way through a sequence of tasks; figures, widgets and tables read nothing else.

    Attributes:
        config: the settings: method and its knobs, tasks, epochs, batch_size, lr, …, versions.
        accuracy: (T, T), a[t, j] on task j after training on task t, in [0, 1]. A row is filled up
            to the task after its own, which forward transfer needs; NaN where not evaluated.
        initial: (T,) accuracy on each task before any training.
        history: one entry an epoch: task, epoch (both from 0), seconds, lam, and accuracy on every
            task so far.
        costs: one entry a task: task, seconds, what a step takes (forward and backward: passes
            through the network), and what the method then stored (bytes, by kind).
        seconds: spent in training and evaluation, and within it on `end_task` (Ω, memory).
        model, method: as they ended; None in a run read from a file.
    """

    config: dict[str, Any]
    accuracy: NDArray
    initial: NDArray
    history: list[dict[str, Any]] = field(default_factory=list)
    costs: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    end_task_seconds: float = 0.0
    model: nn.Module | None = None
    method: Method | None = None

    @classmethod
    def empty(cls, config: dict[str, Any], n_tasks: int) -> Run:
        """A run of which nothing has happened."""
        return cls(config, np.full((n_tasks, n_tasks), np.nan), np.full(n_tasks, np.nan))

    @property
    def learner(self) -> tuple[nn.Module, Method]:
        """The model and the method, of a run that was not read from a file."""
        if self.model is None or self.method is None:
            raise ValueError("a run read from a file has no model and no method")
        return self.model, self.method

    @property
    def complete(self) -> bool:
        """Whether the last task was finished."""
        return not np.isnan(self.accuracy[-1]).any()

    @property
    def average_accuracy(self) -> float:
        """Mean accuracy over the tasks seen, after the last finished one."""
        return metrics.average_accuracy(self.accuracy)

    @property
    def forgetting(self) -> float:
        return metrics.forgetting(self.accuracy)

    @property
    def backward_transfer(self) -> float:
        return metrics.backward_transfer(self.accuracy)

    @property
    def forward_transfer(self) -> float:
        return metrics.forward_transfer(self.accuracy, self.initial)

    def curve(self, task: int = -1) -> tuple[NDArray, NDArray]:
        """How a task was learned: the steps since it began, and the accuracy on it after them.

        (E + 1,) each: before the first step, and after every epoch so far.

        Raises:
            ValueError: there is no such task, or joint training ran, whose one stage is the last.
        """
        n_tasks, n_train = len(self.accuracy), self.config["n_train"]
        t = task + n_tasks if task < 0 else task
        learned = range(n_tasks - len(n_train), n_tasks)
        if t not in learned:
            known = ", ".join(map(str, learned))
            raise ValueError(f"task is {task}: choose among {known}, or -1 for the last")
        before = self.accuracy[t - 1, t] if t else self.initial[t]
        after = [epoch["accuracy"][t] for epoch in self.history if epoch["task"] == t]
        per_epoch = -(-n_train[t - n_tasks] // self.config["batch_size"])
        return per_epoch * np.arange(1 + len(after)), np.array([before, *after])

    def steps_to(self, target: float, task: int = -1) -> float:
        """Steps until the accuracy on a task first was `target` or more; ∞ if it never was.

        It is looked at before the first step and after every epoch.
        """
        return metrics.steps_to(target, *self.curve(task))

    def save(self, path: str | os.PathLike) -> None:
        """Write everything but the model and the method: a line of JSON, whole or not at all."""
        content = {"format": FORMAT} | {
            k: v for k, v in vars(self).items() if k not in ("model", "method")
        }
        content["accuracy"] = _without_nan(self.accuracy)
        content["initial"] = _without_nan(self.initial)
        with replacing(path) as file:
            file.write((json.dumps(content, allow_nan=False) + "\n").encode())

    @classmethod
    def load(cls, path: str | os.PathLike) -> Run:
        """Read what `save` wrote.

        Raises:
            ValueError: the file is not a run; the message names it.
        """
        try:
            content = json.loads(Path(path).read_text())
            if content.pop("format") != FORMAT:
                raise ValueError("written by another version")
            for key in ("accuracy", "initial"):
                content[key] = np.array(content[key], dtype=float)
            return cls(**content)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path} is not a saved run ({error}): delete it to train again"
            ) from error


def _without_nan(a: NDArray) -> list:
    return [_without_nan(x) if x.ndim else None if np.isnan(x) else float(x) for x in a]
