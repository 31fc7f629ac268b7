"""An exercise on the learning rate of each step: a warm-up, then half a wave."""

from __future__ import annotations

import math
from collections.abc import Callable

from .judge import Answer, Exercise

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
)
