"""Exercises on what a task is, and on what two tasks agree on."""

from __future__ import annotations

import torch
from torch import Tensor

from ...data.views import Permute
from .judge import Args, Exercise


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


permutation = Exercise(
    "permute(images, order)",
    "images of the same shape in which pixel i, counted row by row, is pixel `order[i]` of the "
    "image given.",
    _images,
    right=lambda images, order: Permute(order)(images),
    mistakes={
        "That is the inverse permutation: you sent pixel i to place `order[i]`. Place i shall get "
        "pixel `order[i]`.": (lambda images, order: Permute(order.argsort())(images),),
        "The images came back as they were: no pixel has moved.": (lambda images, order: images,),
    },
    moral="An MLP finds this task as easy as the first one; you and a CNN do not.",
    look=_look,
    unstable=_ONE_ORDER,
)


def _best(h_a: float, a: float, h_b: float, b: float) -> float:
    return (h_b * b + h_a * a) / (h_b + h_a)


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
    },
    moral="A mean, weighted by curvature: EWC does this for each weight by itself.",
)
