"""The one training loop.

`train_steps` does the work and yields what happens; `train` drains it. The progress bar, a widget,
a test and a paused demo all consume the same generator: nothing else trains.
"""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from .checkpoint import resume, save
from .gradients import evaluating
from .methods import Method
from .models import MLP, Dropout
from .parameters import flatten
from .run import Run
from .tasks import Task, fingerprint

# Large enough for full-speed matrix products, small enough for a laptop's memory.
EVAL_BATCH = 2000


@dataclass(frozen=True)
class Event:
    """Something happened in training.

    Attributes:
        kind: "start" (nothing trained yet), "step" (every few), "epoch" or "task" (one ended).
        task, epoch: where training is, from 0; in a "start" event those that come next.
        step, n_steps: steps done so far and in the whole run.
        run: the run so far, the same object in every event.
        loss: task loss of the latest batch, 0-dim, or None; reading it makes a GPU wait.
    """

    kind: Literal["start", "step", "epoch", "task"]
    task: int
    epoch: int
    step: int
    n_steps: int
    run: Run
    loss: Tensor | None = None


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
        model: trained in place, from the weights it has. None, or an `MLP()` as it was made, takes
            its initial weights from `seed`.
        progress: show a progress bar with the time left.
        settings: as in `train_steps`: epochs, batch_size, lr, optimizer, momentum, lr_decay, seed,
            device, checkpoint, every.
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
    epochs: int = 10,
    batch_size: int = 128,
    lr: float = 1e-4,
    optimizer: Literal["adam", "sgd"] = "adam",
    momentum: float = 0.0,
    lr_decay: float = 1.0,
    seed: int = 0,
    device: str | torch.device = "auto",
    checkpoint: str | Path | None = None,
    every: int = 10,
) -> Generator[Event, None, Run]:
    """Train, one event at a time. Between events `method.lam` may be changed: the next step obeys.

    Args:
        method, tasks, model: as in `train`.
        epochs: passes over each task's training data.
        batch_size: examples a step.
        lr: learning rate of the first task; the default is the homework's.
        optimizer: "adam" or "sgd"; a fresh one for every task.
        momentum: of SGD; Adam has its own.
        lr_decay: the learning rate of task t (from 0) is lr · lr_decayᵗ.
        seed: fixes initial weights, order of data, dropout (of `models.Dropout`, not `nn.Dropout`,
            which draws from torch's global generator): same seed and device, same bits.
        device: "cpu", "cuda", …; "auto" takes CUDA when there is one.
        checkpoint: a file written after every task. If it is there already, training goes on
            from it and ends with the same bits as if it had never stopped.
        every: steps between two "step" events.

    Raises:
        ValueError: a setting makes no sense; the message says which, and what would.
    """
    _check(tasks, epochs, batch_size, lr, optimizer, momentum, lr_decay, every)
    device = pick_device(device)
    tasks = [task.to(device) for task in tasks]
    model = mlp_for(tasks) if model is None else model
    if type(model) is MLP and model.is_untouched():
        if method.kept and method.task is not None:
            raise ValueError(
                f"this {method.label} has been through a run and holds on to its weights: "
                f"make a new one, cl.{type(method).__name__}(...), to begin with new weights"
            )
        model.draw_weights(seed)
    model.to(device)
    stages = method.stages(tasks)
    n_steps = epochs * sum(-(-len(stage.train) // batch_size) for stage in stages)

    order, masks = torch.Generator(), torch.Generator(device)
    order.manual_seed(seed), masks.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, Dropout):
            module.generator = masks

    config = {
        "method": method.name,
        "knobs": method.knobs,
        "data": tasks[0].data,
        "tasks": [task.name for task in tasks],
        "tasks_digest": fingerprint(tasks),
        "n_train": [len(stage.train) for stage in stages],
        "model": str(model),
        "initial_weights_digest": _digest(flatten(model).theta),
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "optimizer": optimizer,
        "momentum": momentum,
        "lr_decay": lr_decay,
        "seed": seed,
        "device": device.type,
        "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
    }
    run = Run.empty(config, len(tasks))
    run.model, run.method = model, method
    step, first = 0, 0
    if checkpoint is not None:
        Path(checkpoint).parent.mkdir(parents=True, exist_ok=True)
        if Path(checkpoint).exists():
            step, first = resume(checkpoint, run, (order, masks))
    clock = _Clock(run)

    if not first:
        before = [tasks[0], *tasks[:-1]]  # the same outputs compete as in a[j − 1, j]
        run.initial[:] = [
            evaluate(method, model, as_of(b, task)) for b, task in zip(before, tasks, strict=True)
        ]
    clock.stop()
    rows = range(len(tasks) - len(stages), len(tasks))  # of the accuracy matrix: tasks seen, from 0
    yield Event("start", rows[min(first, len(stages) - 1)], 0, step, n_steps, run)

    for s in range(first, len(stages)):
        t, stage = rows[s], stages[s]
        clock.start()
        method.begin_task(model, stage)
        flat = flatten(model)
        theta = nn.Parameter(flat.theta)
        theta.grad = flat.grad
        opt = _optimizer(theta, optimizer, lr * lr_decay**s, momentum)

        for epoch in range(epochs):
            began = clock.now()
            model.train()
            shuffled = torch.randperm(len(stage.train), generator=order).to(device)
            for batch in shuffled.split(batch_size):
                x, y = stage.train.batch(batch)
                flat.grad.zero_()
                loss = method.backward(model, x, y)
                method.after_backward(model)
                opt.step()
                method.after_step(model)
                step += 1
                if step % every == 0:
                    clock.stop()
                    yield Event("step", t, epoch, step, n_steps, run, loss)
                    clock.start()

            run.history.append(
                {
                    "task": t,
                    "epoch": epoch,
                    "lam": method.lam,
                    "accuracy": [evaluate(method, model, as_of(stage, j)) for j in tasks[: t + 1]],
                    "seconds": clock.now() - began,
                }
            )
            clock.stop()
            yield Event("epoch", t, epoch, step, n_steps, run, loss)
            clock.start()

        began = clock.now()
        method.end_task(model, stage)
        run.end_task_seconds += clock.now() - began
        run.accuracy[t, : t + 2] = [
            evaluate(method, model, as_of(stage, j)) for j in tasks[: t + 2]
        ]
        clock.stop()
        if checkpoint is not None:
            save(checkpoint, run, (order, masks), step, stages_done=s + 1)
        yield Event("task", t, epochs - 1, step, n_steps, run, loss)
    return run


@torch.no_grad()
def evaluate(method: Method, model: nn.Module, task: Task) -> float:
    """Share of the test examples of `task` that `method.predict` gets right."""
    task = task.to(next(model.parameters()).device)
    with evaluating(model):
        right = sum(
            (method.predict(model, x, task) == y).sum() for x, y in task.test.batches(EVAL_BATCH)
        )
    return int(right) / len(task.test)


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """The device meant: "auto" is CUDA when there is one, else the CPU."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(device)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'device {device!s} cannot be used ({reason}): try "cpu"') from None
    return device


def mlp_for(tasks: Sequence[Task]) -> MLP:
    """The homework's model, with as many inputs and outputs as the tasks ask for."""
    x, _ = tasks[0].train.batch(torch.zeros(1, dtype=torch.long))
    return MLP((x.numel(), 1024, 512, 256, max(task.n_outputs for task in tasks)))


def _digest(theta: Tensor) -> str:
    return hashlib.sha256(theta.cpu().numpy().tobytes()).hexdigest()[:16]


def as_of(now: Task, task: Task) -> Task:
    """`task` asked after `now` was learned: with Class-IL, all classes seen by then compete."""
    return replace(task, active=now.active) if task.scenario == "class" else task


def _optimizer(theta: nn.Parameter, name: str, lr: float, momentum: float):
    if name == "adam":
        return torch.optim.Adam([theta], lr=lr, fused=True)
    return torch.optim.SGD([theta], lr=lr, momentum=momentum, fused=True)


class _Clock:
    """Adds the time between `start` and `stop` to `run.seconds`: a paused run does not age."""

    def __init__(self, run: Run):
        self.run = run
        self.start()

    def start(self) -> None:
        self.since = time.perf_counter()

    def now(self) -> float:
        return self.run.seconds + time.perf_counter() - self.since

    def stop(self) -> None:
        self.run.seconds = self.now()
        self.start()


def _check(tasks, epochs, batch_size, lr, optimizer, momentum, lr_decay, every) -> None:
    if not len(tasks):
        raise ValueError("there are no tasks: make some with permuted, rotated or split")
    for task in tasks:
        if not len(task.train) or not len(task.test):
            raise ValueError(f"{task.name} has no examples to train on, or none to test with")
    for name, value in (("epochs", epochs), ("batch_size", batch_size), ("every", every)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} is {value!r}: choose a whole number, 1 or more")
    if optimizer not in ("adam", "sgd"):
        raise ValueError(f'optimizer is {optimizer!r}: choose "adam" or "sgd"')
    if optimizer == "adam" and momentum:
        raise ValueError(f'momentum is {momentum}, but Adam has its own: choose optimizer="sgd"')
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum is {momentum}: choose 0 ≤ momentum < 1")
    for name, value in (("lr", lr), ("lr_decay", lr_decay)):
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} is {value}: choose a number above 0")
