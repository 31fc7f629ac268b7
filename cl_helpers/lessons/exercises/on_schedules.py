"""The exercises of notebook 12: speed, the learning rate of each step, and a warm-up with bugs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .judge import Answer, Exercise
from .reading import Reading

# The factor of lr at step i of n: in a warm-up, and in the schedule after it.
Rise = Callable[[int, int], float]
Fall = Callable[[int, int, float], float]


def _rise(i: int, n: int) -> float:
    return (i + 1) / (n + 1)


def _half_wave(u: float, final: float) -> float:
    return final + (1 - final) * (1 + math.cos(math.pi * u)) / 2


def _fall(i: int, n: int, final: float) -> float:
    return _half_wave(i / (n - 1), final)


def _rates(rise: Rise = _rise, fall: Fall = _fall) -> Answer:
    def rates(n_steps: int, n_warm: int, lr: float, final: float) -> list[float]:
        rest = n_steps - n_warm
        return [lr * rise(i, n_warm) for i in range(n_warm)] + [
            lr * fall(i, rest, final) for i in range(rest)
        ]

    return rates


def _over_all_steps(n_steps: int, n_warm: int, lr: float, final: float) -> list[float]:
    """The wave begins with the first step, not after the warm-up."""
    wave = [_fall(i, n_steps, final) for i in range(n_steps)]
    return [lr * (_rise(i, n_warm) if i < n_warm else wave[i]) for i in range(n_steps)]


def _final_is_a_rate(n_steps: int, n_warm: int, lr: float, final: float) -> list[float]:
    return _rates()(n_steps, n_warm, lr, final / lr)


def rates(n_steps: int, n_warm: int, lr: float, final: float) -> list[float]:
    rising = [lr * (i + 1) / (n_warm + 1) for i in range(n_warm)]
    n = n_steps - n_warm
    wave = [(1 + np.cos(np.pi * i / (n - 1))) / 2 for i in range(n)]
    return rising + [lr * (final + (1 - final) * height) for height in wave]


schedules = Exercise(
    "rates(n_steps, n_warm, lr, final)",
    "the learning rate of each of `n_steps` steps: lr · (i + 1) / (n_warm + 1) in the first "
    "`n_warm`, and then half a wave from lr, at its first step, to lr · final, at the last.",
    lambda: [(11, 4, 0.3, 0.02), (9, 0, 0.05, 0.1), (14, 3, 2.0, 0.2)],
    right=_rates(),
    mistakes={
        "The warm-up begins with 0: its first step moves nothing and is wasted. Count from 1: "
        "(i + 1) / (n_warm + 1).": (
            _rates(rise=lambda i, n: i / n),
            _rates(rise=lambda i, n: i / (n + 1)),
            _rates(rise=lambda i, n: i / max(1, n - 1)),
        ),
        "The warm-up reaches lr one step too soon: then lr comes twice, in its last step and in "
        "the first of the wave. Divide by n_warm + 1.": (_rates(rise=lambda i, n: (i + 1) / n),),
        "The last step is not at lr · final, you are one step short of it: n steps have n − 1 "
        "intervals between them.": (
            _rates(fall=lambda i, n, final: _half_wave(i / n, final)),
            _rates(fall=lambda i, n, final: _half_wave(i / (n + 1), final)),
        ),
        "The wave does not begin at lr: its first step is already on the way down. Count from 0.": (
            _rates(fall=lambda i, n, final: _half_wave((i + 1) / n, final)),
            _rates(fall=lambda i, n, final: _half_wave((i + 1) / (n + 1), final)),
        ),
        "Degrees: half a wave is an angle of π, not of 180: `math.cos` and `torch.cos` count in "
        "radians.": (
            _rates(
                fall=lambda i, n, final: final + (1 - final) * (1 + math.cos(180 * i / (n - 1))) / 2
            ),
        ),
        "That is a whole wave: it comes back to lr at the end. Half of it is cos(π u).": (
            _rates(fall=lambda i, n, final: _half_wave(2 * i / (n - 1), final)),
        ),
        "That is a quarter of a wave: it ends in full fall. It is to be flat at both ends: "
        "(1 + cos(π u)) / 2.": (
            _rates(
                fall=lambda i, n, final: final + (1 - final) * math.cos(math.pi * i / (n - 1) / 2)
            ),
        ),
        "It falls below zero: cos runs from 1 to −1. Add 1 and halve it.": (
            _rates(fall=lambda i, n, final: final + (1 - final) * math.cos(math.pi * i / (n - 1))),
            _rates(fall=lambda i, n, final: math.cos(math.pi * i / (n - 1))),
        ),
        "It ends at 0: `final` is missing. What is above it, 1 − final, is what falls.": (
            _rates(fall=lambda i, n, final: _half_wave(i / (n - 1), 0.0)),
        ),
        "`final` is added to the whole wave, so that it begins above lr. Only 1 − final is to "
        "fall.": (_rates(fall=lambda i, n, final: final + _half_wave(i / (n - 1), 0.0)),),
        "`final` is a part of lr, as in `cl.train(lr_final=…)`, and not a learning rate.": (
            _final_is_a_rate,
        ),
        "The wave began with the warm-up, so it is on its way down when its turn comes. It has the "
        "steps after the warm-up for itself.": (_over_all_steps,),
        "A straight line, where half a wave is asked for.": (
            _rates(fall=lambda i, n, final: 1 - (1 - final) * i / (n - 1)),
        ),
        "That is the exponential schedule: the same factor from step to step. Half a wave is asked "
        "for.": (_rates(fall=lambda i, n, final: final ** (i / (n - 1))),),
        "It runs the wrong way round: from low to high after the warm-up.": (
            _rates(fall=lambda i, n, final: _fall(n - 1 - i, n, final)),
        ),
        "Those are factors: lr itself is missing.": (
            lambda n_steps, n_warm, lr, final: _rates()(n_steps, n_warm, 1.0, final),
        ),
        "There is no warm-up in it: the first `n_warm` steps rise to lr.": (
            lambda n_steps, n_warm, lr, final: _rates()(n_steps, 0, lr, final),
        ),
    },
    moral='It is the one that `cl.train(schedule="cosine", warm_up=…, lr_final=…)` takes. Every '
    "step moves something, and no rate comes twice.",
    hints=(
        "Make two lists and join them. The warm-up has `n_warm` steps, i = 0 … n_warm − 1, and "
        "step i has the rate lr · (i + 1) / (n_warm + 1).",
        "The wave has n = n_steps − n_warm steps. Its step i has u = i / (n − 1), from 0 to 1, and "
        "(1 + cos π u) / 2 falls from 1 to 0.",
    ),
    solution=rates,
)

read = Reading(
    ask="the median number of steps",
    right=25,
    mistakes={
        "20 is the median of the five runs that arrived. The two others are slower than all of "
        "these: leave them out, and the schedule looks faster than it is.": 20,
        "22 is the mean of the five runs that arrived. A median is asked for, and the two slowest "
        "runs must not be left out.": 22,
        "Of seven runs in order, the median is the fourth.": (15, 30),
        "60 is the length of a run. Those two runs need more, nobody knows how many.": 60,
    },
    moral="Where the two slowest runs would have arrived does not matter to the median: they stand "
    "at the end. A mean needs their numbers, and there are none.",
    hints=(
        "Put all seven runs in order, the fastest first. Where do the two stand that never arrive?",
        "15, 20, 20, 25, 30, later, later: the median is the one in the middle.",
    ),
    solution="25: of 15, 20, 20, 25, 30, later, later it is the fourth of seven.",
    tolerance=0.2,
)


class WarmUp:
    """Rises to the learning rate of each group in equal portions."""

    def __init__(self, optimizer: torch.optim.Optimizer, n: int):
        self.optimizer, self.n, self.i = optimizer, n, 0
        self.full = [group["lr"] for group in optimizer.param_groups]
        self._set()

    def step(self) -> None:
        self.i += 1
        self._set()

    def _set(self) -> None:
        for group, lr in zip(self.optimizer.param_groups, self.full, strict=True):
            group["lr"] = lr * min(1, (self.i + 1) / (self.n + 1))


def _moves(warm_up: Callable[[torch.optim.Optimizer, int], Any]) -> Answer:
    """Train with this warm-up: by how much each step moves two weights of slope 1."""

    def moves(n: int, lrs: tuple[float, float], n_steps: int) -> Tensor:
        weights = [torch.zeros(1, dtype=torch.float64, requires_grad=True) for _ in lrs]
        groups = [{"params": [w], "lr": lr} for w, lr in zip(weights, lrs, strict=True)]
        optimizer = torch.optim.SGD(groups, lr=1.0)
        warm, places = warm_up(optimizer, n), [torch.zeros(2, dtype=torch.float64)]
        for _ in range(n_steps):
            optimizer.zero_grad()
            sum(weights).backward()  # type: ignore[union-attr]
            optimizer.step()
            warm.step()
            places.append(torch.cat([w.detach() for w in weights]))
        return -torch.stack(places).diff(dim=0)

    return moves


class _Slip:
    """A warm-up with a mistake in it: rate of a group = base · part.

    Args:
        part: (i, n) -> part of the full rate in the step i = 0, 1, …
        base: "own" rate of each group, that of the "first" one, or "now", multiplied again.
        at_once: whether the first step has been thought of.
        groups: how many groups are set.
    """

    def __init__(
        self,
        part: Callable[[int, int], float] = lambda i, n: min(1, (i + 1) / (n + 1)),
        base: str = "own",
        at_once: bool = True,
        groups: int = 2,
    ):
        self.part, self.base, self.at_once, self.groups = part, base, at_once, groups

    def __call__(self, optimizer: torch.optim.Optimizer, n: int) -> _Slip:
        self.optimizer, self.n, self.i = optimizer, n, 0
        self.full = [group["lr"] for group in optimizer.param_groups]
        if self.at_once:
            self._set()
        return self

    def step(self) -> None:
        """Go to the rate of the next step."""
        self.i += 1
        self._set()

    def _set(self) -> None:
        for k, group in enumerate(self.optimizer.param_groups[: self.groups]):
            bases = {"own": self.full[k], "first": self.full[0], "now": group["lr"], "one": 1.0}
            group["lr"] = bases[self.base] * self.part(self.i, self.n)


def _slips(**what: Any) -> tuple[Answer, ...]:
    return (_moves(_Slip(**what)),)


transfer = Exercise(
    "WarmUp(optimizer, n)",
    "a warm-up whose first n training steps have 1/(n + 1), 2/(n + 1), … of each group's own rate, "
    "and all later ones the full rate. The check trains with it.",
    lambda: [(3, (0.4, 0.4), 7), (1, (0.2, 0.05), 4), (4, (0.1, 0.5), 9)],
    right=_moves(WarmUp),
    mistakes={
        "Both bugs are still there. Print the rate of ten steps: which one is the first, and does "
        "it come back to the full rate?": _slips(base="now", at_once=False),
        "The rate is still multiplied again and again, from what it was one step before, so it "
        "never comes back to the full rate. Remember the full rate of each group in `__init__`.": (
            _slips(base="now")
        ),
        "The first step still has the full rate: `step` is called *after* a training step. Set the "
        "rate in `__init__` too.": _slips(at_once=False),
        "The first training step has a rate of 0 and is wasted. Count from 1.": (
            *_slips(part=lambda i, n: min(1, i / (n + 1))),
            *_slips(part=lambda i, n: min(1, i / n)),
        ),
        "The first step has 2/(n + 1): `step` in `__init__` counts one step too many.": _slips(
            part=lambda i, n: min(1, (i + 2) / (n + 1))
        ),
        "The full rate comes one step too soon: step n has it already. Divide by n + 1.": _slips(
            part=lambda i, n: min(1, (i + 1) / n)
        ),
        "The rate goes on rising after the warm-up. It must stop at the full rate.": _slips(
            part=lambda i, n: (i + 1) / (n + 1)
        ),
        "After the warm-up the rate stays at n / (n + 1) of the full one.": _slips(
            part=lambda i, n: min(n, i + 1) / (n + 1)
        ),
        "Only the first group of weights is warmed up. An optimiser can have several.": _slips(
            groups=1
        ),
        "All groups get the rate of the first. Each group has a full rate of its own.": _slips(
            base="first"
        ),
        "That takes the optimiser's default rate (`optimizer.defaults`). A group can have a rate "
        'of its own: `group["lr"]`.': _slips(base="one"),
        "There is no warm-up left: every step has the full rate.": _slips(part=lambda i, n: 1.0),
    },
    moral="PyTorch's own schedulers keep the full rates as `base_lrs`, and set the first rate when "
    "they are made, for the same two reasons.",
    hints=(
        "Make an optimiser with one weight and lr = 1. Print its rate before each of ten steps.",
        "The rate of step i is the *full* rate times a part. Where is the full rate after `*=`? "
        "And which rate has the step before the first call of `step`?",
    ),
    solution=WarmUp,
    made=_moves,
)
