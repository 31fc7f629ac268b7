"""Title figure of notebook 13: the old weight stays, a change of low rank is added."""

from __future__ import annotations

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from ...report.plots import LOOK, blank, described
from .drawing import INK, QUIET, A, bare, say

SHAPE, RANK = (32, 24), 2
CHANGE = LOOK["lora"][0]


def language() -> Figure:
    """Draw a weight W₀ that is frozen, and beside it the thin matrices B and A that are trained."""
    generator = torch.Generator().manual_seed(1)
    (n_out, n_in), r = SHAPE, RANK
    old = torch.randn(SHAPE, generator=generator)
    b, a = (torch.randn(s, generator=generator) for s in ((n_out, r), (r, n_in)))
    figure = blank(8, 3.3)
    ax = figure.subplots()
    ax.set(xlim=(-1, 100), ylim=(42, -7))
    ax.set_aspect("equal")
    bare(ax, frame=False)
    _matrix(ax, old, 0, 0, A)
    _matrix(ax, b, 34, 0, CHANGE)
    _matrix(ax, a, 40, 0, CHANGE)
    _matrix(ax, old + 0.6 * b @ a, 74, 0, INK)
    for x, y, sign in ((29, 16, "+"), (69, 16, "=")):
        say(ax, x, y, sign, INK, size=20, ha="center", va="center")
    for x, text, colour in ((12, "W₀", A), (35, "B", CHANGE), (52, "A", CHANGE)):
        say(ax, x, -3, text, colour, size=12, ha="center", va="center")
    say(ax, 86, -3, "W", INK, size=12, ha="center", va="center")
    n_old, n_new = n_out * n_in, r * (n_out + n_in)
    say(ax, 12, 37, f"{n_old} weights, frozen", QUIET, ha="center", va="center")
    say(ax, 49, 37, f"{n_new} weights, trained", QUIET, ha="center", va="center")
    return described(
        figure,
        f"A weight matrix W₀ of {n_out} × {n_in} = {n_old} numbers, frozen, plus the product of a "
        f"thin matrix B and a flat matrix A of {n_new} numbers in all, which are trained, is W.",
    )


def _matrix(ax: Axes, values: Tensor, x: float, y: float, colour: str) -> None:
    """Draw `values` (rows, columns) as tiles whose upper left corner is at (x, y)."""
    rows, columns = values.shape
    where = (x, x + columns, y + rows, y)
    ax.imshow(values.numpy(), cmap="gray", extent=where, vmin=-3, vmax=3, interpolation="nearest")
    frame = Rectangle((x, y), columns, rows, fill=False, edgecolor=colour, linewidth=2.2)
    ax.add_patch(frame)
