"""Streams of tasks (permuted, rotated, split), each in three sizes (quick, class, full)."""

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
    """A way to make tasks from a data set.

    Args:
        make: (data set, largest number of tasks, scenario) -> the tasks.
        parts: data set -> the number of tasks that it is divided among. Default 1: every task shows
            all of it.
    """

    make: Callable[[Dataset, int, Scenario], list[Task]]
    parts: Callable[[Dataset], int] = lambda dataset: 1


def _classes_a_task(dataset: Dataset) -> int:
    """Two, as is usual for ten classes; more if there would be over 20 tasks: 5 for CIFAR-100."""
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
    """A size of experiment: how many tasks, how many examples, and how long to train.

    Args:
        name: "quick", "class" or "full".
        n_tasks: number of tasks, or as many as there are classes for.
        n_train, n_test: examples of each task, or as many as there are.
        epochs, batch_size, lr: as in `Settings`. Default batches of 128, learning rate 1e-4.
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
        """Make tasks of this size from `dataset`.

        Args:
            dataset: its first examples are used.
            stream: "permuted", the default, "rotated" or "split".
            scenario: "domain", the default, "task" or "class".
        """
        parts = pick_stream(stream).parts(dataset)
        part = dataset.first(parts * self.n_train, parts * self.n_test)
        return STREAMS[stream].make(part, self.n_tasks, scenario)

    def settings(self, dataset: Dataset, stream: str = "permuted") -> dict[str, Any]:
        """Choose epochs, batch_size and lr for `train`, as a dict.

        Where tasks of `stream` have fewer examples than `n_train`, there are more epochs, so that
        the number of steps is about the same.
        """
        n_train = min(self.n_train, len(dataset.train_labels) // pick_stream(stream).parts(dataset))
        epochs = math.ceil(self.epochs * self.n_train / n_train)
        return {"epochs": epochs, "batch_size": self.batch_size, "lr": self.lr}


PRESETS = {
    p.name: p
    for p in (
        # To check that everything runs, in seconds: small batches, so that a few images are steps
        # enough to learn, and to forget, something.
        Preset("quick", n_tasks=3, n_train=600, n_test=300, epochs=1, batch_size=32, lr=1e-3),
        # Forgetting and its cures on a laptop, about ten seconds a method: a fifth of the images
        # and of the epochs, made up for by a learning rate ten times the homework's.
        Preset("class", n_tasks=5, n_train=12_800, n_test=2_000, epochs=2, lr=1e-3),
        # The homework.
        Preset("full", n_tasks=5, n_train=60_000, n_test=10_000, epochs=10),
    )
}


def pick_stream(name: str) -> Stream:
    """Look up the stream called `name`.

    Raises:
        ValueError: it is none of STREAMS.
    """
    if name not in STREAMS:
        raise ValueError(f"stream is {name!r}: choose {', '.join(STREAMS)}")
    return STREAMS[name]


def pick_preset(name: str | None = None) -> Preset:
    """Look up the preset called `name`.

    None, the default, takes $CL_PRESET if that is set, else "full" with a CUDA GPU and "class"
    without.

    Raises:
        ValueError: it is none of PRESETS.
    """
    name = name or os.environ.get("CL_PRESET") or ("full" if torch.cuda.is_available() else "class")
    if name not in PRESETS:
        raise ValueError(f"preset is {name!r}: choose {', '.join(PRESETS)}")
    return PRESETS[name]
