"""The figures of notebooks 09 and 09b: what can be stored of the past, apart from an Ω.

`past` is their title figure, made from one run on embedded digits. The others draw what is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ...data.datasets import load
from ...data.tasks import Task, split
from ...methods import DGR, er, icarl
from ...models.small import MLP
from ...report.plots import LOOK, blank, described
from ...training.run import Run
from ...training.train import train
from .arrows import Gradients
from .drawing import FAINT, INK, QUIET, A, bare, say

CHOSEN, WARM = LOOK["icarl"][0], "#9ecae1"


def learned() -> tuple[Run, list[Task]]:
    """Train a small MLP and a generator on the embedded digits 0 to 4; return run and tasks."""
    tasks = split(load("digits"), 5)
    method, model = DGR(hidden=64, latent=8, lr=5e-3), MLP((784, 64, 10))
    how = {"epochs": 25, "batch_size": 64, "lr": 2e-3, "device": "cpu"}
    return train(method, tasks[:1], model, progress=False, **how), tasks


# What can be kept: a title, how it is used, and what is seen of it.
WORDS = {
    "network": (
        "the network",
        "LwF: what did it say\nof a new image?",
        "The old network: an image of a 9, and as bars how likely it finds each digit it knows.",
    ),
    "examples": (
        "examples",
        "iCaRL, ER:\nlearn them again",
        "Examples: eight images of a 3, marked as dots among the others around the mean of all.",
    ),
    "gradients": (
        "gradients",
        "GEM, A-GEM: take\nno step against them",
        "Gradients: arrows, and g turned into the region where no old loss rises.",
    ),
    "generator": (
        "a generator",
        "DGR: dream up\nmore of them",
        "A generator: twelve digits that it dreamed up.",
    ),
}


def past(*kept: str) -> Figure:
    """Draw what can be stored of the past.

    Args:
        kept: some of "network", "examples", "gradients" and "generator". Default all four.
    """
    kept = kept or (*WORDS,)
    run, (old, new) = learned()
    model, dgr = cast("tuple[MLP, DGR]", run.learner)
    figure = blank(2 * len(kept) + 1.5 * (len(kept) < 3), 3.3)
    grid = figure.add_gridspec(1, len(kept))
    for i, name in enumerate(kept):
        column, (title, use, _) = grid[0, i], WORDS[name]
        if name == "network":
            parts = column.subgridspec(2, 1, height_ratios=[1, 1.1])
            ax, below = (figure.add_subplot(parts[row, 0]) for row in (0, 1))
            image = new.test.x[new.test.y == 9][:1]
            with torch.no_grad():
                z = old.outputs(model(image))[0]
            tiles(ax, image, 1)
            say_what(below, {"τ = 2": F.softmax(z / 2, 0)}, old.classes)
            below.set_ylim(0, 0.6)
        else:
            ax = below = figure.add_subplot(column)
        if name == "examples":
            with torch.no_grad():
                features = icarl.features(model, old.train.x[old.train.y == 3])
            draw_herd(ax, features, icarl.herding(features, 8))
        elif name == "gradients":
            Gradients((-1.55, -0.85), np.array([[-1.2, 1.9], [1.0, 1.5]])).draw(ax, names=False)
            ax.set(xlim=(-1.9, 1.9), ylim=(-2.4, 2.4))
        elif name == "generator":
            tiles(ax, dgr.generator.sample(12, torch.Generator().manual_seed(9)), 3)
        ax.set_title(title, color=INK, fontsize=12)
        below.set_xlabel(use, color=QUIET, fontsize=10)
    seen = " ".join(WORDS[name][2] for name in kept)
    return described(figure, f"What can be kept of a past in which 0 to 4 were learned. {seen}")


def soft_targets(
    images: Tensor, z: Tensor, classes: Sequence[int], temperatures: Sequence[float] = (1, 2)
) -> Figure:
    """Draw the old network's predictions on new images, at several temperatures.

    Args:
        images: (n, C, H, W), of classes that the network has never seen.
        z: (n, K), its logits of the K classes that it knows.
        classes: the labels of these K classes.
        temperatures: τ of the softmax. Default 1 and 2.
    """
    figure = blank(8, 3)
    axes = figure.subplots(2, len(images), height_ratios=[1, 1.25], squeeze=False)
    for (above, below), image, logits in zip(axes.T, images, z, strict=True):
        tiles(above, image[None], 1)
        answers = {f"τ = {t:g}": F.softmax(logits / t, 0) for t in temperatures}
        say_what(below, answers, classes)
    axes[1, 0].set_ylabel("the old network's\nprobabilities", color=QUIET)
    axes[1, -1].legend(frameon=False, fontsize=9)
    texts = [
        f"image {i}: {classes[int(logits.argmax())]}, and at τ = {temperatures[-1]:g} then "
        f"{classes[int(logits.argsort()[-2])]}"
        for i, logits in enumerate(z, 1)
    ]
    return described(
        figure,
        f"{len(images)} images of classes that the old network never saw, and as bars how likely "
        f"it finds each class that it knows. First choices: {'; '.join(texts)}.",
    )


def herding(features: Tensor, n: int = 10, draws: int = 200) -> Figure:
    """Draw the exemplars that herding chooses, and how close their mean is to that of the class.

    Args:
        features: (N, d) of all examples of the class.
        n: how many exemplars. Default 10.
        draws: random choices that herding is compared with. Default 200.
    """
    rng = torch.Generator().manual_seed(0)
    features = features.cpu()
    chosen = icarl.herding(features, n)
    herded = distances(features, chosen)
    random = [torch.randperm(len(features), generator=rng)[:n] for _ in range(draws)]
    each = np.stack([distances(features, some) for some in random])
    at_random = each.mean(0)
    figure = blank(8, 3.3)
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
    draw_herd(left, features, chosen, numbered=True)
    left.set_title("features of a class, in two dimensions", fontsize=11)
    m = np.arange(1, n + 1)
    eight_in_ten = np.quantile(each, [0.1, 0.9], axis=0)
    right.fill_between(m, *eight_in_ten, color=FAINT, alpha=0.6, linewidth=0)
    right.plot(m, at_random, color=QUIET, linestyle="--", marker="o", markersize=4)
    right.plot(m, herded, color=CHOSEN, marker="*", markersize=8)
    k = n // 3
    say(right, k + 1, float(at_random[k]) + 0.015, "at random (8 in 10)", QUIET)
    say(right, k + 1, float(herded[k]) + 0.015, "herding", CHOSEN)
    right.set(xlabel="exemplars m", ylabel="from their mean\nto the mean of all", ylim=(0, None))
    right.spines[["top", "right"]].set_visible(False)
    return described(
        figure,
        f"Left, the features of {len(features)} images of a class in two dimensions, the first {n} "
        "exemplars numbered as herding chose them, around the mean. Right, the distance from the "
        f"mean of the first m to the mean of all: with herding {herded[0]:.2f} at m = 1 and "
        f"{herded[-1]:.2f} at m = {n}, at random {at_random[0]:.2f} and "
        f"{at_random[-1]:.2f}.",
    )


def distances(features: Tensor, chosen: Tensor) -> NDArray:
    """Compute how far the mean of the first 1, 2, …, m chosen is from the mean of all: (m,).

    Args:
        features: (N, d) of all examples.
        chosen: (m,) positions.
    """
    means = features[chosen].cumsum(0) / torch.arange(1, len(chosen) + 1)[:, None]
    return (means - features.mean(0)).norm(dim=1).numpy()


def reservoir(n: int = 1_000, size: int = 100, draws: int = 300) -> Figure:
    """Draw how often each of `n` examples ends in a reservoir of `size`, in `draws` runs."""
    rng = torch.Generator().manual_seed(0)
    kept = np.zeros(n)
    for _ in range(draws):
        memory = np.full(size, -1)
        for slot, item in er.reservoir(0, n, size, rng).items():
            memory[slot] = item
        kept[memory] += 1
    share = (kept / draws).reshape(20, -1).mean(1)
    figure = blank(8, 3)
    ax = figure.subplots()
    width = n / len(share)
    middle = width * (np.arange(len(share)) + 0.5)
    ax.bar(middle, share, 0.9 * width, color=LOOK["er"][0], alpha=0.75)
    ax.axhline(size / n, color=INK, linestyle="--", linewidth=1.5)
    x = np.arange(n)
    ax.plot(x, (1 - 1 / size) ** (n - 1 - x), color=A, linewidth=2)
    say(ax, 0.01 * n, size / n + 0.02, f"M / n = {size / n:g}", INK, size=11)
    say(ax, 0.93 * n, 0.62, "always in the place\nof a random one", A, size=11, ha="right")
    ax.set(xlabel="example, in the order of arrival", ylabel="kept at the end")
    ax.set(xlim=(0, n), ylim=(0, 1))
    ax.spines[["top", "right"]].set_visible(False)
    return described(
        figure,
        f"How often each of {n:,} examples is in a memory of {size} at the end, over {draws} draws "
        f"of the reservoir: between {share.min():.2f} and {share.max():.2f} wherever it came, and "
        f"M / n is {size / n:g}. Beside it a curve: were every new example put in the place of a "
        "random one, the early ones would be gone.",
    )


def dreams(rows: Mapping[str, Tensor]) -> Figure:
    """Draw images in `rows`: title of the row -> (n, 1, H, W), the same n for each."""
    every = list(rows.values())
    figure = blank(8, 6.6 / len(every[0]) * len(rows) + 0.1)
    ax = figure.subplots()
    tiles(ax, torch.cat([images.cpu() for images in every]), len(every[0]))
    height = every[0].shape[2] + 2  # with its frame
    ax.set_yticks(height * (np.arange(len(rows)) + 0.5), list(rows))
    ax.tick_params(length=0)
    return described(figure, f"Images in {len(rows)} rows: {'; '.join(rows)}.")


def tiles(ax: Axes, images: Tensor, columns: int) -> None:
    """Draw `images` (n, 1, H, W) into `ax` as a table with so many `columns`.

    Each is scaled from its darkest value to its lightest.
    """
    flat = images.detach().cpu().flatten(1)
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    shown = F.pad(((flat - low) / (high - low)).view(images.shape)[:, 0], (1, 1, 1, 1), value=1)
    rows = [torch.cat(list(row), 1) for row in shown.split(columns)]
    ax.imshow(torch.cat(rows).numpy(), cmap="gray")
    bare(ax, frame=False)


def say_what(ax: Axes, answers: Mapping[str, Tensor], classes: Sequence[int]) -> None:
    """Draw probabilities (K,) of `classes` into `ax`, as groups of a bar for each of `answers`."""
    width = 0.8 / len(answers)
    for i, (name, p) in enumerate(answers.items()):
        x = np.arange(len(classes)) + (i - (len(answers) - 1) / 2) * width
        ax.bar(x, p.cpu().numpy(), width, color=(A, WARM)[i % 2], label=name)
    ax.set_xticks(range(len(classes)), [str(c) for c in classes], fontsize=9)
    ax.set(yticks=[], ylim=(0, 1))
    ax.tick_params(length=0)
    ax.spines[["top", "left", "right"]].set_visible(False)


def draw_herd(ax: Axes, features: Tensor, chosen: Tensor, numbered: bool = False) -> None:
    """Draw features on their two main axes: the mean as a cross, the chosen ones as dots.

    Args:
        ax: the axes.
        features: (N, d).
        chosen: (m,) positions of exemplars.
        numbered: whether to write the order of choice beside them. Default False.
    """
    centred = features - features.mean(0)
    points = (centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T).numpy()
    ax.plot(*points.T, "o", color=FAINT, markersize=4)
    ax.plot(0, 0, "+", color=INK, markersize=22, markeredgewidth=2)
    for k, (x, y) in enumerate(points[chosen], 1):
        size = 12 if numbered else 7
        ax.plot(x, y, "o", color=CHOSEN, markersize=size, markeredgecolor="white", zorder=3 + k)
        if numbered:
            place = {"ha": "center", "va": "center_baseline", "zorder": 3 + k}
            ax.text(x, y, str(k), place, color="white", fontsize=9)
    bare(ax)
