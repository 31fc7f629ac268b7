"""Streams of tasks (permuted, rotated, split), each in three sizes (quick, class, full)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ..data.datasets import Dataset
from ..data.tasks import Scenario, Task, permuted, rotated, split
from ..methods import METHODS, Method, pick_method


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
        lam: method -> λ chosen on held-out images of permuted MNIST at this size
            (experiments/tuning). Default: none was looked for.
    """

    name: str
    n_tasks: int
    n_train: int
    n_test: int
    epochs: int
    batch_size: int = 128
    lr: float = 1e-4
    lam: Mapping[str, float] = field(default_factory=dict, hash=False)

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

    def method(
        self, name: str, stream: str = "permuted", scenario: Scenario = "domain", **knobs: Any
    ) -> Method:
        """Make the method called `name` with the λ that was tuned for this size.

        Args:
            name: a key of METHODS, such as "ewc".
            stream, scenario: those of the tasks. λ was tuned for permuted ones, whose outputs are
                of one domain after the other; for others it is the method's default.
            knobs: the method's settings; a `lam` among them is taken.

        Raises:
            ValueError: there is no such method, it cannot be trained in the scenario, or a setting
                makes no sense.
        """
        tuned = self.lam if (stream, scenario) == ("permuted", "domain") else {}
        lam = {"lam": tuned[name]} if name in tuned else {}
        return pick_method(name, scenario)(**lam | knobs)

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
        Preset(
            "class",
            n_tasks=5,
            n_train=12_800,
            n_test=2_000,
            epochs=2,
            lr=1e-3,
            lam={"ewc": 400.0, "mas": 0.08, "si": 0.8, "rwalk": 1.0, "scp": 200.0},
        ),
        # The homework, for which the methods' default λ were chosen.
        Preset(
            "full",
            n_tasks=5,
            n_train=60_000,
            n_test=10_000,
            epochs=10,
            lam={name: METHODS[name]().lam for name in ("ewc", "mas", "si", "rwalk", "scp")},
        ),
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
