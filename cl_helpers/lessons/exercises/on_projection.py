"""An exercise on a gradient that must not raise the old loss: A-GEM."""

from __future__ import annotations

import torch
from torch import Tensor

from ...methods.agem import averaged
from .judge import Args, Exercise


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


agem = Exercise(
    "project(g, r)",
    "g itself if ⟨g, r⟩ ≥ 0, else g − ⟨g, r⟩ / ⟨r, r⟩ · r.",
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
    },
    moral="One condition, one formula: where g contradicts r, ⟨g̃, r⟩ = 0 afterwards, and g̃ is the "
    "nearest to g of all that have it.",
)
