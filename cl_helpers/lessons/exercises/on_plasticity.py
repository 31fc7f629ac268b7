"""Exercises on plasticity: what was not learned, the utility of a unit, a pull to the beginning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import cl_helpers as cl

from ...methods import Method
from ...models.flat import flatten
from ...models.small import MLP
from ...training.train import train
from .judge import Answer, Args, Exercise, Mistake
from .on_loop import _stream
from .reading import Reading

read: Reading = Reading(
    "the number of percentage points of plasticity that were lost between task 1 and task 4",
    10,
    mistakes={
        "That is forgetting, the mean fall from the diagonal to the last row. Asked for is what "
        "was *never* learned: compare the first and the last entry of the diagonal.": 39,
        "That is what task 1 lost later. This is forgetting, not plasticity.": 50,
        "That is the mean of what each task lacks. Asked for is the newest task alone.": 4.5,
        "The right size. A loss counts as positive here.": -10,
        "You compared two entries of the last row: both are accuracies of the last network.": 40,
        "Two neighbours on the diagonal. Compare its first entry with its last.": (2, 4),
        "That is the loss from task 1 to task 3, or from task 2 to task 4. Take 1 and 4.": (6, 8),
        "That is the accuracy of task 4. Asked for is its difference from that of task 1.": 80,
    },
    moral="Plasticity is read off the diagonal, forgetting is read down each column.",
    hints=(
        "The accuracy on a task just after it was learned is on the diagonal.",
        "The diagonal is 90, 88, 84, 80.",
    ),
    solution="90 − 80 = 10: the first entry of the diagonal minus the last.",
    tolerance=0.05,
)


def _layers() -> list[Args]:
    """Outputs of both signs, as of tanh units, and weights of both signs."""
    problems: list[Args] = []
    for seed, (batch, units, after) in enumerate(((6, 4, 3), (5, 3, 3))):
        g = torch.Generator().manual_seed(seed)
        u = torch.rand(units, generator=g, dtype=torch.float64)
        h = torch.randn(batch, units, generator=g, dtype=torch.float64)
        w = torch.randn(after, units, generator=g, dtype=torch.float64)
        problems.append((u, h, w, 0.9 if seed else 0.7))
    return problems


def _utility(
    u: Tensor,
    h: Tensor,
    w: Tensor,
    beta: float,
    size: Callable[[Tensor], Tensor] = lambda h: h.abs().mean(0),
    out: Callable[[Tensor], Tensor] = lambda w: w.abs().sum(0),
) -> Tensor:
    return beta * u + (1 - beta) * size(h) * out(w)


def utility_of(u: torch.Tensor, h: torch.Tensor, w: torch.Tensor, beta: float) -> torch.Tensor:
    now = h.abs().mean(0) * w.abs().sum(0)
    return beta * u + (1 - beta) * now


write: Exercise = Exercise(
    "utility(u, h, w, beta)",
    "the new utility of each unit, (units,): `u` is the old one (units,), `h` (B, units) are the "
    "outputs, `w` (next units, units) the weights of the next layer.",
    _layers,
    right=_utility,
    mistakes={
        "You took the mean of h before the absolute value, so outputs of both signs cancel.": (
            lambda u, h, w, beta: _utility(u, h, w, beta, size=lambda h: h.mean(0).abs()),
            lambda u, h, w, beta: _utility(u, h, w, beta, size=lambda h: h.mean(0)),
        ),
        "You added the weights up before the absolute value, so weights of both signs cancel.": (
            lambda u, h, w, beta: _utility(u, h, w, beta, out=lambda w: w.sum(0).abs()),
            lambda u, h, w, beta: _utility(u, h, w, beta, out=lambda w: w.sum(0)),
        ),
        "β and 1 − β have changed places: the old utility has the weight β.": (
            lambda u, h, w, beta: _utility(u, h, w, 1 - beta),
        ),
        "That is the contribution in this step alone. Mix it with the old utility.": (
            lambda u, h, w, beta: _utility(u, h, w, 0.0),
        ),
        "The contribution is added in full. It has the weight 1 − β.": (
            lambda u, h, w, beta: beta * u + _utility(u, h, w, 0.0),
            lambda u, h, w, beta: u + _utility(u, h, w, 0.0),
        ),
        "You took the mean of the outgoing weights. The equation has their sum.": (
            lambda u, h, w, beta: _utility(u, h, w, beta, out=lambda w: w.abs().mean(0)),
        ),
        "Take the absolute value of each output and of each weight first, then mean and sum.": (
            lambda u, h, w, beta: beta * u + (1 - beta) * h.mean(0) * w.sum(0),
            lambda u, h, w, beta: beta * u + (1 - beta) * (h.mean(0) * w.sum(0)).abs(),
        ),
        "You added up over the batch. Take the mean.": (
            lambda u, h, w, beta: _utility(u, h, w, beta, size=lambda h: h.abs().sum(0)),
        ),
        "The squares of the weights have replaced their absolute values.": (
            lambda u, h, w, beta: _utility(u, h, w, beta, out=lambda w: w.square().sum(0)),
        ),
        "Only the outputs count here. A large output with no outgoing weight is of no use.": (
            lambda u, h, w, beta: _utility(u, h, w, beta, out=lambda w: torch.ones(w.shape[1])),
        ),
        "Only the weights count here. A unit that is always 0 has no use, however large its "
        "weights.": (
            lambda u, h, w, beta: _utility(u, h, w, beta, size=lambda h: torch.ones(h.shape[1])),
        ),
    },
    moral="`cl.CBP` replaces the units whose utility is smallest.",
    hints=(
        "`h.abs().mean(0)` is the size of each output, (units,).",
        "`w[k, i]` is the weight from unit i to unit k: sum `w.abs()` over k, the first dimension.",
    ),
    solution=utility_of,
)


class L2Init(cl.Method):
    """Pulls the weights towards those of the very beginning, with strength λ."""

    theta_0: list[torch.Tensor]

    def begin_task(self, model: torch.nn.Module, task: cl.Task) -> None:
        super().begin_task(model, task)
        if not hasattr(self, "theta_0"):
            self.theta_0 = [p.detach().clone() for p in model.parameters()]

    def penalty(self, model: torch.nn.Module) -> torch.Tensor:
        pairs = zip(model.parameters(), self.theta_0, strict=True)
        return 0.5 * torch.stack([(p - p_0).square().sum() for p, p_0 in pairs]).sum()


LAM = 0.3


def _trained(make: Callable[[], Method]) -> Answer:
    """A function of the seed that trains on three tasks, and returns all weights in the end."""

    def weights(seed: int) -> Tensor:
        method, model = make(), MLP((6, 5, 4, 3), seed=seed)
        method.lam = LAM
        how = {"epochs": 2, "batch_size": 16, "lr": 0.1, "optimizer": "sgd"}
        train(method, _stream(seed), model, device="cpu", progress=False, **how)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    return weights


def _of_student(kind: type) -> Answer:
    if not issubclass(kind, Method):
        raise Mistake("The loop takes methods only: write `class L2Init(cl.Method):`.")
    return _trained(kind)


class _Pull(Method):
    """½ Σ |θ − anchor|^power · factor; the anchor is taken before the tasks in `when`."""

    def __init__(self, factor: float = 1.0, power: int = 2, when: str = "first"):
        self.factor, self.power, self.when = factor, power, when
        self.anchor: Any = None

    def begin_task(self, model: nn.Module, task: Any) -> None:
        super().begin_task(model, task)
        theta = torch.cat([p.detach().flatten() for p in model.parameters()])
        if self.when == "zero":
            self.anchor = torch.zeros_like(theta)
        elif self.anchor is None or self.when == "each":
            self.anchor = theta.clone()

    def end_task(self, model: nn.Module, task: Any) -> None:
        if self.when == "after the first":
            self.anchor = flatten(model).theta.clone()
            self.when = "set"

    def penalty(self, model: nn.Module) -> Tensor:
        theta = torch.cat([p.flatten() for p in model.parameters()])
        if self.when == "after the first":
            return theta.new_zeros(())
        return 0.5 * self.factor * (theta - self.anchor).abs().pow(self.power).sum()


def _pull(**how: Any) -> Answer:
    return _trained(lambda: _Pull(**how))


transfer: Exercise = Exercise(
    "L2Init(cl.Method)",
    "a method whose penalty is ½ Σ (θ − θ₀)², with θ₀ the weights before the first task. λ is "
    "multiplied by the loop.",
    lambda: [(0,), (1,)],
    right=_trained(L2Init),
    made=_of_student,
    mistakes={
        "This trains like the baseline: the penalty has no effect. Usual reasons: θ₀ is no copy, "
        "or is one without `.detach()` (use `p.detach().clone()`); `penalty` takes "
        "`cl.flatten(model).theta`, which has no gradient; or `penalty` is misspelt.": (
            _pull(factor=0.0),
        ),
        "The anchor is taken anew before each task. That protects the *last* task, like EWC with "
        "Ω = 1. Take θ₀ once, before the first task.": (_pull(when="each"),),
        "The anchor is 0. That is L2: it pulls all weights to zero, not to where they began.": (
            _pull(when="zero"),
        ),
        "The anchor is θ* after the first task. Take the weights *before* any training.": (
            _pull(when="after the first"),
        ),
        "The factor ½ is missing: the penalty is twice as large.": (_pull(factor=2.0),),
        "λ is in your penalty too, so it acts twice. `loss` multiplies by λ already.": (
            _pull(factor=LAM),
            _pull(factor=2 * LAM),
        ),
        "You did not square the differences: that is the L1 distance.": (
            _pull(power=1),
            _pull(power=1, factor=2.0),
        ),
        "The sign is the other way round: the weights are pushed away from θ₀.": (
            _pull(factor=-1.0),
        ),
        "You took the mean over all weights. The penalty is a sum.": (_pull(factor=1 / 74),),
    },
    moral="The same formula as EWC with Ω = 1, with another anchor, and another aim: it holds the "
    "weights near where learning was easy (Kumar et al. 2023, arXiv:2308.11958).",
    hints=(
        "Copy the weights in `begin_task`, but only if there is no copy yet: `p.detach().clone()`.",
        "`penalty(self, model)` returns `0.5 * sum(((p - p_0) ** 2).sum() for …)`.",
    ),
    solution=L2Init,
)
