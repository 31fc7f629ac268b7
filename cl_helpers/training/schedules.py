"""The learning rate within a task: each schedule is a curve from progress to a factor of lr.

Progress u runs from 0 at the first step to 1 at the last. All begin at lr but the one that climbs
there, and all but the constant one end at lr · `final`: what differs is the way in between.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable

import torch
from torch import Tensor

PLATEAUS = 3  # of "step"
CLIMB, BOTTOM = 0.3, 1 / 25  # of "one-cycle": the part of the steps that climbs, and from where


def constant(u: Tensor, final: float) -> Tensor:
    return torch.ones_like(u)


def step(u: Tensor, final: float) -> Tensor:
    """Equally long plateaus, each lower than the last by the same factor."""
    plateau = (PLATEAUS * u).floor().clamp(max=PLATEAUS - 1)
    return final ** (plateau / (PLATEAUS - 1))


def exponential(u: Tensor, final: float) -> Tensor:
    """The same factor from each step to the next."""
    return final**u


def cosine(u: Tensor, final: float) -> Tensor:
    """Half a wave (Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts)."""
    return final + (1 - final) * (1 + torch.cos(math.pi * u)) / 2


def one_cycle(u: Tensor, final: float) -> Tensor:
    """Up, then down (Smith & Topin 2018, arXiv:1708.07120).

    Each half a wave, where theirs is straight; and lr alone moves, where they move momentum too.
    One step or two are too few to climb: they are the way down.
    """
    if len(u) < 3:
        return cosine(u, final)
    up, down = (1 - u / CLIMB).clamp(min=0), ((u - CLIMB) / (1 - CLIMB)).clamp(min=0)
    return torch.where(u < CLIMB, cosine(up, BOTTOM), cosine(down, final))


SCHEDULES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "constant": constant,
    "step": step,
    "exponential": exponential,
    "cosine": cosine,
    "one-cycle": one_cycle,
}


def factors(schedule: str, n_steps: int, *, warm_up: float = 0.0, final: float = 0.01) -> Tensor:
    """What lr is multiplied by at each step of a task: (n_steps,) float64, at most 1.

    Args:
        schedule: a name in SCHEDULES.
        warm_up: the part of the steps, 0 ≤ warm_up < 1, in which the factor first rises to 1 in
            equal portions; the schedule has the rest, one step at least (Goyal et al. 2017,
            arXiv:1706.02677).
        final: where a schedule that decays ends, as a part of lr.

    Raises:
        ValueError: as `check`.
    """
    check(schedule, warm_up, final)
    if not (isinstance(n_steps, numbers.Integral) and n_steps > 0):
        raise ValueError(f"n_steps is {n_steps!r}: choose a whole number, 1 or more")
    n_warm = min(round(warm_up * n_steps), n_steps - 1)
    rise = torch.arange(1, n_warm + 1, dtype=torch.float64) / (n_warm + 1)
    u = torch.linspace(0, 1, n_steps - n_warm, dtype=torch.float64)
    return torch.cat([rise, SCHEDULES[schedule](u, final)])


def check(schedule: str, warm_up: float, lr_final: float) -> None:
    """Raise ValueError unless these make a schedule; the message says what would."""
    if not isinstance(schedule, str) or schedule not in SCHEDULES:
        raise ValueError(f"schedule is {schedule!r}: choose {', '.join(SCHEDULES)}")
    if not 0 <= warm_up < 1:
        raise ValueError(f"warm_up is {warm_up}: choose 0 ≤ warm_up < 1, a part of a task")
    if warm_up and schedule == "one-cycle":
        raise ValueError(f"warm_up is {warm_up}, but one-cycle has its own: leave it at 0")
    if not 0 < lr_final <= 1:
        raise ValueError(f"lr_final is {lr_final}: choose 0 < lr_final ≤ 1, a part of lr")
