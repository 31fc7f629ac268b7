"""An exercise on a minimum and a step away from it: the bound of notebook 11."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .judge import Answer, Args, Exercise


def _minima() -> list[Args]:
    """Two saddles and a bowl; the largest |λ| is negative in the first, positive in the others."""
    generator = torch.Generator().manual_seed(0)
    problems: list[Args] = []
    for eigenvalues in ([-6.0, -0.4, 0.3, 2.5], [-1.0, 0.2, 4.0], [0.3, 0.7, 1.6, 2.2, 3.1]):
        n = len(eigenvalues)
        q, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
        before, step = (torch.randn(n, generator=generator, dtype=torch.float64) for _ in range(2))
        h = q @ torch.tensor(eigenvalues, dtype=torch.float64).diag() @ q.T
        problems.append(((h + h.T) / 2, before, before + 1.3 * step))
    return problems


def _lam(h: Tensor, which: int = -1) -> Tensor:
    return torch.linalg.eigvalsh(h)[which]


def _d(before: Tensor, after: Tensor) -> Tensor:
    return (after - before).norm()


def _form(h: Tensor, before: Tensor, after: Tensor) -> Tensor:
    return (after - before) @ h @ (after - before)


def _bound(sharpness: Callable[[Tensor], Tensor]) -> Answer:
    """½ · sharpness · ‖Δw‖², with this `sharpness` of the Hessian."""
    return lambda h, before, after: sharpness(h) * _d(before, after) ** 2 / 2


regimes = Exercise(
    "bound(h, before, after)",
    "½ λ_max ‖Δw‖², with λ_max the largest eigenvalue of h and Δw = after − before.",
    _minima,
    right=_bound(_lam),
    mistakes={
        "Twice too much: the ½ of Taylor's series is missing.": (
            lambda h, before, after: _lam(h) * _d(before, after) ** 2,
        ),
        "The distance is not squared: twice as far must be four times as bad.": (
            lambda h, before, after: _lam(h) * _d(before, after) / 2,
            lambda h, before, after: _lam(h) * _d(before, after),
        ),
        "That is the largest |λ|. Along a direction with a negative λ the loss falls: it cannot be "
        "what the loss rises by at most. Take the largest λ, with its sign.": (
            _bound(lambda h: _lam(h).maximum(-_lam(h, 0))),
        ),
        "That is the smallest eigenvalue, so this bounds from below: `eigvalsh` sorts upwards, and "
        "the largest is the last.": (_bound(lambda h: _lam(h, 0)),),
        "That is ½ ΔwᵀHΔw, the very thing that is to be bounded. The bound knows only how far, and "
        "not which way: λ_max and ‖Δw‖.": (
            lambda h, before, after: _form(h, before, after) / 2,
            _form,
        ),
        "That is the trace, the sum of the eigenvalues: negative ones take away from it, and in a "
        "bowl it is far more than the largest.": (_bound(torch.trace),),
        "That is the largest entry of h. It is an eigenvalue only where h is diagonal.": (
            _bound(torch.max),
            _bound(lambda h: h.diagonal().max()),
        ),
        "Where the weights are does not matter, only how far they went: first the difference, then "
        "its length.": (
            lambda h, before, after: _lam(h) * after.norm() ** 2 / 2,
            lambda h, before, after: _lam(h) * (after.norm() - before.norm()) ** 2 / 2,
            lambda h, before, after: _lam(h) * (after.norm() ** 2 - before.norm() ** 2) / 2,
        ),
    },
    moral="Two numbers say the worst that a step can do: how sharp, and how far.",
)
