"""Title figures of notebooks 06 and 07: SI and RWalk on one path down a valley."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ...report.plots import LOOK, blank, described
from ..bowls import quadratic
from .drawing import FAINT, INK, QUIET, bare, say, walk

H_PATH = np.array([[0.4, 0.15], [0.15, 2.5]])
START = np.array([-3.2, 1.6])
WEIGHTS = ("#56B4E9", "#E69F00")  # θ₁, θ₂


def descent_path(lr: float = 0.0025, n_steps: int = 4000) -> tuple[NDArray, NDArray]:
    """Run gradient descent on L = ½ θᵀ H θ, with learning rate `lr`, for `n_steps`.

    Returns:
        θ and the gradients there, (n_steps + 1, 2) each.
    """
    path = [START]
    for _ in range(n_steps):
        path.append(path[-1] - lr * H_PATH @ path[-1])
    theta = np.array(path)
    return theta, theta @ H_PATH


def credits_of(theta: NDArray, g: NDArray) -> NDArray:
    """Compute ω_i = −Σ g_i Δθ_i (2,), as SI sums it up step by step.

    `theta` and `g` are those of `descent_path`.
    """
    return -(g[:-1] * np.diff(theta, axis=0)).sum(0)


def scores_of(
    theta: NDArray, g: NDArray, interval: int = 200, alpha: float = 0.995, epsilon: float = 0.01
) -> tuple[NDArray, NDArray]:
    """Compute RWalk's moving F (n_steps, 2), and each stretch's score (n_steps / interval, 2).

    `theta` and `g` are those of `descent_path`; `interval`, `alpha` and `epsilon` as in `cl.RWalk`.
    """
    fisher, fall, fishers, scores = np.zeros(2), np.zeros(2), [], []
    for k, step in enumerate(np.diff(theta, axis=0)):
        fisher = alpha * fisher + (1 - alpha) * g[k] ** 2
        fall = fall - g[k] * step
        fishers.append(fisher)
        if (k + 1) % interval == 0:
            distance = 0.5 * fisher * (theta[k + 1] - theta[k + 1 - interval]) ** 2
            scores.append(np.maximum(fall / (distance + epsilon), 0))
            fall = np.zeros(2)
    return np.array(fishers), np.array(scores)


def si() -> Figure:
    """Draw the fall of the loss along the path, divided between the two weights."""
    theta, g = descent_path()
    omega = credits_of(theta, g)
    losses = quadratic(theta, H_PATH)
    fall = float(losses[0] - losses[-1])
    moved = np.abs(theta[-1] - theta[0])

    figure = blank(8, 3.1)
    ax, bars = figure.subplots(1, 2, width_ratios=[2.1, 1])
    _valley(ax)
    # The path as stairs: a tread for θ₁ and a riser for θ₂, on equal lengths of the path.
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(theta, axis=0), axis=1))])
    corners = theta[[*np.searchsorted(length, np.linspace(0, length[-1], 8)[:-1]), -1]]
    for (x, y), (to_x, to_y) in pairwise(corners):
        ax.plot([x, x], [y, to_y], color=WEIGHTS[1], linewidth=4, solid_capstyle="round")
        ax.plot([x, to_x], [to_y, to_y], color=WEIGHTS[0], linewidth=4, solid_capstyle="round")
    walk(ax, theta, INK)
    ax.plot(*START, "o", color=INK, markersize=8, markeredgecolor="white", zorder=6)
    say(ax, -3.3, 0.75, f"$θ_2$ moved\n{moved[1]:.1f}", INK, ha="right", va="center")
    say(ax, -1.4, -0.35, f"$θ_1$ moved {moved[0]:.1f}", INK, ha="center", va="center")
    say(ax, START[0] + 0.15, START[1] + 0.08, "start", INK, size=11)
    say(ax, 0.12, 0.12, "end", INK, size=11)

    bars.bar(0, fall, color=FAINT, width=0.7)
    centred = {"ha": "center", "va": "center", "color": INK}
    bars.text(0, fall / 2, f"$L$ fell\nby {fall:.1f}", centred, fontsize=11)
    for i, bottom in enumerate((0, omega[0])):
        bars.bar(1, omega[i], bottom=bottom, color=WEIGHTS[i], width=0.7)
        bars.text(1, bottom + omega[i] / 2, f"$ω_{i + 1}$ = {omega[i]:.1f}", centred, fontsize=11)
    bars.text(0.5, fall / 2, "=", centred, fontsize=16)
    bars.set_xlim(-0.4, 1.4)
    bars.set_xlabel(r"credit:  $ω_i = -\sum\, g_i\, Δθ_i$", color=INK, fontsize=11)
    bare(bars, frame=False)
    return described(
        figure,
        "Left, a curved path of gradient descent down a valley over θ₁ and θ₂, cut into stairs: "
        f"what θ₁ moved ({moved[0]:.1f} in all) and what θ₂ moved ({moved[1]:.1f}). Right, the "
        f"fall of the loss, {fall:.2f}, beside the credits −Σ g Δθ of the two weights, "
        f"{omega[0]:.2f} and {omega[1]:.2f}, which add up to it.",
    )


def rwalk() -> Figure:
    """Draw the same path in stretches, each with its score, beside the moving Fisher."""
    theta, g = descent_path()
    interval = 200
    fisher, score = (v[:, 0] for v in scores_of(theta, g, interval))
    where, how = LOOK["ewc"][0], LOOK["si"][0]
    shades = LinearSegmentedColormap.from_list("score", ["#d9e8e2", how, "#004d38"])
    colours, gap = shades((score / score.max()) ** 1.5), interval // 8

    figure = blank(8, 3.2)
    panels = figure.subplot_mosaic("LLF;LLS", width_ratios=[1, 1.1, 1.15])
    ax, above, below = (panels[k] for k in "LFS")
    _valley(ax)
    for k, colour in enumerate(colours):
        stretch = theta[k * interval + gap : (k + 1) * interval + 1]
        ax.plot(*stretch.T, color=colour, linewidth=6, solid_capstyle="butt", zorder=4)
    ax.plot(*theta[-1], "o", color=where, markersize=9, markeredgecolor="white", zorder=6)
    say(ax, 0, 0.15, "where we are: F", where, size=11, ha="center")
    say(ax, -2.4, 0.75, "how we came: s", how, size=11)
    text = "a stretch scores  $ΔL \\,/\\, (½\\, F\\, Δθ^2 + ε)$"
    say(ax, -4.1, -0.5, text, how, size=10, va="center")
    text = "Ω = F + s,\neach scaled to [0, 1]"
    say(ax, 1.2, 1.95, text, INK, size=11, ha="right", va="top")

    above.fill_between(range(len(fisher)), fisher, color=where, alpha=0.35, linewidth=0)
    above.plot(fisher, color=where, linewidth=2)
    above.set_title("F of θ₁, moving: EWC's part", color=where, fontsize=10, loc="left")
    at = np.arange(len(score)) * interval + interval / 2
    below.bar(at, score, width=0.86 * interval, color=colours)
    below.set_title("+  s of θ₁, a score a stretch: SI's part", color=how, fontsize=10, loc="left")
    below.set_xlabel("steps", color=QUIET)
    for each in (above, below):
        each.set(xlim=(0, len(fisher)), ylim=(0, None))
        bare(each)
        each.spines[["top", "right"]].set_visible(False)
    return described(
        figure,
        "Left, the path down the valley cut into "
        f"{len(score)} stretches, darker where the score of θ₁, relu(ΔL / (½ F Δθ² + ε)), is high. "
        f"Right, above, the moving Fisher F of θ₁, {fisher.max():.2f} at its highest and "
        f"{fisher[-1]:.3f} at the end; below, the score of each stretch, highest in stretch "
        f"{score.argmax() + 1}. RWalk adds the two: F says where we are, s how we came.",
    )


def _valley(ax: Axes) -> None:
    """Draw the loss over θ₁ and θ₂ that both title figures descend."""
    x, y = np.meshgrid(np.linspace(-4.3, 1.3, 300), np.linspace(-0.7, 2.1, 200))
    loss = quadratic(np.stack([x, y], -1), H_PATH)
    levels = np.square(np.arange(0, 3.6, 0.3))
    greys = LinearSegmentedColormap.from_list("loss", ["#ffffff", "#e4e4e4"])
    ax.contourf(x, y, loss, levels, cmap=greys, extend="max")
    ax.contour(x, y, loss, levels, colors="#c8c8c8", linewidths=0.8)
    ax.set_xlabel("$θ_1$", color=QUIET, fontsize=12)
    ax.set_ylabel("$θ_2$", color=QUIET, fontsize=12, rotation=0, labelpad=10)
    bare(ax, frame=False)
