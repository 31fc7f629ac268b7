"""Settings of training, which `train`, `train_steps` and `sweep` have in common."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from inspect import Parameter, signature
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from ..checks import (
    above_zero,
    at_least_one,
    below_one,
    one_of,
    plain,
    seeded,
    true_or_false,
    whole,
    whole_or_none,
)
from ..formats import format_error
from ..models.optimizers import SGD, Adam
from ..speed.precision import PRECISIONS, Precision
from .schedules import check, factors

MakesOptimizer: TypeAlias = "Callable[..., torch.optim.Optimizer]"

# They came later, and count in the name of a stored run only where they are not at their default.
LATER = (
    *("schedule", "warm_up", "lr_final", "dropout", "optimizer_state", "drop_last"),
    *("looks_back", "learned"),
)


@dataclass(frozen=True)
class Settings:
    """Settings of training, apart from method, tasks and model.

    Args:
        epochs: passes over each task's training data. Default 10, the homework's.
        batch_size: examples in a step. Default 128, the homework's.
        drop_last: whether the last batch of an epoch is left out if it is smaller. Default False.
        lr: learning rate of the first task. Default 1e-4, the homework's.
        optimizer: "adam", the default, or "sgd"; or what makes one of parameters and `lr`, such as
            `torch.optim.AdamW` or `partial(torch.optim.AdamW, weight_decay=0.01)`. It sees one
            parameter, the vector θ of all weights.
        optimizer_state: what the optimiser has at the first step of a task: "fresh", the default,
            nothing; "keep" the moments, and what else is in its `state_dict`, as the task before
            has left it. Its learning rate is that of the task.
        momentum: of SGD, 0 to below 1. Default 0. Adam has its own.
        lr_decay: the learning rate of task t, counted from 0, is lr · lr_decayᵗ. Default 1.
        schedule: the learning rate within a task: "constant", the default, "step", "exponential",
            "cosine" or "one-cycle" (`cl.schedules`).
        warm_up: part of each task's steps, 0 to below 1, in which the rate first rises to its full
            value. Default 0.
        lr_final: last learning rate of a schedule that decays, as a part of lr. Default 0.01.
        dropout: probability of all `models.Dropout` layers, 0 to below 1. None, the default, leaves
            the model as it is.
        looks_back: how many earlier tasks are evaluated beside the one in training, after each
            epoch and each task; the others are NaN there. After the last task all are. None, the
            default, is all of them: T tasks then cost T² / 2 evaluations.
        learned: how many of the first tasks the model has learned before, as a pretrained one has.
            No step is taken on them; the method sees them begin and end, and so makes its Ω, or
            stores examples. Default 0.
        seed: fixes initial weights, order of data, and dropout: same seed and device, same bits.
            (`nn.Dropout` draws from torch's global generator instead.) Default 0.
        device: "cpu", "cuda", …; "auto", the default, takes CUDA where there is a GPU.
        precision: "fast", the default, lets CUDA's tensor cores compute the matrix products (TF32)
            and a CPU use its fastest float32 kernels; "full" is plain float32; with "bfloat16" the
            products of a training step read 7 bits of each factor's fraction, on a CPU that has
            such products (AVX512-BF16, AMX). While another thread trains at more, it does too.
        cuda_graph: whether a CUDA GPU records the training step and replays it. Default True.

    Raises:
        ValueError: a setting makes no sense; the message says which, and what would.
    """

    epochs: int = 10
    batch_size: int = 128
    drop_last: bool = False
    lr: float = 1e-4
    optimizer: Literal["adam", "sgd"] | MakesOptimizer = "adam"
    optimizer_state: Literal["fresh", "keep"] = "fresh"
    momentum: float = 0.0
    lr_decay: float = 1.0
    schedule: str = "constant"
    warm_up: float = 0.0
    lr_final: float = 0.01
    dropout: float | None = None
    looks_back: int | None = None
    learned: int = 0
    seed: int = 0
    device: str | torch.device = "auto"
    precision: Precision = "fast"
    cuda_graph: bool = True

    @classmethod
    def of(cls, given: dict[str, Any]) -> Settings:
        """Make settings from the dict `given`, the others at their defaults.

        Raises:
            ValueError: there is no setting of that name, or it makes no sense.
        """
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
        whole("learned", self.learned)
        seeded(self.seed)
        whole_or_none("looks_back", self.looks_back)
        for name in ("momentum", "warm_up", "lr_final", "dropout"):
            value = getattr(self, name)
            if not isinstance(value, numbers.Real) and value is not getattr(Settings, name):
                raise ValueError(f"{name} is {value!r}: choose a number")
        if not callable(self.optimizer):
            one_of("optimizer", self.optimizer, "adam", "sgd")
        one_of("precision", self.precision, *PRECISIONS)
        one_of("optimizer_state", self.optimizer_state, "fresh", "keep")
        for name in ("drop_last", "cuda_graph"):
            true_or_false(name, getattr(self, name))
        if self.optimizer != "sgd" and self.momentum:
            name = "Adam" if self.optimizer == "adam" else "this optimizer"
            raise ValueError(
                f'momentum is {self.momentum}, but {name} has its own: choose optimizer="sgd"'
            )
        below_one("momentum", self.momentum)
        for name in ("lr", "lr_decay"):
            above_zero(name, getattr(self, name))
        check(self.schedule, self.warm_up, self.lr_final)
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}: choose 0 ≤ dropout < 1, or None")

    def evaluated(self, tasks: Sequence[Any], t: int) -> list[Any]:
        """Put None in the place of those `tasks` that are not evaluated after task `t` (from 0)."""
        back = t if self.looks_back is None or t == len(tasks) - 1 else self.looks_back
        return [task if j >= t - back else None for j, task in enumerate(tasks)]

    @property
    def recordable(self) -> bool:
        """Whether a CUDA graph of the step may be recorded: not with an optimiser of one's own."""
        return self.cuda_graph and isinstance(self.optimizer, str)

    def n_steps(self, n_examples: int) -> int:
        """Count the steps of a task of `n_examples`."""
        return self.epochs * steps_an_epoch(n_examples, self.batch_size, self.drop_last)

    def split(self, order: Tensor) -> Sequence[Tensor]:
        """Split the positions `order` (…, N) of examples into batches (…, B)."""
        n = order.shape[-1]
        left = n % self.batch_size if self.drop_last else 0
        return order[..., : n - left].split(self.batch_size, -1)

    def lr_of(self, stage: int) -> float:
        """Compute the learning rate of `stage` 0, 1, …, before its schedule."""
        return self.lr * self.lr_decay**stage

    def rates(self, stage: int, n_steps: int) -> Tensor | None:
        """Compute the learning rate of each step of a task, (n_steps,) float32.

        None if it does not change. Args: `stage` 0, 1, …, and `n_steps` of the task.
        """
        if self.schedule == "constant" and not self.warm_up:
            return None
        curve = factors(self.schedule, n_steps, warm_up=self.warm_up, final=self.lr_final)
        return (self.lr_of(stage) * curve).float()

    def optimizer_of(self, theta: torch.nn.Parameter, stage: int) -> torch.optim.Optimizer:
        """Make a fresh optimiser of the parameters `theta` for a `stage` 0, 1, … of the run.

        Its learning rate is a tensor on their device, so that a recorded step sees its changes.
        """
        lr = torch.tensor(self.lr_of(stage)).float().to(theta.device)
        if not isinstance(self.optimizer, str):
            return _made(self.optimizer, theta, self.lr_of(stage))
        if self.optimizer == "adam":
            return Adam([theta], lr=lr, fused=True, capturable=theta.is_cuda)
        return SGD([theta], lr=lr, momentum=self.momentum, fused=True)


# What runs of one experiment have in common; the others do not decide it, or make repetitions.
OUTCOME = tuple(
    field.name for field in fields(Settings) if field.name not in ("seed", "device", "cuda_graph")
)


def steps_an_epoch(n_examples: int, batch_size: int, drop_last: bool) -> int:
    """Count the steps of an epoch.

    Args:
        n_examples, batch_size: of the training data, and of a step.
        drop_last: whether a last batch that is smaller is left out.
    """
    return (n_examples if drop_last else n_examples + batch_size - 1) // batch_size


def _made(make: MakesOptimizer, theta: torch.nn.Parameter, lr: float) -> torch.optim.Optimizer:
    """What a user's function makes; raises ValueError unless that is an optimiser of θ."""
    try:
        made = make([theta], lr=lr)
    except Exception as error:  # of anybody's
        raise ValueError(
            f"optimizer cannot be made of parameters and lr ({format_error(error)}): give a class "
            "such as torch.optim.AdamW, or a function of (parameters, lr)"
        ) from error
    if not isinstance(made, torch.optim.Optimizer):
        raise ValueError(f"optimizer made a {type(made).__name__}: return a torch.optim.Optimizer")
    rates = [float(g["lr"]) for g in made.param_groups if g.get("lr") is not None]
    wrong = [rate for rate in rates if not math.isclose(rate, lr, rel_tol=1e-6)]
    if wrong:
        raise ValueError(
            f"optimizer made one with lr {wrong[0]:g}, not {lr:g}: hand lr on as it is"
        )
    if [p for group in made.param_groups for p in group["params"]] != [theta]:
        raise ValueError("optimizer made one of other parameters: use those that it is given")
    if isinstance(made, torch.optim.SparseAdam):
        raise ValueError("SparseAdam takes sparse gradients alone, which no step has: take Adam")
    closure = signature(made.step).parameters.get("closure")
    if closure is not None and closure.default is Parameter.empty:
        raise ValueError(f"{type(made).__name__} needs a closure, which no step has: take another")
    return made


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """Find the device that is meant, with its number, and check that it works.

    Args:
        device: "cpu", "cuda", "cuda:1", …; "auto", the default, is CUDA where there is a GPU, else
            the CPU.

    Raises:
        ValueError: it cannot be used.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        probe = torch.zeros(1, device=torch.device(device))
        probe.item()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f'device {device!s} cannot be used ({reason}): try "cpu"') from None
    return probe.device
