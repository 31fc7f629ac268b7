"""Ω as heat maps: which weights a method holds on to, and whether methods agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from numpy.typing import NDArray
from torch import Tensor

from ..data.tasks import Task
from ..lessons.compared import spearman
from ..report import plots
from ..report.tables import label
from ..training.run import Run
from .accessible import Status
from .canvas import Canvas
from .controls import choice, row
from .course_widget import CourseWidget

BLOCKS = 96  # a side of a heat map


class Importance(CourseWidget):
    """Heat maps of Ω, layer by layer.

    The first layer is folded back to the image: how important is each pixel, summed over the
    weights that read it. A permuted task reads pixels in another order; choose as which task
    sees them.

    Args:
        runs: from `cl.train`, with methods that have an Ω.
        tasks: those they were trained on.

    Raises:
        ValueError: there is no run or no task; a run has no Ω; their models differ.
    """

    def __init__(self, runs: Sequence[Run], tasks: Sequence[Task]):
        if not runs or not tasks:
            raise ValueError("give at least one run, and the tasks it was trained on")
        self.tasks = dict(zip(_distinct([task.name for task in tasks]), tasks, strict=True))
        omegas = [_of_layers(run) for run in runs]
        shapes = [{layer: v.shape for layer, v in omega.items()} for omega in omegas]
        if any(other != shapes[0] for other in shapes):
            raise ValueError("these runs have different models: give runs of one model")
        self.omegas = dict(zip(_distinct([label(run) for run in runs]), omegas, strict=True))
        self.method = choice("Method", list(self.omegas), next(iter(self.omegas)))
        self.layer = choice("Layer", list(omegas[0]), next(iter(omegas[0])))
        self.view = choice("Pixels as seen by", list(self.tasks), next(iter(self.tasks)))
        self.status = Status()
        self.canvas = Canvas(plots.blank(9.0, 3.8), self._update)
        for control in (self.method, self.layer, self.view):
            control.observe(lambda _: self.canvas.ask(), "value")
        self.box = widgets.VBox(
            [row(self.method, self.layer, self.view), self.status, self.canvas.box]
        )

    def pixels(self, omega: Tensor, task: Task) -> NDArray:
        """(H, W): Ω of the first layer (units, C · H · W), summed, where the image has its pixels.

        A permuted task shows pixel `order[i]` of the image at place i.
        """
        channels, *size = _shape(task)
        each = omega.sum(0).view(channels, -1).sum(0)
        order = getattr(getattr(task.train, "transform", None), "order", None)
        if order is not None:
            each = torch.empty_like(each).scatter_(0, order.cpu(), each)
        return each.view(size).numpy()

    def agreement(self, layer: str) -> NDArray:
        """(M, M): Spearman's rank correlation of the methods' Ω in a layer, on some weights."""
        return spearman([omega[layer].flatten().numpy() for omega in self.omegas.values()])

    def _update(self) -> None:
        layer, seen_by = self.layer.value, self.view.value
        omega, task = self.omegas[self.method.value][layer], self.tasks[seen_by]
        first = layer == self.layer.options[0] and omega.shape[1] == math.prod(_shape(task))
        self.view.disabled = not first
        figure = self.canvas.figure
        figure.clear()
        left, right = figure.subplots(1, 2, width_ratios=[1.3, 1])
        if first:
            image = left.imshow(self.pixels(omega, task), cmap="inferno")
            left.set_title(f"Ω of the pixels, as {seen_by} sees them", fontsize=11)
            left.set(xticks=[], yticks=[])
        else:
            blocks = _blocks(omega.numpy())
            top = max(float(blocks.max()), 1e-30)
            shown, norm = np.maximum(blocks, 1e-5 * top), LogNorm(1e-5 * top, top)
            image = left.imshow(shown, cmap="inferno", norm=norm, aspect="auto")
            left.set(xlabel="from unit", ylabel="to unit", xticks=[], yticks=[])
            left.set_title(f"Ω of {layer}, mean over blocks of weights", fontsize=11)
        figure.colorbar(image, ax=left, shrink=0.85)
        share = _share_of_the_top(omega)
        words = (
            f"{self.method.value}, {layer}: the most important 1 % of the "
            f"{omega.numel():,} weights hold {share:.0%} of Ω."
        )
        words += _draw_agreement(right, self.agreement(layer), list(self.omegas))
        self.status.value = words
        seen = f" Pixels as {seen_by} sees them." if first else ""
        plots.described(figure, f"Heat map of Ω and rank correlation of methods. {words}{seen}")


def _of_layers(run: Run) -> dict[str, Tensor]:
    """Ω of the weights of each linear layer, by the layer's name."""
    omega = getattr(run.method, "importance", {})
    layers = {k.removesuffix(".weight"): v.detach().cpu() for k, v in omega.items() if v.ndim == 2}
    if not layers:
        raise ValueError(
            f"{label(run)} has no Ω: give runs of EWC, MAS, SI, RWalk or SCP, just trained"
        )
    return layers


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, numbered where they repeat: "a", "b", "a (2)"."""
    nth = [names[: i + 1].count(name) for i, name in enumerate(names)]
    return [name if n == 1 else f"{name} ({n})" for name, n in zip(names, nth, strict=True)]


def _shape(task: Task) -> tuple[int, ...]:
    """(C, H, W) of its images."""
    return tuple(task.train.batch(torch.zeros(1, dtype=torch.long))[0].shape[1:])


def _draw_agreement(ax: Axes, r: NDArray, names: list[str]) -> str:
    if len(names) == 1:
        ax.axis("off")
        return ""
    ax.imshow(r, cmap="cividis", vmin=0, vmax=1)
    for i, j in np.ndindex(r.shape):
        ink = "black" if r[i, j] > 0.6 else "white"
        ax.text(j, i, f"{r[i, j]:.2f}", ha="center", va="center", color=ink)
    short = [name.split()[0] for name in names]
    if len(set(short)) < len(names):
        short = names
    stacked = [name.replace(" ", "\n") for name in short]
    ax.set_xticks(range(len(names)), stacked)
    ax.set_yticks(range(len(names)), stacked)
    ax.set_title("do they rank the weights alike?\n(Spearman's correlation)", fontsize=11)
    correlations = ", ".join(
        f"{short[i]} and {short[j]} {r[i, j]:.2f}" for i in range(len(r)) for j in range(i)
    )
    return f" Rank correlation: {correlations}."


def _share_of_the_top(omega: Tensor) -> float:
    """Of Ω, what the largest 1 % of its entries hold."""
    flat = omega.flatten()
    top = flat.topk(max(1, flat.numel() // 100)).values.sum()
    return float(top / flat.sum().clamp_min(1e-30))


def _blocks(v: NDArray) -> NDArray:
    """Means over blocks, so that a layer of any size fits the chart."""
    rows, columns = (np.arange(min(n, BLOCKS)) * n // min(n, BLOCKS) for n in v.shape)
    sums = np.add.reduceat(np.add.reduceat(v, rows, 0), columns, 1)
    counts = np.outer(np.diff([*rows, v.shape[0]]), np.diff([*columns, v.shape[1]]))
    return sums / counts
