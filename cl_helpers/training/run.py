"""The record of a training run: accuracies, history, costs and settings."""

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
from .settings import steps_an_epoch

if TYPE_CHECKING:
    from torch import nn

    from ..methods import Method

FORMAT = 1


@dataclass(eq=False)
class Run:
    """The record of one method on a sequence of tasks; plots, widgets and tables read only this.

    Attributes:
        config: the settings: method and its knobs, tasks, epochs, batch_size, lr, …, versions.
        accuracy: (T, T), a[t, j] on task j after training on task t, in [0, 1]. A row is filled up
            to the task after its own, which forward transfer needs; NaN where not evaluated.
        initial: (T,) accuracy on each task before any training.
        history: one entry for each epoch: task, epoch (both from 0), seconds, lam, and accuracy on
            every task so far.
        costs: one entry for each task: task, seconds, passes through the network in a step (forward
            and backward), and what the method then stored (bytes, by kind).
        seconds: spent on training and evaluation.
        end_task_seconds: the part of them spent on `end_task` (Ω, memory).
        diverged: where a loss or a weight was no longer finite: task and step from 0, and the loss
            one step before. Nothing is evaluated from there on. None if that did not happen.
        model, method: after training; None in a run read from a file.
    """

    config: dict[str, Any]
    accuracy: NDArray
    initial: NDArray
    history: list[dict[str, Any]] = field(default_factory=list)
    costs: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    end_task_seconds: float = 0.0
    diverged: dict[str, Any] | None = None
    model: nn.Module | None = None
    method: Method | None = None

    @classmethod
    def empty(cls, config: dict[str, Any], n_tasks: int) -> Run:
        """Make a run of `n_tasks` tasks in which nothing has happened yet.

        `config` is its settings.
        """
        return cls(config, np.full((n_tasks, n_tasks), np.nan), np.full(n_tasks, np.nan))

    @property
    def learner(self) -> tuple[nn.Module, Method]:
        """Model and method after training.

        Raises:
            ValueError: the run was read from a file, which has neither.
        """
        if self.model is None or self.method is None:
            raise ValueError("a run read from a file has no model and no method")
        return self.model, self.method

    @property
    def complete(self) -> bool:
        """Whether the last task was finished."""
        return not np.isnan(self.accuracy[-1]).any()

    @property
    def outcome(self) -> str:
        """How the run ended, in words: complete, stopped early, or where it diverged and why."""
        n_tasks = len(self.accuracy)
        if self.diverged is None:
            done = int((~np.isnan(np.diagonal(self.accuracy))).sum())
            return "complete" if self.complete else f"stopped after {done} of {n_tasks} tasks"
        task, step, loss = (self.diverged[key] for key in ("task", "step", "loss"))
        where = f"diverged at step {step + 1} of task {task + 1}"
        if "inputs" in self.diverged:
            return f"{where}: its inputs hold NaN or ∞; give finite ones"
        known = "" if loss is None else f"loss {loss:.3g} before; "
        return f"{where} ({known}try a smaller learning rate or λ)"

    @property
    def average_accuracy(self) -> float:
        """Mean accuracy on the tasks seen, after the last finished one; NaN if it diverged."""
        return self._unless_diverged(metrics.average_accuracy(self.accuracy))

    @property
    def forgetting(self) -> float:
        """Mean fall of accuracy from its best, over all tasks but the last; NaN if it diverged."""
        return self._unless_diverged(metrics.forgetting(self.accuracy))

    @property
    def backward_transfer(self) -> float:
        """Mean change of accuracy since each task was learned; NaN if it diverged."""
        return self._unless_diverged(metrics.backward_transfer(self.accuracy))

    @property
    def forward_transfer(self) -> float:
        """Mean gain of accuracy before each task is trained on; NaN if it diverged."""
        return self._unless_diverged(metrics.forward_transfer(self.accuracy, self.initial))

    def _unless_diverged(self, value: float) -> float:
        return value if self.diverged is None else float("nan")

    def curve(self, task: int = -1) -> tuple[NDArray, NDArray]:
        """Return how a task was learned: steps since it began, and accuracy on it after them.

        Args:
            task: 0, 1, …; -1, the default, is the last one.

        Returns:
            Steps and accuracies, (E + 1,) each: before the first step and after each of E epochs.

        Raises:
            ValueError: there is no such task, or it is not the last and training was joint.
        """
        n_tasks, n_train = len(self.accuracy), self.config["n_train"]
        t = task + n_tasks if task < 0 else task
        learned = range(n_tasks - len(n_train), n_tasks)
        if t not in learned:
            known = ", ".join(map(str, learned))
            raise ValueError(f"task is {task}: choose among {known}, or -1 for the last")
        before = self.accuracy[t - 1, t] if t else self.initial[t]
        after = [epoch["accuracy"][t] for epoch in self.history if epoch["task"] == t]
        size, drop_last = self.config["batch_size"], self.config.get("drop_last", False)
        per_epoch = steps_an_epoch(n_train[t - n_tasks], size, drop_last)
        return per_epoch * np.arange(1 + len(after)), np.array([before, *after])

    def steps_to(self, target: float, task: int = -1) -> float:
        """Return the steps until the accuracy on a task is `target` or more; ∞ if it never is.

        The accuracy is known before the first step and after every epoch.

        Args:
            target: accuracy in [0, 1].
            task: as in `curve`.
        """
        return metrics.steps_to(target, *self.curve(task))

    def save(self, path: str | os.PathLike) -> None:
        """Write all but model and method to `path`: one line of JSON, completely or not at all."""
        content = {"format": FORMAT} | {
            k: v for k, v in vars(self).items() if k not in ("model", "method")
        }
        with replacing(path) as file:
            file.write((json.dumps(finite(content), allow_nan=False) + "\n").encode())

    @classmethod
    def load(cls, path: str | os.PathLike) -> Run:
        """Read a run that `save` has written to `path`; it has no model and no method.

        Raises:
            ValueError: the file is not a run; the message names it.
        """
        try:
            content = json.loads(Path(path).read_text())
            if content.pop("format") != FORMAT:
                raise ValueError("written by another version")
            for key in ("accuracy", "initial"):
                content[key] = np.array(content[key], dtype=float)
            n_tasks = len(content["accuracy"])
            if content["accuracy"].shape != (n_tasks, n_tasks) or not n_tasks:
                raise ValueError(f"its accuracies are {content['accuracy'].shape}, not (T, T)")
            for entry in content["history"]:
                entry["accuracy"] = np.array(entry["accuracy"], dtype=float).tolist()
            return cls(**content)
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path} is not a saved run ({error}): delete it to train again"
            ) from error


def finite(value: Any) -> Any:
    """`value` as JSON can have it: NaN is null, ∞ a text."""
    match value:
        case dict():
            return {k: finite(v) for k, v in value.items()}
        case list() | tuple() | np.ndarray():
            return [finite(v) for v in value]
        case float() | np.floating():
            return None if np.isnan(value) else float(value) if np.isfinite(value) else str(value)
    return value
