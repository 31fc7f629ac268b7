"""Exercises on comparing methods: what was not learned, what was lost, and a fair choice of λ."""

from __future__ import annotations

import math
from statistics import fmean, median
from typing import Any

import numpy as np

from ...training import metrics
from .judge import Args, Exercise
from .reading import Reading

read = Reading(
    "the percentage points of average accuracy that were lost after learning",
    4 / 3,
    mistakes={
        "That is forgetting, a mean over two tasks. The average accuracy is a mean over "
        "all three, and the last task has lost nothing.": 2,
        "That is the intransigence, what was not learned. Go down each column from the diagonal.": (
            14 / 3
        ),
        "That is all that is missing, 97 − 91. A part of it was never learned.": 6,
        "That is a sum over the tasks. The average accuracy is a mean over three.": 4,
        "That is what task 1 alone lost.": 3,
        "The right size. A loss counts as positive here.": -4 / 3,
    },
    moral="4/3 lost and 14/3 not learned make the 6 that are missing. Most was never learned: "
    "a smaller λ is worth a try.",
    hints=(
        "What a task lost is its diagonal entry minus its entry in the last row.",
        "Three tasks lost 3, 1 and 0 percentage points.",
    ),
    solution="(97 − 94) + (91 − 90) + (89 − 89) = 4 percentage points in three tasks: 4/3 = 1.33.",
    tolerance=0.05,
)


def _matrices() -> list[Args]:
    """As in a run; task 1 is best after task 2, and task 3 is learned better than the reference."""
    rng = np.random.default_rng(3)
    problems: list[Args] = []
    for n in (4, 5):
        a = rng.uniform(0.6, 0.9, (n, n))
        a[np.triu_indices(n, 2)] = np.nan
        a[1, 0] = 0.99
        reference = rng.uniform(0.9, 0.97, n)
        reference[2] = a[2, 2] - 0.05
        problems.append((a, reference))
    return problems


def _mean_missing(a: np.ndarray, reference: np.ndarray) -> float:
    return float((reference - np.diag(a)).mean())


def intransigence_of(a: np.ndarray, reference: np.ndarray) -> float:
    missing = [reference[j] - a[j, j] for j in range(len(a))]
    return sum(missing) / len(a)


write = Exercise(
    "intransigence(a, reference)",
    "the mean over all tasks of reference − accuracy just after learning the task, one number.",
    _matrices,
    right=metrics.intransigence,
    mistakes={
        "You took the last row, in which tasks have been forgotten too. Intransigence is about a "
        "task just after it was learned: the diagonal.": (
            lambda a, reference: float((reference - a[-1]).mean()),
        ),
        "The sign is the other way round: what was not learned counts as positive.": (
            lambda a, reference: -_mean_missing(a, reference),
        ),
        "That is a sum. Take the mean over the tasks.": (
            lambda a, reference: float((reference - np.diag(a)).sum()),
        ),
        "The first task counts as well: take the mean over all tasks.": (
            lambda a, reference: float((reference - np.diag(a))[1:].mean()),
        ),
        "The last task counts as well: take the mean over all tasks, not over T − 1.": (
            lambda a, reference: float((reference - np.diag(a))[:-1].mean()),
            lambda a, reference: float((reference - np.diag(a)).sum() / (len(a) - 1)),
        ),
        "You cut off what is negative. A task that was learned better than by the reference "
        "counts, too.": (lambda a, reference: float(np.maximum(reference - np.diag(a), 0).mean()),),
        "Without its sign a gain counts as a loss. Leave out the absolute value.": (
            lambda a, reference: float(np.abs(reference - np.diag(a)).mean()),
        ),
        "You took the best accuracy that a task ever had, as forgetting does. Intransigence is "
        "about the accuracy just after learning.": (
            lambda a, reference: float((reference - np.nanmax(a, 0)).mean()),
        ),
        "You divided by the reference. The difference itself is asked for.": (
            lambda a, reference: float((1 - np.diag(a) / reference).mean()),
        ),
        "That is per cent; a fraction is asked for, as in the matrix.": (
            lambda a, reference: 100 * _mean_missing(a, reference),
        ),
        "You took a[0, 0] as the reference, as the lesson does for its runs. Here the reference is "
        "an argument, with one accuracy for each task.": (
            lambda a, reference: float(a[0, 0] - np.diag(a).mean()),
        ),
        "The number is NaN, as the matrix is above its diagonal. Take the diagonal alone.": (
            lambda a, reference: math.nan,
        ),
        "You looked above the diagonal, at each task *before* it was learned.": (
            lambda a, reference: float((reference[1:] - np.diag(a, 1)).mean()),
        ),
    },
    moral="The price of holding on. `cl.metrics.intransigence` is the same function.",
    hints=(
        "`a[j, j]` is the accuracy on task j just after learning it.",
        "`np.diag(a)` is the diagonal; take its difference from `reference`, then the mean.",
    ),
    solution=intransigence_of,
)

NAN = math.nan
Rows = list[dict[str, Any]]
DIVERGED = [(NAN, NAN)]
# λ -> (accuracy on held-out images, on test images) of each seed.
FIRST = {
    10: [*DIVERGED, (0.97, 0.97), (0.98, 0.97)],
    40: [(0.93, 0.90), (0.91, 0.93), (0.92, 0.92)],
    20: [(0.90, 0.94), (0.89, 0.94), (0.91, 0.95)],  # the best on the test images
    80: [(0.83, 0.80), (0.95, 0.90), (0.96, 0.91)],  # one seed is bad
    5: [(0.80, 0.81), (0.82, 0.80), (0.81, 0.82), (0.80, 0.81)],  # has one seed more
}
SECOND = {
    10: [(0.86, 0.84), (0.87, 0.88), (0.85, 0.86)],
    40: [(0.89, 0.85), (0.88, 0.87), (0.90, 0.86)],
    160: [(0.70, 0.98), (0.71, 0.97), (0.69, 0.98)],  # the best on the test images
    20: [(0.99, 0.90), (0.80, 0.80), (0.60, 0.60)],  # one seed is lucky
    80: [*DIVERGED, (0.90, 0.90), (0.70, 0.71)],
}


def _tables() -> list[Args]:
    return [
        (
            [
                {"lam": float(lam), "seed": seed, "held_out": held_out, "test": test}
                for lam, of in table.items()
                for seed, (held_out, test) in enumerate(of)
            ],
        )
        for table in (FIRST, SECOND)
    ]


def _known(values: list[float]) -> list[float]:
    return [v for v in values if not math.isnan(v)]


def _means(runs: Rows, of: Any = fmean, of_run: Any = lambda run: run["held_out"]) -> Any:
    """λ -> `of` (mean, …) of the accuracies of its runs."""
    lams = dict.fromkeys(run["lam"] for run in runs)
    return {lam: of([of_run(run) for run in runs if run["lam"] == lam]) for lam in lams}


def _largest(means: dict[float, float]) -> float:
    """The λ of the largest, where NaN is smallest."""
    return max(means, key=lambda lam: -math.inf if math.isnan(means[lam]) else means[lam])


def _best(runs: Rows) -> float:
    return _largest(_means(runs))


def _without_diverged(runs: Rows) -> Rows:
    return [run for run in runs if not math.isnan(_means(runs)[run["lam"]])]


def chosen(runs: list) -> float:
    by_lam: dict = {}
    for run in runs:
        by_lam.setdefault(run["lam"], []).append(run["held_out"])
    means = {lam: sum(values) / len(values) for lam, values in by_lam.items()}
    finished = [lam for lam in means if means[lam] == means[lam]]  # NaN is not equal to itself
    return max(finished, key=lambda lam: means[lam])


transfer = Exercise(
    "choose(runs)",
    'the λ with the best mean over seeds on held-out images. Each run is a dict with "lam", "seed" '
    'and two accuracies, "held_out" and "test". NaN is a run that diverged: its λ is not chosen.',
    _tables,
    right=_best,
    mistakes={
        "You chose by the test images. Then they no longer test anything: their accuracy is high "
        "because it was chosen to be high.": (
            lambda runs: _largest(_means(runs, of_run=lambda run: run["test"])),
        ),
        "The test images have a part in your choice. Use the held-out images alone.": (
            lambda runs: _largest(_means(runs, of_run=lambda run: run["held_out"] + run["test"])),
        ),
        "That is the λ of the luckiest run. Take the mean over seeds first, then the best λ.": (
            lambda runs: _largest(_means(runs, of=lambda values: max(_known(values)))),
            lambda runs: _largest(_means(_without_diverged(runs), of=max)),
        ),
        "With your λ a seed diverged. Leave such a λ out: a mean of the seeds that survived looks "
        "better than it is, and `max` keeps a NaN that comes first.": (
            lambda runs: _largest(_means(runs, of=lambda values: fmean(_known(values)))),
            lambda runs: list(_means(runs))[int(np.argmax([*_means(runs).values()]))],
        ),
        "You added up over seeds, so a λ with more seeds wins. Take the mean.": (
            lambda runs: _largest(_means(runs, of=sum)),
        ),
        "You took the median, which does not see a seed that fails. Asked for is the mean.": (
            lambda runs: _largest(_means(_without_diverged(runs), of=median)),
        ),
        "One seed alone decided. Take the mean over all seeds.": (
            lambda runs: _largest(_means(runs, of=lambda values: values[0])),
        ),
        "That is the accuracy. Asked for is the λ that has it.": (
            lambda runs: _means(runs)[_best(runs)],
        ),
        "That is a place in a list. Asked for is the λ itself.": (
            lambda runs: float(list(_means(runs)).index(_best(runs))),
        ),
        "That is the worst λ of all.": (
            lambda runs: min(_means(_without_diverged(runs)), key=_means(runs).get),
        ),
    },
    moral="Chosen on held-out images. The test images are looked at once, at the end.",
    hints=(
        "Collect the held-out accuracies of each λ in a dict, then take their means.",
        "`max(means, key=lambda lam: means[lam])` gives the λ with the largest mean; take out the "
        "NaN before.",
    ),
    solution=chosen,
    made=lambda choose: choose,
)
