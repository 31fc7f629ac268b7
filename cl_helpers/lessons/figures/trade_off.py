"""Title figure of notebook 08b: λ chooses a point on a curve, Ω chooses the curve."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...report.plots import blank, described, frame
from .. import bowls
from ..bowls import Bowl
from .drawing import GOOD, INK, QUIET, A, B, say

OLD = Bowl((-0.8, -0.5), curvature=36, degrees=-12)
NEW = Bowl((2.1, 1.3), curvature=9, degrees=105)
LAM = np.concatenate([[0.0], np.geomspace(1e-4, 1e4, 400)])
PENALTIES = {
    "L2": ("one Ω for all weights", B, "-."),
    "diagonal": ("Ω of each weight", A, "--"),
    "exact": ("all of the Hessian", GOOD, "-"),
}


def curve(penalty: str) -> NDArray:
    """Compute the losses of the new and of the old task where training ends: (λ, 2).

    Args:
        penalty: "exact", "diagonal" or "L2", as in `bowls`.
    """
    ends = np.array([bowls.end(OLD, NEW, penalty, lam) for lam in LAM])
    return np.stack([NEW.loss(ends), OLD.loss(ends)], 1)


def compared() -> Figure:
    """Draw what a penalty does not learn against what it loses, for three kinds of Ω and all λ."""
    figure = blank(8, 3.4)
    ax, beside = figure.subplots(1, 2, width_ratios=[1.7, 1])
    told = []
    for penalty, (text, colour, dash) in PENALTIES.items():
        losses = curve(penalty)
        best = losses[losses.sum(1).argmin()]
        ax.plot(*losses.T, color=colour, linestyle=dash, linewidth=2.2, label=text)
        ax.plot(*best, "o", color=colour, markersize=9, markeredgecolor="white", zorder=6)
        told.append(f"{text} {best.sum():.1f}")
    ax.set(xlim=(0, 12), ylim=(0, 12))
    ax.set_xlabel("loss of the new task: not learned")
    ax.set_ylabel("loss of the old task: lost")
    frame(ax)
    arrow = {"arrowstyle": "-|>", "color": QUIET, "connectionstyle": "arc3,rad=0.25"}
    ax.annotate("", (10.5, 5.2), (5.5, 10.5), arrowprops=arrow)
    say(ax, 8.9, 9.2, "λ grows", QUIET, size=11)
    beside.axis("off")
    handles = [ax.lines[2 * i] for i in range(len(PENALTIES))]
    beside.legend(handles=handles, loc="upper left", frameon=False, fontsize=11)
    words = "Dots: the best λ of each.\n\nλ chooses a point on a curve.\nΩ chooses the curve."
    say(beside, 0.03, 0.25, words, INK, size=11, va="center")
    return described(
        figure,
        "Two tasks that are bowls over two weights: the loss of the old task against that of the "
        "new one where training ends, one curve for each of three penalties. As λ grows, less of "
        "the old task is lost and less of the new one is learned. At the best λ the sum of both "
        f"losses is: {', '.join(told)}.",
    )
