"""The one training loop.

`train_steps` does the work and yields what happens; `train` drains it. The progress bar, a widget,
a test and a paused demo all consume the same generator: nothing else trains. A sweep drains it for
several models that take their steps together.
"""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from .checkpoint import resume, save
from .cost import Counted
from .evaluation import accuracies, as_of
from .files import writable
from .gradients import answer
from .methods import Method
from .models import MLP, Seeded, set_dropout
from .precision import products
from .run import Run
from .settings import Settings, at_least_one, pick_device
from .steps import Recorded, Step
from .tasks import Task, check_scenario, check_tasks, fingerprint


@dataclass(frozen=True)
class Event:
    """Something happened in training.

    Attributes:
        kind: "start" (nothing trained yet), "step" (every few), "epoch" or "task" (one ended).
        task, epoch: where training is, from 0; in a "start" event those that come next.
        step, n_steps: steps done so far and in the whole run.
        runs: the run so far of each model in training, the same objects in every event.
        losses: (S,) task loss of each in the latest batch, or None; reading it makes a GPU wait.
    """

    kind: Literal["start", "step", "epoch", "task"]
    task: int
    epoch: int
    step: int
    n_steps: int
    runs: tuple[Run, ...]
    losses: Tensor | None = None

    @property
    def run(self) -> Run:
        """The run, where one model is in training."""
        return self.runs[0]

    @property
    def loss(self) -> Tensor | None:
        """Task loss of the latest batch, 0-dim."""
        return None if self.losses is None else self.losses[0]


def train(
    method: Method,
    tasks: Sequence[Task],
    model: nn.Module | None = None,
    *,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Train `model` on one task after the other and say how it did.

    Ctrl-C ends training early; the run returned then holds what was finished.

    Args:
        method: what is done against forgetting, e.g. `cl.EWC(lam=100)`.
        tasks: from `permuted`, `rotated` or `split`.
        model: trained in place, from the weights it has. None, or an `MLP()` or `ResNet18()` as it
            was made, takes its initial weights from `seed`.
        progress: show a progress bar with the time left.
        settings: those of `Settings` (epochs, batch_size, lr, optimizer, momentum, lr_decay,
            schedule, warm_up, lr_final, dropout, seed, device, precision, cuda_graph), and
            `checkpoint` and `every` of `train_steps`.
    """
    events = train_steps(method, tasks, model, **settings)
    start = next(events)
    run = start.run
    with tqdm(
        desc=method.label,
        total=start.n_steps,
        initial=start.step,
        unit="step",
        disable=not progress,
        dynamic_ncols=True,
    ) as bar:
        try:
            for event in events:
                bar.update(event.step - bar.n)
                if event.kind == "epoch":
                    accuracy = np.mean(run.history[-1]["accuracy"])
                    bar.set_postfix_str(f"task {event.task + 1}, accuracy {accuracy:.1%}")
        except KeyboardInterrupt:
            tqdm.write(f"{method.label} stopped early: the run holds what was finished.")
    return run


def train_steps(
    method: Method,
    tasks: Sequence[Task],
    model: nn.Module | None = None,
    *,
    checkpoint: str | Path | None = None,
    every: int = 10,
    **settings: Any,
) -> Generator[Event, None, None]:
    """Train, one event at a time. Between events `method.lam` may be changed: the next step obeys.

    Args:
        method, tasks, model: as in `train`.
        checkpoint: a file written after every task. If it is there already, training goes on
            from it and ends with the same bits as if it had never stopped.
        every: steps between two "step" events.
        settings: those of `Settings`: epochs, batch_size, lr, optimizer, momentum, lr_decay,
            schedule, warm_up, lr_final, dropout, seed, device, precision, cuda_graph.

    Raises:
        ValueError: a setting makes no sense; the message says which, and what would.
    """
    how = Settings.of(settings)
    return train_together([method], tasks, [model], how, [how.seed], checkpoint, every)


def train_together(
    methods: Sequence[Method],
    tasks: Sequence[Task],
    models: Sequence[nn.Module | None],
    settings: Settings,
    seeds: Sequence[int],
    checkpoint: str | Path | None = None,
    every: int = 10,
) -> Generator[Event, None, None]:
    """Train S models of one shape at once, each with a method and a seed of its own.

    More than one only where `steps.can_be_stacked`, and without a checkpoint.
    """
    check_tasks(tasks)
    for method in methods:
        if not isinstance(method, Method):
            raise ValueError(f"method is {method!r}: give one, such as cl.EWC()")
        for task in tasks:
            check_scenario(method.label, method.scenarios, task.scenario)
    at_least_one("every", every)
    device = pick_device(settings.device)
    tasks = [task.to(device) for task in tasks]
    learners = [
        (method, _initial(method, model, tasks, seed).to(device))
        for method, model, seed in zip(methods, models, seeds, strict=True)
    ]
    stages = methods[0].stages(tasks)
    steps_of = [settings.epochs * -(-len(s.train) // settings.batch_size) for s in stages]
    n_steps = sum(steps_of)
    orders = [torch.Generator().manual_seed(seed) for seed in seeds]
    masks = torch.Generator(device).manual_seed(seeds[0])  # models that draw them are not stacked
    draws = [torch.Generator().manual_seed(~seed) for seed in seeds]  # and not `orders` again
    for method, draw in zip(methods, draws, strict=True):
        method.rng = draw
    generators = (orders[0], masks, draws[0])
    for _, model in learners:
        set_dropout(model, settings.dropout, masks)
    some = tasks[0].train
    x, _ = some.batch(torch.zeros(1, dtype=torch.long, device=some.device))
    answer(learners[0][1], x, tasks[0].name)
    tasks_digest = fingerprint(tasks)
    runs = tuple(
        _new_run(
            *learner,
            tasks,
            tasks_digest,
            stages,
            replace(settings, seed=seed, device=device),
            len(seeds),
        )
        for learner, seed in zip(learners, seeds, strict=True)
    )
    step, first = 0, 0
    if checkpoint is not None:
        writable(Path(checkpoint).parent)
        if Path(checkpoint).exists():
            step, first = resume(checkpoint, runs[0], generators)

    def event(kind, task, epoch, losses=None) -> Event:
        losses = None if losses is None else losses.clone()  # the next step may write over it
        return Event(kind, task, epoch, step, n_steps, runs, losses)

    with _Work(runs, partial(products, settings.precision, device)) as work:
        if not first:
            before = [tasks[0], *tasks[:-1]]  # the same outputs compete as in a[j − 1, j]
            asked = [as_of(b, task) for b, task in zip(before, tasks, strict=True)]
            for run, row in zip(runs, accuracies(learners, asked), strict=True):
                run.initial[:] = row
        skipped = len(tasks) - len(stages)  # rows of the accuracy matrix that joint training lacks
        with work.paused():
            yield event("start", skipped + min(first, len(stages) - 1), 0)

        for s in range(first, len(stages)):
            t, stage = skipped + s, stages[s]
            now = [as_of(stage, task) for task in tasks]
            for method, model in learners:
                method.begin_task(model, stage)
            plain = Step(learners, stage.train, partial(settings.optimizer_of, stage=s))
            graph = device.type == "cuda" and settings.cuda_graph and methods[0].recordable
            take_step = Counted(Recorded(plain, [masks]) if graph else plain, plain)
            rates = settings.rates(s, steps_of[s])
            rates = None if rates is None else rates.to(device)
            taken, stage_began = 0, work.seconds

            for epoch in range(settings.epochs):
                began = work.seconds
                for _, model in learners:
                    model.train()
                shuffled = [torch.randperm(len(stage.train), generator=g) for g in orders]
                for index in torch.stack(shuffled).to(device).split(settings.batch_size, 1):
                    for method, model in learners:
                        method.begin_step(model)
                    if rates is not None:
                        plain.lr.copy_(rates[taken])
                    losses = take_step(index)
                    step, taken = step + 1, taken + 1
                    for method, model in learners:
                        if method.interval and taken % method.interval == 0:
                            method.after_interval(model)
                    if step % every == 0:
                        with work.paused():
                            yield event("step", t, epoch, losses)

                rows = accuracies(learners, now[: t + 1])
                seconds = work.seconds - began
                for run, method, row in zip(runs, methods, rows, strict=True):
                    this = {"task": t, "epoch": epoch, "lam": method.lam}
                    run.history.append(this | {"accuracy": row, "seconds": seconds})
                with work.paused():
                    yield event("epoch", t, epoch, losses)

            for run, (method, model) in zip(runs, learners, strict=True):
                began = time.perf_counter()
                method.end_task(model, stage)
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
                run.end_task_seconds += time.perf_counter() - began
                cost = {"task": t, "seconds": work.seconds - stage_began}
                run.costs.append(cost | vars(take_step.passes) | {"stored": method.stored})
            for run, row in zip(runs, accuracies(learners, now[: t + 2]), strict=True):
                run.accuracy[t, : t + 2] = row
            with work.paused():
                if checkpoint is not None:
                    save(checkpoint, runs[0], generators, step, stages_done=s + 1)
                yield event("task", t, settings.epochs - 1, losses)


class _Work:
    """Adds the time spent inside to `run.seconds`, shared among the runs; nothing while paused.

    Matrix products are made at the precision asked for, also only inside.
    """

    def __init__(self, runs: Sequence[Run], precisely: partial):
        self.runs, self.precisely = runs, precisely

    def __enter__(self) -> _Work:
        self.since = time.perf_counter()
        self.precision = self.precisely()
        self.precision.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self.precision.__exit__(None, None, None)
        seconds = self.seconds
        for run in self.runs:
            run.seconds = seconds

    @property
    def seconds(self) -> float:
        """A run's share so far."""
        return self.runs[0].seconds + (time.perf_counter() - self.since) / len(self.runs)

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()


def _initial(
    method: Method, model: nn.Module | None, tasks: Sequence[Task], seed: int
) -> nn.Module:
    """The model as training begins: with weights from the seed, unless it has its own."""
    model = mlp_for(tasks) if model is None else model
    if isinstance(model, Seeded) and model.is_untouched():
        if method.kept and method.task is not None:
            raise ValueError(
                f"this {method.label} has been through a run and holds on to its weights: "
                f"make a new one, cl.{type(method).__name__}(...), to begin with new weights"
            )
        model.draw_weights(seed)
    return model


def _new_run(
    method: Method,
    model: nn.Module,
    tasks: Sequence[Task],
    tasks_digest: str,
    stages: Sequence[Task],
    settings: Settings,
    together: int,
) -> Run:
    config = {
        "method": method.name,
        "class": qualified_name(method),
        "knobs": method.knobs,
        "data": tasks[0].data,
        "tasks": [task.name for task in tasks],
        "tasks_digest": tasks_digest,
        "n_train": [len(stage.train) for stage in stages],
        "model": str(model),
        "initial_weights_digest": digest(model),
        **{k: v for k, v in vars(settings).items() if k != "cuda_graph"},
        "device": torch.device(settings.device).type,
        "together": together,
        "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
    }
    run = Run.empty(config, len(tasks))
    run.model, run.method = model, method
    return run


def mlp_for(tasks: Sequence[Task]) -> MLP:
    """The homework's model, with as many inputs and outputs as the tasks ask for."""
    x, _ = tasks[0].train.batch(torch.zeros(1, dtype=torch.long))
    return MLP((x.numel(), 1024, 512, 256, max(task.n_outputs for task in tasks)))


def digest(model: nn.Module) -> str:
    """16 characters that stand for its weights, and for its buffers if it has any."""
    content = hashlib.sha256()
    for value in model.state_dict().values():
        content.update(value.cpu().numpy().tobytes())
    return content.hexdigest()[:16]


def qualified_name(thing: object) -> str:
    """Of its class: two methods may share a name and knobs, and yet differ."""
    return f"{type(thing).__module__}.{type(thing).__qualname__}"
