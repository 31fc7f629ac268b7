"""How much to train: three sizes of the same experiment."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from .data import Dataset
from .tasks import Task, permuted


@dataclass(frozen=True)
class Preset:
    """
    Attributes:
        n_tasks: permuted tasks.
        n_train, n_test: images of each task, at most.
        epochs, batch_size, lr: as in `train`.
    """

    name: str
    n_tasks: int
    n_train: int
    n_test: int
    epochs: int
    batch_size: int = 128
    lr: float = 1e-4

    def tasks(self, dataset: Dataset) -> Sequence[Task]:
        """Permuted tasks of this size."""
        return permuted(dataset.first(self.n_train, self.n_test), self.n_tasks)

    def settings(self, dataset: Dataset) -> dict[str, Any]:
        """For `train`. A data set with fewer images is passed over more often: as many steps."""
        n_train = min(self.n_train, len(dataset.train_labels))
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


def pick_preset(name: str | None = None) -> Preset:
    """The preset of that name; None takes $CL_PRESET, else "full" on CUDA and "class" without.

    Raises:
        ValueError: there is no such preset.
    """
    name = name or os.environ.get("CL_PRESET") or ("full" if torch.cuda.is_available() else "class")
    if name not in PRESETS:
        raise ValueError(f"preset is {name!r}: choose {', '.join(PRESETS)}")
    return PRESETS[name]
