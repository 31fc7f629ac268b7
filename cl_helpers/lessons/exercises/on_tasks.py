"""Exercises on what a task is, and on what two tasks agree on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data.views import Permute
from .judge import Answer, Args, Exercise, Mistake
from .reading import Reading


def _images() -> list[Args]:
    """Images with no pixel value twice, except that the first two images are equal."""
    generator = torch.Generator().manual_seed(0)
    problems = []
    for n in (5, 3):
        images = torch.randperm(n * 784, generator=generator).float().view(n, 1, 28, 28) / 4096
        images[1] = images[0]
        problems.append((images, torch.randperm(784, generator=generator)))
    return problems


_ONE_ORDER = (
    "The order is drawn anew at each call, or for each image: then there is nothing left to learn. "
    "A task is ONE fixed order of the pixels, the same for all its images: the one in `order`."
)
_SHUFFLED_IMAGES = (
    "You changed the order of the images; every image is still as it was. `order` is about the "
    "784 pixels within each image."
)
_ROWS_OR_COLUMNS = (
    "You moved whole rows or columns. Make each image one row of 784 pixels first, put those in "
    "order, then go back to 28 × 28."
)


def _look(args: Args, outcome: Tensor | BaseException) -> str | None:
    images, _ = args
    if isinstance(outcome, BaseException):
        index_error = str(outcome) if isinstance(outcome, IndexError) else ""
        if f"with size {len(images)}" in index_error:
            return _SHUFFLED_IMAGES.replace("changed the order of", "reached for")
        return _ROWS_OR_COLUMNS if "with size 28" in index_error else None

    def same_pixels(a: Tensor, b: Tensor) -> bool:
        return torch.equal(a.flatten(1).sort().values, b.flatten(1).sort().values)

    def same_lines(dim: int) -> bool:
        # No value comes twice, so the smallest and the largest pixel identify a row or column.
        return same_pixels(outcome.amin(dim), images.amin(dim)) and same_pixels(
            outcome.amax(dim), images.amax(dim)
        )

    images = images.double()
    if (outcome.flatten(1)[:, None] == images.flatten(1)).all(-1).any(1).all():
        return _SHUFFLED_IMAGES
    if same_lines(-1) and same_lines(-2):
        return _ROWS_OR_COLUMNS
    mixed = same_pixels(outcome, images) and not torch.equal(outcome[0], outcome[1])
    return _ONE_ORDER if mixed else None


def _permute(images, order):
    return images.flatten(1)[:, order].view(images.shape)


permutation = Exercise(
    "permute(images, order)",
    "images of the same shape in which pixel i, counted row by row, is pixel `order[i]` of the "
    "image given.",
    _images,
    right=lambda images, order: Permute(order)(images),
    mistakes={
        "That is the inverse permutation: you sent pixel i to place `order[i]`. Place i gets pixel "
        "`order[i]`.": (lambda images, order: Permute(order.argsort())(images),),
        "The images came back as they were: no pixel has moved.": (lambda images, order: images,),
    },
    moral="A fully connected network finds this task as easy as the first one; you and a "
    "convolutional network do not.",
    look=_look,
    unstable=_ONE_ORDER,
    hints=(
        "`images.flatten(1)` is (N, 784): a row for each image. Now `order` is about the columns.",
        "`x[:, order]` takes the columns in that order. Give the result its old shape with `view`.",
    ),
    solution=_permute,
)

permutation_read = Reading(
    "the number, from 1, of the task that has the same permutation as an earlier one",
    right=4,
    mistakes={
        "Task 3 begins near chance, so it is new. Perhaps you counted from 0: the tasks are "
        "counted from 1 here, as in the table.": 3,
        "That is the earlier of the two. Asked for is the one that comes later and repeats it.": 1,
        "That task begins near chance and is then learned, so it is new. Look for a task that is "
        "known before its turn.": (2, 5),
    },
    moral="Task 4 is at 64 % before its turn, and its column is that of task 1 from then on.",
    hints=(
        "Chance is 10 %. Which task is far above it before it has been learned?",
        "Two tasks that are the same have the same accuracy at the same time: compare columns.",
    ),
    solution="Task 4: after task 3 it is at 64 %, before it was ever trained, and so is task 1. In "
    "the rows below, columns 1 and 4 are equal as well.",
)


def _gentle(side):
    return torch.arange(side * side).view(side, side).flip(1).flatten()


def _still_neighbours(order: Tensor, side: int) -> tuple[float, float]:
    """Of the pairs side by side, and of those one above the other, which share was so before."""
    old = torch.stack([order // side, order % side]).view(2, side, side)
    steps = old.diff(dim=2), old.diff(dim=1)
    beside, above = ((s.abs().sum(0) == 1).double().mean().item() for s in steps)
    return beside, above


def _asks_for_a_gentle_order(answer: Answer) -> Answer:
    def judged(side: int) -> float:
        order = torch.as_tensor(answer(side)).flatten()
        n = side * side
        if len(order) != n:
            raise Mistake(f"{n} numbers are asked for with side = {side}; {len(order)} came.")
        if order.sort().values.tolist() == [*range(1, n + 1)]:
            raise Mistake("Your order counts from 1. Pixels are counted from 0.")
        if order.sort().values.tolist() != [*range(n)]:
            raise Mistake(
                f"This is no permutation: a pixel is taken twice, or is not one of 0 to {n - 1}."
            )
        stay = int((order == torch.arange(n)).sum())
        if stay == n:
            raise Mistake("No pixel has moved: this is task 1 again. Most pixels have to move.")
        beside, above = _still_neighbours(order, side)
        if beside + above > 1.9:
            if stay > side:
                raise Mistake(f"{stay} of {n} pixels have not moved. Move the others too.")
            return 1.0
        if max(beside, above) > 0.9 and min(beside, above) < 0.75:
            which, other = ("rows", "above") if beside > above else ("columns", "beside")
            raise Mistake(
                f"Whole {which} were moved. Each is still in one piece, but what was {other} a "
                f"pixel is now somewhere else."
            )
        raise Mistake(
            f"With side = {side}, {50 * (beside + above):.0f} % of the neighbouring pairs are "
            f"neighbours still; 95 % are asked for. "
            + (
                "What leaves at one edge and comes in at another loses its neighbours."
                if beside + above > 1.5
                else "A convolution would see strangers side by side."
            )
        )

    return judged


permutation_transfer = Exercise(
    "gentle(side)",
    "a permutation of the side × side pixels that moves nearly all of them (at most `side` stay) "
    "and leaves at least 95 % of the neighbours neighbours.",
    lambda: [(28,), (8,)],
    right=lambda side: 1.0,
    mistakes={},
    moral="A convolutional network can learn this task as well as task 1, with its kernels "
    "moved in the same way.",
    hints=(
        "Number the pixels, `torch.arange(side * side).view(side, side)`, and move this sheet of "
        "numbers as a whole.",
        "Hold the sheet in front of a mirror: `flip(1)`.",
    ),
    solution=_gentle,
    made=_asks_for_a_gentle_order,
)


def _best(h_a: float, a: float, h_b: float, b: float) -> float:
    return (h_b * b + h_a * a) / (h_b + h_a)


def _compromise(a: float, h_a: float, b: float, h_b: float, lam: float) -> float:
    """Solve h_b (θ − b) + λ h_a (θ − a) = 0 for θ."""
    return (h_b * b + lam * h_a * a) / (h_b + lam * h_a)


compromise = Exercise(
    "compromise(a, h_a, b, h_b, lam)",
    "the θ at which the derivative of ½ h_b (θ − b)² + λ ½ h_a (θ − a)² is zero.",
    lambda: [(1.0, 4.0, -2.0, 0.5, 0.3), (-0.7, 0.9, 2.5, 3.0, 7.0), (0.2, 2.0, 1.3, 5.0, 0.6)],
    right=lambda a, h_a, b, h_b, lam: _best(lam * h_a, a, h_b, b),
    mistakes={
        "A larger λ pulls you towards the new task b: λ is on the wrong one. It weighs the old "
        "task, a.": (lambda a, h_a, b, h_b, lam: _best(h_a, a, lam * h_b, b),),
        "λ makes too little difference: it is missing, above or below the fraction line or in both "
        "places. The weight of a is λ h_a.": (
            lambda a, h_a, b, h_b, lam: _best(h_a, a, h_b, b),
            lambda a, h_a, b, h_b, lam: (h_b * b + lam * h_a * a) / (h_b + h_a),
            lambda a, h_a, b, h_b, lam: (h_b * b + h_a * a) / (h_b + lam * h_a),
        ),
        "Not divided yet: this may lie far outside of a and b. Divide by the sum of the two "
        "weights.": (lambda a, h_a, b, h_b, lam: h_b * b + lam * h_a * a,),
        "A pair of brackets is missing: `/` comes before `+`. Divide the whole sum by the sum of "
        "the weights, and put both in brackets.": (
            lambda a, h_a, b, h_b, lam: h_b * b + lam * h_a * a / (h_b + lam * h_a),
            lambda a, h_a, b, h_b, lam: (h_b * b + lam * h_a * a) / h_b + lam * h_a,
            lambda a, h_a, b, h_b, lam: h_b * b + lam * h_a * a / h_b + lam * h_a,
        ),
        "That is half-way between a and b, whatever the curvatures and λ. The steeper bowl should "
        "have more of a say.": (lambda a, h_a, b, h_b, lam: (a + b) / 2,),
        "The curvatures are forgotten: a flat bowl pulls as hard as a steep one. The weights are "
        "h_b and λ h_a.": (lambda a, h_a, b, h_b, lam: _best(lam, a, 1, b),),
        "Each task has the other's curvature: h_a goes with a, h_b with b.": (
            lambda a, h_a, b, h_b, lam: _best(lam * h_b, a, h_a, b),
        ),
        "The sign of a is wrong: the derivative of (θ − a)² is 2 (θ − a), so λ h_a a comes to the "
        "other side with a plus.": (
            lambda a, h_a, b, h_b, lam: (h_b * b - lam * h_a * a) / (h_b + lam * h_a),
        ),
    },
    moral="A mean, weighted by curvature. With many weights the same line reads θ = (H_B + λP)⁻¹ "
    "(H_B θ*_B + λP θ*_A); with a diagonal P and H_B each weight has its own mean.",
    hints=(
        "The derivative of ½ h (θ − c)² is h (θ − c). Write down the sum of both derivatives, and "
        "set it to zero.",
        "h_b (θ − b) + λ h_a (θ − a) = 0. Bring everything with θ to one side, then divide.",
    ),
    solution=_compromise,
)


def _stream() -> list[Args]:
    """Curvatures and minima of several tasks with one weight, and λ."""
    rng = np.random.default_rng(0)
    return [(rng.uniform(0.5, 4, n), rng.normal(0, 2, n), lam) for n, lam in ((4, 1), (5, 0.3))]


def _follow(h: np.ndarray, best: np.ndarray, lam: float) -> list[float]:
    omega, ends = h[0], [best[0]]
    for h_new, best_new in zip(h[1:], best[1:], strict=True):
        ends.append((h_new * best_new + lam * omega * ends[-1]) / (h_new + lam * omega))
        omega = omega + h_new
    return ends


def _walk(
    omega_of: Callable[[NDArray, int], float],
    anchor_of: Callable[[list[float], NDArray], float] = lambda ends, best: ends[-1],
    lam_new: bool = False,
    no_lam: bool = False,
) -> Answer:
    """Where training ends if Ω is `omega_of` (h, t), t = 1, 2, …, and θ* `anchor_of` (ends, best).

    `lam_new`: λ is on the new task. `no_lam`: it is forgotten.
    """

    def ends_of(h: NDArray, best: NDArray, lam: float) -> list[float]:
        ends = [best[0]]
        lam = 1.0 if no_lam else lam
        for t in range(1, len(h)):
            old, new = omega_of(h, t), h[t]
            old, new = (old, lam * new) if lam_new else (lam * old, new)
            ends.append(_best(old, anchor_of(ends, best), new, best[t]))
        return ends

    return ends_of


def _all(h: NDArray, t: int) -> float:
    return h[:t].sum()


def _compounded(h: NDArray, best: NDArray, lam: float) -> list[float]:
    omega, ends = lam * h[0], [best[0]]
    for h_new, best_new in zip(h[1:], best[1:], strict=True):
        ends.append(_best(omega, ends[-1], h_new, best_new))
        omega = lam * (omega + h_new)
    return ends


follow = Exercise(
    "follow(h, best, lam)",
    "where training ends after each task: T numbers, of which the first is best[0].",
    _stream,
    right=_walk(_all),
    mistakes={
        "Only the newest task is remembered: Ω must be the sum of the curvatures of *all* tasks "
        "learned so far.": (_walk(lambda h, t: h[t - 1]),),
        "Only the first task is remembered. Add the curvature of each task to Ω when it has been "
        "learned.": (_walk(lambda h, t: h[0]),),
        "Ω holds the new task's own curvature before it is learned. Add it after the step.": (
            _walk(lambda h, t: h[: t + 1].sum()),
        ),
        "The anchor θ* is the minimum of the task before. It must be where training *ended*: there "
        "the weights serve all tasks so far, not that one alone.": (
            _walk(_all, lambda ends, best: best[len(ends) - 1]),
            _walk(lambda h, t: h[t - 1], lambda ends, best: best[len(ends) - 1]),
        ),
        "The anchor stays at the first task for ever. Move it to where training ended, after each "
        "task.": (
            _walk(_all, lambda ends, best: best[0]),
            _walk(lambda h, t: h[0], lambda ends, best: best[0]),
        ),
        "λ makes no difference: the weight of the past is λ Ω.": (_walk(_all, no_lam=True),),
        "λ is on the new task. It weighs the past.": (_walk(_all, lam_new=True),),
        "Old tasks are multiplied by λ again and again, once for each later task. Keep Ω as a "
        "plain sum, and multiply by λ where you use it.": (_compounded,),
        "You took the mean of the curvatures. Ω is their sum: the losses of the old tasks add "
        "up.": (_walk(lambda h, t: h[:t].mean()),),
        "These are the minima of the tasks: nothing holds the weight back, as in the baseline.": (
            lambda h, best, lam: best,
        ),
    },
    moral="With λ = 1 the last number is the minimum of the sum of all losses, that of joint "
    "training. For bowls, two numbers for each weight (Ω and θ*) replace all old data.",
    hints=(
        "Each task is the exercise before: a is where training ended, h_a is Ω, and b and h_b "
        "belong to the new task.",
        "Start with `omega = h[0]` and `ends = [best[0]]`. In a loop over the other tasks append "
        "the compromise of `ends[-1]` (with `omega`) and the new minimum, then add the new "
        "curvature to `omega`.",
    ),
    solution=_follow,
)
