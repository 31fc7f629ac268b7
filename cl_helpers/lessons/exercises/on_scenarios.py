"""An exercise on the three scenarios: the outputs that compete."""

from __future__ import annotations

from collections.abc import Callable

from ...data.tasks import SCENARIOS
from .judge import Answer, Exercise

Outputs = list[int]
# For an image of task `task`, counted from 0, when `learned` tasks of `n` classes are learned.
Rule = Callable[[int, int, int], Outputs]


def _own(task: int, learned: int, n: int) -> Outputs:
    return [*range(task * n, (task + 1) * n)]


def _shared(task: int, learned: int, n: int) -> Outputs:
    return [*range(n)]


def _seen(task: int, learned: int, n: int) -> Outputs:
    return [*range(learned * n)]


def _all_ten(task: int, learned: int, n: int) -> Outputs:
    return [*range(10)]


def _competing(**wrong: Rule) -> Answer:
    """The right answer, with other rules for the scenarios named."""
    by_scenario = {"task": _own, "domain": _shared, "class": _seen} | wrong
    return lambda task, learned, scenario, n: by_scenario[scenario](task, learned, n)


scenarios = Exercise(
    "competing(task, learned, scenario, n)",
    "the numbers of the outputs that compete for the answer, in ascending order.",
    lambda: [
        (1, 3, "class", 2),
        (0, 3, "class", 3),
        (1, 3, "task", 2),
        (2, 3, "task", 3),
        (1, 3, "domain", 2),
        (2, 4, "domain", 2),
    ],
    right=_competing(),
    mistakes={
        "The scenario makes no difference in your function, but it makes all of it: read "
        "`scenario`.": tuple(
            _competing(**dict.fromkeys(SCENARIOS, rule))
            for rule in (_own, _shared, _seen, _all_ten)
        ),
        'With "class" you let only the task\'s own outputs compete. Nobody says there which task '
        "the image is of: this is the leak that turns 20 % into more than 90.": (
            _competing(**{"class": _own}),
        ),
        'With "class" you stopped at the classes known when the task was learned. Those learned '
        "later compete too, and they are the ones that win: count the tasks in `learned`.": (
            _competing(**{"class": lambda task, learned, n: _seen(task, task + 1, n)}),
        ),
        'With "class" you let all ten compete, those too that no task has brought yet: there are '
        "`learned * n` classes so far.": (_competing(**{"class": _all_ten}),),
        'With "class" you forgot the classes of earlier tasks: nothing old could ever be '
        "answered. All classes seen so far compete.": (
            _competing(**{"class": lambda task, learned, n: _own(learned - 1, learned, n)}),
        ),
        '`learned` is a number of tasks and not the last one\'s place: with "class" you are one '
        "task off.": (
            _competing(**{"class": lambda task, learned, n: _seen(task, learned + 1, n)}),
            _competing(**{"class": lambda task, learned, n: _seen(task, learned - 1, n)}),
        ),
        'The labels are not renumbered: with "domain" every task is asked "first or second?" and '
        "answers with the same outputs, from 0 on.": (
            _competing(domain=_own),
            _competing(domain=_seen),
            _competing(domain=_all_ten),
        ),
        'With "task" every task has outputs of its own: those of task 1 begin at n. You let all '
        'tasks share the first ones, as with "domain".': (_competing(task=_shared),),
        'With "task" it is told which task the image is of: only that task\'s outputs compete.': (
            _competing(task=_seen),
            _competing(task=_all_ten),
        ),
        "Tasks are counted from 0: the outputs of task 0 are 0 to n − 1.": (
            _competing(task=lambda task, learned, n: _own(task - 1, learned, n)),
        ),
    },
    moral="A scenario is a mask. The images and the network know nothing of it.",
)
