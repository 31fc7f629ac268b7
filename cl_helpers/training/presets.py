"""What to train on, and how much: three streams of tasks, each in three sizes."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..data.datasets import Dataset
from ..data.tasks import Scenario, Task, permuted, rotated, split


@dataclass(frozen=True)
class Stream:
    """A kind of tasks.

    Attributes:
        make: data set, number of tasks at most, scenario -> the tasks.
        parts: into how many tasks a data set is divided; 1 if every task shows all of it.
    """

    make: Callable[[Dataset, int, Scenario], list[Task]]
    parts: Callable[[Dataset], int] = lambda dataset: 1


def _classes_a_task(dataset: Dataset) -> int:
    """Two, as is usual with ten classes, but no more than 20 tasks: five of CIFAR-100's hundred."""
    return max(2, len(dataset.class_names) // 20)


def _parts(dataset: Dataset) -> int:
    return len(dataset.class_names) // _classes_a_task(dataset)


STREAMS = {
    "permuted": Stream(lambda data, n, scenario: permuted(data, n, scenario=scenario)),
    "rotated": Stream(lambda data, n, scenario: rotated(data, n, scenario=scenario)),
    "split": Stream(
        lambda data, n, scenario: split(
            data, _classes_a_task(data), scenario, n_tasks=min(n, _parts(data))
        ),
        _parts,
    ),
}


@dataclass(frozen=True)
class Preset:
    """The size of an experiment: how many tasks and images, and how long to train.

    Attributes:
        n_tasks: tasks, or as many as the classes give.
        n_train, n_test: images of each task, or as many as the data give.
        epochs, batch_size, lr: as in `train`.
    """

    name: str
    n_tasks: int
    n_train: int
    n_test: int
    epochs: int
    batch_size: int = 128
    lr: float = 1e-4

    def tasks(
        self, dataset: Dataset, stream: str = "permuted", scenario: Scenario = "domain"
    ) -> Sequence[Task]:
        """Tasks of this size: `stream` is a name in STREAMS."""
        parts = pick_stream(stream).parts(dataset)
        part = dataset.first(parts * self.n_train, parts * self.n_test)
        return STREAMS[stream].make(part, self.n_tasks, scenario)

    def settings(self, dataset: Dataset, stream: str = "permuted") -> dict[str, Any]:
        """For `train`. Tasks with fewer images are passed over more often: about as many steps."""
        n_train = min(self.n_train, len(dataset.train_labels) // pick_stream(stream).parts(dataset))
        epochs = math.ceil(self.epochs * self.n_train / n_train)
        return {"epochs": epochs, "batch_size": self.batch_size, "lr": self.lr}


PRESETS = {
    p.name: p
    for p in (
        # A look whether everything works: seconds.
        Preset("quick", n_tasks=3, n_train=2_000, n_test=1_000, epochs=1, lr=1e-3),
        # Forgetting and its cures on a laptop, a method in ten seconds or so: a fifth of the images
        # and of the epochs, made up for by a learning rate ten times the homework's.
        Preset("class", n_tasks=5, n_train=12_800, n_test=2_000, epochs=2, lr=1e-3),
        # The homework.
        Preset("full", n_tasks=5, n_train=60_000, n_test=10_000, epochs=10),
    )
}


def pick_stream(name: str) -> Stream:
    """The stream of that name.

    Raises:
        ValueError: there is no such stream.
    """
    if name not in STREAMS:
        raise ValueError(f"stream is {name!r}: choose {', '.join(STREAMS)}")
    return STREAMS[name]


def pick_preset(name: str | None = None) -> Preset:
    """The preset of that name; None takes $CL_PRESET, else "full" on CUDA and "class" without.

    Raises:
        ValueError: there is no such preset.
    """
    name = name or os.environ.get("CL_PRESET") or ("full" if torch.cuda.is_available() else "class")
    if name not in PRESETS:
        raise ValueError(f"preset is {name!r}: choose {', '.join(PRESETS)}")
    return PRESETS[name]
