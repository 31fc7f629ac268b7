"""A gradient and those of two old tasks, in the plane, and how GEM and A-GEM correct it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from ...methods.agem import averaged
from ...methods.gem import projected
from .drawing import GOOD, INK, QUIET, A, B, bare, say

SPAN = (3.0, 2.2)  # how far g may go to each side of the origin
ROOM = 0.35  # around it, for names
FAR = 9.0  # beyond all that is seen
DOT = 0.02  # shorter arrows are dots
TINY = 1e-6
AVERAGED = "#E69F00"


class Arrow(NamedTuple):
    """An arrow from the origin to `tip`, with its name at `at`."""

    name: str
    tip: tuple[float, float]
    at: tuple[float, float]
    colour: str
    width: float
    dashed: bool = False

    @classmethod
    def to(cls, tip: Sequence[float] | NDArray, name: str, *look: Any) -> Arrow:
        """Make an arrow to `tip`, with its name just beyond."""
        x, y = map(float, tip)
        length = max(np.hypot(x, y), TINY)
        off = 1 + (0.2 + 0.06 * len(name) * abs(x) / length) / length
        return cls(name, (x, y), (off * x, off * y), *look)


class Region(NamedTuple):
    """A part of the plane, a polygon in one colour."""

    corners: list[tuple[float, float]]
    colour: str


@dataclass(frozen=True)
class Gradients:
    """The gradient of a task in training, those of two old tasks, and what the methods make of it.

    Args:
        g: (2,) gradient of the task in training.
        old: (2, 2) gradients of two old tasks on their stored examples.
        margin: GEM's γ. Default 0.
    """

    g: Sequence[float]
    old: NDArray
    margin: float = 0.0

    @property
    def r(self) -> NDArray:
        """Gradient (2,) of the mean of the old losses."""
        return self.old.mean(0)

    @cached_property
    def gem(self) -> NDArray:
        """The gradient (2,) that GEM steps along."""
        return projected(_tensor(self.g), _tensor(self.old), self.margin).numpy()

    @cached_property
    def agem(self) -> NDArray:
        """The gradient (2,) that A-GEM steps along."""
        return averaged(_tensor(self.g), _tensor(self.r)).numpy()

    @property
    def arrows(self) -> list[Arrow]:
        """All arrows; arrows that coincide share one name."""
        gem, agem, g = "g̃ GEM", "g̃ A-GEM", "g"
        if np.allclose(self.gem, self.agem, atol=TINY):
            gem, agem = "g̃ of both", ""
        if np.allclose(self.gem, self.g, atol=TINY):
            gem, g = "", f"{g} = {gem}"
        elif np.allclose(self.agem, self.g, atol=TINY):
            agem, g = "", f"{g} = {agem}"
        return [
            Arrow.to(self.old[0], "g₁", A, 2.2),
            Arrow.to(self.old[1], "g₂", B, 2.2),
            Arrow.to(self.r, "r", QUIET, 1.2, True),
            Arrow.to(self.gem, gem, GOOD, 4.5),
            Arrow.to(self.agem, agem, AVERAGED, 2.2, True),
            Arrow.to(self.g, g, INK, 2.2),
        ]

    @property
    def regions(self) -> list[Region]:
        """Parts of the plane where the first old loss does not rise, the second, and neither."""
        units = self.old / np.linalg.norm(self.old, axis=1, keepdims=True)
        corners, edges = [], []
        for unit, other in (units, units[::-1]):
            edge = FAR * np.array([-unit[1], unit[0]])
            corners.append([edge, edge + FAR * unit, FAR * unit - edge, -edge])
            edges.append(edge * np.where(edge @ other < 0, -1, 1))
        between = units.sum(0) / np.linalg.norm(units.sum(0))
        corners.append([np.zeros(2), edges[0], FAR * between, edges[1]])
        return [
            Region([(float(x), float(y)) for x, y in each], colour)
            for each, colour in zip(corners, (A, B, GOOD), strict=True)
        ]

    def draw(self, ax: Axes, names: bool = True) -> None:
        """Draw regions and arrows into `ax`, as the widget shows them."""
        for corners, colour in self.regions:
            shade, edge = to_rgba(colour, 0.13), "none" if colour == GOOD else colour
            ax.add_patch(Polygon(corners, facecolor=shade, edgecolor=edge, linestyle=":"))
        for arrow in self.arrows:
            if np.hypot(*arrow.tip) < DOT:
                ax.plot(0, 0, "o", color=arrow.colour, markersize=arrow.width + 4)
                continue
            style = {
                "arrowstyle": "-|>,head_width=0.28,head_length=0.5",
                "linestyle": (0, (4, 2)) if arrow.dashed else "-",
                "linewidth": arrow.width,
                "color": arrow.colour,
                "shrinkA": 0,
                "shrinkB": 0,
            }
            ax.annotate("", arrow.tip, (0, 0), arrowprops=style)
            if names:
                x, y, name = *arrow.at, arrow.name
                say(ax, x, y, name, arrow.colour, 11, ha="center", va="center", weight="bold")
        x, y = SPAN[0] + ROOM, SPAN[1] + ROOM
        ax.set(xlim=(-x, x), ylim=(-y, y), aspect="equal")
        bare(ax)


def _tensor(v: Sequence[float] | NDArray) -> torch.Tensor:
    return torch.as_tensor(v, dtype=torch.float64)
