"""Exercises on the accuracy matrix."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch.nn import functional as F

from ...training import metrics
from .judge import Answer, Args, Exercise, Mistake
from .reading import Reading


def _complete() -> list[Args]:
    """Complete matrices in which task 1 is best neither after the first task nor at the end."""
    rng = np.random.default_rng(0)
    matrices = [rng.uniform(0.3, 0.8, (n, n)) for n in (4, 3)]
    for a in matrices:
        a[:2, 0] = 0.88, 0.93
    return [(a,) for a in matrices]


def _lost(a):
    return a[0, 0] - a[-1, 0]


start = Exercise(
    "lost(a)",
    "the accuracy on task 1 just after learning it, minus that after the last task, as a fraction.",
    _complete,
    right=_lost,
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
    hints=(
        "Two numbers of the matrix are enough, and both are in the column of task 1.",
        "The first is at the top of that column, `a[0, 0]`. The last row is `a[-1]`.",
    ),
    solution=_lost,
)


start_read = Reading(
    "the percentage points that the most forgotten task lost, from its best to the end",
    right=55,
    mistakes={
        "That is task 1. The oldest task had the most time to be forgotten, but another one has "
        "lost more here.": 35,
        "That is task 3. It is worst at the end, but was never better than 70 %. Forgetting "
        "is a difference.": 32,
        "That is what is left of a task at the end. Forgetting is the difference from its best.": (
            60,
            42,
            38,
        ),
        "You stopped a row too early: the last row is the end.": (25, 34),
        "The sign is the other way round: what was lost counts as positive.": (-55, -35, -32),
        "You went along the last row. Those are different tasks at the same time; stay in one "
        "column.": (58, 36, 54),
    },
    moral="Task 2: from 97 to 42 %. The oldest task need not be the one that is forgotten most.",
    hints=(
        "Take one column at a time: its largest number minus its last one.",
        "Task 1 loses 95 − 60 = 35. Do the same for tasks 2 and 3. Task 4 has just been learned.",
    ),
    solution="Task 1 loses 95 − 60 = 35, task 2 loses 97 − 42 = 55, task 3 loses 70 − 38 = 32 "
    "percentage points. So the answer is 55.",
)

# A digit and what to make of it: on which digits, and how.
_RULES: list[tuple[range, Callable[[torch.Tensor], torch.Tensor]]] = [
    (range(10), lambda digit: digit + 1),
    (range(5), lambda digit: digit + 2),
    (range(1, 8), lambda digit: 2 * digit),
    (range(3, 10), lambda digit: 9 - digit),
]
Learn = Callable[[int], None]
Test = Callable[[int], float]


def _calculator(n: int) -> tuple[Learn, Test, int]:
    """A network that can learn `n` of the rules, one digit in and one out, and its accuracy."""
    weight = torch.zeros(10, 10, dtype=torch.float64, requires_grad=True)

    def task(t: int) -> tuple[torch.Tensor, torch.Tensor]:
        if t not in range(n):
            raise Mistake(
                f"Task {t} was asked for. Python counts from 0: the tasks are 0 to {n - 1}."
            )
        digits, rule = _RULES[t]
        x = torch.tensor(digits)
        return x, rule(x) % 10

    def learn(t: int) -> None:
        x, y = task(t)
        for _ in range(30):
            loss = F.cross_entropy(weight[x], y, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, weight)
            with torch.no_grad():
                weight.sub_(gradient)

    def test(j: int) -> float:
        x, y = task(j)
        return (weight[x].argmax(1) == y).double().mean().item()

    return learn, test, n


def _on_a_calculator(answer: Answer) -> Answer:
    return lambda n: answer(*_calculator(n))


def _accuracy_matrix(learn, test, n):
    a = np.zeros((n, n))
    for t in range(n):
        learn(t)
        for j in range(n):
            a[t, j] = test(j)
    return a


def _one_by_one(learn: Learn, test: Test, n: int) -> np.ndarray:
    def each(t: int) -> float:
        learn(t)
        return test(t)

    return np.array([each(t) for t in range(n)])


def _all_learned_first(learn: Learn, test: Test, n: int) -> np.ndarray:
    _one_by_one(learn, test, n)
    return np.array([[test(j) for j in range(n)]] * n)


def _tested_too_early(learn: Learn, test: Test, n: int) -> np.ndarray:
    def row(t: int) -> list[float]:
        accuracies = [test(j) for j in range(n)]
        learn(t)
        return accuracies

    return np.array([row(t) for t in range(n)])


def _of_the_matrix(change: Callable[[np.ndarray], np.ndarray]) -> Answer:
    return _on_a_calculator(lambda *args: change(_accuracy_matrix(*args)))


def _above(value: float, a: np.ndarray) -> np.ndarray:
    """`a` with `value` above its diagonal."""
    return np.where(np.tri(len(a), dtype=bool), a, value)


start_transfer = Exercise(
    "accuracy_matrix(learn, test, n)",
    "the n × n accuracy matrix: row t is measured just after `learn(t)`, and it has `test(j)` for "
    "every task j.",
    lambda: [(3,), (4,)],
    right=_on_a_calculator(_accuracy_matrix),
    mistakes={
        "Rows and columns are exchanged. A row is a moment, `a[t]` is after learning task t; a "
        "column is a task.": (_of_the_matrix(np.transpose),),
        "Only the newest task was tested each time. What has become of the others is what we want "
        "to know: test every task in every row.": (
            _of_the_matrix(lambda a: np.diag(np.diag(a))),
            _on_a_calculator(_one_by_one),
        ),
        "Tasks that come later were not tested. They are asked for too: a task may be known in "
        "part before it is learned.": (
            _of_the_matrix(partial(_above, 0.0)),
            _of_the_matrix(partial(_above, np.nan)),
        ),
        "All rows are alike: everything was learned before anything was tested. Test after each "
        "`learn(t)`.": (_on_a_calculator(_all_learned_first),),
        "Each row is one task too early: you tested before `learn(t)`.": (
            _on_a_calculator(_tested_too_early),
        ),
        "All is right at any time: you called `learn(j)` just before `test(j)`, which learns the "
        "task again. Learn once a row.": (_of_the_matrix(np.ones_like),),
        "That is per cent; fractions between 0 and 1 are asked for.": (
            _of_the_matrix(lambda a: 100 * a),
        ),
        "That is the last row alone. The others are the history that forgetting is read from.": (
            _of_the_matrix(lambda a: a[-1]),
        ),
    },
    moral="Adding 1 and adding 2 cannot both be right for the same digit. Permuted tasks could be, "
    "and are forgotten all the same.",
    hints=(
        "Two loops, one in the other: the outer one learns, the inner one tests.",
        "For each `t`, call `learn(t)` once. Then fill `a[t, j]` for every `j`.",
    ),
    solution=_accuracy_matrix,
    made=_on_a_calculator,
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


def _forgetting(a: np.ndarray) -> float:
    best = np.nanmax(a[:-1, :-1], axis=0)
    return (best - a[-1, :-1]).mean()


forgetting = Exercise(
    "forgetting(a)",
    "for each task except the last, the best accuracy before the last row minus the accuracy in "
    "the last row; then the mean.",
    _as_in_a_run,
    right=metrics.forgetting,
    mistakes={
        "You start from the diagonal, the moment each task was learned: that is backward transfer "
        "(with a minus). Forgetting starts from the best the task ever was, which may come "
        "later.": (metrics.backward_transfer, lambda a: -metrics.backward_transfer(a)),
        "The last task is counted too: it cannot have been forgotten yet, and makes the mean "
        "smaller. Leave its column out, and divide by T − 1.": (
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
        "You took the absolute value. A task that got better counts as negative.": (
            lambda a: np.abs(metrics.forgettings(a)).mean(),
        ),
        "You took the maximum over the tasks. Take the mean.": (
            lambda a: metrics.forgettings(a).max(),
        ),
        "`np.nanmax` without `axis=0` is one number for the whole matrix. Each task has its own.": (
            lambda a: (np.nanmax(a[:-1, :-1]) - a[-1, :-1]).mean(),
            lambda a: (np.nanmax(a) - a[-1, :-1]).mean(),
        ),
        "You counted from 1: the first task is missing. Python counts from 0, so the tasks before "
        "the last are 0 to T − 2.": (
            lambda a: metrics.forgettings(a)[1:].mean(),
            lambda a: metrics.forgettings(a)[1:].sum() / (len(a) - 1),
        ),
        "You took the maximum along a row: that compares tasks at one time. A task is a column, "
        "and time runs down it: axis 0.": (
            lambda a: (np.nanmax(a[:-1, :-1], 1) - a[-1, :-1]).mean(),
        ),
        "That is the lost part of what was known: you divided by the best accuracy. Asked for is "
        "the difference itself.": (
            lambda a: (metrics.forgettings(a) / np.nanmax(a[:-1, :-1], 0)).mean(),
        ),
    },
    moral="It may be negative: then the later tasks have helped the earlier ones.",
    hints=(
        "Work on one column at a time. Which rows may the maximum be taken over, and which column "
        "must be left out?",
        "`np.nanmax(a[:-1, :-1], axis=0)` is the best of every task but the last, before the last "
        "row. Subtract the last row, then take the mean.",
    ),
    solution=_forgetting,
)

matrix = Reading(
    ask="the number of the task that was forgotten most, counted from 1",
    right=2,
    mistakes={
        "Task 3 has the lowest accuracy at the end, and the largest fall since it was learned: "
        "from 91 to 78. But forgetting starts from the best accuracy that a task ever had. Look "
        "for a task that became better before it became worse.": 3,
        "Task 1 has lost 12 percentage points, from 96 to 84, and another task has lost more. (If "
        "you meant the column `a[:, 1]`: the tasks are counted from 1 here.)": 1,
        "Task 4 is the last one: no task came after it, so nothing can have been forgotten yet.": 4,
        "14 percentage points is how much it lost. Asked for is the number of the task.": 14,
    },
    moral="From 96 to 82: 14 percentage points. Backward transfer starts from the diagonal and "
    "sees only 6 of them.",
    hints=(
        "Go down each column. Find its largest number above the last row.",
        "Task 2 was at its best after task 3, not after task 2.",
    ),
    solution="Task 2. From the best to the last row, task 1 lost 96 − 84 = 12, task 2 lost "
    "96 − 82 = 14 and task 3 lost 91 − 78 = 13 percentage points.",
)

intransigence = Reading(
    ask="the intransigence on task 3, in percentage points",
    right=9,
    mistakes={
        "The sign is the other way round: intransigence is positive when a task was learned less "
        "well than the reference.": -9,
        "That is task 2. In `a[2, 2]` Python counts from 0; here the tasks are counted from 1.": 5,
        "That is forgetting, how far a task fell after it was learned. Intransigence looks at the "
        "diagonal: how well was it learned at all?": (12, 8, 10),
        "You started from 97, the number of task 1. Each task has its own reference, because one "
        "task may be harder than another: for task 3 it is 95.": 11,
        "That is the mean over the tasks. Asked for is task 3 alone.": (4.67, 4.7, 14 / 3, 7),
        "That is the accuracy itself. Asked for is the difference from the reference.": (86, 95),
    },
    moral="95 − 86. The method lost plasticity: it learns each new task less well than the one "
    "before, although its forgetting may look harmless.",
    hints=(
        "You need two numbers: the reference for task 3, and the accuracy on task 3 just after it "
        "was learned.",
        'The first number is 95. The second is the last number of the row "after task 3".',
    ),
    solution="The reference is 95, and a[3, 3] is 86: 95 − 86 = 9 percentage points.",
    tolerance=0.01,
)
