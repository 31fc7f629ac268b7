"""Exercises of notebook 10: which outputs compete, and whether a prediction leaks the task."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...data.tasks import SCENARIOS
from .judge import Answer, Args, Exercise
from .reading import Reading

newest = Reading(
    ask="the number of classes that task 3 brought",
    right=6,
    mistakes={
        "Then half of the test images would be of task 3, and the curve would end at 50 %.": 4,
        "That is the number of all classes seen by then. Task 3 brought those that are right.": 10,
        "With two classes more there would be six, of which two are right: 33 %.": 2,
        "The curve counts images and not classes: x classes of x + 4 are right, which is 60 %.": (
            60,
            0.6,
        ),
    },
    moral="6 / (4 + 6) = 60 %. Forgetting is complete, and still the curve rises: an accuracy "
    "without the number of classes says little.",
    hints=(
        "After task 2 the curve is at 2 / (2 + 2). Which of the images are right?",
        "After task 3 it is at x / (4 + x), with x classes of task 3.",
    ),
    solution="Only the newest task is known: x / (4 + x) = 0.6, so x = 6.",
)

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


def competing_outputs(task: int, learned: int, scenario: str, n: int) -> list[int]:
    """Name the outputs that compete for an image of `task`."""
    if scenario == "task":
        return [*range(task * n, (task + 1) * n)]
    if scenario == "domain":
        return [*range(n)]
    return [*range(learned * n)]


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
    hints=(
        "Tasks 0, 1, … bring n outputs each. Where do those of `task` begin and end?",
        'One line for each scenario: "task" is `range(task * n, (task + 1) * n)`. Only "class" '
        "needs `learned`.",
    ),
    solution=competing_outputs,
)


Predict = Callable[[Tensor], Tensor]


def _alone(x: Tensor) -> Tensor:
    return x.argmax(1)


def _by_vote(x: Tensor) -> Tensor:
    """The batch chooses a pair of outputs, and each image one of the two."""
    pairs = x.view(len(x), -1, 2)
    best = pairs.argmax(2)
    pair = int(pairs.amax(2).mean(0).argmax())
    return 2 * pair + best[:, pair]


def _centred(x: Tensor) -> Tensor:
    """Each output is compared with its mean over the batch."""
    return (x - x.mean(0)).argmax(1)


def _in_order(x: Tensor) -> Tensor:
    """The images of a batch come in the order of the tasks."""
    pair = torch.arange(len(x)) * 5 // len(x)
    return 2 * pair + x.view(len(x), -1, 2).argmax(2)[torch.arange(len(x)), pair]


def _images() -> Tensor:
    """(12, 10), each image its own logits: most are of the pair 4 5, in both halves."""
    x = torch.randn(12, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[:, 4:6] += 2.0
    x[[4, 9], :2] += 6.0
    return x


def leak(predict: torch.nn.Module, x: torch.Tensor) -> bool:
    """Say whether the prediction for an image changes if it comes alone."""
    alone = torch.cat([predict(x[i : i + 1]) for i in range(len(x))])
    return bool((alone != predict(x)).any())


def _changed(other: Callable[[Predict, Tensor], Tensor]) -> Answer:
    """A test that compares the predictions with those of another call."""
    return lambda predict, x: bool((other(predict, x) != predict(x)).any())


def _n_changed(predict: Predict, x: Tensor) -> Tensor:
    alone = torch.cat([predict(x[i : i + 1]) for i in range(len(x))])
    return (alone != predict(x)).double().sum()


def _without_a_batch(args: Args, outcome: Tensor | BaseException) -> str | None:
    """The message if `predict` failed, most likely on an image without a batch."""
    if isinstance(outcome, RuntimeError | IndexError):
        return (
            "`predict` takes a batch: `x[i:i + 1]` is a batch of one image, `x[i]` is an image "
            "without a batch."
        )
    return None


leaks = Exercise(
    "leaks(predict, x)",
    "True if the prediction for an image of the batch x depends on the other images, else False.",
    lambda: [(predict, _images()) for predict in (_by_vote, _alone, _centred, _in_order)],
    right=leak,
    made=lambda test: test,  # an argument is a function, which cannot be compared as numbers
    look=_without_a_batch,
    mistakes={
        "Your test finds no leak anywhere. A batch that is predicted twice gives the same labels: "
        "show each image alone. One label that changes is enough: `any`, not `all`.": (
            lambda predict, x: False,
        ),
        "Your test finds a leak everywhere, also where each image is predicted by itself. Compare "
        "the labels of the same image.": (lambda predict, x: True,),
        "The answer is the wrong way round: True means that there is a leak.": (
            lambda predict, x: not leak(predict, x),
        ),
        "Your test finds what depends on the place in the batch. It does not find a vote or a "
        "mean, which are the same in every order, and if each image comes twice. Change *which* "
        "images are in the batch.": (_changed(lambda predict, x: predict(x.flip(0)).flip(0)),),
        "Two large parts of a batch vote like the whole. Go on to the smallest part: one image.": (
            _changed(lambda predict, x: torch.cat([predict(part) for part in x.chunk(2)])),
        ),
        "You looked at the first image alone. Its label may stay while others change: try each.": (
            lambda predict, x: bool((predict(x[:1]) != predict(x)[:1]).any()),
        ),
        "That is how many labels change, or their share. Asked for is whether any does.": (
            _n_changed,
            lambda predict, x: _n_changed(predict, x) / len(x),
        ),
    },
    moral="The method is told no task, but the batch tells it: all its images are of one. A test "
    "in mixed batches, or image by image, closes this leak.",
    hints=(
        "Predict the batch at once, and then each image alone, as `predict(x[i:i + 1])`.",
        "Compare the two: `torch.cat([...])` makes one tensor of the labels, and `(a != b).any()` "
        "says whether any differs.",
    ),
    solution=leak,
)
