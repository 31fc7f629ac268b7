"""The exercises of the notebooks, and a check that recognises the usual mistakes.

An exercise has a few small problems, an oracle, and for each usual mistake the function that makes
it. An answer with the same numbers as a mistake has made that mistake. So a new diagnosis is one
line: a message and the wrong function. What is only read off, a number or a word, is a `Reading`.
"""

from __future__ import annotations

from typing import Any

from ...report.source import Source
from . import (
    on_compared,
    on_curvature,
    on_ewc,
    on_importance,
    on_joined,
    on_language,
    on_loop,
    on_mas,
    on_metrics,
    on_momentum,
    on_paths,
    on_plasticity,
    on_pretrained,
    on_projection,
    on_replay,
    on_scenarios,
    on_schedules,
    on_slices,
    on_tasks,
    staged,
)
from .judge import Exercise, Mistake, Verdict
from .reading import Reading

EXERCISES: dict[str, Exercise | Reading] = {
    "start-read": on_metrics.start_read,
    "start": on_metrics.start,
    "start-transfer": on_metrics.start_transfer,
    "permutation-read": on_tasks.permutation_read,
    "permutation": on_tasks.permutation,
    "permutation-transfer": on_tasks.permutation_transfer,
    "model-read": on_metrics.matrix,
    "forgetting": on_metrics.forgetting,
    "model-transfer": on_loop.transfer,
    "baseline-read": on_metrics.intransigence,
    "compromise": on_tasks.compromise,
    "baseline-transfer": on_tasks.follow,
    "ewc-read": on_ewc.read,
    "ewc": on_importance.ewc,
    "ewc-transfer": on_ewc.transfer,
    "mas-read": on_mas.read,
    "mas": on_importance.mas,
    "mas-transfer": on_mas.transfer,
    "si-read": on_paths.si_read,
    "si": on_paths.si,
    "si-transfer": on_momentum.si_transfer,
    "rwalk-read": on_paths.rwalk_read,
    "rwalk": on_paths.rwalk,
    "rwalk-transfer": on_joined.rwalk_transfer,
    "scp-read": on_slices.read,
    "scp": on_importance.scp,
    "scp-transfer": on_slices.transfer,
    "compared-read": on_compared.read,
    "compared": on_compared.write,
    "compared-transfer": on_compared.transfer,
    "others-read": on_replay.stored,
    "others": on_replay.distillation,
    "others-transfer": on_replay.reservoir,
    "agem-read": on_projection.dreams,
    "agem": on_projection.agem,
    "agem-transfer": on_projection.outweighed,
    "scenarios-read": on_scenarios.newest,
    "scenarios": on_scenarios.scenarios,
    "scenarios-transfer": on_scenarios.leaks,
    "regimes-read": on_curvature.read,
    "regimes": on_curvature.regimes,
    "regimes-transfer": on_curvature.transfer,
    "schedules-read": on_schedules.read,
    "schedules": on_schedules.schedules,
    "schedules-transfer": on_schedules.transfer,
    "language-read": on_language.read,
    "language": on_language.write,
    "language-transfer": on_language.transfer,
    "pretrained-read": on_pretrained.read,
    "pretrained": on_pretrained.write,
    "pretrained-transfer": on_pretrained.transfer,
    "plasticity-read": on_plasticity.read,
    "plasticity": on_plasticity.write,
    "plasticity-transfer": on_plasticity.transfer,
}

__all__ = ["EXERCISES", "Exercise", "Mistake", "Reading", "Verdict", "check", "hint", "solution"]


def check(exercise: str, answer: Any) -> Verdict:
    """Check your answer to an exercise, and name the mistake if it is a usual one.

    Errors in your code are part of the verdict and are not raised. Torch's global generator stays
    as it was.

    Args:
        exercise: its name, such as "ewc".
        answer: the function or class itself, or a number or word where that is asked for. As long
            as there is a `...` in it, the verdict is "not yet".

    Raises:
        ValueError: there is no such exercise.
    """
    asked = _named(exercise)
    untouched = answer is None or answer is Ellipsis
    return staged.record(exercise, asked, asked.not_yet() if untouched else asked.judge(answer))


def hint(exercise: str) -> staged.Note:
    """Show the next hint to an exercise; after the last, all of them again.

    Args:
        exercise: its name, such as "ewc".

    Raises:
        ValueError: there is no such exercise.
    """
    return staged.next_hint(exercise, _named(exercise))


def solution(exercise: str) -> staged.Note | Source:
    """Show the solution of an exercise, once `cl.check` has judged an answer of yours.

    Args:
        exercise: its name, such as "ewc".

    Raises:
        ValueError: there is no such exercise.
    """
    return staged.solution_of(exercise, _named(exercise))


def _named(exercise: str) -> Exercise | Reading:
    if exercise not in EXERCISES:
        raise ValueError(f"exercise is {exercise!r}: choose {', '.join(EXERCISES)}")
    return EXERCISES[exercise]
