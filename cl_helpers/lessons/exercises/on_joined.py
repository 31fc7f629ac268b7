"""An exercise that joins two methods: EWC's importance and SI's, each scaled, in one class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ...data.datasets import Dataset
from ...data.tasks import Task, permuted
from ...methods import EWC, SI
from ...models import MLP
from ...training.train import train
from .judge import Answer, Exercise, Mistake

LAM = 2.0
Join = Callable[[Tensor, Tensor], Tensor]  # of EWC's importance and SI's, (P,) each


class Both(SI):
    def importance_of(self, model, task):
        fisher = EWC().importance_of(model, task)
        path = super().importance_of(model, task)
        return fisher / fisher.max() + path / path.max()


@cache
def _tasks() -> list[Task]:
    """Two permuted tasks of 64 small images; the brightest row says which of three classes."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(64) % 3
    images = torch.randint(128, (64, 1, 3, 3), generator=rng, dtype=torch.uint8)
    images[torch.arange(64), 0, labels] += 100
    half = torch.full((1, 1, 1), 0.5)
    data = Dataset("rows", images, labels, images, labels, tuple("abc"), half, half)
    return permuted(data, 2)


def _trained(kind: type) -> Answer:
    """Make the function that trains with a method of class `kind`.

    It returns (2, P): Ω and θ after both tasks.
    """

    def weights(seed: int) -> Tensor:
        method: Any = kind()
        method.lam = LAM
        how: dict[str, Any] = {"epochs": 4, "batch_size": 16, "lr": 0.05, "device": "cpu"}
        model = MLP((9, 6, 3), seed=seed)
        run = train(method, _tasks(), model, seed=seed, progress=False, **how)
        if run.diverged or not hasattr(method, "omega"):
            raise Mistake(
                "Training with it breaks off, or leaves no Ω: begin with "
                "`class Both(cl.SI):` and let `importance_of` return Ω (P,)."
            )
        return torch.stack([method.omega, method.theta_star])

    return weights


def _joined(join: Join, **knobs: Any) -> Answer:
    """Train with Ω = `join` of EWC's and SI's importance."""

    @dataclass(eq=False)
    class Joined(SI):
        def importance_of(self, model: nn.Module, task: Task) -> Tensor:
            return join(EWC(**knobs).importance_of(model, task), super().importance_of(model, task))

    return cache(_trained(Joined))


def _joined_with(part: Callable[[SI], Tensor]) -> Answer:
    """Train with EWC's importance and another `part` of an SI than its importance."""

    @dataclass(eq=False)
    class Other(SI):
        def importance_of(self, model: nn.Module, task: Task) -> Tensor:
            return _scaled(EWC().importance_of(model, task)) + _scaled(part(self))

    return cache(_trained(Other))


def _scaled(v: Tensor) -> Tensor:
    return v / v.max()


rwalk_transfer = Exercise(
    "Both(SI)",
    "a method whose `importance_of(model, task)` returns EWC's importance plus SI's, each divided "
    "by its own largest entry.",
    lambda: [(0,)],
    right=cache(_trained(Both)),
    made=_trained,
    mistakes={
        "Not scaled: the two parts have different units, and the larger one drowns the other. "
        "Divide each part by its own largest entry, then add.": (_joined(lambda f, s: f + s),),
        "You scaled the sum. That changes λ and nothing else: the larger part still drowns the "
        "other. Scale each part before you add.": (_joined(lambda f, s: _scaled(f + s)),),
        "One of the two parts is not scaled. Divide each part by its own largest entry.": (
            _joined(lambda f, s: _scaled(f) + s),
            _joined(lambda f, s: f + _scaled(s)),
        ),
        "Both parts are divided by the same number, so they keep their old ratio. Each part has a "
        "largest entry of its own.": (
            _joined(lambda f, s: (f + s) / f.max()),
            _joined(lambda f, s: (f + s) / s.max()),
        ),
        "You scaled by the sum or the mean of a part. RWalk scales by the largest entry.": (
            _joined(lambda f, s: f / f.sum() + s / s.sum()),
            _joined(lambda f, s: f / f.mean() + s / s.mean()),
            _joined(lambda f, s: f / f.norm() + s / s.norm()),
        ),
        "SI's part is missing: this is EWC, scaled. SI's importance is "
        "`super().importance_of(model, task)`.": (_joined(lambda f, s: _scaled(f)),),
        "EWC's part is missing: this is SI, scaled. EWC's importance is "
        "`cl.EWC().importance_of(model, task)`.": (
            _joined(lambda f, s: _scaled(s)),
            _trained(SI),
        ),
        "You counted one of the parts twice, and the other not at all.": (
            _joined(lambda f, s: 2 * _scaled(f)),
            _joined(lambda f, s: 2 * _scaled(s)),
        ),
        "That is the mean of the two parts. RWalk takes their sum.": (
            _joined(lambda f, s: (_scaled(f) + _scaled(s)) / 2),
        ),
        "You multiplied the parts: a weight that one of them does not see would be free. Add "
        "them.": (_joined(lambda f, s: _scaled(f) * _scaled(s)), _joined(lambda f, s: f * s)),
        "You took the larger of the two parts for each weight. RWalk adds them.": (
            _joined(lambda f, s: torch.maximum(_scaled(f), _scaled(s))),
        ),
        "SI's part is the credit ω, not the importance: it is not divided by Δ² + ξ. "
        "`super().importance_of(model, task)` does that.": (_joined_with(lambda si: si.path),),
        "That is the true Fisher. Take `cl.EWC()` as it is, with the labels of the data.": (
            _joined(lambda f, s: _scaled(f) + _scaled(s), fisher="true"),
        ),
    },
    moral="That is RWalk's sum with parts from the end of the task: EWC's pass over the data "
    "instead of a moving average, one score instead of many.",
    hints=(
        "`Both` is an SI. So `super().importance_of(model, task)` is SI's part, and "
        "`cl.EWC().importance_of(model, task)` is EWC's. Both are tensors (P,).",
        "`part / part.max()` has 1 as its largest entry. Do that with each part, then add.",
    ),
    solution=Both,
)
