"""Exercises on the accuracy matrix."""

from __future__ import annotations

import numpy as np

from ...training import metrics
from .judge import Args, Exercise


def _complete() -> list[Args]:
    """Complete matrices in which task 1 is best neither after the first task nor at the end."""
    rng = np.random.default_rng(0)
    matrices = [rng.uniform(0.3, 0.8, (n, n)) for n in (4, 3)]
    for a in matrices:
        a[:2, 0] = 0.88, 0.93
    return [(a,) for a in matrices]


start = Exercise(
    "lost(a)",
    "the accuracy on task 1 just after learning it, less that after the last task, as a fraction.",
    _complete,
    right=lambda a: a[0, 0] - a[-1, 0],
    mistakes={
        "The sign is the other way round: a loss counts as positive here. Then less now.": (
            lambda a: a[-1, 0] - a[0, 0],
        ),
        "You walked along the first row: other tasks, all at the same time. Task 1 is the first "
        "column, and time runs down it.": (
            lambda a: a[0, 0] - a[0, -1],
            lambda a: a[0, -1] - a[0, 0],
        ),
        "You compared two tasks: the diagonal's end is the last task, just learned. Stay in the "
        "column of task 1.": (lambda a: a[0, 0] - a[-1, -1], lambda a: a[-1, -1] - a[0, 0]),
        "That is what is left of task 1 at the end. What was lost is the difference from what it "
        "was just after learning.": (lambda a: a[-1, 0],),
        "That is per cent; a fraction between 0 and 1 is asked for, as in the matrix.": (
            lambda a: 100 * (a[0, 0] - a[-1, 0]),
        ),
        "You stopped after the next task: the last row is the end of the sequence.": (
            lambda a: a[0, 0] - a[1, 0],
        ),
        "You counted from 1: column 1 is the second task. Python counts from 0, so task 1 just "
        "after learning it is `a[0, 0]`.": (lambda a: a[1, 1] - a[-1, 1],),
        "That is the lost part of what was known: you divided by the accuracy just after learning. "
        "Asked for is the difference itself.": (lambda a: 1 - a[-1, 0] / a[0, 0],),
        "You started from the best that task 1 ever was. That is forgetting as the field defines "
        "it; here start from the moment it was learned.": (lambda a: a[:, 0].max() - a[-1, 0],),
    },
    moral="Down a column: that is how forgetting is read off the matrix.",
)


def _as_in_a_run() -> list[Args]:
    """NaN beyond a[t, t+1]. Task 1 is best after task 2, task 2 at the very end."""
    rng = np.random.default_rng(1)
    matrices = []
    for n in (4, 5):
        a = rng.uniform(0.4, 0.9, (n, n))
        a[range(n - 1), range(1, n)] = rng.uniform(0.05, 0.15, n - 1)
        a[1, 0], a[-1, 1] = 0.94, 0.96
        a[np.triu_indices(n, 2)] = np.nan
        matrices.append(a)
    return [(a,) for a in matrices]


forgetting = Exercise(
    "forgetting(a)",
    "for each task but the last, the best accuracy before the last row less that in the last row; "
    "then the mean.",
    _as_in_a_run,
    right=metrics.forgetting,
    mistakes={
        "You start from the diagonal, the moment each task was learned: that is backward transfer "
        "(with a minus). Forgetting starts from the best the task ever was, which may come "
        "later.": (metrics.backward_transfer, lambda a: -metrics.backward_transfer(a)),
        "The last task is counted too: it cannot have been forgotten yet and waters down the mean. "
        "Leave its column out, and divide by T − 1.": (
            lambda a: metrics.forgettings(a).sum() / len(a),
            lambda a: (np.nanmax(a, 0) - a[-1]).mean(),
            lambda a: (np.nanmax(a[:-1], 0) - a[-1]).mean(),
        ),
        "This can never be negative, so it does not see a task that got better: the last row is "
        "among those that the maximum is taken over. Take it over the rows before.": (
            lambda a: (np.nanmax(a, 0) - a[-1])[:-1].mean(),
        ),
        "The sign is the other way round: forgetting is positive when accuracy was lost.": (
            lambda a: -metrics.forgetting(a),
        ),
        "This grows with the number of tasks: you took the sum. Take the mean.": (
            lambda a: metrics.forgettings(a).sum(),
        ),
        "NaN came out: what was not evaluated is NaN in the matrix, and a plain maximum over "
        "NaN is NaN. `np.nanmax` passes over it.": (
            lambda a: (a[:-1, :-1].max(0) - a[-1, :-1]).mean(),
        ),
        "Right for each task. The last step is missing: take the mean.": (metrics.forgettings,),
    },
    moral="It may be negative: then the later tasks have helped the earlier ones.",
)
