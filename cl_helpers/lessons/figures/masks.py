"""Title figure of notebook 10: one network in the three scenarios."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from ...data.datasets import load
from ...data.tasks import SCENARIOS, split
from ...methods import Baseline
from ...models.small import MLP
from ...report.plots import blank, described
from ...training.evaluation import as_of
from ...training.train import train
from .drawing import FAINT, GOOD, INK, QUIET, A, B, bare

QUESTIONS = {
    "task": ("Task-IL", "Which of these two?"),
    "domain": ("Domain-IL", "First or second of its pair?"),
    "class": ("Class-IL", "Which of all ten?"),
}


def answers() -> tuple[Tensor, dict[str, tuple[Tensor, tuple[int, ...]]]]:
    """Compute an image of a 1 (28, 28), and by scenario the softmax (10,) and competing outputs.

    A small MLP is trained on five pairs of embedded digits, one after the other, with no method
    against forgetting. In every scenario the right output is 1.
    """
    data = load("digits").first(500, 360)
    found: dict[str, tuple[Tensor, tuple[int, ...]]] = {}
    for scenario in SCENARIOS:
        tasks = split(data, 2, scenario)
        how = {"epochs": 4, "batch_size": 20, "lr": 5e-3, "device": "cpu"}
        run = train(Baseline(), tasks, MLP((784, 40, 10)), progress=False, **how)
        model, _ = run.learner
        asked = as_of(tasks[-1], tasks[0])
        x, _ = asked.test.batch(asked.test.y.nonzero()[5])  # a clear one
        with torch.no_grad():
            found[scenario] = asked.mask(model(x))[0].softmax(0), asked.active or ()
    return x[0, 0], found


def scenarios() -> Figure:
    """Draw which of ten outputs compete for the same image in each scenario, and the prediction."""
    image, found = answers()
    figure = blank(8, 3.4)
    rows: list = [["image", scenario] for scenario in found]
    axes = figure.subplot_mosaic(rows, width_ratios=[1, 3.6], gridspec_kw={"hspace": 0.12})
    shown = axes["image"]
    shown.imshow(image.numpy(), cmap="gray_r")
    shown.set_title("a 1, of the first\nof five tasks", fontsize=11, color=INK)
    told = "blue: it competes;\nfilled: its probability\n(baseline, after task 5)"
    shown.set_xlabel(told, color=QUIET)
    bare(shown)
    texts = []
    for scenario, (p, competing) in found.items():
        ax, answer = axes[scenario], int(p.argmax())
        name, question = QUESTIONS[scenario]
        words = ["1st", "2nd"] if scenario == "domain" else [*map(str, range(10))]
        _draw_answer(ax, p.numpy(), competing, words)
        verdict = "right" if answer == 1 else "wrong"
        for y, text, colour, weight in (
            (0.8, name, INK, "bold"),
            (0.45, question, INK, "normal"),
            (0.1, f"{words[answer]}: {verdict}", GOOD if answer == 1 else B, "normal"),
        ):
            ax.text(10.2, y, text, color=colour, weight=weight, fontsize=11, va="center")
        texts.append(
            f'{name}, "{question}": {len(competing)} outputs compete, the answer is '
            f"{words[answer]}, which is {verdict}."
        )
    return described(
        figure,
        "An image of a 1, from the first of five tasks of two digits each, and beside it three "
        "times the ten outputs of a network that has learned all five in order, with no method "
        "against forgetting. " + " ".join(texts),
    )


def _draw_answer(ax: Axes, p: np.ndarray, competing: tuple[int, ...], words: list[str]) -> None:
    """Draw ten outputs as glasses: those that compete are blue, filled by their probability."""
    for k in range(10):
        edge, face = (A, f"{A}22") if k in competing else (FAINT, "none")
        ax.add_patch(Rectangle((k + 0.08, 0), 0.84, 1, facecolor=face, edgecolor=edge))
    colours = [GOOD if k == 1 else B for k in range(10)]
    ax.bar(np.arange(10) + 0.5, p, width=0.84, color=colours)
    ax.set(xlim=(0, 15.5), ylim=(0, 1.02))
    bare(ax, frame=False)
    ax.set_xticks(np.arange(len(words)) + 0.5, words)
    ax.tick_params(length=0, labelcolor=QUIET)
