"""The exercises of the notebooks, and a check that recognises the usual mistakes.

An exercise has a few small problems, an oracle, and for each usual mistake the function that makes
it. An answer with the same numbers as a mistake has made that mistake. So a new diagnosis is one
line: a message and the wrong function.
"""

from __future__ import annotations

from collections.abc import Callable

from . import (
    on_curvature,
    on_importance,
    on_loop,
    on_metrics,
    on_paths,
    on_projection,
    on_scenarios,
    on_schedules,
    on_tasks,
)
from .judge import Exercise, Verdict, judge, not_yet

EXERCISES = {
    "start": on_metrics.start,
    "model-read": on_metrics.matrix,
    "forgetting": on_metrics.forgetting,
    "model-transfer": on_loop.transfer,
    "permutation": on_tasks.permutation,
    "baseline-read": on_metrics.intransigence,
    "compromise": on_tasks.compromise,
    "baseline-transfer": on_tasks.follow,
    "ewc": on_importance.ewc,
    "mas": on_importance.mas,
    "scp": on_importance.scp,
    "si": on_paths.si,
    "rwalk": on_paths.rwalk,
    "agem": on_projection.agem,
    "scenarios": on_scenarios.scenarios,
    "regimes": on_curvature.regimes,
    "schedules": on_schedules.schedules,
}

__all__ = ["EXERCISES", "Exercise", "Verdict", "check"]


def check(exercise: str, answer: Callable) -> Verdict:
    """Check your solution of an exercise, and name the mistake if it is a usual one.

    Errors in the function are part of the verdict and are not raised. Torch's global generator
    stays as it was.

    Args:
        exercise: its name, such as "ewc".
        answer: the function itself. As long as there is a `...` in it, the verdict is "not yet".

    Raises:
        ValueError: there is no such exercise.
    """
    if exercise not in EXERCISES:
        raise ValueError(f"exercise is {exercise!r}: choose {', '.join(EXERCISES)}")
    asked = EXERCISES[exercise]
    if answer is None or answer is Ellipsis:
        return not_yet(asked)
    if not callable(answer):
        return Verdict(
            "wrong",
            f"Give the function itself, not what it returns: `cl.check({exercise!r}, "
            f"{asked.name})`. A {type(answer).__name__} came.",
        )
    return judge(asked, answer)
