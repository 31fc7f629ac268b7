"""The learning rate within a task: each schedule maps progress to a factor of lr.

Progress u (N,) runs from 0 at the first step to 1 at the last. All schedules begin at lr, except
"one-cycle", which climbs to it. All end at lr · `final`, except "constant". They differ in between.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..checks import at_least_one

PLATEAUS = 3  # of "step"
CLIMB, BOTTOM = 0.3, 1 / 25  # of "one-cycle": the part of the steps that climbs, and its start


def constant(u: Tensor, final: float) -> Tensor:
    """Keep the factor at 1 for all `u`; `final` is not used."""
    return torch.ones_like(u)


def step(u: Tensor, final: float) -> Tensor:
    """Take three equally long plateaus, each lower than the last by the same factor.

    `u` is progress, `final` the factor of the last plateau.
    """
    plateau = (PLATEAUS * u).floor().clamp(max=PLATEAUS - 1)
    return final ** (plateau / (PLATEAUS - 1))


def exponential(u: Tensor, final: float) -> Tensor:
    """Multiply by the same factor from each step to the next: final^u.

    `u` is progress, `final` the factor at the last step.
    """
    return final**u


def cosine(u: Tensor, final: float) -> Tensor:
    """Follow half a cosine wave: final + (1 − final) · (1 + cos πu) / 2.

    `u` is progress, `final` the factor at the last step. Loshchilov & Hutter 2017,
    arXiv:1608.03983, eq. 5, without restarts.
    """
    return final + (1 - final) * (1 + torch.cos(math.pi * u)) / 2


def one_cycle(u: Tensor, final: float) -> Tensor:
    """Climb for the first 30 % of the steps, then fall: half a cosine wave each.

    `u` is progress, `final` the factor at the last step; the first has 1/25. One or two steps are
    too few to climb and only fall. Smith & Topin 2018, arXiv:1708.07120.

    Departs from the paper: there both parts are straight lines, and momentum changes too.
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
    """Compute the factor of lr at each step of a task: (n_steps,) float64, at most 1.

    Args:
        schedule: "constant", "step", "exponential", "cosine" or "one-cycle".
        n_steps: steps of the task.
        warm_up: the part of the steps, 0 ≤ warm_up < 1, in which the factor first rises to 1 in
            equal portions; the schedule has the rest, at least one step. Default 0. Goyal et al.
            2017, arXiv:1706.02677.
        final: factor at the last step of a schedule that decays, 0 < final ≤ 1. Default 0.01.

    Raises:
        ValueError: these do not make a schedule, see `check`.
    """
    check(schedule, warm_up, final)
    at_least_one("n_steps", n_steps)
    n_warm = min(round(warm_up * n_steps), n_steps - 1)
    rise = torch.arange(1, n_warm + 1, dtype=torch.float64) / (n_warm + 1)
    u = torch.linspace(0, 1, n_steps - n_warm, dtype=torch.float64)
    return torch.cat([rise, SCHEDULES[schedule](u, final)])


def check(schedule: str, warm_up: float, lr_final: float) -> None:
    """Raise ValueError unless `schedule`, `warm_up` and `lr_final` make a schedule.

    The message says what would.
    """
    if not isinstance(schedule, str) or schedule not in SCHEDULES:
        raise ValueError(f"schedule is {schedule!r}: choose {', '.join(SCHEDULES)}")
    if not 0 <= warm_up < 1:
        raise ValueError(f"warm_up is {warm_up}: choose 0 ≤ warm_up < 1, a part of a task")
    if warm_up and schedule == "one-cycle":
        raise ValueError(f"warm_up is {warm_up}, but one-cycle has its own: leave it at 0")
    if not 0 < lr_final <= 1:
        raise ValueError(f"lr_final is {lr_final}: choose 0 < lr_final ≤ 1, a part of lr")
