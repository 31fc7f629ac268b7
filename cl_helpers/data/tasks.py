"""A data set becomes a sequence of tasks.

No task holds images. A task is two views of the data set, to train on and to test with, and says
which outputs of the model are in play: fifty tasks need the memory of one.
"""

from __future__ import annotations

import hashlib
import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from ..checks import at_least_one, seeded
from .views import DatasetView, JoinedView, Permute, Rotate, SplitView

if TYPE_CHECKING:
    from .datasets import Dataset

Scenario = Literal["task", "domain", "class"]
SCENARIOS: tuple[Scenario, ...] = ("task", "domain", "class")


@dataclass(frozen=True)
class Task:
    """One task of a sequence.

    Attributes:
        name, data: of the task and of its data set, for tables and figures.
        train, test: the examples; `task.train.x` is (N, C, H, W) float, `task.train.y` (N,) long.
        classes: the labels that occur in it.
        active: the outputs of the model that compete for an answer; None for all of them.
        scenario: "domain" (the outputs are shared), "task" (told which task it is, so only its own
            outputs count) or "class" (all classes seen so far count).
    """

    name: str
    data: str
    train: DatasetView
    test: DatasetView
    classes: tuple[int, ...]
    active: tuple[int, ...] | None = None
    scenario: Scenario = "domain"

    def mask(self, logits: Tensor) -> Tensor:
        """Logits (B, K) with the outputs that are not active at −∞."""
        if self.n_outputs > logits.shape[-1]:
            raise ValueError(
                f"{self.name} uses output {self.n_outputs - 1}, but the model has only "
                f"{logits.shape[-1]} outputs: give the model {self.n_outputs} outputs"
            )
        return masked(logits, self.active)

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """What a model of this task minimises, a 0-dim tensor: cross-entropy, in nats."""
        return F.cross_entropy(self.mask(logits), y)

    def log_likelihood(self, logits: Tensor, y: Tensor) -> Tensor:
        """log p(y | x) of each example, (B,), in nats: what EWC's Fisher is made of."""
        return F.log_softmax(self.mask(logits), -1).gather(1, y[:, None])[:, 0]

    def prediction(self, logits: Tensor) -> Tensor:
        """What the model says of each example: the label of the largest active output, (B,)."""
        return self.mask(logits).argmax(1)

    def score(self, prediction: Tensor, y: Tensor) -> Tensor:
        """(B,), whose mean is the metric: whether each label is right. The mean is the accuracy."""
        return prediction == y

    @property
    def n_outputs(self) -> int:
        """How many outputs a model needs for it."""
        return 1 + max((*self.classes, *(self.active or ())), default=-1)

    def outputs(self, logits: Tensor) -> Tensor:
        """The active columns of `logits` (B, K)."""
        return logits if self.active is None else logits[:, list(self.active)]

    def to(self, device: torch.device) -> Task:
        return replace(self, train=self.train.to(device), test=self.test.to(device))


def permuted(
    dataset: Dataset, n_tasks: int = 5, seed: int = 0, scenario: Scenario = "domain"
) -> list[Task]:
    """Permuted tasks: the same images, each task with its own fixed order of the pixels.

    The first task is the identity. Goodfellow et al. 2013, arXiv:1312.6211; the homework's five
    tasks are `n_tasks=5`, and all outputs are shared.

    Args:
        scenario: "domain"; with "task" and "class" every task has outputs of its own, ten more each
            time, which compete as in `split`.
    """
    at_least_one("n_tasks", n_tasks)
    generator = seeded(seed)
    n_pixels = dataset.train_images[0, 0].numel()
    views = [None] + [
        Permute(torch.randperm(n_pixels, generator=generator)) for _ in range(n_tasks - 1)
    ]
    names = [f"permutation {t + 1}" for t in range(n_tasks)]
    return _views(dataset, names, views, scenario)


def rotated(
    dataset: Dataset, n_tasks: int = 5, degrees: float = 10.0, scenario: Scenario = "domain"
) -> list[Task]:
    """Rotated tasks: each shows the images turned `degrees` further; the first is upright.

    Args:
        scenario: as in `permuted`.
    """
    at_least_one("n_tasks", n_tasks)
    if not (isinstance(degrees, numbers.Real) and math.isfinite(degrees)):
        raise ValueError(f"degrees is {degrees!r}: choose a number, the angle from task to task")
    views = [None] + [Rotate(t * degrees) for t in range(1, n_tasks)]
    names = [f"{t * degrees:g}°" for t in range(n_tasks)]
    return _views(dataset, names, views, scenario)


def split(
    dataset: Dataset,
    classes_per_task: int = 2,
    scenario: Scenario = "class",
    n_tasks: int | None = None,
    seed: int | None = None,
) -> list[Task]:
    """Class splits: each task brings `classes_per_task` classes that no other task has.

    Args:
        scenario: which outputs compete (van de Ven & Tolias 2019, arXiv:1904.07734). "task": the
            task's own; "class": all classes seen so far; "domain": outputs 0, 1, …, shared by all
            tasks, the labels renumbered accordingly.
        n_tasks: how many tasks; as many as the classes give when None.
        seed: shuffles the order of the classes; numerical order when None.
    """
    n_classes = len(dataset.class_names)
    as_scenario(scenario)
    if classes_per_task not in range(1, n_classes + 1):
        raise ValueError(f"classes_per_task is {classes_per_task}: choose 1 to {n_classes}")
    n_tasks = n_classes // classes_per_task if n_tasks is None else n_tasks
    at_least_one("n_tasks", n_tasks)
    if n_tasks * classes_per_task > n_classes:
        raise ValueError(
            f"{n_tasks} tasks of {classes_per_task} classes need {n_tasks * classes_per_task} "
            f"classes, but {dataset.name} has {n_classes}: choose fewer tasks"
        )
    order = list(range(n_classes))
    if seed is not None:
        order = torch.randperm(n_classes, generator=seeded(seed)).tolist()

    tasks = []
    for t in range(n_tasks):
        own = tuple(order[t * classes_per_task : (t + 1) * classes_per_task])
        relabel = None
        active: tuple[int, ...] = own
        if scenario == "domain":
            relabel = torch.full((n_classes,), -1)
            relabel[list(own)] = torch.arange(classes_per_task)
            active = tuple(range(classes_per_task))
        elif scenario == "class":
            active = tuple(order[: (t + 1) * classes_per_task])

        def half(which: Any, own: Any = own, relabel: Any = relabel) -> SplitView:
            rows = torch.isin(dataset.labels(which), torch.tensor(own)).nonzero().squeeze(1)
            return SplitView(dataset, which, rows=rows, relabel=relabel)

        name = " ".join(dataset.class_names[c] for c in own)
        classes = active if scenario == "domain" else own
        tasks.append(
            Task(name, dataset.name, half("train"), half("test"), classes, active, scenario)
        )
    return tasks


def joined(tasks: Sequence[Task]) -> Task:
    """All tasks as one, their data mixed: what joint training trains on."""
    active = {c for t in tasks for c in (t.active or ())}
    return Task(
        name=" + ".join(t.name for t in tasks),
        data=tasks[0].data,
        train=JoinedView(tuple(t.train for t in tasks)),
        test=JoinedView(tuple(t.test for t in tasks)),
        classes=tuple(sorted({c for t in tasks for c in t.classes})),
        active=tuple(sorted(active)) or None,
        scenario=tasks[0].scenario,
    )


def hold_out(tasks: Sequence[Task], n: int, seed: int = 0) -> list[Task]:
    """The tasks with `n` training examples in place of the test set, the same ones in each.

    This is what λ and every other knob is chosen on: the test set is never looked at.
    """
    kept = []
    for task in tasks:
        train = task.train
        if not isinstance(train, SplitView) or not 0 < n < len(train):
            raise ValueError(f"cannot hold {n} examples out of {len(train)} in {task.name}")
        order = torch.randperm(len(train), generator=seeded(seed))
        rest, held = order[n:].sort().values, order[:n].sort().values
        kept.append(replace(task, train=train.only(rest), test=train.only(held)))
    return kept


def as_scenario(text: str) -> Scenario:
    """The scenario that is so called.

    Raises:
        ValueError: there is none.
    """
    for scenario in SCENARIOS:
        if text == scenario:
            return scenario
    raise ValueError(f'scenario is {text!r}: choose "task", "domain" or "class"')


def check_scenario(name: str, serves: Sequence[Scenario], scenario: str) -> None:
    """Raise unless `scenario` is one that the method `name` serves."""
    if as_scenario(scenario) not in serves:
        raise ValueError(
            f'{name} is not made for scenario="{scenario}": give it tasks with scenario='
            + " or ".join(f'"{each}"' for each in serves)
        )


def check_tasks(tasks: Sequence[Task]) -> None:
    """Raise unless there are tasks, each with something to train on and to test with."""
    if not isinstance(tasks, Sequence):
        kind = type(tasks).__name__
        raise ValueError(f"tasks is a {kind}: give a list, made with permuted, rotated or split")
    if not len(tasks):
        raise ValueError("there are no tasks: make some with permuted, rotated or split")
    for task in tasks:
        if not len(task.train) or not len(task.test):
            raise ValueError(f"{task.name} has no examples to train on, or none to test with")


def fingerprint(tasks: Sequence[Task]) -> str:
    """A digest of what the tasks show: which rows, how transformed, which outputs compete."""
    digest = hashlib.sha256()
    contents: dict[int, str] = {}  # of data sets that say what they are by their content alone

    def add(part: Any) -> None:
        if isinstance(part, Tensor):
            digest.update(part.cpu().numpy().tobytes())
        elif isinstance(part, SplitView):
            data = part.dataset
            add((data.name, part.half, len(part), part.rows, part.transform, part.relabel))
            if data.source is None:
                if id(data) not in contents:
                    contents[id(data)] = data.digest
                add(contents[id(data)])
        elif isinstance(part, tuple):
            for each in part:
                add(each)
        elif is_dataclass(part):
            add((type(part).__name__, *vars(part).values()))
        else:
            digest.update(repr(part).encode())

    add(tuple(tasks))
    return digest.hexdigest()[:16]


def masked(logits: Tensor, active: tuple[int, ...] | None) -> Tensor:
    """Logits (B, K) with all outputs but the active ones at −∞; None is all of them."""
    if active is None or len(active) == logits.shape[-1]:
        return logits
    return logits.masked_fill(_inactive(active, logits.shape[-1], logits.device), -torch.inf)


@cache
def _inactive(active: tuple[int, ...], n_outputs: int, device: torch.device) -> Tensor:
    """(n_outputs,) bool, made once and kept: a step should send nothing to the device."""
    off = torch.ones(n_outputs, dtype=torch.bool)
    off[list(active)] = False
    return off.to(device)


def _views(
    dataset: Dataset,
    names: Sequence[str],
    transforms: Sequence[Permute | Rotate | None],
    scenario: Scenario,
) -> list[Task]:
    """Tasks that show all the images, each in its own way."""
    tasks = [
        Task(
            name,
            dataset.name,
            SplitView(dataset, "train", transform=transform),
            SplitView(dataset, "test", transform=transform),
            classes=tuple(range(len(dataset.class_names))),
        )
        for name, transform in zip(names, transforms, strict=True)
    ]
    return tasks if as_scenario(scenario) == "domain" else _with_own_outputs(tasks, scenario)


def _with_own_outputs(tasks: Sequence[Task], scenario: Scenario) -> list[Task]:
    """The tasks, each with its labels moved to outputs that no other has."""
    moved, n = [], 0
    for task in tasks:
        assert isinstance(task.train, SplitView)
        assert isinstance(task.test, SplitView)
        relabel = torch.arange(n, n + len(task.classes))
        own, n = tuple(relabel.tolist()), n + len(task.classes)
        moved.append(
            replace(
                task,
                train=replace(task.train, relabel=relabel),
                test=replace(task.test, relabel=relabel),
                classes=own,
                active=own if scenario == "task" else tuple(range(n)),
                scenario=scenario,
            )
        )
    return moved
