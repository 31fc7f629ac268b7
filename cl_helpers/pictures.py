"""One picture a notebook: the idea of a method, before anything is read.

Every function computes what it draws, in a fraction of a second, and returns a figure as those of
`plots` are. Blue is the first task, vermillion the second, green what serves both.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, FancyBboxPatch, Polygon, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from . import bowls
from .bowls import Bowl
from .data import load
from .examples import Permute
from .methods import Baseline
from .models import MLP
from .plots import LOOK, blank, described
from .tasks import permuted
from .training import train, train_steps

__all__ = ["baseline", "ewc", "mas", "model", "permutation", "rwalk", "scp", "si", "start"]

A, B, GOOD = (LOOK[name][0] for name in ("ewc", "mas", "si"))
INK, QUIET, FAINT = "#222222", "#666666", "#d5d5d5"


# --- 00_start -----------------------------------------------------------------------------------


def start() -> Figure:
    """Forgetting: five permuted tasks learned one after the other, and what becomes of the first.

    A run of a small MLP on 400 embedded digits.
    """
    n_tasks, epochs = 5, 4
    tasks = permuted(load("digits").first(400, 360), n_tasks)
    model = MLP((784, 48, 10), seed=2)
    run = train(
        Baseline(), tasks, model, progress=False, epochs=epochs, batch_size=25, lr=0.015, seed=2
    )

    figure = blank(8, 3)
    ax = figure.subplots()
    x = np.arange(n_tasks * epochs + 1) / epochs
    first = np.array([run.initial[0], *(h["accuracy"][0] for h in run.history)])
    for t in range(n_tasks):
        if t % 2 == 0:
            ax.axvspan(t, t + 1, color="#f3f3f3", linewidth=0)
        ax.text(t + 0.5, 1.09, f"learning task {t + 1}", ha="center", va="center", color=QUIET)
        if t:
            now = [h["accuracy"][t] for h in run.history if h["task"] == t]
            ax.plot(
                x[t * epochs : (t + 1) * epochs + 1],
                [run.accuracy[t - 1, t], *now],
                color=B,
                linewidth=1.8,
            )
    ax.plot(x, first, color=A, linewidth=3, solid_capstyle="round")
    ax.plot(x[-1], first[-1], "o", color=A, markersize=7, clip_on=False)
    last = run.accuracy[-1, -1]
    ax.text(5.08, last, f"the newest task:\n{last:.0%}", color=B, va="center", fontsize=11)
    ax.text(5.08, first[-1], f"task 1:\n{first[-1]:.0%}", color=A, va="center", fontsize=11)
    ax.set_xlim(0, n_tasks)
    ax.set_ylim(0, 1.02)
    ax.set_xticks([])
    ax.set_yticks([0, 0.5, 1])
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set_ylabel("test accuracy")
    ax.spines[["top", "right"]].set_visible(False)
    return described(
        figure,
        f"Test accuracy while {n_tasks} permuted tasks are learned one after the other. Accuracy "
        f"on the task being learned rises each time, in the end to {last:.0%}. Accuracy "
        f"on task 1 rises to {first[epochs]:.0%} and then falls, task by task, to {first[-1]:.0%}.",
    )


# --- 01_permutation -----------------------------------------------------------------------------


def permutation() -> Figure:
    """A digit, and the same pixels in other places; the ink coloured by the row it comes from."""
    image = load("digits").train_images[64, 0]
    height, width = image.shape
    order = torch.randperm(image.numel(), generator=torch.Generator().manual_seed(0))
    permute = Permute(order)
    row = (torch.arange(image.numel()) // width).view(height, width)
    hues = LinearSegmentedColormap.from_list("rows", [A, "#8c5a96", B])

    figure = blank(8, 3.2)
    left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.5})
    moved, moved_row = (permute(v[None, None])[0, 0] for v in (image, row))
    for ax, pixels, rows, title, below in (
        (left, image, row, "task 1", "an image of 28 × 28 pixels"),
        (right, moved, moved_row, "task 2", "the same pixels, each in its new place"),
    ):
        ink = (pixels.numpy()[..., None] / 255) ** 0.7
        ax.imshow(1 - ink * (1 - hues(rows.numpy() / (height - 1))[..., :3]))
        ax.set_title(title, fontsize=12, color=INK)
        ax.set_xlabel(below, color=QUIET)
        _bare(ax)

    # One dark pixel from each of a few rows; of these, the one whose new place is furthest left.
    place = order.argsort().view(height, width)
    for r in (2, 8, 13, 19, 25):
        c = int(torch.where(image[r] > 200, place[r] % width, width).argmin())
        new_r, new_c = divmod(int(place[r, c]), width)
        hue = hues(r / (height - 1))
        for ax, x, y in ((left, c, r), (right, new_c, new_r)):
            ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fill=False, color=INK, linewidth=1.5))
        ends_at = (c + 0.6, r), (new_c - 0.7, new_r)
        arrow = ConnectionPatch(*ends_at, "data", "data", axesA=left, axesB=right)
        arrow.set_arrowstyle("-|>", head_length=0.5, head_width=0.25)
        arrow.set_connectionstyle("arc3", rad=-0.1)
        arrow.set(mutation_scale=12, color=hue, linewidth=2, annotation_clip=False)
        arrow.set_path_effects([withStroke(linewidth=4, foreground="white")])
        figure.add_artist(arrow)
    return described(
        figure,
        "Left, the image of a digit 2, its ink coloured by height. Right, the same pixels after a "
        f"permutation of all {image.numel()}: the colours are scattered and no digit is to be "
        "seen. Arrows lead from five pixels of the stroke to their new places.",
    )


# --- 02_model -----------------------------------------------------------------------------------


def model() -> Figure:
    """The fixed MLP, layer by layer: units as bars, weights between them, and where most sit."""
    mlp = MLP()
    layers = [m for m in mlp.children() if isinstance(m, torch.nn.Linear)]
    weights = [layer.weight.numel() for layer in layers]
    counts = [sum(p.numel() for p in layer.parameters()) for layer in layers]
    total = sum(counts)

    figure = blank(8, 3.3)
    ax, strip = figure.subplots(2, 1, height_ratios=[5.5, 1])
    heights = np.sqrt(mlp.sizes)
    x = np.array([0.0, 2.3, 4.6, 6.9, 9.2])
    shades = ["#56B4E9", A, "#009E73", "#E69F00"]
    half = 0.13
    digit = load("digits").train_images[64, 0].numpy()
    side = 15.0
    ax.imshow(digit, cmap="gray_r", extent=(-2.25, -2.25 + 1.35, -side / 2, side / 2))
    ax.add_patch(Rectangle((-2.25, -side / 2), 1.35, side, fill=False, edgecolor=QUIET))
    ax.annotate("", (-0.2, 0), (-0.85, 0), arrowprops={"arrowstyle": "-|>", "color": INK})
    _say(ax, -1.58, side / 2 + 2.2, "28 × 28 pixels", QUIET, size=9, ha="center")
    for (a, b), (h, k), shade, n in zip(
        pairwise(x), pairwise(heights), shades, weights, strict=True
    ):
        corners = [(a + half, -h / 2), (a + half, h / 2), (b - half, k / 2), (b - half, -k / 2)]
        ax.add_patch(Polygon(corners, facecolor=shade, alpha=0.3, linewidth=0))
        _say(ax, (a + b) / 2, 0, f"{n:,}\nweights", INK, ha="center", va="center")
    for i, (at, h, units) in enumerate(zip(x, heights, mlp.sizes, strict=True)):
        ax.add_patch(
            FancyBboxPatch(
                (at - half, -h / 2),
                2 * half,
                h,
                boxstyle="round,pad=0,rounding_size=0.1",
                color=INK,
            )
        )
        role = {0: "inputs", len(x) - 1: "outputs"}.get(i, "ReLU")
        _say(ax, at, h / 2 + 1.6, f"{units:,} {role}", INK, ha="center", weight="bold")
    ax.set_xlim(-2.4, 9.9)
    ax.set_ylim(-17, 21)
    ax.set_aspect("auto")
    ax.axis("off")

    left = 0
    for i, (n, shade) in enumerate(zip(counts, shades, strict=True), start=1):
        strip.barh(0, n, left=left, color=shade, alpha=0.55, edgecolor="white", linewidth=1.5)
        text = f"layer {i}: {n / total:.0%}" if i < 3 else f"{n / total:.0%}"
        if i < 4:
            strip.text(left + n / 2, 0, text, ha="center", va="center", color=INK)
        left += n
    strip.set_xlim(0, total)
    strip.set_title(
        f"{total:,} parameters, biases among them", fontsize=10, color=QUIET, loc="left"
    )
    strip.set_title(
        f"the last sliver: layer 4, {counts[-1] / total:.1%}", fontsize=10, color=QUIET, loc="right"
    )
    _bare(strip, frame=False)
    note = "heights as the square root\nof the number of units"
    _say(ax, x[-1] + 0.5, -16, note, QUIET, size=9, ha="right", va="bottom")
    sizes = ", ".join(f"{n:,}" for n in mlp.sizes)
    each = ", ".join(f"{n:,}" for n in weights)
    return described(
        figure,
        f"The model as blocks from left to right: an image of 28 × 28 pixels and layers of {sizes} "
        f"units. Between them {each} weights. With the biases there are {total:,} parameters, "
        f"{counts[0] / total:.0%} of them in the first layer.",
    )


# --- 03_baseline and 04_ewc: two tasks, two weights ----------------------------------------------


# L = 1 on the rim of the region where a task works. A does not mind θ₁.
TASK_A = Bowl((-0.8, -0.5), curvature=36)
TASK_B = Bowl((2.1, 1.3), curvature=9, degrees=105)


def ends() -> dict[str, tuple[str, float, NDArray]]:
    """Penalty, λ and where training on B ends, for no penalty, L2 and EWC.

    Ω of EWC is the diagonal of H_A, here all of it. L2 gets the λ that is best for L_A + L_B.
    """

    def total(lam: float) -> float:
        end = bowls.end(TASK_A, TASK_B, "L2", lam)
        return float(TASK_A.loss(end) + TASK_B.loss(end))

    best = float(min(np.geomspace(1e-3, 1e3, 601), key=total))
    chosen = {"no penalty": ("none", 0.0), "L2": ("L2", best), "EWC": ("diagonal", 1.0)}
    return {name: (*how, bowls.end(TASK_A, TASK_B, *how)) for name, how in chosen.items()}


def _two_bowls(ax: Axes) -> None:
    """Both losses as contours, the region where each is low, and where both are."""
    x, y = np.meshgrid(np.linspace(-4.7, 4.5, 500), np.linspace(-1.9, 3.9, 400))
    theta = np.stack([x, y], -1)
    a, b = TASK_A.loss(theta), TASK_B.loss(theta)
    for loss, colour in ((a, A), (b, B)):
        ax.contour(x, y, loss, [3, 6, 10], colors=colour, linewidths=0.7, alpha=0.35)
        ax.contourf(x, y, loss, [0, 1], colors=colour, alpha=0.2)
        ax.contour(x, y, loss, [1], colors=colour, linewidths=1.6)
    ax.contourf(x, y, np.maximum(a, b), [0, 1], colors=GOOD, alpha=0.75)
    ax.plot(*TASK_A.optimum, "o", color=A, markersize=8, markeredgecolor="white", zorder=5)
    ax.set_aspect("equal")
    ax.set_anchor("W")
    ax.set_xlim(-4.55, 4.3)
    ax.set_ylim(-1.5, 3.75)
    _bare(ax, frame=False)
    for tip in ((0.14, 0), (0, 0.2)):
        ax.annotate(
            "",
            tip,
            (0, 0),
            xycoords="axes fraction",
            textcoords="axes fraction",
            arrowprops={"arrowstyle": "-|>", "color": QUIET, "shrinkA": 0},
        )
    ax.text(0.15, 0, "$θ_1$", color=QUIET, va="center", transform=ax.transAxes)
    ax.text(0, 0.22, "$θ_2$", color=QUIET, ha="center", transform=ax.transAxes)
    ax.plot(*TASK_B.optimum, "o", color=B, markersize=8, markeredgecolor="white", zorder=7)
    ax.text(-0.92, -0.52, r"$θ^*_A$", color=A, fontsize=13, ha="right", va="center")
    ax.text(-4.12, -0.52, "task A works here", color=A, va="center")
    _say(ax, 2.55, 3.1, "task B\nworks here", B, va="center")


def baseline() -> Figure:
    """Gradient descent on task B leaves the region where task A works."""
    steps = [np.array(TASK_A.optimum)]
    for _ in range(100):
        steps.append(steps[-1] - 0.08 * TASK_B.hessian @ (steps[-1] - TASK_B.optimum))
    path = np.array(steps)
    figure = blank(8, 3.2)
    ax, beside = figure.subplots(1, 2, width_ratios=[2.4, 1])
    _two_bowls(ax)
    _walk(ax, path, INK, dots=True)
    _say(ax, 2.25, 1.4, r"$θ^*_B$", B, size=13)
    _say(ax, 3.1, -0.95, "both\nwork here", GOOD, va="center")
    _say(ax, 0.55, 0.55, "training on B", INK, ha="right", va="center")

    ends_as = {"A": (TASK_A, A, "forgotten"), "B": (TASK_B, B, "learned")}
    for task, (bowl, colour, fate) in ends_as.items():
        values = bowl.loss(path)
        beside.plot(values, color=colour, linewidth=2.5)
        text = f"$L_{task}$: {fate}"
        _say(beside, len(path) - 1, values[-1] + 0.5, text, colour, size=11, ha="right")
    beside.set_ylim(0, None)
    beside.set_xlim(-4, None)
    beside.set_xlabel("steps on task B", color=QUIET)
    beside.set_ylabel("loss", color=QUIET)
    _bare(beside)
    beside.spines[["top", "right"]].set_visible(False)
    return described(
        figure,
        "Two elongated bowls over the weights θ₁ and θ₂: a blue region where task A works, a "
        "vermillion one for task B, and a small green one where both do. Gradient descent on B "
        "runs from θ*_A straight out of A's region to θ*_B and misses the green one. Beside it, "
        f"L_B falls from {TASK_B.loss(path[0]):.1f} to {TASK_B.loss(path[-1]):.1f} while L_A rises "
        f"from 0 to {TASK_A.loss(path[-1]):.1f}.",
    )


def ewc() -> Figure:
    """Three ways from θ*_A: no penalty, the same pull on every weight, and a pull by Ω."""
    figure = blank(8, 3.2)
    ax, beside = figure.subplots(1, 2, width_ratios=[2.4, 1])
    _two_bowls(ax)
    colours = {"no penalty": B, "L2": INK, "EWC": GOOD}
    results = ends()
    for name, (penalty, lam, _) in results.items():
        _walk(ax, bowls.path(TASK_A, TASK_B, penalty, lam), colours[name])
    (_, _, none), (_, _, l2), _ = results.values()
    _say(ax, none[0] + 0.72, none[1], "no penalty", B, size=11, va="center")
    _say(ax, l2[0] - 0.2, l2[1] + 0.12, "L2: all weights\nheld alike", INK, size=11, ha="right")
    text = "EWC: θ₂ held fast (Ω₂ large), θ₁ let go (Ω₁ small)"
    _say(ax, -2.4, -1.3, text, GOOD, size=11, va="center")

    for i, (_, _, end) in enumerate(results.values()):
        a, b = float(TASK_A.loss(end)), float(TASK_B.loss(end))
        beside.bar(i, a, color=A, width=0.62)
        beside.bar(i, b, bottom=a, color=B, width=0.62)
        beside.text(i, a + b + 0.12, f"{a + b:.1f}", ha="center", color=INK)
    l2_a, l2_b = float(TASK_A.loss(l2)), float(TASK_B.loss(l2))
    for y, text in ((l2_a / 2, "$L_A$"), (l2_a + l2_b / 2, "$L_B$")):
        beside.text(1, y, text, color="white", fontsize=12, ha="center", va="center")
    beside.set_xlabel("loss when B is learned", color=QUIET)
    _bare(beside, frame=False)
    beside.set_xticks(range(3), list(results))
    beside.tick_params(length=0)
    for label, colour in zip(beside.get_xticklabels(), colours.values(), strict=True):
        label.set_color(colour)
    totals = {n: float(TASK_A.loss(e) + TASK_B.loss(e)) for n, (_, _, e) in results.items()}
    return described(
        figure,
        "The two bowls again, with three paths from θ*_A while task B is learned. Without penalty "
        "the path ends at θ*_B, outside A's region. With the same pull on both weights (L2, at its "
        "best λ) it stops outside both regions. With the pull weighted by Ω (EWC) it moves along "
        "θ₁, which A does not mind, and ends where both tasks work. L_A + L_B at the ends: "
        + ", ".join(f"{n} {v:.1f}" for n, v in totals.items())
        + ".",
    )


# --- 05_mas -------------------------------------------------------------------------------------


X_MAS = np.linspace(-3, 3, 241)


def function_of(theta: torch.Tensor) -> torch.Tensor:
    """f(x; θ) (N,) on `X_MAS` of an MLP 1-5-1 with tanh, θ (16,)."""
    w, b, v = theta[:15].view(3, 5)
    return torch.tanh(torch.from_numpy(X_MAS)[:, None] * w + b) @ v + theta[15]


def fitted() -> torch.Tensor:
    """(16,) weights: the hidden units spread over x, the output fitted by least squares."""
    x = torch.from_numpy(X_MAS)
    w = torch.tensor([1.6, 2.2, 1.8, 2.4, 1.5], dtype=torch.float64)
    b = -w * torch.tensor([-2.4, -1.1, 0.1, 1.2, 2.3], dtype=torch.float64)
    hidden = torch.cat([torch.tanh(x[:, None] * w + b), torch.ones(len(x), 1).double()], 1)
    target = torch.sin(1.6 * x) + 0.35 * x
    out = torch.linalg.lstsq(hidden, target).solution
    return torch.cat([w, b, out])


def mas_importance(theta: torch.Tensor) -> torch.Tensor:
    """(16,) Ω_i: mean over x of |∂ f(x)² / ∂θ_i|."""
    slope = torch.func.jacrev(lambda t: function_of(t).square())(theta)
    return slope.abs().mean(0)


def mas() -> Figure:
    """The same small move of two weights: one moves the function much, one hardly."""
    theta, delta = fitted(), 0.5
    omega = mas_importance(theta).numpy()
    # The last is the output's bias: it would shift all of f, which is no surprise.
    chosen = {int(omega[:-1].argmax()): ("large", B), int(omega[:5].argmin()): ("small", GOOD)}
    before = function_of(theta).numpy()

    figure = blank(8, 3)
    bars, *panels = figure.subplots(1, 3, width_ratios=[0.8, 1.6, 1.6])
    rank = omega.argsort()
    colours = [chosen[i][1] if i in chosen else FAINT for i in rank]
    bars.barh(range(len(rank)), omega[rank], color=colours, height=0.75)
    bars.set_xlabel("Ω of every weight", color=QUIET)
    _bare(bars, frame=False)
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
        _bare(ax)
    panels[0].sharey(panels[1])
    panels[0].set_ylabel("f(x; θ)", color=QUIET)
    _say(panels[0], 0.85, 0.35, "before", INK)
    _say(panels[0], -0.1, 1.1, "after", B, ha="right")
    _say(panels[0], 2.9, -1.25, "f changes much", B, size=11, ha="right")
    _say(panels[1], 2.9, -1.25, "f hardly changes", GOOD, size=11, ha="right")
    large, small = (omega[i] for i in chosen)
    return described(
        figure,
        "The function f(x; θ) of a small network before (dashed) and after one weight moves, by "
        f"the same δ = {delta} each time. A weight of Ω = {large:.2f} shifts f by "
        f"{moves[0]:.3f} on average, one of Ω = {small:.2f} by {moves[1]:.3f}. Beside it Ω of all "
        f"{len(omega)} weights, the two marked.",
    )


# --- 06_si and 07_rwalk: one path -----------------------------------------------------------------


H_PATH = np.array([[0.4, 0.15], [0.15, 2.5]])
START = np.array([-3.2, 1.6])
WEIGHTS = ("#56B4E9", "#E69F00")  # θ₁, θ₂


def descent_path(lr: float = 0.0025, n_steps: int = 4000) -> tuple[NDArray, NDArray]:
    """θ (n_steps + 1, 2) of gradient descent on L = ½ θᵀ H θ, and the gradient at each."""
    path = [START]
    for _ in range(n_steps):
        path.append(path[-1] - lr * H_PATH @ path[-1])
    theta = np.array(path)
    return theta, theta @ H_PATH


def credits_of(theta: NDArray, g: NDArray) -> NDArray:
    """(2,) ω_i = −Σ g_i Δθ_i, as SI adds it up step by step."""
    return -(g[:-1] * np.diff(theta, axis=0)).sum(0)


def scores_of(
    theta: NDArray, g: NDArray, interval: int = 200, alpha: float = 0.995, epsilon: float = 0.01
) -> tuple[NDArray, NDArray]:
    """RWalk's moving F (n_steps, 2), and the score of each stretch (n_steps / interval, 2)."""
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
    """The fall of the loss along the path, shared out among the two weights."""
    theta, g = descent_path()
    omega = credits_of(theta, g)
    losses = _quadratic(theta, H_PATH)
    fall = float(losses[0] - losses[-1])
    moved = np.abs(theta[-1] - theta[0])

    figure = blank(8, 3.1)
    ax, bars = figure.subplots(1, 2, width_ratios=[2.1, 1])
    _valley(ax)
    # The path as stairs: what θ₁ did and what θ₂ did, a tread and a riser for equal ways.
    way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(theta, axis=0), axis=1))])
    corners = theta[[*np.searchsorted(way, np.linspace(0, way[-1], 8)[:-1]), -1]]
    for (x, y), (to_x, to_y) in pairwise(corners):
        ax.plot([x, x], [y, to_y], color=WEIGHTS[1], linewidth=4, solid_capstyle="round")
        ax.plot([x, to_x], [to_y, to_y], color=WEIGHTS[0], linewidth=4, solid_capstyle="round")
    _walk(ax, theta, INK)
    ax.plot(*START, "o", color=INK, markersize=8, markeredgecolor="white", zorder=6)
    _say(ax, -3.3, 0.75, f"$θ_2$ moved\n{moved[1]:.1f}", INK, ha="right", va="center")
    _say(ax, -1.4, -0.35, f"$θ_1$ moved {moved[0]:.1f}", INK, ha="center", va="center")
    _say(ax, START[0] + 0.15, START[1] + 0.08, "start", INK, size=11)
    _say(ax, 0.12, 0.12, "end", INK, size=11)

    bars.bar(0, fall, color=FAINT, width=0.7)
    bars.text(
        0, fall / 2, f"$L$ fell\nby {fall:.1f}", ha="center", va="center", color=INK, fontsize=11
    )
    bottom = 0.0
    for i in (0, 1):
        bars.bar(1, omega[i], bottom=bottom, color=WEIGHTS[i], width=0.7)
        text = f"$ω_{i + 1}$ = {omega[i]:.1f}"
        bars.text(1, bottom + omega[i] / 2, text, ha="center", va="center", color=INK, fontsize=11)
        bottom += omega[i]
    bars.text(0.5, fall / 2, "=", ha="center", va="center", fontsize=16, color=INK)
    bars.set_xlim(-0.4, 1.4)
    bars.set_xlabel(r"credit:  $ω_i = -\sum\, g_i\, Δθ_i$", color=INK, fontsize=11)
    _bare(bars, frame=False)
    return described(
        figure,
        "Left, a curved path of gradient descent down a valley over θ₁ and θ₂, cut into stairs: "
        f"what θ₁ moved ({moved[0]:.1f} in all) and what θ₂ moved ({moved[1]:.1f}). Right, the "
        f"fall of the loss, {fall:.2f}, beside the credits −Σ g Δθ of the two weights, "
        f"{omega[0]:.2f} and {omega[1]:.2f}, which add up to it.",
    )


def rwalk() -> Figure:
    """The same path in stretches, each with its score, beside the moving Fisher."""
    theta, g = descent_path()
    interval = 200
    fisher, score = (v[:, 0] for v in scores_of(theta, g, interval))
    where, way = LOOK["ewc"][0], LOOK["si"][0]
    shades = LinearSegmentedColormap.from_list("score", ["#d9e8e2", way, "#004d38"])
    colours, gap = shades((score / score.max()) ** 1.5), interval // 8

    figure = blank(8, 3.2)
    panels = figure.subplot_mosaic("LLF;LLS", width_ratios=[1, 1.1, 1.15])
    ax, above, below = (panels[k] for k in "LFS")
    _valley(ax)
    for k, colour in enumerate(colours):
        stretch = theta[k * interval + gap : (k + 1) * interval + 1]
        ax.plot(*stretch.T, color=colour, linewidth=6, solid_capstyle="butt", zorder=4)
    ax.plot(*theta[-1], "o", color=where, markersize=9, markeredgecolor="white", zorder=6)
    _say(ax, 0, 0.15, "where we are: F", where, size=11, ha="center")
    _say(ax, -2.4, 0.75, "how we came: s", way, size=11)
    text = "a stretch scores  $ΔL \\,/\\, (½\\, F\\, Δθ^2 + ε)$"
    _say(ax, -4.1, -0.5, text, way, size=10, va="center")
    text = "Ω = F + s,\neach scaled to [0, 1]"
    _say(ax, 1.2, 1.95, text, INK, size=11, ha="right", va="top")

    above.fill_between(range(len(fisher)), fisher, color=where, alpha=0.35, linewidth=0)
    above.plot(fisher, color=where, linewidth=2)
    above.set_title("F of θ₁, moving: EWC's part", color=where, fontsize=10, loc="left")
    at = np.arange(len(score)) * interval + interval / 2
    below.bar(at, score, width=0.86 * interval, color=colours)
    below.set_title("+  s of θ₁, a score a stretch: SI's part", color=way, fontsize=10, loc="left")
    below.set_xlabel("steps", color=QUIET)
    for each in (above, below):
        each.set_xlim(0, len(fisher))
        each.set_ylim(0, None)
        _bare(each)
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
    """The loss over θ₁ and θ₂ that SI's and RWalk's pictures walk down."""
    x, y = np.meshgrid(np.linspace(-4.3, 1.3, 300), np.linspace(-0.7, 2.1, 200))
    loss = _quadratic(np.stack([x, y], -1), H_PATH)
    levels = np.square(np.arange(0, 3.6, 0.3))
    greys = LinearSegmentedColormap.from_list("loss", ["#ffffff", "#e4e4e4"])
    ax.contourf(x, y, loss, levels, cmap=greys, extend="max")
    ax.contour(x, y, loss, levels, colors="#c8c8c8", linewidths=0.8)
    ax.set_xlabel("$θ_1$", color=QUIET, fontsize=12)
    ax.set_ylabel("$θ_2$", color=QUIET, fontsize=12, rotation=0, labelpad=10)
    _bare(ax, frame=False)


# --- 08_scp -------------------------------------------------------------------------------------


def outputs_before_and_after() -> tuple[NDArray, NDArray]:
    """(N, 2) each: two outputs for the zeros of task 1, before and after task 2 is learned."""
    data = load("digits")
    tasks = permuted(data.first(400, 100), 2)
    mlp = MLP((784, 64, 10), seed=0)
    x = data.normalise(data.train_images[data.train_labels == 0])
    seen = [
        mlp(x).detach().numpy()[:, [0, 6]]
        for event in train_steps(Baseline(), tasks, mlp, epochs=6, batch_size=40, lr=1e-2)
        if event.kind == "task"
    ]
    return seen[0], seen[1]


def scp() -> Figure:
    """Two clouds of outputs, and what a few directions ξ see of them."""
    before, after = outputs_before_and_after()
    clouds = ((before, before.mean(0), A), (after, after.mean(0), B))
    both = np.vstack([before, after])

    figure = blank(8, 3.6)
    ax = figure.subplots()
    for cloud, mean, colour in clouds:
        ax.plot(*cloud.T, "o", color=colour, markersize=4, alpha=0.4, markeredgewidth=0)
        ax.plot(*mean, "o", color=colour, markersize=10, markeredgecolor="white", zorder=7)
    shifts = []
    for i, (degrees, side) in enumerate([(0, -1), (90, 1), (-45, 1)], start=1):
        turn = np.radians(degrees)
        xi = np.array([np.cos(turn), np.sin(turn)])
        up = side * np.array([-xi[1], xi[0]])
        off, along = (both @ up).max() + 0.8, both @ xi
        t = np.linspace(along.min() - 1, along.max() + 1.5, 200)

        def place(t, h=0.0, off=off, xi=xi, up=up):
            return np.multiply.outer(t, xi) + np.multiply.outer(off + h, up)

        for cloud, mean, colour in clouds:
            curve = place(t, 12 * _density(cloud @ xi, t))
            ax.add_patch(Polygon(curve, color=colour, alpha=0.3, linewidth=0))
            ax.plot(*curve.T, color=colour, linewidth=1.8)
            drop = np.array([mean, place(mean @ xi)])
            ax.plot(*drop.T, color=colour, linewidth=1.2, linestyle=":")
            ax.plot(*drop[1], "o", color=colour, markersize=5, zorder=7)
        shifts.append(abs(xi @ (after.mean(0) - before.mean(0))))
        ax.annotate(
            "",
            place(t[-1] + 1),
            place(t[0]),
            arrowprops={"arrowstyle": "-|>", "color": INK, "shrinkA": 0, "shrinkB": 0},
            annotation_clip=False,
        )
        x, y = place(t[-1] + 1.6)
        _say(ax, x, y, f"$ξ_{i}$", INK, size=13, ha="center", va="center")
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.02)
    _bare(ax, frame=False)
    for y, text, colour in (
        (0.8, "two of the model's\noutputs, for the zeros\nof task 1", INK),
        (0.56, "before task 2", A),
        (0.45, "after task 2", B),
        (0.26, r"large dots: their means $\bar{\phi}$", INK),
    ):
        ax.text(0.0, y, text, color=colour, fontsize=11, va="center", transform=ax.transAxes)
    text = "A slice: what one\ndirection ξ sees.\n\nΩ: how fast a weight\nmoves the slices' means\n"
    text += r"$ξ \cdot \bar{\phi}$"
    ax.text(0.76, 0.5, text, color=INK, fontsize=11, va="center", transform=ax.transAxes)
    return described(
        figure,
        "Two clouds of two of the model's outputs, for the zeros of task 1: before (blue) "
        "and after (vermillion) task 2 is learned. Along each of three directions ξ the clouds "
        "are seen as two small densities. The means φ̄ move by "
        + ", ".join(f"{v:.1f}" for v in shifts)
        + " along ξ₁, ξ₂, ξ₃: SCP's Ω is large for the weights that move these.",
    )


def _density(values: NDArray, at: NDArray) -> NDArray:
    """A Gaussian bump for each of `values` (N,), their mean at the places `at` (M,)."""
    width = 1.06 * values.std() * len(values) ** -0.2
    z = (at[:, None] - values) / width
    return np.exp(-0.5 * z**2).mean(1) / (width * np.sqrt(2 * np.pi))


# --- what they share ------------------------------------------------------------------------------


def _quadratic(theta: NDArray, curvature: NDArray) -> NDArray:
    return 0.5 * np.einsum("...i,ij,...j->...", theta, curvature, theta)


def _walk(ax: Axes, path: NDArray, colour: str, dots: bool = False) -> None:
    """A path, a dot at its end; `dots` for its steps too."""
    ax.plot(*path.T, color="white", linewidth=4.5, solid_capstyle="round", zorder=3)
    ax.plot(*path.T, color=colour, linewidth=2.2, solid_capstyle="round", zorder=4)
    if dots:
        ax.plot(*path[1:].T, "o", color=colour, markersize=3.5, zorder=4)
    ax.plot(*path[-1], "o", color=colour, markersize=8, markeredgecolor="white", zorder=6)


def _say(
    ax: Axes, x: float, y: float, text: str, colour: str, size: float = 10, **how: Any
) -> None:
    """Text on a white halo, legible on lines too."""
    halo = [withStroke(linewidth=3, foreground="white")]
    ax.text(x, y, text, color=colour, fontsize=size, path_effects=halo, zorder=8, **how)


def _bare(ax: Axes, frame: bool = True) -> None:
    """No ticks: what is to be seen is a shape, not a number."""
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_visible(frame)
        side.set_color(FAINT)
