"""Sequences of tasks, made from a data set.

A task holds no images. It is two views of the data set, one to train on and one to test on, and
says which outputs of the model compete. So fifty tasks need no more memory than one.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from contextlib import suppress
from copy import copy, deepcopy
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from ..checks import at_least_one, one_of, seeded, shortened, warn
from ..formats import format_tensor
from ..identity import Unidentifiable, fingerprint_of
from .views import DatasetView, JoinedView, Permute, Rotate, SplitView

if TYPE_CHECKING:
    from .datasets import Dataset

Scenario = Literal["task", "domain", "class"]
SCENARIOS: tuple[Scenario, ...] = ("task", "domain", "class")


@dataclass(frozen=True)
class Task:
    """One task of a sequence: its examples, and which outputs of the model compete.

    A task of another kind than classification overrides `loss`, `log_likelihood`, `prediction` and
    `score`, as `SequenceTask` does.

    Args:
        name: of the task, for tables and figures.
        data: name of its data set.
        train, test: the examples; `task.train.x` is (N, C, H, W) float, `task.train.y` (N,) long.
        classes: the labels that occur in it.
        active: the outputs of the model that compete. None, the default, is all of them.
        scenario: "domain", the default (all tasks share the outputs), "task" (the task of an
            example is known, only its own outputs compete) or "class" (all classes seen so far
            compete).
    """

    name: str
    data: str
    train: DatasetView
    test: DatasetView
    classes: tuple[int, ...]
    active: tuple[int, ...] | None = None
    scenario: Scenario = "domain"

    @classmethod
    def from_dataset(
        cls,
        dataset: Dataset,
        name: str | None = None,
        *,
        active: Sequence[int] | None = None,
        scenario: Scenario = "domain",
    ) -> Task:
        """Make a task of a data set of its own, such as `cl.Dataset.from_tensors` makes.

        Args:
            dataset: its examples.
            name: of the task. None, the default, is the name of the data.
            active: the outputs of the model that compete. None, the default, is all of them.
            scenario: as in the class. Default "domain".
        """
        if as_scenario(scenario) != "domain" and active is None:
            raise ValueError(
                f'scenario is "{scenario}", but active is None: name the outputs that compete, '
                'with "class" those of all classes so far'
            )
        labels = torch.cat([dataset.train_labels, dataset.test_labels])
        classes = tuple(labels.unique().tolist())
        views = SplitView(dataset, "train"), SplitView(dataset, "test")
        return cls(
            name or dataset.name,
            dataset.name,
            *views,
            classes,
            None if active is None else tuple(active),
            as_scenario(scenario),
        )

    def mask(self, logits: Tensor) -> Tensor:
        """Set the logits (B, K) of outputs that are not active to −∞.

        Raises:
            ValueError: the model has too few outputs for this task.
        """
        if self.n_outputs > logits.shape[-1]:
            raise ValueError(
                f"{self.name} uses output {self.n_outputs - 1}, but the model has only "
                f"{logits.shape[-1]} outputs: give the model {self.n_outputs} outputs"
            )
        return masked(logits, self.active)

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """Compute what a model of this task minimises: the mean cross-entropy, 0-dim, in nats."""
        return F.cross_entropy(self.mask(logits), y)

    def log_likelihood(self, logits: Tensor, y: Tensor) -> Tensor:
        """Compute log p(y | x) of each example, (B,), in nats: EWC's Fisher is made of it."""
        return F.log_softmax(self.mask(logits), -1).gather(1, y[:, None])[:, 0]

    def prediction(self, logits: Tensor) -> Tensor:
        """Predict the label of each example, that of the largest active output: (B,)."""
        return self.mask(logits).argmax(1)

    def score(self, prediction: Tensor, y: Tensor) -> Tensor:
        """Score each prediction (B,): whether the label is right. The mean is the accuracy.

        Raises:
            ValueError: the targets `y` are no labels.
        """
        if y.is_floating_point() or prediction.shape != y.shape:
            raise ValueError(
                f"{self.name} has targets {format_tensor(y)}, and predictions "
                f"{format_tensor(prediction)}: give labels (N,), or a Task with a loss, a "
                "log_likelihood, a prediction and a score of its own"
            )
        return prediction == y

    @property
    def classifies(self) -> bool:
        """Whether it is classification: outputs are logits of classes, targets are labels."""
        kind = type(self)
        usual = Task.loss is kind.loss or Task.prediction is kind.prediction
        return usual and Task.log_likelihood is kind.log_likelihood

    @property
    def n_outputs(self) -> int:
        """Number of outputs that a model needs for this task."""
        return 1 + max((*self.classes, *(self.active or ())), default=-1)

    def outputs(self, logits: Tensor) -> Tensor:
        """Select the active columns of `logits` (B, …, K)."""
        return logits if self.active is None else logits[..., list(self.active)]

    def to(self, device: torch.device) -> Task:
        """Return the task with its data on `device`."""
        return self.with_(train=self.train.to(device), test=self.test.to(device))

    def with_(self, **changes: Any) -> Task:
        """Return a copy with other values of some fields; all that is set on it goes along."""
        try:
            twin = replace(self, **changes)
        except TypeError:  # somebody's class with another `__init__`
            twin = copy(self)
        for name, value in (vars(self) | changes).items():
            computed = isinstance(getattr(type(self), name, None), cached_property)
            if name in changes or (name not in vars(twin) and not computed):
                object.__setattr__(twin, name, value)
            elif computed:
                vars(twin).pop(name, None)  # of the old values
        return twin


@dataclass(frozen=True)
class SequenceTask(Task):
    """A task whose examples have several positions, each with a label: the characters of a text.

    Logits are (B, …, K), labels (B, …). Each position counts as an example of its own in the loss.

    Args:
        name, data, classes, active, scenario: as in `Task`.
        train, test: the examples, x (N, …) and y (N, …).
    """

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """Compute the mean cross-entropy of all positions, 0-dim, in nats."""
        return F.cross_entropy(self.mask(logits).movedim(-1, 1), y)

    def log_likelihood(self, logits: Tensor, y: Tensor) -> Tensor:
        """Compute log p(y | x) of each example, (B,), in nats: the sum over its positions."""
        each = F.log_softmax(self.mask(logits), -1).gather(-1, y[..., None])[..., 0]
        return each.flatten(1).sum(1)

    def prediction(self, logits: Tensor) -> Tensor:
        """Predict the label of each position, that of the largest active output: (B, …)."""
        return self.mask(logits).argmax(-1)

    def score(self, prediction: Tensor, y: Tensor) -> Tensor:
        """Score each example (B,): the part of its positions whose label is right."""
        return (prediction == y).flatten(1).float().mean(1)

    @property
    def classifies(self) -> bool:
        """Whether outputs are logits of classes: they are, at each position."""
        return True


def permuted(
    dataset: Dataset, n_tasks: int = 5, seed: int = 0, scenario: Scenario = "domain"
) -> list[Task]:
    """Make permuted tasks: the same images, each task with its own fixed order of the pixels.

    The first task has the pixels in their usual order.

    Args:
        dataset: what the tasks show.
        n_tasks: how many tasks. Default 5, as in the homework.
        seed: of the permutations. Default 0.
        scenario: "domain", the default: all tasks share the outputs. With "task" and "class" every
            task has outputs of its own, K more for each, which compete as in `split`.

    Raises:
        ValueError: an argument is out of its range.

    Goodfellow et al. 2013, arXiv:1312.6211.
    """
    _check_dataset(dataset)
    at_least_one("n_tasks", n_tasks)
    generator = seeded(seed)
    first = dataset.train_images[0]
    if first.ndim == 2:
        warn(
            f"the inputs are {format_tensor(dataset.train_images)}, taken for sequences of vectors "
            f"whose {first.shape[1]} numbers are permuted: give images with a channel (N, C, H, W)"
        )
    n_pixels = (first[0] if first.ndim > 1 else first).numel()
    views = [None] + [
        Permute(torch.randperm(n_pixels, generator=generator)) for _ in range(n_tasks - 1)
    ]
    names = [f"permutation {t + 1}" for t in range(n_tasks)]
    return _views(dataset, names, views, scenario)


def rotated(
    dataset: Dataset, n_tasks: int = 5, degrees: float = 10.0, scenario: Scenario = "domain"
) -> list[Task]:
    """Make rotated tasks: the same images, in each task turned further; the first is upright.

    Args:
        dataset: what the tasks show.
        n_tasks: how many tasks. Default 5.
        degrees: the angle from one task to the next, counter-clockwise. Default 10.
        scenario: as in `permuted`.

    Raises:
        ValueError: an argument is out of its range.

    Lopez-Paz & Ranzato 2017, arXiv:1706.08840; with 10° as in Mirzadeh et al. 2020,
    arXiv:2006.06958.
    """
    _check_dataset(dataset)
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
    """Make tasks by splitting the classes: each task has classes that no other task has.

    Args:
        dataset: what the tasks show.
        classes_per_task: how many classes each task has. Default 2.
        scenario: which outputs compete. "class", the default: all classes seen so far; "task": the
            task's own; "domain": outputs 0, 1, …, shared by all tasks, the labels renumbered.
        n_tasks: how many tasks. None, the default, is as many as there are classes for.
        seed: shuffles the order of the classes. None, the default, is numerical order.

    Raises:
        ValueError: an argument is out of its range, or there are too few classes.

    The scenarios are those of van de Ven & Tolias 2019, arXiv:1904.07734.
    """
    _check_dataset(dataset)
    n_classes = len(dataset.class_names)
    as_scenario(scenario)
    whole = isinstance(classes_per_task, numbers.Integral)
    if not whole or classes_per_task not in range(1, n_classes + 1):
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
        if lost := [dataset.class_names[c] for c in own if not (dataset.train_labels == c).any()]:
            warn(
                f"{name} has no training example of class {' or '.join(lost)}: give data with all "
                "classes, or choose them with dataset.only"
            )
        classes = active if scenario == "domain" else own
        views = half("train"), half("test")
        tasks.append(Task(name, dataset.name, *views, classes, active, scenario))
    return tasks


def joined(tasks: Sequence[Task]) -> Task:
    """Join `tasks` into one that has all their data: what joint training trains on.

    Raises:
        ValueError: there are none, or they differ in their class or in what is set on them, which
            decides the loss.
    """
    if not tasks:
        raise ValueError("there are no tasks to join: give one or more")
    for task in tasks[1:]:
        _check_alike(tasks[0], task)
    everything = any(t.active is None for t in tasks)
    active = set() if everything else {c for t in tasks for c in t.active or ()}
    return tasks[0].with_(  # its loss and its metric, if they are its own
        name=" + ".join(t.name for t in tasks),
        train=JoinedView(tuple(t.train for t in tasks)),
        test=JoinedView(tuple(t.test for t in tasks)),
        classes=tuple(sorted({c for t in tasks for c in t.classes})),
        active=tuple(sorted(active)) or None,
    )


def _check_alike(one: Task, other: Task) -> None:
    """Raise ValueError unless the loss of `one` is that of `other`."""
    cure = "but joint training has one loss for all: give tasks of one kind, or another method"
    if type(one) is not type(other):
        raise ValueError(
            f"{one.name} is a {type(one).__name__} and {other.name} a {type(other).__name__}, "
            f"{cure}"
        )
    usual = {f.name for f in fields(Task)}
    for name in sorted((vars(one).keys() | vars(other).keys()) - usual):
        if isinstance(getattr(type(one), name, None), cached_property):
            continue
        values = [getattr(task, name, None) for task in (one, other)]
        if not _same(*values):
            its, others = map(shortened, values)
            raise ValueError(f"{name} of {one.name} is {its}, of {other.name} {others}, {cure}")


def _same(one: object, other: object) -> bool:
    """Whether two values are known to act alike."""
    try:
        return one is other or fingerprint_of(one) == fingerprint_of(other)
    except Unidentifiable:
        return False


def hold_out(tasks: Sequence[Task], n: int, seed: int = 0) -> list[Task]:
    """Put held-out training examples in the place of the test set, the same ones in every task.

    λ and every other setting is chosen on such tasks, so that the test set stays unseen.

    Args:
        tasks: from `permuted`, `rotated` or `split`.
        n: how many training examples of each task are held out.
        seed: of their choice. Default 0.

    Raises:
        ValueError: a task does not have more than `n` training examples.
    """
    check_tasks(tasks)
    at_least_one("n", n)
    kept = []
    for task in tasks:
        train = task.train
        if not isinstance(train, SplitView):
            raise ValueError(
                f"cannot hold examples of {task.name} out, which is not from permuted, rotated or "
                'split: give such tasks; a text has a part "held out"'
            )
        if not n < len(train):
            raise ValueError(
                f"cannot hold {n} examples out of {len(train)} in {task.name}: choose fewer"
            )
        order = torch.randperm(len(train), generator=seeded(seed))
        rest, held = order[n:].sort().values, order[:n].sort().values
        kept.append(task.with_(train=train.only(rest), test=train.only(held)))
    return kept


def as_scenario(text: str) -> Scenario:
    """Check that `text` is the name of a scenario, and return it.

    Raises:
        ValueError: it is none of SCENARIOS.
    """
    one_of("scenario", text, *SCENARIOS)
    return cast(Scenario, text)


def check_scenario(name: str, serves: Sequence[Scenario], scenario: str) -> None:
    """Raise ValueError unless `scenario` is among those that a method serves.

    Args:
        name: of the method, for the message.
        serves: the scenarios that it can be trained in.
        scenario: the one that is asked for.
    """
    if as_scenario(scenario) not in serves:
        raise ValueError(
            f'{name} is not made for scenario="{scenario}": give it tasks with scenario='
            + " or ".join(f'"{each}"' for each in serves)
        )


def check_tasks(tasks: Sequence[Task]) -> None:
    """Raise ValueError unless `tasks` is a list of tasks, each with training and test examples."""
    if not isinstance(tasks, Sequence) or isinstance(tasks, str):
        kind = type(tasks).__name__
        raise ValueError(f"tasks is a {kind}: give a list, made with permuted, rotated or split")
    if not len(tasks):
        raise ValueError("there are no tasks: make some with permuted, rotated or split")
    seen: set[int] = set()
    for task in tasks:
        if not isinstance(task, Task):
            raise ValueError(f"a task is {shortened(task)}: give cl.Task.from_dataset(dataset)")
        for half in (task.train, task.test):
            if not all(hasattr(half, name) for name in ("batch", "batches", "to", "device")):
                raise ValueError(
                    f"the examples of {task.name} are a {type(half).__name__}: give a DatasetView, "
                    "as cl.Task.from_dataset(dataset) makes"
                )
        if not len(task.train) or not len(task.test):
            raise ValueError(f"{task.name} has no examples to train on, or none to test with")
        if task.active is not None:
            _check_active(task, seen)
        seen |= {*task.classes}


def _check_active(task: Task, seen: set[int]) -> None:
    """Raise ValueError unless the active outputs are some, and all that `task` needs.

    `seen` are the classes of the tasks before.
    """
    active, name = task.active, task.name
    whole = all(isinstance(c, numbers.Integral) and int(c) >= 0 for c in active or ())
    if not isinstance(active, tuple) or not whole:
        raise ValueError(
            f"active of {name} is {shortened(active)}: give a tuple of outputs 0, 1, …"
        )
    if not active or len({*active}) < len(active):
        raise ValueError(f"active of {name} is {shortened(active)}: name each output once")
    needed = seen if task.scenario == "class" else set()
    if task.classifies:
        needed = needed | _labels(task)
    if missing := sorted(needed - {*active}):
        why = ", with Class-IL those of earlier tasks too" if missing[0] in seen else ""
        raise ValueError(
            f"active of {name} is {shortened(active)}, without {missing[0]}: name all classes that "
            f"occur{why}"
        )


def _labels(task: Task) -> set[int]:
    """The labels of its training examples, if they are at hand."""
    y = getattr(task.train, "y", None)
    return {*y.unique().tolist()} if isinstance(y, Tensor) and not y.is_floating_point() else set()


def fingerprint(tasks: Sequence[Task]) -> str:
    """Compute a digest of all that `tasks` show, to the byte: 16 hexadecimal digits.

    Raises:
        Unidentifiable: a part of them can be told apart from others by its address alone.
    """
    halves = [half for task in tasks for half in (task.train, task.test)]
    content = [_content(view) for view in halves if not isinstance(view, SplitView | JoinedView)]
    return fingerprint_of(([*tasks], content) if content else [*tasks])


def _content(view: DatasetView) -> list[str] | None:
    """What a view of somebody's shows, batch by batch; None if that differs at each reading."""
    if hasattr(type(view), "fingerprint"):
        return None
    with suppress(Exception):  # reading may change it
        view = deepcopy(view)
    with torch.random.fork_rng(devices=[]):
        batches = [fingerprint_of(batch) for batch in view.batches(1000)]
        again = fingerprint_of(next(iter(view.batches(1000))))
    return batches if again == batches[0] else None  # it draws: its attributes say what


def masked(logits: Tensor, active: tuple[int, ...] | None) -> Tensor:
    """Set all logits except the active ones to −∞.

    Args:
        logits: (B, …, K).
        active: the columns that stay as they are; None is all of them.
    """
    if active is None or len(active) == logits.shape[-1]:
        return logits
    return logits.masked_fill(_inactive(active, logits.shape[-1], logits.device), -torch.inf)


@cache
def _inactive(active: tuple[int, ...], n_outputs: int, device: torch.device) -> Tensor:
    """(n_outputs,) bool, made once and cached: a step should send nothing to the device."""
    off = torch.ones(n_outputs, dtype=torch.bool)
    off[list(active)] = False
    return off.to(device)


def _check_dataset(dataset: object) -> None:
    """Raise ValueError unless `dataset` is a data set of this package."""
    if not hasattr(dataset, "train_images"):
        raise ValueError(
            f"dataset is {shortened(dataset)}: give one that cl.load or cl.Dataset.from_tensors "
            "returns"
        )


def _views(
    dataset: Dataset,
    names: Sequence[str],
    transforms: Sequence[Permute | Rotate | None],
    scenario: Scenario,
) -> list[Task]:
    """Tasks that show all images of `dataset`, each through its own transform."""
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
    """The tasks, each with its labels moved to outputs that no other task has."""
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
