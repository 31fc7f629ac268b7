"""How to train: the arguments that `train`, `train_steps` and `sweep` have in common."""

from __future__ import annotations

import numbers
from dataclasses import dataclass, fields
from typing import Any, Literal

import torch
from torch import Tensor

from ..checks import above_zero, at_least_one, one_of, plain, seeded
from ..speed.precision import Precision
from .schedules import check, factors


@dataclass(frozen=True)
class Settings:
    """How to train: the arguments of `train` but the method, the tasks and the model.

    Args:
        epochs: passes over each task's training data.
        batch_size: examples a step.
        lr: learning rate of the first task; the default is the homework's.
        optimizer: "adam" or "sgd"; a fresh one for every task.
        momentum: of SGD; Adam has its own.
        lr_decay: the learning rate of task t (from 0) is lr · lr_decayᵗ.
        schedule: how it goes on within a task: "constant", "step", "exponential", "cosine" or
            "one-cycle" (`schedules.py`).
        warm_up: part of each task's steps, 0 to below 1, in which it first rises to its height.
        lr_final: what a schedule that decays ends at, as a part of where it began.
        dropout: the probability of all `models.Dropout` layers; None leaves the model as it is.
        seed: fixes initial weights, order of data, dropout (of `models.Dropout`, not `nn.Dropout`,
            which draws from torch's global generator): same seed and device, same bits.
        device: "cpu", "cuda", …; "auto" takes CUDA when there is one.
        precision: "fast" lets CUDA's tensor cores make the matrix products (TF32), and a CPU take
            its fastest float32 kernels; "full" is plain float32.
        cuda_graph: record the training step and replay it, where the device is CUDA.

    Raises:
        ValueError: a setting makes no sense; the message says which, and what would.
    """

    epochs: int = 10
    batch_size: int = 128
    lr: float = 1e-4
    optimizer: Literal["adam", "sgd"] = "adam"
    momentum: float = 0.0
    lr_decay: float = 1.0
    schedule: str = "constant"
    warm_up: float = 0.0
    lr_final: float = 0.01
    dropout: float | None = None
    seed: int = 0
    device: str | torch.device = "auto"
    precision: Precision = "fast"
    cuda_graph: bool = True

    @classmethod
    def of(cls, given: dict[str, Any]) -> Settings:
        """The settings given, the others at their defaults."""
        names = [field.name for field in fields(cls)]
        for name in given:
            if name not in names:
                raise ValueError(f"{name} is not a setting: choose among {', '.join(names)}")
        return cls(**given)

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name)))
        for name in ("epochs", "batch_size"):
            at_least_one(name, getattr(self, name))
        seeded(self.seed)
        for name in ("momentum", "warm_up", "lr_final", "dropout"):
            value = getattr(self, name)
            if not isinstance(value, numbers.Real) and value is not getattr(Settings, name):
                raise ValueError(f"{name} is {value!r}: choose a number")
        one_of("optimizer", self.optimizer, "adam", "sgd")
        one_of("precision", self.precision, "fast", "full")
        if self.optimizer == "adam" and self.momentum:
            raise ValueError(
                f'momentum is {self.momentum}, but Adam has its own: choose optimizer="sgd"'
            )
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum is {self.momentum}: choose 0 ≤ momentum < 1")
        for name in ("lr", "lr_decay"):
            above_zero(name, getattr(self, name))
        check(self.schedule, self.warm_up, self.lr_final)
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}: choose 0 ≤ dropout < 1, or None")

    def n_steps(self, n_examples: int) -> int:
        """Steps of a task with so many examples; the last batch of an epoch may be smaller."""
        return self.epochs * -(-n_examples // self.batch_size)

    def lr_of(self, stage: int) -> float:
        """The learning rate of stage 0, 1, …, before its schedule."""
        return self.lr * self.lr_decay**stage

    def rates(self, stage: int, n_steps: int) -> Tensor | None:
        """(n_steps,) float32, the learning rate of each step; None if it does not change."""
        if self.schedule == "constant" and not self.warm_up:
            return None
        curve = factors(self.schedule, n_steps, warm_up=self.warm_up, final=self.lr_final)
        return (self.lr_of(stage) * curve).float()

    def optimizer_of(self, theta: torch.nn.Parameter, stage: int) -> torch.optim.Optimizer:
        """For the parameters `theta`, in stage 0, 1, …

        The learning rate is a tensor beside them, so that a recorded step reads it anew.
        """
        lr = torch.tensor(self.lr_of(stage)).float().to(theta.device)
        if self.optimizer == "adam":
            return torch.optim.Adam([theta], lr=lr, fused=True, capturable=theta.is_cuda)
        return torch.optim.SGD([theta], lr=lr, momentum=self.momentum, fused=True)


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """The device meant, with its number: "auto" is CUDA when there is one, else the CPU."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        probe = torch.zeros(1, device=torch.device(device))
        probe.item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'device {device!s} cannot be used ({reason}): try "cpu"') from None
    return probe.device
