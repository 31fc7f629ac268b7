"""The figures of notebooks 11 and 11b: a minimum, a step away from it, what bounds the damage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from ...analysis.curvature import Bound, Loss, Plane, along
from ...analysis.trajectories import Trajectory
from ...report.plots import Chart, blank, described, draw_mean, frame, legend_beside, note
from .drawing import GOOD, A, B

TERMS = {  # of a Bound: text, colour, marker, dashes
    "bound": ("½ $μ_{max}$ ‖δ‖²", "#0072B2", "s", "--"),
    "forgetting": ("Forg₁, measured", "#000000", "o", "-"),
    "quadratic": ("½ δᵀHδ", "#D55E00", "^", "-."),
    "second_order": ("g₁ᵀδ + ½ δᵀHδ", "#009E73", "D", ":"),
}


def bounds(trajectories: Mapping[str, Trajectory]) -> Chart:
    """Draw Forg₁, its approximations and the bound after each task, a panel for each regime.

    All panels have the same logarithmic axis.

    Args:
        trajectories: regime -> its trajectory.
    """
    _check_two_tasks(trajectories)
    figure, panels = _panels(len(trajectories), 3.9)
    texts = []
    for ax, (name, trajectory) in zip(panels, trajectories.items(), strict=True):
        x = np.arange(2, len(trajectory.bounds) + 2)
        for term, (text, colour, marker, dash) in TERMS.items():
            y = [getattr(b, term) for b in trajectory.bounds]
            ax.plot(x, y, color=colour, marker=marker, linestyle=dash, markersize=7, label=text)
        ax.set_yscale("symlog", linthresh=0.01)
        ax.set(xticks=x, xlabel="after learning task")
        ax.set_title(name, fontsize=11)
        ax.axhline(0, color="black", linewidth=0.8)
        frame(ax)
        texts.append(f"{name}: {_describe_bound(trajectory.bounds[-1])}")
    ticks = [-1, -0.1, 0, 0.01, 0.1, 1, 10, 100, 1000, 10_000]
    low, high = panels[0].get_ylim()
    panels[0].set_yticks([t for t in ticks if low <= t <= high])
    panels[0].yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,g}"))
    panels[0].yaxis.set_minor_locator(MaxNLocator(1))
    panels[0].set_ylabel("rise of task 1's loss")
    legend_beside(panels[-1])  # the same for all
    return described(
        figure,
        "Forgetting of task 1 in loss after each later task, its quadratic approximations and the "
        f"bound, on an axis that is logarithmic beyond ±0.01. At the end, {'; '.join(texts)}.",
    )


def _check_two_tasks(trajectories: Mapping[str, Trajectory]) -> None:
    for name, trajectory in trajectories.items():
        if len(trajectory.weights) < 2:
            raise ValueError(
                f"{name} has learned {len(trajectory.weights)} task: give two, one to forget by"
            )


def _panels(n: int, height: float, room: float = 1.9) -> tuple[Chart, NDArray]:
    """A figure of `n` panels in a row, with one vertical axis and `room` for a legend."""
    figure = blank(4.1 * n + room, height)
    return figure, figure.subplots(1, n, sharey=True, squeeze=False)[0]


def _describe_bound(b: Bound) -> str:
    return (
        f"Forg₁ {b.forgetting:.3f}, slope and curvature together {b.second_order:.3f}, curvature "
        f"alone {b.quadratic:.3f}, bound {b.bound:.1f}"
    )


def line(trajectories: Mapping[str, Trajectory]) -> Chart:
    """Draw both losses on the line from θ₁* to θ₂*, and task 1's Taylor approximation.

    Args:
        trajectories: regime -> its trajectory.
    """
    _check_two_tasks(trajectories)
    figure, panels = _panels(len(trajectories), 3.7)
    t = np.linspace(-0.5, 2.5, 49)
    texts = []
    for ax, (name, trajectory) in zip(panels, trajectories.items(), strict=True):
        b, (first, second) = trajectory.bounds[0], trajectory.weights[:2]
        one, two = (along(trajectory.loss(task), first, second, t) for task in (0, 1))
        start = trajectory.loss(0)(first)
        ax.plot(t, one, color=A, linewidth=2.4, label="L₁")
        ax.plot(t, two, color=B, linewidth=2.4, linestyle="--", label="L₂")
        parabola = start + b.slope * t + b.quadratic * t**2
        ax.plot(t, parabola, color=A, linewidth=1.4, linestyle=":", label="L₁ by slope and H")
        for place, text, colour in ((0, "θ₁*", A), (1, "θ₂*", B)):
            ax.axvline(place, color=colour, linewidth=0.8)
            ax.text(place - 0.06, 1.87, text, color=colour, fontsize=11, ha="right")
        ax.set(xlabel="place on the line", ylim=(0, 2), xticks=[0, 1, 2])
        ax.set_title(f"{name}: ‖δ‖ = {b.distance:.1f}", fontsize=11)
        frame(ax)
        texts.append(
            f"{name}: L₁ {start:.2f} at θ₁* and {start + b.forgetting:.2f} at θ₂*, predicted "
            f"{start + b.second_order:.2f}"
        )
    panels[0].set_ylabel("loss on training data")
    legend_beside(panels[-1])
    return described(
        figure,
        "Losses of task 1 and task 2 along the line through θ₁* and θ₂*, and the parabola that "
        f"slope and curvature at θ₁* give. {'; '.join(texts)}.",
    )


def settings(found: Mapping[str, Mapping[str, float]]) -> Chart:
    """Draw Forg₁ against sharpness, distance and their bound, a dot a setting.

    Args:
        found: setting -> its "sharpness", "distance" and "forgetting".
    """
    from scipy.stats import spearmanr  # takes as long to import as all the rest

    figure, panels = _panels(3, 3.4, room=0.0)
    y = np.array([row["forgetting"] for row in found.values()])
    sharpness, distance = (
        np.array([row[name] for row in found.values()]) for name in ("sharpness", "distance")
    )
    factors = {
        "sharpness $μ_{max}$": sharpness,
        "distance ‖δ‖": distance,
        "bound ½ $μ_{max}$ ‖δ‖²": sharpness * distance**2 / 2,
    }
    texts = []
    for ax, (name, x) in zip(panels, factors.items(), strict=True):
        rank = spearmanr(x, y).statistic
        ax.axhline(0, color="black", linewidth=0.8)
        ax.plot(x, y, "o", color=A, markersize=9, markeredgecolor="white")
        ax.set_title(f"rank correlation {rank:+.2f}".replace("-", "−"), fontsize=11)
        ax.set(xlabel=name, xscale="log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        frame(ax)
        texts.append(f"{rank:+.2f} with the {name.split()[0]}")
    panels[0].set_ylabel("forgetting Forg₁")
    return described(
        figure,
        f"Forgetting of task 1 in loss against three factors, a dot for each of {len(found)} "
        f"settings. Rank correlations of Forg₁: {', '.join(texts)}.",
    )


def plane(
    planes: Mapping[str, tuple[Plane, Loss, Loss]],
    points: Mapping[str, Mapping[str, Any]],
    good: float,
    n: int = 13,
) -> Chart:
    """Draw where each task's loss is low, in the plane of θ₁*, θ₂* and the joint solution.

    Args:
        planes: regime -> (the plane, L₁, L₂).
        points: regime -> name -> weights: θ₁* first, then θ₂*, then the joint solution.
        good: a task counts as solved where its loss is below this, in nats.
        n: points on each axis, 4 or more; a cubic spline interpolates. Default 13.

    Raises:
        ValueError: `n` is less than 4.
    """
    if n < 4:
        raise ValueError(f"n is {n}: choose 4 or more points on an axis")
    figure = blank(4.6 * len(planes), 4.2)
    panels = figure.subplots(1, len(planes), squeeze=False)[0]
    at = {name: _places(flat, points[name]) for name, (flat, _, _) in planes.items()}
    half = max(0.8 * np.ptp(list(places.values()), axis=0).max() for places in at.values())
    texts = []
    for ax, (name, (flat, one, two)) in zip(panels, planes.items(), strict=True):
        places = at[name]
        x, y = _around(places, half, n)
        _regions(ax, x, y, flat.losses(one, x, y), flat.losses(two, x, y), good)
        for (text, place), mark, colour in zip(places.items(), "osP", (A, B, GOOD), strict=True):
            ax.plot(*place, mark, color=colour, markersize=10, markeredgecolor="white", zorder=5)
            note(ax, text, place, (8, 8), fontsize=11, zorder=6)
        ax.set(aspect="equal", xlabel="distance along θ₂* − θ₁*", title=name)
        ax.spines[["top", "right"]].set_visible(False)
        at_each = (f"{t} L₁ {one(w):.2f} and L₂ {two(w):.2f}" for t, w in points[name].items())
        texts.append(f"{name}: at {', at '.join(at_each)}")
    panels[0].set_ylabel("distance at right angles to it")
    return described(
        figure,
        f"Losses of task 1 (blue) and task 2 (orange) in the plane of θ₁*, θ₂* and the joint "
        f"solution; shaded where they are below {good:.2g}, green where both are. "
        f"{'; '.join(texts)}.",
    )


def _places(flat: Plane, points: Mapping[str, Any]) -> dict[str, NDArray]:
    return {text: flat.coordinates(w) for text, w in points.items()}


def _around(places: Mapping[str, NDArray], half: float, n: int) -> NDArray:
    """(2, n): the axes of a square with the points at its centre."""
    every = np.array(list(places.values()))
    middle = (every.min(0) + every.max(0)) / 2
    return np.array([np.linspace(m - half, m + half, n) for m in middle])


def _regions(ax: Axes, x: NDArray, y: NDArray, l1: NDArray, l2: NDArray, good: float) -> None:
    from scipy.interpolate import RectBivariateSpline  # half a second, only this figure needs it

    between = [np.linspace(v[0], v[-1], 150) for v in (y, x)]
    tiny = np.finfo(float).tiny  # a loss of 0 has no logarithm
    l1, l2 = (
        np.exp(RectBivariateSpline(y, x, np.log(np.maximum(loss, tiny)))(*between))
        for loss in (l1, l2)
    )
    y, x = between
    for loss, colour, dash in ((l1, A, "solid"), (l2, B, "dashed")):
        levels = good * np.array([1, 2, 4, 8, 16])
        ax.contourf(x, y, loss, [0, good], colors=[colour], alpha=0.22)
        ax.contour(x, y, loss, levels, colors=[colour], linewidths=0.9, linestyles=dash)
    both = np.maximum(l1, l2)
    if both.min() < good:
        ax.contourf(x, y, both, [0, good], colors=[GOOD], alpha=0.55)


def evolution(streams: Mapping[str, Sequence[Mapping[str, Any]]]) -> Chart:
    """Draw the average accuracy (%) after each task, one line for each row of a table.

    Args:
        streams: stream -> rows of `cl.load_results("table2")`.
    """
    figure, panels = _panels(len(streams), 3.9, room=2.0)
    texts = []
    for ax, (stream, rows) in zip(panels, streams.items(), strict=True):
        ends = []
        for row in rows:
            curves = np.array([seed["curve"] for seed in row["seeds"]], dtype=float)
            ends.append(f"{row['method']} {curves[:, -1].mean():.1f}")
            draw_mean(ax, curves, _NAMES[row["method"]], row["method"], markersize=5, markevery=3)
        ax.set(xlabel="tasks learned", title=_STREAMS.get(stream, stream))
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        frame(ax)
        texts.append(f"{stream}, at the end: {', '.join(ends)}")
    panels[0].set(ylabel="average accuracy on them (%)", ylim=(0, 100))
    legend_beside(panels[-1])
    return described(
        figure,
        "Average accuracy on the tasks learned so far against their number, mean over seeds, bands "
        f"from lowest to highest. {'; '.join(texts)} per cent.",
    )


_STREAMS = {"permuted": "Permuted MNIST", "rotated": "Rotated MNIST", "cifar": "Split CIFAR-100"}
_NAMES = {  # whose colours
    "Naive SGD": "baseline",
    "EWC": "ewc",
    "A-GEM": "agem",
    "ER": "er",
    "Stable SGD": "si",
    "Multi-task": "joint",
}
