"""Title figures of notebooks 00 to 02: forgetting, a permutation, the model."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, FancyBboxPatch, Polygon, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter

from ...data.datasets import load
from ...data.tasks import permuted
from ...data.views import Permute
from ...methods import Baseline
from ...models.small import MLP
from ...report.plots import blank, described
from ...training.train import train
from .drawing import INK, QUIET, A, B, bare, say


def start() -> Figure:
    """Draw the question of the lesson: what is left of the first of five permuted tasks.

    A run of a small MLP on 400 embedded digits; what becomes of task 1 is left out.
    """
    n_tasks, epochs = 5, 4
    tasks = permuted(load("digits").first(400, 360), n_tasks)
    model = MLP((784, 48, 10), seed=2)
    how = {"epochs": epochs, "batch_size": 25, "lr": 0.015, "seed": 2}
    run = train(Baseline(), tasks, model, progress=False, **how)

    figure = blank(8, 3)
    ax = figure.subplots()
    x = np.arange(n_tasks * epochs + 1) / epochs
    _, first = run.curve(0)
    first = first[: epochs + 1]
    for t in range(n_tasks):
        if t % 2 == 0:
            ax.axvspan(t, t + 1, color="#f3f3f3", linewidth=0)
        ax.text(t + 0.5, 1.09, f"learning task {t + 1}", ha="center", va="center", color=QUIET)
        if t:
            _, now = run.curve(t)
            ax.plot(x[t * epochs : (t + 1) * epochs + 1], now, color=B, linewidth=1.8)
    ax.plot(x[: epochs + 1], first, color=A, linewidth=3, solid_capstyle="round")
    for t in range(1, n_tasks):
        ax.text(t + 0.5, 0.5, "?", color=A, fontsize=22, ha="center", va="center")
    last = run.accuracy[-1, -1]
    ax.text(5.08, last, f"the newest task:\n{last:.0%}", color=B, va="center", fontsize=11)
    ax.text(5.08, 0.5, "and task 1?", color=A, va="center", fontsize=11)
    ax.set(xlim=(0, n_tasks), ylim=(0, 1.02), xticks=[], yticks=[0, 0.5, 1])
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set_ylabel("test accuracy")
    ax.spines[["top", "right"]].set_visible(False)
    return described(
        figure,
        f"Test accuracy while {n_tasks} permuted tasks are learned one after the other. Accuracy "
        f"on the task being learned rises each time, in the end to {last:.0%}. Accuracy on task 1 "
        f"rises to {first[-1]:.0%} while it is learned; what becomes of it is a question mark.",
    )


def permutation() -> Figure:
    """Draw a digit and its permuted pixels, coloured by the row they come from."""
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
        bare(ax)

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


def model() -> Figure:
    """Draw the fixed MLP layer by layer: units as bars, and the weights between them."""
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
    half, rounded = 0.13, "round,pad=0,rounding_size=0.1"
    digit = load("digits").train_images[64, 0].numpy()
    side = 15.0
    ax.imshow(digit, cmap="gray_r", extent=(-2.25, -2.25 + 1.35, -side / 2, side / 2))
    ax.add_patch(Rectangle((-2.25, -side / 2), 1.35, side, fill=False, edgecolor=QUIET))
    ax.annotate("", (-0.2, 0), (-0.85, 0), arrowprops={"arrowstyle": "-|>", "color": INK})
    say(ax, -1.58, side / 2 + 2.2, "28 × 28 pixels", QUIET, size=9, ha="center")
    blocks = zip(pairwise(x), pairwise(heights), shades, weights, strict=True)
    for (a, b), (h, k), shade, n in blocks:
        corners = [(a + half, -h / 2), (a + half, h / 2), (b - half, k / 2), (b - half, -k / 2)]
        ax.add_patch(Polygon(corners, facecolor=shade, alpha=0.3, linewidth=0))
        say(ax, (a + b) / 2, 0, f"{n:,}\nweights", INK, ha="center", va="center")
    for i, (at, h, units) in enumerate(zip(x, heights, mlp.sizes, strict=True)):
        ax.add_patch(FancyBboxPatch((at - half, -h / 2), 2 * half, h, rounded, color=INK))
        role = {0: "inputs", len(x) - 1: "outputs"}.get(i, "ReLU")
        say(ax, at, h / 2 + 1.6, f"{units:,} {role}", INK, ha="center", weight="bold")
    ax.set(xlim=(-2.4, 9.9), ylim=(-17, 21), aspect="auto")
    ax.axis("off")

    left = 0
    for i, (n, shade) in enumerate(zip(counts, shades, strict=True), start=1):
        strip.barh(0, n, left=left, color=shade, alpha=0.55, edgecolor="white", linewidth=1.5)
        text = f"layer {i}: {n / total:.0%}" if i < 3 else f"{n / total:.0%}"
        if i < 4:
            strip.text(left + n / 2, 0, text, ha="center", va="center", color=INK)
        left += n
    strip.set_xlim(0, total)
    all_of_them = f"{total:,} parameters, biases among them"
    sliver = f"the last sliver: layer 4, {counts[-1] / total:.1%}"
    strip.set_title(all_of_them, fontsize=10, color=QUIET, loc="left")
    strip.set_title(sliver, fontsize=10, color=QUIET, loc="right")
    bare(strip, frame=False)
    note = "heights as the square root\nof the number of units"
    say(ax, x[-1] + 0.5, -16, note, QUIET, size=9, ha="right", va="bottom")
    sizes = ", ".join(f"{n:,}" for n in mlp.sizes)
    each = ", ".join(f"{n:,}" for n in weights)
    return described(
        figure,
        f"The model as blocks from left to right: an image of 28 × 28 pixels and layers of {sizes} "
        f"units. Between them {each} weights. With the biases there are {total:,} parameters, "
        f"{counts[0] / total:.0%} of them in the first layer.",
    )
