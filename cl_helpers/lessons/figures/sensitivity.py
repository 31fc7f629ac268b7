"""Title figure of notebook 05: how much a weight moves the learned function."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

from ...report.plots import blank, described
from .drawing import FAINT, GOOD, INK, QUIET, B, bare, say

X_MAS = np.linspace(-3, 3, 241)


def function_of(theta: torch.Tensor) -> torch.Tensor:
    """Compute f(x; θ) (N,) on `X_MAS`, an MLP 1-5-1 with tanh and weights `theta` (16,)."""
    w, b, v = theta[:15].view(3, 5)
    return torch.tanh(torch.from_numpy(X_MAS)[:, None] * w + b) @ v + theta[15]


def fitted() -> torch.Tensor:
    """Compute weights (16,): hidden units spread over x, the output fitted by least squares."""
    x = torch.from_numpy(X_MAS)
    w = torch.tensor([1.6, 2.2, 1.8, 2.4, 1.5], dtype=torch.float64)
    b = -w * torch.tensor([-2.4, -1.1, 0.1, 1.2, 2.3], dtype=torch.float64)
    hidden = torch.cat([torch.tanh(x[:, None] * w + b), torch.ones(len(x), 1).double()], 1)
    target = torch.sin(1.6 * x) + 0.35 * x
    out = torch.linalg.lstsq(hidden, target).solution
    return torch.cat([w, b, out])


def mas_importance(theta: torch.Tensor) -> torch.Tensor:
    """Compute MAS's Ω (16,) at `theta` (16,), the mean over x of |∂ f(x)² / ∂θ_i|."""
    slope = torch.func.jacrev(lambda t: function_of(t).square())(theta)
    return slope.abs().mean(0)


def mas() -> Figure:
    """Draw the same small change of two weights: one moves the function much, one hardly."""
    theta, delta = fitted(), 0.5
    omega = mas_importance(theta).numpy()
    # Not the last weight, the output's bias: it obviously shifts all of f.
    chosen = {int(omega[:-1].argmax()): ("large", B), int(omega[:5].argmin()): ("small", GOOD)}
    before = function_of(theta).numpy()

    figure = blank(8, 3)
    bars, *panels = figure.subplots(1, 3, width_ratios=[0.8, 1.6, 1.6])
    rank = omega.argsort()
    colours = [chosen[i][1] if i in chosen else FAINT for i in rank]
    bars.barh(range(len(rank)), omega[rank], color=colours, height=0.75)
    bars.set_xlabel("Ω of every weight", color=QUIET)
    bare(bars, frame=False)
    moves = []
    for ax, (i, (size, colour)) in zip(panels, chosen.items(), strict=True):
        moved = theta.clone()
        moved[i] += delta
        after = function_of(moved).numpy()
        moves.append(np.abs(after - before).mean())
        ax.fill_between(X_MAS, before, after, color=colour, alpha=0.3, linewidth=0)
        ax.plot(X_MAS, before, color=INK, linewidth=1.5, linestyle="--")
        ax.plot(X_MAS, after, color=colour, linewidth=2.5)
        ax.set_title(f"δ on a weight of {size} Ω", color=colour, fontsize=11)
        ax.set_xlabel("x", color=QUIET)
        bare(ax)
    panels[0].sharey(panels[1])
    panels[0].set_ylabel("f(x; θ)", color=QUIET)
    say(panels[0], 0.85, 0.35, "before", INK)
    say(panels[0], -0.1, 1.1, "after", B, ha="right")
    say(panels[0], 2.9, -1.25, "f changes much", B, size=11, ha="right")
    say(panels[1], 2.9, -1.25, "f hardly changes", GOOD, size=11, ha="right")
    large, small = (omega[i] for i in chosen)
    return described(
        figure,
        "The function f(x; θ) of a small network before (dashed) and after one weight moves, by "
        f"the same δ = {delta} each time. A weight of Ω = {large:.2f} shifts f by "
        f"{moves[0]:.3f} on average, one of Ω = {small:.2f} by {moves[1]:.3f}. Beside it Ω of all "
        f"{len(omega)} weights, the two marked.",
    )
