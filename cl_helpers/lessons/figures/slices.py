"""Title figure of notebook 08: the outputs, seen from a few directions."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from ...data.datasets import load
from ...data.tasks import permuted
from ...methods import Baseline
from ...models.small import MLP
from ...report.plots import blank, described
from ...training.train import train_steps
from .drawing import INK, A, B, bare, say


def outputs_before_and_after() -> tuple[NDArray, NDArray]:
    """Compute two outputs for the zeros of task 1, before and after task 2: (N, 2) each."""
    data = load("digits")
    tasks = permuted(data.first(400, 100), 2)
    mlp = MLP((784, 64, 10), seed=0)
    x = data.normalise(data.train_images[data.train_labels == 0])
    how: dict = {"epochs": 6, "batch_size": 40, "lr": 1e-2, "device": "cpu"}  # where x is
    seen = [
        mlp(x).detach().numpy()[:, [0, 6]]
        for event in train_steps(Baseline(), tasks, mlp, **how)
        if event.kind == "task"
    ]
    return seen[0], seen[1]


def scp() -> Figure:
    """Draw two clouds of outputs, and their projections on a few directions u."""
    before, after = outputs_before_and_after()
    clouds = ((before, before.mean(0), A), (after, after.mean(0), B))
    both = np.vstack([before, after])

    figure = blank(8, 3.6)
    ax = figure.subplots()
    for cloud, mean, colour in clouds:
        ax.plot(*cloud.T, "o", color=colour, markersize=4, alpha=0.4, markeredgewidth=0)
        ax.plot(*mean, "o", color=colour, markersize=10, markeredgecolor="white", zorder=7)
    arrow = {"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0}
    shifts = []
    for i, (degrees, side) in enumerate([(0, -1), (90, 1), (-45, 1)], start=1):
        turn = np.radians(degrees)
        u = np.array([np.cos(turn), np.sin(turn)])
        up = side * np.array([-u[1], u[0]])
        off, along = (both @ up).max() + 0.8, both @ u
        t = np.linspace(along.min() - 1, along.max() + 1.5, 200)

        def place(t: NDArray, h: Any = 0.0, off: Any = off, u: Any = u, up: Any = up) -> Any:
            return np.multiply.outer(t, u) + np.multiply.outer(off + h, up)

        for cloud, mean, colour in clouds:
            curve = place(t, 12 * _density(cloud @ u, t))
            ax.add_patch(Polygon(curve, color=colour, alpha=0.3, linewidth=0))
            ax.plot(*curve.T, color=colour, linewidth=1.8)
            drop = np.array([mean, place(mean @ u)])
            ax.plot(*drop.T, color=colour, linewidth=1.2, linestyle=":")
            ax.plot(*drop[1], "o", color=colour, markersize=5, zorder=7)
        shifts.append(abs(u @ (after.mean(0) - before.mean(0))))
        ax.annotate("", place(t[-1] + 1), place(t[0]), arrowprops=arrow, annotation_clip=False)
        x, y = place(t[-1] + 1.6)
        say(ax, x, y, f"$u_{i}$", INK, size=13, ha="center", va="center")
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.02)
    bare(ax, frame=False)
    for y, text, colour in (
        (0.8, "two of the model's\nlogits, for the zeros\nof task 1", INK),
        (0.56, "before task 2", A),
        (0.45, "after task 2", B),
        (0.26, r"large dots: their means $\bar{\phi}$", INK),
    ):
        ax.text(0.0, y, text, color=colour, fontsize=11, va="center", transform=ax.transAxes)
    text = "A slice: what one\ndirection u sees.\n\nΩ: how fast a weight\nmoves the slices' means\n"
    text += r"$u \cdot \bar{\phi}$"
    ax.text(0.76, 0.5, text, color=INK, fontsize=11, va="center", transform=ax.transAxes)
    return described(
        figure,
        "Two clouds of two of the model's logits, for the zeros of task 1: before (blue) "
        "and after (vermillion) task 2 is learned. Along each of three directions u the clouds "
        "are seen as two small densities. The means φ̄ move by "
        + ", ".join(f"{v:.1f}" for v in shifts)
        + " along u₁, u₂, u₃: SCP's Ω is large for the weights that move these.",
    )


def _density(values: NDArray, at: NDArray) -> NDArray:
    """A kernel density estimate of `values` (N,) at the places `at` (M,)."""
    width = 1.06 * values.std() * len(values) ** -0.2
    z = (at[:, None] - values) / width
    return np.exp(-0.5 * z**2).mean(1) / (width * np.sqrt(2 * np.pi))
