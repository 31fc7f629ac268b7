"""What the Lab's page is told of a run while it goes on: numbers, a few times a second."""

from __future__ import annotations

import math
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

from ..data.tasks import Task
from ..data.views import Permute, SplitView
from ..methods import Method
from ..models.forward import evaluating
from ..speed.precision import products
from ..training.evaluation import accuracies, as_of
from ..training.events import Event
from ..training.run import Run
from ..training.settings import steps_an_epoch
from .numbers import packed
from .pixels import as_pixels, input_shape

# Seconds from one to the next; longer in a long run. A picture costs the page and the notebook's
# server more than a look costs the network, and who trains on all processors waits for both.
LOOK, PICTURE, WEIGHTS = 0.1, 0.4, 1.0
ENOUGH = 600  # pictures of a run
SAMPLE = 100  # test images of a task, of which a look takes one task's
SHOWN = 20  # test images of a task whose labels are shown


@dataclass(eq=False)
class Watch:
    """Looks at a run in training, and keeps what its page is drawn from.

    Args:
        run: in training.
        tasks: its tasks, on the device of the model.

    Attributes:
        series: for each task [step, accuracy, exact]: exact after an epoch, else of a sample.
        moved: [step, λ] wherever λ was changed.
        digits: for the first task and the one in training: images, true labels.
        seen: for the same, what the network makes of each image: label, probabilities.
        weights: of the first layer, a pixel of task 1: how far moved in this task, how much held.
    """

    run: Run
    tasks: Sequence[Task]
    series: list[list[list[float]]] = field(default_factory=list)
    moved: list[list[float]] = field(default_factory=list)
    digits: list[dict[str, Any]] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    weights: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.series = [[] for _ in self.tasks]
        self.samples = [_some(task, SAMPLE) for task in self.tasks]
        self.shown = [_some(task, SHOWN) for task in self.tasks]
        self.clock = Clock(self.run, len(self.tasks[0].test))
        self.ends = ends(self.run)
        self.began = time.perf_counter()
        self.next_look = self.next_picture = self.next_weights = 0.0
        self.looks = 0
        self.task = -1

    def take(self, event: Event) -> bool:
        """Look, if it is time; whether it is time for a picture of what was seen."""
        now = time.perf_counter()
        self.clock.take(event, now)
        told_anyway = event.kind != "step" or event.task != self.task
        if not told_anyway and now < self.next_look:
            return False
        slower = max(1.0, (now - self.began) / (ENOUGH * PICTURE))
        self.next_look = now + slower * LOOK
        model, method = self.run.learner
        if event.kind == "epoch":
            for j, accuracy in enumerate(self.run.history[-1]["accuracy"]):
                self._note(j, event.step, accuracy, exact=True)
        if told_anyway:
            self._begin_task(event.task, model)
        else:
            j = event.task if self.looks % 2 else (self.looks // 2) % (event.task + 1)
            self._look(j, event, model, method)
            if now < self.next_picture:
                return False
        self.next_picture = now + slower * PICTURE
        self.seen = [self._labels(j, event.task, model, method) for j in self._in_sight(event.task)]
        if now >= self.next_weights or event.kind == "task":
            self.weights = self._weights(model, method)
            self.next_weights = now + slower * WEIGHTS
        return True

    def _note(self, j: int, step: int, accuracy: float, *, exact: bool) -> None:
        if math.isfinite(accuracy):
            self.series[j].append([step, round(accuracy, 4), int(exact)])

    def _look(self, j: int, event: Event, model: nn.Module, method: Method) -> None:
        self.looks += 1
        now = as_of(self.samples[event.task], self.samples[j])
        with products(self.run.config["precision"], next(model.parameters()).device):
            [[accuracy]] = accuracies([(model, method)], [now])
        self._note(j, event.step, accuracy, exact=False)

    def _begin_task(self, t: int, model: nn.Module) -> None:
        if t == self.task:
            return
        self.task = t
        self.digits = [{"task": j, **_images(self.shown[j])} for j in self._in_sight(t)]
        first = _first_layer(model, self.tasks[0])
        self.before = None if first is None else first[1].detach().clone()

    def _in_sight(self, t: int) -> list[int]:
        return [0, t] if t else [0]

    @torch.no_grad()
    def _labels(self, j: int, t: int, model: nn.Module, method: Method) -> dict[str, Any]:
        task = as_of(self.shown[t], self.shown[j])
        x, y = task.test.x, task.test.y
        with evaluating(model):
            labels = method.predict(model, x, task)
            shares = task.mask(model(x).float()).softmax(1)
        return {
            "labels": labels.tolist(),
            "right": (labels == y).tolist(),
            "shares": [[round(p, 2) for p in row] for row in shares.tolist()],
        }

    @torch.no_grad()
    def _weights(self, model: nn.Module, method: Method) -> dict[str, Any]:
        first = _first_layer(model, self.tasks[0])
        if first is None or self.before is None:
            return {}
        name, weight = first
        moved = as_pixels((weight - self.before).square().mean(0).sqrt(), self.tasks[0])
        told = {"size": list(moved.shape), "moved": packed(moved.numpy())}
        if not hasattr(method, "importance"):
            return told
        omega = method.importance.get(name)  # none before the first task has ended
        held = None if omega is None else as_pixels(omega.sum(0), self.tasks[0])
        return told | {"held": None if held is None else packed(held.numpy())}


@dataclass(eq=False)
class Clock:
    """How long a run will still take, from what its steps, evaluations and task ends took.

    Before the first has been seen, an evaluation is taken for a third of as many training steps (a
    forward pass without its backward pass), and what a task's end takes for half an epoch, between
    methods that measure nothing there and those that measure Ω on all examples.

    Args:
        run: in training.
        n_test: test examples of a task.
    """

    run: Run
    n_test: int = 0
    steps: list[float] = field(default_factory=list)
    evaluations: list[float] = field(default_factory=list)  # a task each
    ends: list[float] = field(default_factory=list)
    last: float = math.nan
    task: int = -1  # in training
    fresh: int = 0  # steps of it; later tasks are as it is, while the first has no penalty yet

    def take(self, event: Event, now: float) -> None:
        spent, self.last = now - self.last, now
        if math.isfinite(spent):
            kinds = {"step": self.steps, "epoch": self.evaluations, "task": self.ends}
            if event.kind in kinds:
                kinds[event.kind].append(spent / (event.task + 1 if event.kind == "epoch" else 1))
            del self.steps[:-400]
        self.fresh = (self.fresh if event.task == self.task else 0) + (event.kind == "step")
        self.task = event.task

    def left(self, event: Event) -> float | None:
        """Seconds; None while there is nothing to tell it from."""
        if len(self.steps) < 10:
            return None
        config = self.run.config
        stages = len(config["n_train"])
        done = event.task * config["epochs"] + event.epoch + (event.kind != "step")
        still = range(done, stages * config["epochs"])
        steps = self.steps[-max(20, self.fresh) :]
        mean = sum(steps) / len(steps)  # looks included
        step = min(mean, 4 * median(steps))  # a pause is none
        batch = config["batch_size"]
        each = median(self.evaluations) if self.evaluations else self.n_test / batch * step / 3
        evaluated = sum(each * (e // config["epochs"] + 1) for e in still)
        tasks = stages - event.task - (event.kind == "task")
        end = median(self.ends) if self.ends else config["n_train"][-1] / batch * step / 2
        return (event.n_steps - event.step) * step + evaluated + tasks * end


def ends(run: Run) -> list[int]:
    """The steps at which its tasks begin and end, 0 and on."""
    config = run.config
    drop_last = config.get("drop_last", False)  # older runs have it not
    steps = (
        config["epochs"] * steps_an_epoch(n, config["batch_size"], drop_last)
        for n in config["n_train"]
    )
    return list(accumulate(steps, initial=0))


def _some(task: Task, n: int) -> Task:
    """The task with `n` of its test images, from all over."""
    assert isinstance(task.test, SplitView)
    rows = torch.linspace(0, len(task.test) - 1, min(n, len(task.test))).long()
    return replace(task, test=task.test.only(rows.to(task.test.device)))


def _images(task: Task) -> dict[str, Any]:
    """The test images as people see them: of a permuted task, before it."""
    view = task.test
    assert isinstance(view, SplitView)
    shuffled = isinstance(view.transform, Permute)
    seen = replace(view, transform=None if shuffled else view.transform)
    x = seen.x
    low, high = x.amin(), x.amax()
    grey = (255 * (x - low) / (high - low)).mean(1).byte().cpu()
    return {
        "images": [b64encode(image.numpy().tobytes()).decode() for image in grey],
        "shuffled": shuffled,
        "size": list(grey.shape[1:]),
        "truth": view.y.tolist(),
    }


def _first_layer(model: nn.Module, task: Task) -> tuple[str, Tensor] | None:
    """Name and weights (units, C · H · W) of the layer that reads the pixels, if there is one."""
    n_pixels = input_shape(task).numel()
    name, weight = next(iter(model.named_parameters()))
    return (name, weight) if weight.ndim == 2 and weight.shape[1] == n_pixels else None
