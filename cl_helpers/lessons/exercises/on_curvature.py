"""The exercises of notebook 11: the bound, and the step at which gradient descent diverges."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .judge import Answer, Args, Exercise
from .reading import Reading


def _minima() -> list[Args]:
    """Two saddles and a bowl; the largest |μ| is negative in the first, positive in the others."""
    generator = torch.Generator().manual_seed(0)
    problems: list[Args] = []
    for eigenvalues in ([-6.0, -0.4, 0.3, 2.5], [-1.0, 0.2, 4.0], [0.3, 0.7, 1.6, 2.2, 3.1]):
        n = len(eigenvalues)
        q, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
        before, step = (torch.randn(n, generator=generator, dtype=torch.float64) for _ in range(2))
        h = q @ torch.tensor(eigenvalues, dtype=torch.float64).diag() @ q.T
        problems.append(((h + h.T) / 2, before, before + 1.3 * step))
    return problems


def _mu(h: Tensor, which: int = -1) -> Tensor:
    return torch.linalg.eigvalsh(h)[which]


def _d(before: Tensor, after: Tensor) -> Tensor:
    return (after - before).norm()


def _form(h: Tensor, before: Tensor, after: Tensor) -> Tensor:
    return (after - before) @ h @ (after - before)


def bound(h: torch.Tensor, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    step = after - before
    mu_max = torch.linalg.eigvalsh(h)[-1]  # they are sorted upwards
    return mu_max * (step @ step) / 2


def _bound(sharpness: Callable[[Tensor], Tensor]) -> Answer:
    """½ · sharpness · ‖δ‖², with this `sharpness` of the Hessian."""
    return lambda h, before, after: sharpness(h) * _d(before, after) ** 2 / 2


regimes = Exercise(
    "bound(h, before, after)",
    "½ μ_max ‖δ‖², with μ_max the largest eigenvalue of h and δ = after − before.",
    _minima,
    right=_bound(_mu),
    mistakes={
        "Twice too much: the ½ of Taylor's series is missing.": (
            lambda h, before, after: _mu(h) * _d(before, after) ** 2,
        ),
        "The distance is not squared: twice as far must be four times as bad.": (
            lambda h, before, after: _mu(h) * _d(before, after) / 2,
            lambda h, before, after: _mu(h) * _d(before, after),
        ),
        "That is the largest |μ|. Along a direction with a negative μ the loss falls: it cannot be "
        "what the loss rises by at most. Take the largest μ, with its sign.": (
            _bound(lambda h: _mu(h).maximum(-_mu(h, 0))),
        ),
        "That is the smallest eigenvalue, so this bounds from below: `eigvalsh` sorts upwards, and "
        "the largest is the last.": (_bound(lambda h: _mu(h, 0)),),
        "That is ½ δᵀHδ, the very thing that is to be bounded. The bound knows only how far, and "
        "not which way: μ_max and ‖δ‖.": (
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
            lambda h, before, after: _mu(h) * after.norm() ** 2 / 2,
            lambda h, before, after: _mu(h) * (after.norm() - before.norm()) ** 2 / 2,
            lambda h, before, after: _mu(h) * (after.norm() ** 2 - before.norm() ** 2) / 2,
        ),
    },
    moral="Two numbers say the worst that a step can do: how sharp, and how far.",
    hints=(
        "You need two numbers: the largest eigenvalue of h and the length of after − before.",
        "`torch.linalg.eigvalsh(h)` returns the eigenvalues of a symmetric matrix, smallest first.",
    ),
    solution=bound,
)

# μ_max and ‖δ‖ of A, B, C, D give bounds of 24, 37.5, 28.4 and 29.4.
read = Reading(
    ask="the letter of the regime with the lowest bound, in quotes",
    right="A",
    mistakes={
        "C has the smallest sharpness. The bound also has the distance, and it is squared: "
        "½ · 0.7 · 9² = 28.4.": "C",
        "D has the shortest distance. The bound also has the sharpness: ½ · 30 · 1.4² = 29.4.": "D",
        "B is in the middle of both columns, and its bound is the highest: ½ · 3 · 5² = 37.5.": "B",
    },
    moral="½ · 12 · 2² = 24: a fairly sharp minimum can have the lowest bound. Neither the "
    "sharpness alone nor the distance alone says how much may be forgotten.",
    hints=(
        "The bound is ½ μ_max ‖δ‖². Compute it for each row.",
        "For B it is ½ · 3 · 5² = 37.5.",
    ),
    solution='"A": the bounds of A, B, C and D are 24, 37.5, 28.4 and 29.4.',
)


def _bowls() -> list[Args]:
    """Three bowls, none of them along the axes."""
    generator = torch.Generator().manual_seed(1)
    bowls: list[Args] = []
    for eigenvalues in ([0.4, 2.0, 5.0], [0.05, 0.11], [3.0, 7.0, 11.0, 20.0]):
        n = len(eigenvalues)
        q, _ = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))
        h = q @ torch.tensor(eigenvalues, dtype=torch.float64).diag() @ q.T
        bowls.append(((h + h.T) / 2,))
    return bowls


def _run(limit: Callable[[Tensor], float | Tensor]) -> Answer:
    """Gradient descent on ½ xᵀHx at this rate: by what each step multiplies ‖x‖, in the end."""

    def growth(h: Tensor) -> float:
        rate, x, factor = float(limit(h.clone())), torch.ones(len(h), dtype=h.dtype), 1.0
        for _ in range(300):
            x = x - rate * (h @ x)
            factor = float(x.norm())
            if not 0 < factor < float("inf"):
                break
            x = x / factor
        return round(factor, 2)

    return growth


def limit(h: torch.Tensor) -> torch.Tensor:
    return 2 / torch.linalg.eigvalsh(h)[-1]


def _far_off(args: Args, outcome: Tensor | BaseException) -> str | None:
    if isinstance(outcome, BaseException):
        return None
    grows = float(outcome)
    if grows > 1:
        return f"At your rate each step makes x {grows:g} times as long: it diverges already."
    return (
        f"At your rate gradient descent still converges: each step makes x {grows:g} times as "
        "long. A higher rate would converge too."
    )


transfer = Exercise(
    "limit(h)",
    "the learning rate above which gradient descent on ½ xᵀHx diverges. The check runs gradient "
    "descent at that rate; ‖x‖ should then neither grow nor shrink.",
    _bowls,
    right=_run(limit),
    mistakes={
        "That is 1 / μ_max. There the steepest direction is solved in a single step. Gradient "
        "descent survives twice that rate: it overshoots, but by less than it was away.": (
            _run(lambda h: 1 / _mu(h)),
        ),
        "The *largest* eigenvalue sets the limit. You took the smallest: the steepest direction "
        "diverges long before.": (_run(lambda h: 2 / _mu(h, 0)), _run(lambda h: 1 / _mu(h, 0))),
        "That uses the trace, the sum of all eigenvalues. Each direction moves on its own: only "
        "the steepest one counts.": (
            _run(lambda h: 2 / h.trace()),
            _run(lambda h: 1 / h.trace()),
        ),
        "That uses the average eigenvalue. The steepest direction is steeper than the average, and "
        "it diverges first.": (
            _run(lambda h: 2 * len(h) / h.trace()),
            _run(lambda h: len(h) / h.trace()),
        ),
        "That is the Frobenius norm of h, which mixes all eigenvalues. Take the largest one.": (
            _run(lambda h: 2 / h.norm()),
            _run(lambda h: 1 / h.norm()),
        ),
        "That uses the largest entry of h. It is an eigenvalue only if h is diagonal.": (
            _run(lambda h: 2 / h.max()),
        ),
        "Upside down: that rate grows with the curvature. A steeper bowl needs a smaller rate.": (
            _run(lambda h: _mu(h) / 2),
            _run(_mu),
            _run(lambda h: 2 * _mu(h)),
        ),
        "The sign: a negative rate climbs.": (_run(lambda h: -2 / _mu(h)),),
        "μ_max is squared. A step is η H x, with H once: what counts is η μ_max, not η μ_max².": (
            _run(lambda h: 2 / _mu(h) ** 2),
        ),
    },
    moral="Along an eigenvector a step multiplies x by 1 − ημ, and |1 − ημ| > 1 as soon as "
    "η > 2 / μ. So gradient descent with η cannot rest where μ_max > 2 / η. Compare μ_max in the "
    "table of this lesson with 2 / 0.05 = 40 and 2 / 0.1 = 20: is this limit what made a minimum "
    "wide?",
    look=_far_off,
    hints=(
        "Let x lie along one eigenvector, H x = μ x. What does one step multiply x by?",
        "It is 1 − η μ. The first direction for which this is below −1 is the steepest one.",
    ),
    solution=limit,
    made=_run,
)
