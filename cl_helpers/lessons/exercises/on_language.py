"""Exercises of notebook 13: a method that nobody wants; LoRA's weight; how far to go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from .judge import Args, Exercise
from .reading import Reading

read = Reading(
    ask="the letter of the method that another one beats at both",
    right="C",
    mistakes={
        "A forgot least of all four, so no other method beats it at both.": "A",
        "Only D learned more than B, and D forgot more. So B is a compromise between A and D.": "B",
        "D forgot most, but it also learned most. If you want to learn that much Python, D "
        "is the only choice.": "D",
    },
    moral="A learned more than C and forgot less. A, B and D are a front: among them, less "
    "forgetting costs learning.",
    hints=(
        "Take two methods at a time: does one learn more *and* forget less?",
        "Compare C with A.",
    ),
    solution="A learned 1.10 > 1.05 and forgot 0.60 < 0.70. So there is no reason to choose C.",
)


def _adapters() -> list[Args]:
    """Square weights, so that no product has the wrong shape; α, r and the width all differ."""
    generator = torch.Generator().manual_seed(0)
    problems: list[Args] = []
    for n, r, alpha in ((6, 2, 3.0), (5, 4, 10.0), (7, 3, 1.0)):
        shapes = ((n, n), (r, n), (n, r))
        w, a, b = (torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)
        problems.append((w, a, b, alpha))
    return problems


def _change(factor: Callable[[Tensor, Tensor, float], float]) -> Callable[..., Tensor]:
    """W + factor · B A, the factor computed from W, A and α."""
    return lambda w, a, b, alpha: w + factor(w, a, alpha) * b @ a


def adapted(W: torch.Tensor, A: torch.Tensor, B: torch.Tensor, alpha: float) -> torch.Tensor:
    r = len(A)
    return W + alpha / r * B @ A


write = Exercise(
    "adapted(W, A, B, alpha)",
    "W + (α/r) B A, a matrix (out, in), where r is the number of rows of A.",
    _adapters,
    right=_change(lambda w, a, alpha: alpha / len(a)),
    mistakes={
        "The factor α/r is missing: with another rank the change would have another size.": (
            _change(lambda w, a, alpha: 1.0),
        ),
        "Multiplied by α, but not divided by the rank r = len(A).": (
            _change(lambda w, a, alpha: alpha),
        ),
        "Divided by the width of W. The rank r is the number of rows of A.": (
            _change(lambda w, a, alpha: alpha / len(w)),
        ),
        "The factor is α/r: you multiplied by r.": (_change(lambda w, a, alpha: alpha * len(a)),),
        "The factor is upside down: α/r, not r/α.": (_change(lambda w, a, alpha: len(a) / alpha),),
        "The lesson's rank 8 is in your code. Here r is the number of rows of A.": (
            _change(lambda w, a, alpha: alpha / 8),
        ),
        "Divided by √r. A variant of LoRA does that (rsLoRA); here the factor is α/r.": (
            _change(lambda w, a, alpha: alpha / len(a) ** 0.5),
        ),
        "The change is added to W, not subtracted.": (
            _change(lambda w, a, alpha: -alpha / len(a)),
        ),
        "That is the change alone. The layer multiplies by W₀ plus the change.": (
            lambda w, a, b, alpha: alpha / len(a) * b @ a,
        ),
        "The change is transposed: row i of the change is row i of B times A.": (
            lambda w, a, b, alpha: w + alpha / len(a) * (b @ a).T,
        ),
        "W itself is not scaled: α/r belongs to B A alone.": (
            lambda w, a, b, alpha: alpha / len(a) * (w + b @ a),
        ),
    },
    moral="After training, this matrix takes the place of W: the adapted network is as large and "
    "as fast as the old one.",
    hints=(
        "A has shape (r, in) and B (out, r). Which product has the shape of W?",
        "r is `len(A)`, and `@` is the matrix product.",
    ),
    solution=adapted,
)

STEPS = [k / 10 for k in range(11)]


def _bowls() -> list[Args]:
    """Two ends, and two losses that are bowls: no best way is 0 or ½, and the last one is 1."""
    generator = torch.Generator().manual_seed(4)
    problems: list[Args] = []
    for high, off in ((4.0, 0.3), (0.3, 0.2), (2.5, 0.0), (0.02, 0.1)):
        ends = [torch.randn(3, generator=generator, dtype=torch.float64) for _ in range(2)]
        problems.append((*ends, _bowl(ends[0], high, off), _bowl(ends[1], 1.0, off)))
    return problems


def _bowl(middle: Tensor, height: float, off: float) -> Callable[[Tensor], float]:
    return lambda theta: height * float((theta - middle).square().sum()) + off


Total = Callable[[float, float], float]


def _way(
    total: Total, weights: bool = True, best: Any = min, steps: Sequence[float] = STEPS
) -> Callable[..., float]:
    """The w of `steps` whose total of both losses is best; `weights` are averaged, or losses."""

    def chosen(before: Tensor, after: Tensor, old: Any, new: Any) -> float:
        def losses(w: float) -> float:
            if weights:
                theta = before + w * (after - before)
                return total(old(theta), new(theta))
            return sum((1 - w) * f(before) + w * f(after) for f in (old, new))

        return float(best(steps, key=losses))

    return chosen


def how_far(before, after, loss_old, loss_new):
    def loss(w):
        theta = before + w * (after - before)
        return (loss_old(theta) + loss_new(theta)) / 2

    return min([k / 10 for k in range(11)], key=loss)


transfer = Exercise(
    "how_far(before, after, loss_old, loss_new)",
    "the w among 0, 0.1, …, 1 with the smallest mean of both losses at θ₀ + w (θ₁ − θ₀).",
    _bowls,
    right=_way(lambda old, new: old + new),
    mistakes={
        "Only the new loss counts in your choice, so you go all the way: that is fine-tuning.": (
            _way(lambda old, new: new),
        ),
        "Only the old loss counts in your choice, so you do not move at all.": (
            _way(lambda old, new: old),
        ),
        "You average the *losses* of both ends. Average the *weights*, then compute the losses "
        "there: in a valley, the way between is lower than both ends.": (
            _way(lambda old, new: old + new, weights=False),
        ),
        "You chose the largest loss: `min`, not `max`.": (
            _way(lambda old, new: old + new, best=max),
        ),
        "The way is the other way round: w = 0 is the old model, w = 1 the new one.": (
            lambda *args: round(1 - _way(lambda old, new: old + new)(*args), 1),
        ),
        "You took the larger of the two losses. Asked for is their mean.": (_way(max),),
        "You took the difference of the two losses. Asked for is their mean.": (
            _way(lambda old, new: abs(old - new)),
        ),
        "Always the middle: a fixed ½ looks at no loss.": (lambda *args: 0.5,),
        "You tried other values of w. Asked for is one of 0, 0.1, …, 1, with both ends.": (
            _way(lambda old, new: old + new, steps=[k / 100 for k in range(101)]),
            _way(lambda old, new: old + new, steps=STEPS[:-1]),
            _way(lambda old, new: old + new, steps=[k / 20 for k in range(21)]),
        ),
        "That is the place of w in the list. Return w itself.": (
            lambda *args: 10 * _way(lambda old, new: old + new)(*args),
        ),
    },
    moral="Nothing was trained. But w was chosen by examples of both tasks: so some old data is "
    "needed, held out from training.",
    hints=(
        "For one w: compute θ = before + w · (after − before), then both losses at θ.",
        "`min(candidates, key=f)` gives the candidate with the smallest f.",
    ),
    solution=how_far,
    made=lambda how_far: how_far,
)
