"""Exercises of notebook 09b: a gradient that must not raise an old loss; dreams of dreams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ...methods.agem import averaged
from .judge import Args, Exercise, Mistake
from .reading import Reading

dreams = Reading(
    ask="the number of the task in which the poor generator was trained, counted from 1",
    right=2,
    mistakes={
        "The loss of accuracy is first seen after task 3. But while task 3 was learned, the dreams "
        "came from an older copy of the generator. From which?": 3,
        "The dreams of task 2 came from the generator as it was after task 1. With them, task 1 "
        "was kept at 98 %.": 1,
        "By then the damage was done: the accuracies on tasks 1 and 2 hardly change in the last "
        "two rows.": (4, 5),
    },
    moral="In task t the dreams come from the generator as it was after task t − 1. Later "
    "generators learn from these dreams, so what is lost once is lost for good.",
    hints=(
        "In which row do the accuracies on old tasks fall?",
        "Which copy of the generator made the dreams that were used in that task?",
    ),
    solution="The accuracies on tasks 1 and 2 fall while task 3 is learned. The dreams of that "
    "time come from the generator as it was after task 2.",
)


def _gradients() -> list[Args]:
    """Pairs of gradients: ⟨g, r⟩ < 0 in the first and the last; no length is near 1."""
    generator = torch.Generator().manual_seed(0)
    problems: list[Args] = []
    for n, along in ((6, -1.0), (4, 1.0), (5, -0.4)):
        g, r = (torch.randn(n, generator=generator, dtype=torch.float64) for _ in range(2))
        g = g - (g @ r) / (r @ r) * r
        problems.append((2 * g + along * r, (1.7 if n > 4 else 0.6) * r))
    return problems


def _taken(g: Tensor, r: Tensor, part: float | Tensor) -> Tensor:
    """g − part · r where ⟨g, r⟩ < 0, else g."""
    return g - part * r if g @ r < 0 else g


def project(g: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
    """Take away from g its part along r if g contradicts r."""
    if g @ r >= 0:
        return g
    return g - (g @ r) / (r @ r) * r


agem = Exercise(
    "project(g, r)",
    "g itself if ⟨g, r⟩ ≥ 0, else the vector nearest to g among those with ⟨g̃, r⟩ = 0.",
    _gradients,
    right=averaged,
    mistakes={
        "You project although nothing is violated: where ⟨g, r⟩ ≥ 0 the mean old loss does not "
        "object, and g must stay as it is. Ask first.": (lambda g, r: g - (g @ r) / (r @ r) * r,),
        "The question is the wrong way round: g contradicts r where ⟨g, r⟩ is *negative*.": (
            lambda g, r: g - (g @ r) / (r @ r) * r if g @ r > 0 else g,
        ),
        "The sign: what lies along r is taken away from g. Added once more, ⟨g̃, r⟩ is twice as "
        "negative as before.": (lambda g, r: _taken(g, r, -(g @ r) / (r @ r)),),
        "Divided by ‖r‖ and not by ‖r‖²: right only for an r of length 1. Is ⟨g̃, r⟩ zero?": (
            lambda g, r: _taken(g, r, (g @ r) / r.norm()),
        ),
        "Not divided by ⟨r, r⟩: a longer r would take away more than there is along it.": (
            lambda g, r: _taken(g, r, g @ r),
        ),
        "Divided by ⟨g, g⟩: it is the length of r that must not matter, so divide by ⟨r, r⟩.": (
            lambda g, r: _taken(g, r, (g @ r) / (g @ g)),
        ),
        "That is the part of g along r, the very part that hurts. Take it away from g.": (
            lambda g, r: (g @ r) / (r @ r) * r if g @ r < 0 else g,
        ),
        "You projected r, and not g: what remains must be as near to g as can be.": (
            lambda g, r: r - (g @ r) / (g @ g) * g if g @ r < 0 else g,
        ),
        "No step at all where they contradict each other: only the part along r hurts, the rest "
        "of g may stay.": (lambda g, r: g if g @ r >= 0 else 0 * g,),
        "g * r is taken element by element. The scalar product ⟨g, r⟩ is one number: g @ r.": (
            lambda g, r: _taken(g, r, (g * r) / (r @ r)),
            lambda g, r: g - (g * r) / (r @ r) * r,
        ),
        "You added r itself. How much of r must be added so that ⟨g̃, r⟩ = 0?": (
            lambda g, r: _taken(g, r, -1.0),
        ),
    },
    moral="One condition, one formula: where g contradicts r, ⟨g̃, r⟩ = 0 afterwards, and g̃ is the "
    "nearest to g of all that have it.",
    hints=(
        "If ⟨g, r⟩ ≥ 0, nothing is violated. Otherwise the nearest g̃ is on the border, ⟨g̃, r⟩ = 0.",
        "Write g̃ = g − c r and solve ⟨g̃, r⟩ = 0 for the number c.",
    ),
    solution=project,
)


def gradients() -> tuple[list[float], ...]:
    """Choose g, which contradicts g_1 a little, and a g_2 that outweighs g_1 in the mean."""
    return [1.0, 0.0], [-0.5, 1.0], [2.0, 1.0]


def _checked(answer: Callable) -> Callable[[], float]:
    """Let A-GEM correct the g that `answer` returns.

    Returns:
        A function without arguments. It returns 1 where A-GEM leaves g as it is and an old loss
        rises visibly; else it raises `Mistake`.
    """

    def run() -> float:
        g, *old = _vectors(answer())
        rows = torch.stack(old)
        objects, left = _objects(g, rows), torch.equal(averaged(g, rows.mean(0)), g)
        if left and objects.any():
            return 1.0
        if float(torch.cosine_similarity(rows[0], rows[1], dim=0)) > 0.999:
            raise Mistake(
                "g_1 and g_2 point the same way, so their mean does too: for A-GEM and GEM that is "
                "one old task. Let them differ."
            )
        if left:
            raise Mistake(
                "Neither old task objects to g: ⟨g, g_1⟩ and ⟨g, g_2⟩ are not negative, so no old "
                "loss rises."
            )
        if objects.all():
            raise Mistake(
                "Both old tasks object to g, so their mean does too, and A-GEM corrects g. One of "
                "the two has to agree."
            )
        raise Mistake(
            "One old task objects to g, but so does the mean of g_1 and g_2, and A-GEM corrects g. "
            "Let the other task agree with g more strongly. (Did you take g for the step? The step "
            "is −g.)"
        )

    return run


def _vectors(answer: Any) -> Tensor:
    """(3, 2) from three vectors of two numbers."""
    try:
        rows = [torch.as_tensor(v, dtype=torch.float64).reshape(-1) for v in answer]
    except (TypeError, ValueError, RuntimeError):
        rows = []
    if [len(row) for row in rows] != [2, 2, 2]:
        raise Mistake("Return three vectors of two numbers each: `return g, g_1, g_2`.")
    vectors = torch.stack(rows)
    if not vectors.isfinite().all() or vectors.norm(dim=1).min() < 1e-6:
        raise Mistake("One of the vectors is zero, or not finite: it has no direction.")
    return vectors


def _objects(g: Tensor, rows: Tensor) -> Tensor:
    """Which old tasks lose, more than by rounding, if the step is −g: (t,) bool."""
    return torch.cosine_similarity(g[None], rows) < -1e-6


outweighed = Exercise(
    "gradients()",
    "g, g_1 and g_2, vectors of two numbers each: A-GEM leaves g as it is, and still the step "
    "raises the loss of an old task.",
    lambda: [()],
    right=lambda: 1.0,
    made=_checked,
    mistakes={},
    moral="A-GEM asks about the mean. An old task that agrees strongly hides another that does "
    "not. GEM asks every task, and pays for it with a gradient for each.",
    hints=(
        "Find the case in the widget above: g outside of one half-plane, and A-GEM's arrow on g.",
        "Let g_1 object a little and g_2 agree strongly. Then ⟨g, g_1 + g_2⟩ ≥ 0.",
    ),
    solution=gradients,
)
