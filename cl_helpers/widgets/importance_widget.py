"""Ω as heat maps: which weights a method holds on to, and whether methods agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets
from numpy.typing import NDArray
from torch import Tensor

from ..data.tasks import Task
from ..lessons.compared import spearman
from ..report.labels import label
from ..training.run import Run
from .numbers import numbers, packed
from .pixels import as_pixels, input_shape
from .view import View

BLOCKS = 64  # a side of a heat map, at most


class Importance(View):
    """Heat maps of Ω, layer by layer.

    The first layer is folded back to the image: how important is each pixel, summed over the
    weights that read it. A permuted task reads pixels in another order; choose as which task
    sees them.

    Args:
        runs: from `cl.train`, with methods that have an Ω.
        tasks: those they were trained on.

    Raises:
        ValueError: there is no run or no task; a run has no Ω, or one that is not finite; their
            models differ.

    Attributes:
        omegas, tasks: Ω by run and layer, and the tasks, by the names that the page shows.
        method, layer, seen_by: what is looked at, among them.
    """

    view = traitlets.Unicode("importance").tag(sync=True)
    methods: traitlets.List = traitlets.List(traitlets.Unicode()).tag(sync=True)
    layers: traitlets.List = traitlets.List().tag(sync=True)
    viewers: traitlets.List = traitlets.List(traitlets.Unicode()).tag(sync=True)
    maps: traitlets.List = traitlets.List().tag(sync=True)
    method = traitlets.Unicode().tag(sync=True)
    layer = traitlets.Unicode().tag(sync=True)
    seen_by = traitlets.Unicode().tag(sync=True)

    def __init__(self, runs: Sequence[Run], tasks: Sequence[Task]):
        if not runs or not tasks:
            raise ValueError("give at least one run, and the tasks it was trained on")
        self.tasks = dict(zip(_distinct([task.name for task in tasks]), tasks, strict=True))
        omegas = [_of_layers(run) for run in runs]
        shapes = [{layer: v.shape for layer, v in omega.items()} for omega in omegas]
        if any(other != shapes[0] for other in shapes):
            raise ValueError("these runs have different models: give runs of one model")
        self.omegas = dict(zip(_distinct([label(run) for run in runs]), omegas, strict=True))
        size = input_shape(tasks[0])
        self._reads_pixels = {
            layer: nth == 0 and v.shape[1] == math.prod(size)
            for nth, (layer, v) in enumerate(omegas[0].items())
        }
        super().__init__(
            methods=[*self.omegas],
            viewers=[*self.tasks],
            layers=[
                {
                    "name": layer,
                    "weights": list(v.shape),
                    "pixels": self._reads_pixels[layer],
                    "map": list(size[1:])
                    if self._reads_pixels[layer]
                    else [min(n, BLOCKS) for n in v.shape],
                    "agreement": numbers(self.agreement(layer)),
                }
                for layer, v in omegas[0].items()
            ],
            maps=[[self._maps(*each) for each in omega.items()] for omega in omegas],
            method=next(iter(self.omegas)),
            layer=next(iter(omegas[0])),
            seen_by=next(iter(self.tasks)),
        )

    def agreement(self, layer: str) -> NDArray:
        """(M, M): Spearman's rank correlation of the methods' Ω in a layer, on some weights."""
        with np.errstate(invalid="ignore"):  # NaN for a constant Ω
            return spearman([omega[layer].flatten().numpy() for omega in self.omegas.values()])

    def _maps(self, layer: str, omega: Tensor) -> dict[str, Any]:
        """What the page draws of a layer: its pixels, as each task sees them, or its weights."""
        if self._reads_pixels[layer]:
            maps = [as_pixels(omega.sum(0), task).numpy() for task in self.tasks.values()]
        else:
            maps = [_blocks(omega.numpy())]
        return {"values": [packed(v) for v in maps], "top_share": _share_of_the_top(omega)}


def _of_layers(run: Run) -> dict[str, Tensor]:
    """Ω of the weights of each linear layer, by the layer's name."""
    omega = getattr(run.method, "importance", {})
    layers = {k.removesuffix(".weight"): v.detach().cpu() for k, v in omega.items() if v.ndim == 2}
    if not layers:
        raise ValueError(
            f"{label(run)} has no Ω: give runs of EWC, MAS, SI, RWalk or SCP, just trained"
        )
    if not all(v.isfinite().all() for v in layers.values()):
        raise ValueError(f"Ω of {label(run)} is not finite: the run diverged, give another")
    return layers


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, numbered where they repeat: "a", "b", "a (2)"."""
    nth = [names[: i + 1].count(name) for i, name in enumerate(names)]
    return [name if n == 1 else f"{name} ({n})" for name, n in zip(names, nth, strict=True)]


def _share_of_the_top(omega: Tensor) -> float | None:
    """Of Ω, what the largest 1 % of its entries hold; None if Ω is zero."""
    flat = omega.flatten()
    top, whole = flat.topk(max(1, flat.numel() // 100)).values.sum(), flat.sum()
    return float(top / whole) if whole > 0 else None


def _blocks(v: NDArray) -> NDArray:
    """Means over blocks, so that a layer of any size fits the chart."""
    rows, columns = (np.arange(min(n, BLOCKS)) * n // min(n, BLOCKS) for n in v.shape)
    sums = np.add.reduceat(np.add.reduceat(v, rows, 0), columns, 1)
    counts = np.outer(np.diff([*rows, v.shape[0]]), np.diff([*columns, v.shape[1]]))
    return sums / counts
