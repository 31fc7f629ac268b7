"""What the title figures share: colours, paths, texts."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from ...report.plots import LOOK

A, B, GOOD = (LOOK[name][0] for name in ("ewc", "mas", "si"))
INK, QUIET, FAINT = "#222222", "#666666", "#d5d5d5"


def walk(ax: Axes, path: NDArray, colour: str, dots: bool = False) -> None:
    """Draw `path` (N, 2) in `colour` into `ax`, a dot at its end; with `dots`, at each step."""
    ax.plot(*path.T, color="white", linewidth=4.5, solid_capstyle="round", zorder=3)
    ax.plot(*path.T, color=colour, linewidth=2.2, solid_capstyle="round", zorder=4)
    if dots:
        ax.plot(*path[1:].T, "o", color=colour, markersize=3.5, zorder=4)
    ax.plot(*path[-1], "o", color=colour, markersize=8, markeredgecolor="white", zorder=6)


def say(ax: Axes, x: float, y: float, text: str, colour: str, size: float = 10, **how: Any) -> None:
    """Write text with a white halo, legible on lines too.

    Args:
        ax: the axes.
        x, y: position, in data coordinates.
        text, colour: what to write.
        size: of the font, in points. Default 10.
        how: other arguments of `Axes.text`.
    """
    halo = [withStroke(linewidth=3, foreground="white")]
    ax.text(x, y, text, color=colour, fontsize=size, path_effects=halo, zorder=8, **how)


def bare(ax: Axes, frame: bool = True) -> None:
    """Remove the ticks of `ax`, which shows shapes, not numbers; its frame too unless `frame`."""
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(frame)
        side.set_color(FAINT)
