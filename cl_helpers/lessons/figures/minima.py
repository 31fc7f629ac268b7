"""Title figure of notebook 11: wide minima forget less (after Figure 2 of arXiv:2006.06958)."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...report.plots import blank, described
from .drawing import INK, A, B, bare, say

SHARP, WIDE = 1.0, 0.2  # μ
STEP, LEARNED = 2.2, 0.5  # δ of the left panel; the loss at which task 2 counts as learned
OPTIMUM = 4.0  # of task 2, in the right panel


def reach(curvature: float) -> float:
    """Compute the distance from θ₁* = 0 to where a task 2 of this `curvature` is learned."""
    return OPTIMUM - (2 * LEARNED / curvature) ** 0.5


def regimes() -> Figure:
    """Draw the same δ in a sharp and in a wide minimum, and what makes δ short."""
    figure = blank(8, 3.4)
    left, right = figure.subplots(1, 2)
    _first(left)
    _second(right)
    rises = ", ".join(f"{v * STEP**2 / 2:.1f}" for v in (SHARP, WIDE))
    distances = ", ".join(f"{reach(v):.1f}" for v in (SHARP, WIDE))
    return described(
        figure,
        "Two panels of parabolas over one weight. Left: the same step δ from θ₁* raises the loss "
        f"of task 1 by {rises} in a sharp minimum and in a wide one. Right: with one task 1, a "
        f"sharp and a wide minimum of task 2. Task 2 is learned at distances of {distances} from "
        "θ₁*: δ is shorter for the wide one, so task 1 loses less.",
    )


def _first(ax: Axes) -> None:
    w = np.linspace(-2.6, 2.6, 200)
    for curvature, dash in ((SHARP, "-"), (WIDE, "--")):
        ax.plot(w, curvature * w**2 / 2, color=A, linewidth=2.2, linestyle=dash)
        rise = curvature * STEP**2 / 2
        ax.plot([STEP, STEP], [0, rise], color=INK, linewidth=1.4, zorder=3)
        ax.plot(STEP, rise, "o", color=INK, markersize=7, zorder=5)
    _step(ax, STEP)
    say(ax, 0.05, -0.3, "θ₁*", A, ha="right", va="top")
    say(ax, STEP + 0.12, 1.5, "Forg₁, sharp", INK)
    say(ax, STEP + 0.12, 0.24, "Forg₁, wide", INK)
    say(ax, -1.3, 2.2, "μ large", A, ha="left")
    say(ax, -2.6, 1.0, "μ small", A)
    _axes(ax, "the same δ: wider, and less is forgotten", (-2.75, 3.6))


def _second(ax: Axes) -> None:
    w = np.linspace(-2.2, 6.2, 300)
    ax.plot(w, 0.25 * w**2 / 2, color=A, linewidth=2.2)
    for curvature, dash in ((SHARP, "-"), (WIDE, "--")):
        ax.plot(w, curvature * (w - OPTIMUM) ** 2 / 2, color=B, linewidth=2.2, linestyle=dash)
        at = reach(curvature)
        ax.plot([at, at], [0, 0.25 * at**2 / 2], color=INK, linewidth=1.4, zorder=3)
        ax.plot(at, 0.25 * at**2 / 2, "o", color=INK, markersize=7, zorder=5)
    ax.axhline(LEARNED, color=B, linewidth=0.9, linestyle=":")
    say(ax, 0, LEARNED + 0.1, "below: task 2\nis learned", B, size=9, ha="center")
    say(ax, 2.1, 3.0, "sharp", B, ha="center")
    say(ax, -1.6, 2.35, "wide", B, ha="center")
    _step(ax, reach(WIDE))
    _step(ax, reach(SHARP), lower=0.3)
    _axes(ax, "wider for task 2: δ is shorter", (-2.4, 6.6))


def _step(ax: Axes, size: float, lower: float = 0.0) -> None:
    arrow = {"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (size, -0.3 - lower), (0, -0.3 - lower), arrowprops=arrow)
    say(ax, size + 0.12, -0.3 - lower, "δ", INK, va="center")


def _axes(ax: Axes, title: str, xlim: tuple[float, float]) -> None:
    ax.plot(0, 0, "o", color=A, markersize=8, markeredgecolor="white", zorder=6)
    ax.set(xlim=xlim, ylim=(-0.8, 3.4))
    ax.set_title(title, fontsize=11)
    bare(ax, frame=False)
