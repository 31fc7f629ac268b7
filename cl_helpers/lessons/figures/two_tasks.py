"""Title figures of notebooks 03 and 04: two tasks and two weights."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...report.plots import Chart, blank, described
from .. import bowls
from ..bowls import Bowl
from .drawing import GOOD, INK, QUIET, A, B, bare, say, walk

# L = 1 on the edge of the region where a task works. A hardly depends on θ₁.
TASK_A = Bowl((-0.8, -0.5), curvature=36)
TASK_B = Bowl((2.1, 1.3), curvature=9, degrees=105)


def ends() -> dict[str, tuple[str, float, NDArray]]:
    """Compute penalty, λ and the end of training on B, for no penalty, L2 and EWC.

    EWC's Ω is the diagonal of H_A, which here is all of H_A. L2 has the best λ for L_A + L_B.
    """

    def total(lam: float) -> float:
        end = bowls.end(TASK_A, TASK_B, "L2", lam)
        return float(TASK_A.loss(end) + TASK_B.loss(end))

    best = float(min(np.geomspace(1e-3, 1e3, 601), key=total))
    chosen = {"no penalty": ("none", 0.0), "L2": ("L2", best), "EWC": ("diagonal", 1.0)}
    return {name: (*how, bowls.end(TASK_A, TASK_B, *how)) for name, how in chosen.items()}


def _two_bowls() -> tuple[Chart, Axes, Axes]:
    """Draw both losses as contours, and where each or both are low; with empty axes beside."""
    figure = blank(8, 3.2)
    ax, beside = figure.subplots(1, 2, width_ratios=[2.4, 1])
    x, y = np.meshgrid(np.linspace(-4.7, 4.5, 500), np.linspace(-1.9, 3.9, 400))
    theta = np.stack([x, y], -1)
    a, b = TASK_A.loss(theta), TASK_B.loss(theta)
    for loss, colour in ((a, A), (b, B)):
        ax.contour(x, y, loss, [3, 6, 10], colors=colour, linewidths=0.7, alpha=0.35)
        ax.contourf(x, y, loss, [0, 1], colors=colour, alpha=0.2)
        ax.contour(x, y, loss, [1], colors=colour, linewidths=1.6)
    ax.contourf(x, y, np.maximum(a, b), [0, 1], colors=GOOD, alpha=0.75)
    ax.plot(*TASK_A.optimum, "o", color=A, markersize=8, markeredgecolor="white", zorder=5)
    ax.set(aspect="equal", anchor="W", xlim=(-4.55, 4.3), ylim=(-1.5, 3.75))
    bare(ax, frame=False)
    arrow = {"arrowstyle": "-|>", "color": QUIET, "shrinkA": 0}
    for tip in ((0.14, 0), (0, 0.2)):
        ax.annotate("", tip, (0, 0), "axes fraction", arrowprops=arrow)
    ax.text(0.15, 0, "$θ_1$", color=QUIET, va="center", transform=ax.transAxes)
    ax.text(0, 0.22, "$θ_2$", color=QUIET, ha="center", transform=ax.transAxes)
    ax.plot(*TASK_B.optimum, "o", color=B, markersize=8, markeredgecolor="white", zorder=7)
    ax.text(-0.92, -0.52, r"$θ^*_A$", color=A, fontsize=13, ha="right", va="center")
    ax.text(-4.12, -0.52, "task A works here", color=A, va="center")
    say(ax, 2.55, 3.1, "task B\nworks here", B, va="center")
    return figure, ax, beside


def baseline() -> Figure:
    """Draw gradient descent on task B: it leaves the region where task A works."""
    steps = [np.array(TASK_A.optimum)]
    for _ in range(100):
        steps.append(steps[-1] - 0.08 * TASK_B.hessian @ (steps[-1] - TASK_B.optimum))
    path = np.array(steps)
    figure, ax, beside = _two_bowls()
    walk(ax, path, INK, dots=True)
    say(ax, 2.25, 1.4, r"$θ^*_B$", B, size=13)
    say(ax, 3.1, -0.95, "both\nwork here", GOOD, va="center")
    say(ax, 0.55, 0.55, "training on B", INK, ha="right", va="center")

    ends_as = {"A": (TASK_A, A, "forgotten"), "B": (TASK_B, B, "learned")}
    for task, (bowl, colour, fate) in ends_as.items():
        values = bowl.loss(path)
        beside.plot(values, color=colour, linewidth=2.5)
        text = f"$L_{task}$: {fate}"
        say(beside, len(path) - 1, values[-1] + 0.5, text, colour, size=11, ha="right")
    beside.set(xlim=(-4, None), ylim=(0, None))
    beside.set_xlabel("steps on task B", color=QUIET)
    beside.set_ylabel("loss", color=QUIET)
    bare(beside)
    beside.spines[["top", "right"]].set_visible(False)
    return described(
        figure,
        "Two elongated bowls over the weights θ₁ and θ₂: a blue region where task A works, a "
        "vermillion one for task B, and a small green one where both do. Gradient descent on B "
        "runs from A's minimum out of A's region to B's and misses the green one. Beside it, "
        f"L_B falls from {TASK_B.loss(path[0]):.1f} to {TASK_B.loss(path[-1]):.1f} while L_A rises "
        f"from 0 to {TASK_A.loss(path[-1]):.1f}.",
    )


def ewc() -> Figure:
    """Draw three paths from θ*_A: no penalty, the same pull on every weight, a pull by Ω."""
    figure, ax, beside = _two_bowls()
    colours = {"no penalty": B, "L2": INK, "EWC": GOOD}
    results = ends()
    for name, (penalty, lam, _) in results.items():
        walk(ax, bowls.path(TASK_A, TASK_B, penalty, lam), colours[name])
    (_, _, none), (_, _, l2), _ = results.values()
    say(ax, none[0] + 0.72, none[1], "no penalty", B, size=11, va="center")
    say(ax, l2[0] - 0.2, l2[1] + 0.12, "L2: all weights\nheld alike", INK, size=11, ha="right")
    text = "EWC: θ₂ held fast (Ω₂ large), θ₁ let go (Ω₁ small)"
    say(ax, -2.4, -1.3, text, GOOD, size=11, va="center")

    losses = {n: (float(TASK_A.loss(e)), float(TASK_B.loss(e))) for n, (*_, e) in results.items()}
    for i, (a, b) in enumerate(losses.values()):
        beside.bar(i, a, color=A, width=0.62)
        beside.bar(i, b, bottom=a, color=B, width=0.62)
        beside.text(i, a + b + 0.12, f"{a + b:.1f}", ha="center", color=INK)
    l2_a, l2_b = losses["L2"]
    for y, text in ((l2_a / 2, "$L_A$"), (l2_a + l2_b / 2, "$L_B$")):
        beside.text(1, y, text, color="white", fontsize=12, ha="center", va="center")
    beside.set_xlabel("loss when B is learned", color=QUIET)
    bare(beside, frame=False)
    beside.set_xticks(range(3), list(results))
    beside.tick_params(length=0)
    for label, colour in zip(beside.get_xticklabels(), colours.values(), strict=True):
        label.set_color(colour)
    return described(
        figure,
        "The two bowls again, with three paths from A's optimum while task B is learned. Without "
        "a penalty the path ends at B's optimum, outside A's region. With the same pull on both "
        "weights (L2, at its best λ) it stops outside both regions. With the pull weighted by Ω "
        "(EWC) it moves along θ₁, which A does not mind, and ends where both tasks work. "
        "L_A + L_B at the ends: "
        + ", ".join(f"{n} {a + b:.1f}" for n, (a, b) in losses.items())
        + ".",
    )
