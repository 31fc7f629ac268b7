"""Title figure of notebook 14: means of classes join one after the other, and none moves."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch.nn import functional as F

from ...data.datasets import load
from ...report.plots import blank, described
from .drawing import FAINT, GOOD, INK, QUIET, A, B, bare, say

CLASSES = (0, 1, 6, 7, 4, 3)  # two for each task
COLOURS = (A, A, B, B, GOOD, GOOD)


def points() -> tuple[NDArray, NDArray, NDArray]:
    """Compute embedded digits as points (N, 2), the position in CLASSES of each, and its mean.

    The plane is the one in which the six means differ most.
    """
    data = load("digits").only(CLASSES)
    phi = F.normalize(data.normalise(data.train_images).flatten(1), dim=1)
    y = data.train_labels
    means = torch.stack([phi[y == c].mean(0) for c in range(len(CLASSES))])
    plane = torch.linalg.svd(means - means.mean(0), full_matrices=False).Vh[:2].T
    at = (phi - means.mean(0)) @ plane
    centres = (means - means.mean(0)) @ plane
    return at.numpy(), y.numpy(), centres.numpy()


def pretrained() -> Figure:
    """Draw the examples of three tasks of two classes as points, and the means stored so far."""
    at, y, centres = points()
    figure = blank(8, 3)
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    for t, ax in enumerate(axes):
        for c in range(2 * t + 2):
            new = c >= 2 * t
            own = at[y == c][:60]
            ax.plot(*own.T, "o", color=COLOURS[c] if new else FAINT, markersize=3, alpha=0.6)
            ax.plot(*centres[c], "X", color=COLOURS[c], markersize=11, markeredgecolor="white")
            x, height = centres[c] + np.array([0.05, 0.05])
            say(ax, x, height, str(CLASSES[c]), COLOURS[c], size=13, weight="bold")
        ax.set_title(f"after task {t + 1}", color=INK, fontsize=11)
        bare(ax)
    axes[0].set_xlabel("two classes, two means", color=QUIET)
    axes[1].set_xlabel("two more; the first stay", color=QUIET)
    axes[2].set_xlabel("no mean has moved", color=QUIET)
    names = ", ".join(map(str, CLASSES))
    return described(
        figure,
        f"Images of the digits {names} as points in a plane, in three panels: two digits after "
        "each of three tasks. The mean of each digit is a cross. From panel to panel two crosses "
        "join, and those of before stay where they are.",
    )
