"""The training loop: one model, one task after the other.

All training of this course goes through `training_loop`; the progress bar, the widgets, the sweeps
and the tests only read its events. Speed, time-keeping and checkpoints are put around it
(`train.py`). Several models at once are another kind of learner (`scale/stacked.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..data.tasks import Task
from ..methods import Method
from ..models.forward import training_mode
from .evaluation import accuracies, as_of
from .events import Event, Kind
from .run import Run
from .settings import Settings
from .step import Step


def training_loop(
    learner: Learner,
    tasks: Sequence[Task],
    settings: Settings,
    every: int,
    done: tuple[int, int],
) -> Generator[Event, None, None]:
    """Train on one task after the other; yield what happens.

    Args:
        learner: the model in training, with its method and its run.
        tasks: on the learner's device.
        settings: epochs, batch size, optimiser, learning rate.
        every: steps between two "step" events.
        done: the numbers of steps and of stages that a resumed learner has behind it.
    """
    stages = learner.method.stages(tasks)  # the tasks; joint training has them all in one stage
    skipped = len(tasks) - len(stages)
    trained = range(settings.learned, len(stages)) if learner.method.takes_steps else ()
    n_steps = sum(settings.n_steps(len(stages[s].train)) for s in trained)
    step, first = done

    def event(kind: Kind, epoch: int, losses: Tensor | None = None) -> Event:
        losses = None if losses is None else losses.clone()  # the next step may write over it
        return Event(kind, t, epoch, step, n_steps, learner.runs, losses)

    if not first:
        learner.record_initial([as_of(tasks[max(j - 1, 0)], task) for j, task in enumerate(tasks)])
    t = skipped + min(first, len(stages) - 1)
    yield event("start", 0)

    for s in range(first, len(stages)):
        t = skipped + s
        asked = settings.evaluated([as_of(stages[s], task) for task in tasks], t)
        learner.begin_task(stages[s], settings, s)
        epoch, losses = 0, None
        for epoch in range(settings.epochs if s in trained else 0):
            for index in settings.split(learner.shuffled()):
                losses = learner.step(index)
                step += 1
                if step % every == 0:
                    yield event("step", epoch, losses)
            learner.record_epoch(t, epoch, asked[: t + 1])
            yield event("epoch", epoch, losses)
        learner.end_task()
        learner.optimizer_state = learner.plain_step.state()
        learner.record_task(t, asked[: t + 2])
        yield event("task", epoch, losses)


@dataclass(eq=False)
class Learner:
    """One model in training, with its method, its run and its random generators.

    Args:
        method, model: what protects the past, and what learns.
        run: the record that is filled.
        order: generator of the order of the examples.
        masks: generator of dropout's masks, on the model's device.

    Attributes:
        task: the task in training.
        taken: steps of this task so far.
        plain_step: one training step of this task.
        take_step: the same, perhaps made faster; takes the positions of a batch, returns its loss.
        optimizer_state: what the optimiser had at the end of the task before.
    """

    method: Method
    model: nn.Module
    run: Run
    order: torch.Generator
    masks: torch.Generator
    task: Task = field(init=False)
    taken: int = field(init=False)
    plain_step: Step = field(init=False)
    take_step: Callable[[Tensor], Tensor] = field(init=False)
    optimizer_state: dict = field(init=False, default_factory=dict)

    @property
    def runs(self) -> tuple[Run, ...]:
        """The run of each model in training: one."""
        return (self.run,)

    @property
    def generators(self) -> tuple[torch.Generator, ...]:
        """All generators of its random numbers, whose states a checkpoint needs."""
        assert self.method.rng is not None
        return self.order, self.masks, self.method.rng

    def begin_task(self, task: Task, settings: Settings, stage: int) -> None:
        """Prepare for the first step of `task`, which is stage 0, 1, … of the run."""
        self.method.begin_task(self.model, task)
        self.method.try_out(self.model, task)
        self.task, self.taken = task, 0
        self.plain_step = Step(self.method, self.model, task, settings, stage, self.optimizer_state)
        self.take_step = self.plain_step

    def shuffled(self) -> Tensor:
        """Shuffle the positions of the task's examples, (N,); put the model into training mode."""
        training_mode(self.model)
        return torch.randperm(len(self.task.train), generator=self.order).to(self.task.train.device)

    def step(self, index: Tensor) -> Tensor:
        """Take one step on the examples at `index` (B,); return their task loss, (1,)."""
        self.method.begin_step(self.model)
        self.plain_step.set_rate(self.taken)
        loss = self.take_step(index)
        self.taken += 1
        if self.method.interval and self.taken % self.method.interval == 0:
            self.method.after_interval(self.model)
        return loss[None]

    def end_task(self) -> None:
        """Let the method compute its Ω or store examples, after the last step of the task."""
        self.method.end_task(self.model, self.task)

    def evaluate(self, tasks: Sequence[Task | None]) -> Iterator[tuple[Run, list[float]]]:
        """Pair each run with the metric of its model on the test examples of each of `tasks`.

        In the place of None it is NaN. Runs that have diverged are left out.
        """
        runs = [run for run in self.runs if not run.diverged]
        return zip(runs, accuracies([run.learner for run in runs], tasks), strict=True)

    def record_initial(self, tasks: Sequence[Task | None]) -> None:
        """Write the metric on each of `tasks` before any training into the run."""
        for run, row in self.evaluate(tasks):
            run.initial[:] = row

    def record_epoch(self, t: int, epoch: int, tasks: Sequence[Task | None]) -> None:
        """Write the metric on `tasks` after an epoch of task t into the run's history."""
        for run, row in self.evaluate(tasks):
            entry = {"task": t, "epoch": epoch, "lam": run.learner[1].lam, "accuracy": row}
            run.history.append(entry)

    def record_task(self, t: int, tasks: Sequence[Task | None]) -> None:
        """Write the metric on `tasks` after task t into row t of the run's accuracy matrix."""
        for run, row in self.evaluate(tasks):
            run.accuracy[t, : len(tasks)] = row
