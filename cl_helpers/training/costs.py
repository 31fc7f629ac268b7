"""Seconds, passes and bytes of a task, noted in the run from outside the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..data.tasks import Task
from ..speed.passes import CountedStep, Passes
from .divergence import WatchedStep, look_at_weights
from .events import Event
from .loop import Learner
from .run import Run
from .settings import Settings
from .step import Step


@dataclass(eq=False)
class TrackedLearner(Learner):
    """A learner that writes into its run what each task costs.

    Args:
        method, model, run, order, masks: as in `Learner`.
        faster: turns a plain step into one that does the same in less time.

    Attributes:
        passes: through the network, in one step of the task in training.
        watched: the step, which keeps its losses.
        stage: of the task in training, 0, 1, …
    """

    faster: Callable[[Step], Callable[[Tensor], Tensor]]
    passes: Passes = field(default_factory=Passes)
    watched: WatchedStep = field(init=False)
    stage: int = field(init=False)

    def begin_task(self, task: Task, settings: Settings, stage: int) -> None:
        super().begin_task(task, settings, stage)
        self.stage = stage
        self.passes = Passes() if self.method.takes_steps else Passes(0.0, 0.0)
        counted = CountedStep(self.faster(self.plain_step), self.model, task, self.passes)
        self.take_step = self.watched = WatchedStep(counted, task)

    def step(self, index: Tensor) -> Tensor:
        try:
            return super().step(index)
        except Exception:  # a loss may not take outputs that are not finite
            if not bool(self.plain_step.flat.theta.isfinite().all()):
                t = len(self.run.accuracy) - len(self.run.config["n_train"]) + self.stage
                look_at_weights(self.runs, t, self.taken)
            raise

    def record_task(self, t: int, tasks: Sequence[Task | None]) -> None:
        look_at_weights(self.runs, t, self.taken)
        super().record_task(t, tasks)

    def record_epoch(self, t: int, epoch: int, tasks: Sequence[Task | None]) -> None:
        self.watched.look(self.runs, self.plain_step.flat.theta[None], t)
        super().record_epoch(t, epoch, tasks)

    def end_task(self) -> None:
        device = next(self.model.parameters()).device
        began = time.perf_counter()
        super().end_task()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        self.run.end_task_seconds += time.perf_counter() - began
        self.run.costs.append(vars(self.passes) | {"stored": self.method.stored})


class Clock:
    """Measures the seconds of work and writes them into the runs, shared evenly among them.

    Each entry of `run.history` and of `run.costs` gets the seconds of its epoch or task.

    Args:
        runs: those in training; `seconds` of a resumed run are counted on from.
    """

    def __init__(self, runs: tuple[Run, ...]):
        self.runs = runs
        self.epoch_began = self.task_began = runs[0].seconds

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time spent inside this context."""
        began = time.perf_counter()
        try:
            yield
        finally:
            share = (time.perf_counter() - began) / len(self.runs)
            for run in self.runs:
                run.seconds += share

    def note(self, event: Event) -> None:
        """Write down how long the epoch or the task took that `event` says has ended."""
        if event.kind == "step":
            return
        now = self.runs[0].seconds
        for run in self.runs:
            if run.diverged:
                continue
            if event.kind == "epoch":
                run.history[-1]["seconds"] = now - self.epoch_began
            elif event.kind == "task":
                run.costs[-1] |= {"task": event.task, "seconds": now - self.task_began}
        self.epoch_began = now
        if event.kind != "epoch":
            self.task_began = now
