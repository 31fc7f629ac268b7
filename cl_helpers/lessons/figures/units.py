"""Figures of notebook 15: hidden units that work, that hardly do, and that are dead."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ...analysis.plasticity import dead, dormant
from ...report.plots import blank, described, frame
from .drawing import FAINT, GOOD, INK, QUIET, A, B, bare, say

KINDS = {"it works": (0.2, GOOD), "dormant": (-1.85, A), "dead": (-3.6, B)}


def plasticity() -> Figure:
    """Draw three hidden units: the numbers that come in, and what ReLU makes of them."""
    g = torch.Generator().manual_seed(0)
    z = torch.randn(400, generator=g).clamp(-2.6, 2.6)
    figure = blank(8, 3.2)
    axes = figure.subplots(1, len(KINDS), sharey=True)
    texts = []
    for ax, (name, (shift, colour)) in zip(axes, KINDS.items(), strict=True):
        x = (z + shift).numpy()
        out = float((x > 0).mean())
        ax.axvspan(-7, 0, color=FAINT, alpha=0.45, linewidth=0)
        ax.plot([-7, 0, 3.2], [0, 0, 3.2], color=INK, linewidth=2)
        height = 0.55 * np.random.default_rng(0).random(len(x))
        ax.plot(x, -0.35 - height, "o", color=colour, markersize=3, alpha=0.5)
        ax.plot(x, np.maximum(x, 0), "o", color=colour, markersize=4, alpha=0.6)
        ax.set_title(name, color=INK, fontsize=12)
        say(ax, -6.8, 2.6, f"output above 0 for\n{out:.0%} of the inputs", INK, size=10)
        ax.set(xlim=(-7, 3.2), ylim=(-1.1, 3.4))
        ax.set_xlabel("what comes in", color=QUIET)
        bare(ax)
        texts.append(f"{name}, above 0 for {out:.0%}")
    axes[0].set_ylabel("output", color=QUIET)
    return described(
        figure,
        "Three hidden units, each with the ReLU curve and a dot for each of 400 inputs. Left of 0, "
        "on grey, the output and the slope are 0, so no gradient comes through. The units: "
        f"{'; '.join(texts)}.",
    )


def shares(
    networks: Mapping[str, list[Tensor]], layer: int = 3, threshold: float = 0.025
) -> Figure:
    """Draw the share of each unit in the output of its layer, sorted, a panel for each network.

    Args:
        networks: name -> h (N, units) of each hidden layer.
        layer: which hidden layer, 1, 2, …
        threshold: units at or below it are dormant.
    """
    figure = blank(8.4, 3.1)
    axes = figure.subplots(1, len(networks), sharey=True, squeeze=False)[0]
    texts = []
    for ax, (name, layers) in zip(axes, networks.items(), strict=True):
        h = layers[layer - 1]
        size = h.abs().mean(0)
        share, order = (size / size.mean().clamp_min(1e-12)).sort(descending=True)
        asleep, gone = dormant(h, threshold)[order], dead(h)[order]
        colours = [
            B if off else A if quiet else GOOD for off, quiet in zip(gone, asleep, strict=True)
        ]
        ax.bar(range(len(share)), share.numpy() + 0.02, 1.0, color=colours)
        ax.axhline(threshold, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        words = f"{int(asleep.sum())} dormant, of these {int(gone.sum())} dead"
        ax.set_title(f"{name}: {words}", fontsize=11)
        ax.set_xlabel(f"units of hidden layer {layer}, sorted")
        frame(ax)
        texts.append(f"{name}: of {len(share)} units {words}")
    axes[0].set_ylabel("share of the output,\n1 is the average unit")
    return described(
        figure,
        f"The share of each unit of hidden layer {layer} in the layer's output, sorted, with the "
        f"threshold {threshold:g} as a line. {'; '.join(texts)}.",
    )
