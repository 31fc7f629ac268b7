"""Two tasks as two bowls in a plane: EWC's whole argument in closed form. NumPy only.

    L_A(θ) = ½ (θ − θ*_A)ᵀ H_A (θ − θ*_A),        L_B likewise,        θ = (θ₁, θ₂)

Task A was learned first, so training starts at θ*_A and minimises L_B(θ) + λ · penalty(θ) with

    penalty(θ) = ½ (θ − θ*_A)ᵀ P (θ − θ*_A)

P is what the method remembers of task A: nothing, the identity, the diagonal of H_A, or all of H_A.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..checks import above_zero

PENALTIES = ("none", "L2", "diagonal", "exact")


@dataclass(frozen=True)
class Bowl:
    """A task with the loss L(θ) = ½ (θ − θ*)ᵀ H (θ − θ*) of two weights θ.

    Args:
        optimum: θ* (2,), the bottom of the bowl.
        curvature: c > 0, how much steeper the bowl is across than along. Default 10; 1 is round.
        degrees: the direction along which it is flat, counter-clockwise from the θ₁ axis. Default
            0, the θ₁ axis.

    Raises:
        ValueError: `curvature` is not a number above 0.
    """

    optimum: tuple[float, float]
    curvature: float = 10.0
    degrees: float = 0.0

    def __post_init__(self) -> None:
        above_zero("curvature", self.curvature)

    @property
    def hessian(self) -> NDArray:
        """Hessian H (2, 2): eigenvalues 1/√c along and √c across, so that its determinant is 1."""
        turn = np.radians(self.degrees)
        along = np.array([np.cos(turn), np.sin(turn)])
        across = np.array([-along[1], along[0]])
        root = np.sqrt(self.curvature)
        return np.outer(along, along) / root + np.outer(across, across) * root

    def loss(self, theta: NDArray) -> NDArray:
        """Compute the loss (…) at the points `theta` (…, 2)."""
        return quadratic(np.asarray(theta) - self.optimum, self.hessian)


def quadratic(theta: NDArray, curvature: NDArray) -> NDArray:
    """Compute ½ θᵀ H θ (…) at the points `theta` (…, 2), with H = `curvature` (2, 2)."""
    return 0.5 * np.einsum("...i,ij,...j->...", theta, curvature, theta)


def importance(a: Bowl, penalty: str) -> NDArray:
    """Compute P (2, 2), what the penalty remembers of task A.

    Args:
        a: task A.
        penalty: "none" (P = 0), "L2" (identity), "diagonal" (of H_A, as in EWC) or "exact" (H_A).

    Raises:
        ValueError: there is no such penalty.
    """
    if penalty not in PENALTIES:
        raise ValueError(f"penalty is {penalty!r}: choose {', '.join(PENALTIES)}")
    h = a.hessian
    known = {"none": 0 * h, "L2": np.eye(2), "diagonal": np.diag(np.diag(h)), "exact": h}
    return known[penalty]


def end(a: Bowl, b: Bowl, penalty: str, lam: float) -> NDArray:
    """Compute the minimum (2,) of L_B + λ · penalty, (H_B + λP)⁻¹ (H_B θ*_B + λP θ*_A).

    Args:
        a, b: the tasks A and B.
        penalty: as in `importance`.
        lam: λ, a finite number, 0 or larger.

    Raises:
        ValueError: there is no such penalty, or λ is negative or not finite.
    """
    if not 0 <= lam < np.inf:
        raise ValueError(f"λ is {lam}: choose 0 ≤ λ < ∞")
    p = lam * importance(a, penalty)
    h = b.hessian
    return np.linalg.solve(h + p, h @ b.optimum + p @ a.optimum)


def path(a: Bowl, b: Bowl, penalty: str, lam: float, n: int = 120) -> NDArray:
    """Compute the gradient flow from θ*_A to the end, θ(t) = end + e^{−(H_B + λP) t} (θ*_A − end).

    Args:
        a, b, penalty, lam: as in `end`.
        n: how many points of the path. Default 120.

    Returns:
        (n, 2), from θ*_A to the end itself.
    """
    stop = end(a, b, penalty, lam)
    values, vectors = np.linalg.eigh(b.hessian + lam * importance(a, penalty))
    start = vectors.T @ (np.asarray(a.optimum) - stop)
    times = np.concatenate([[0], np.geomspace(1e-2 / values[-1], 9 / values[0], n - 2), [np.inf]])
    return stop + (np.exp(-np.outer(times, values)) * start) @ vectors.T


def joint(a: Bowl, b: Bowl) -> NDArray:
    """Compute the minimum (2,) of L_A + L_B, of the tasks `a` and `b`: that of joint training."""
    return end(a, b, "exact", 1.0)
