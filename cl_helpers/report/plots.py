"""The charts: one palette, one set of markers, and a text that says what each chart shows.

Colours are Okabe & Ito's (jfly.uni-koeln.de/color) and six more that colour-blind readers can tell
apart; markers and dashes repeat the distinction. Every function returns a
`matplotlib.figure.Figure`, drawn without pyplot; `alt_text(figure)` says in words what it shows.
"""

from __future__ import annotations

import io
import math
import os
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..data.tasks import Task
from ..methods import METHODS
from ..training import metrics
from ..training.run import Run
from .labels import must_have_learned_the_same, unlike

# A name of Matplotlib's, or (points, 1, angle): a star.
Marker: TypeAlias = str | tuple[int, int, int]

# name: colour, marker, dashes
LOOK: dict[str, tuple[str, Marker, str]] = {
    "joint": ("#56B4E9", "", ":"),
    "baseline": ("#000000", "o", "-"),
    "ewc": ("#0072B2", "s", "--"),
    "mas": ("#D55E00", "^", "-."),
    "si": ("#009E73", "D", "-"),
    "rwalk": ("#CC79A7", "v", "--"),
    "scp": ("#E69F00", "P", "-."),
    "lwf": ("#CD853F", "h", ":"),
    "icarl": ("#542788", "*", "-"),
    "gem": ("#117733", "<", "--"),
    "agem": ("#6B8E23", ">", "-."),
    "er": ("#661100", "p", "-"),
    "derpp": ("#1E90FF", (4, 1, 0), ":"),
    "dgr": ("#5C4033", "d", "--"),
    "ncm": ("#6A5ACD", (3, 1, 0), ":"),
    "lora": ("#AA4499", (6, 1, 0), "-."),
    "cbp": ("#E9025A", "8", "-"),
    "shrink": ("#0000CD", "H", "--"),
}
OTHER = ("#444444", "X", "-")

Point = Sequence[float] | NDArray


def alt_text(figure: Chart) -> str:
    """Return what `figure` shows, in words."""
    return str(figure.get_label())


class Chart(Figure):
    """A matplotlib figure that a notebook shows together with its text.

    Args: those of `matplotlib.figure.Figure`.
    """

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict, dict]:
        # As HTML too: JupyterLab shows a PNG without its text.
        file, text = png(self), alt_text(self)
        look = 'class="cl-figure" style="max-width: 100%"'
        html = f'<img {look} alt="{escape(text)}" src="{data_url(file)}">'
        data = {"text/html": html, "image/png": file, "text/plain": text}
        return data, {"image/png": {"alt": text}}


def save(figure: Chart, path: str | os.PathLike) -> None:
    """Write `figure` to `path` as PNG, with its text in the file's description."""
    Path(path).write_bytes(png(figure))


def png(figure: Chart) -> bytes:
    """Turn `figure` into the bytes of a PNG file, with its text in the description.

    It takes half the time of `savefig`, which computes the layout twice.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    file, metadata = io.BytesIO(), PngInfo()
    metadata.add_itxt("Description", alt_text(figure))
    image.save(file, "png", pnginfo=metadata)
    return file.getvalue()


def data_url(file: bytes) -> str:
    """Return the bytes of a PNG file as the address of an image in a page.

    Args:
        file: the content of a PNG file.
    """
    return f"data:image/png;base64,{b64encode(file).decode()}"


def images(images: Sequence[torch.Tensor], titles: Sequence[str]) -> Chart:
    """Show images (C, H, W) side by side, each under its title.

    Args:
        images: tensors (C, H, W).
        titles: one for each.
    """
    figure = blank(2.2 * len(images), 2.4)
    axes = figure.subplots(1, len(images), squeeze=False)[0]
    for ax, image, title in zip(axes, images, titles, strict=True):
        _show(ax, image)
        ax.set_title(title, fontsize=11)
    return described(figure, f"{len(images)} images: {', '.join(titles)}.")


def tasks(tasks: Sequence[Task]) -> Chart:
    """Show the first test image of each class, as each of `tasks` shows it, one row for each.

    A place stays blank where a task has fewer classes than others, or no test image of the class.
    """
    n_shown = max(len(task.classes) for task in tasks)
    some_blank = False
    figure = blank(0.72 * n_shown + 1.6, 0.78 * len(tasks) + 0.4)
    axes = figure.subplots(len(tasks), n_shown, squeeze=False)
    for row, task in zip(axes, tasks, strict=True):
        y = task.test.y
        there = {i: (y == c).int().argmax() for i, c in enumerate(task.classes) if (y == c).any()}
        for i, ax in enumerate(row):
            if i in there:
                _show(ax, task.test.batch(there[i][None])[0][0])
            else:
                some_blank = True
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set_visible(False)
        name = task.name.replace(" ", "\n")
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9)
    return described(
        figure,
        f"Images of {tasks[0].data}, the first of each of {n_shown} classes, as each of "
        f"{len(tasks)} tasks shows them, a row a task: {', '.join(t.name for t in tasks)}."
        + " A place is blank where a task has no such class or no test image of it."
        * some_blank,
    )


def average_accuracy(runs: Sequence[Run]) -> Chart:
    """Draw the average accuracy after each task, one line for each method.

    Lines are means over seeds, bands reach from the lowest to the highest seed.

    Args:
        runs: those of a method differ only in the seed; incomplete runs are left out.

    Raises:
        ValueError: no run is complete, the runs of a method differ in more than the seed, or those
            of two methods have not learned the same (`labels.PROBLEM`).
    """
    figure = blank(7.4, 4.2)
    ax = figure.subplots()
    ends, groups = {}, _by_method(runs)
    every = np.array([run.accuracy for group in groups.values() for run in group])
    # A score of one's own: the axis is as long as it needs.
    unlimited = bool((every < 0).any() or (every > 1).any())

    def written(value: float) -> str:
        return f"{value:.3g}" if unlimited else f"{value:.1%}"

    for name, group in groups.items():
        curves = np.array([metrics.average_accuracies(r.accuracy) for r in group])
        n_tasks, ends[name] = curves.shape[1], curves.mean(0)[-1]
        draw_mean(ax, curves, name, f"{method_label(name)}  {written(ends[name])}", markersize=6)
    ax.set(xticks=range(1, n_tasks + 1))
    what = "score" if unlimited else "accuracy"
    ax.set(xlabel="tasks learned", ylabel=f"average {what} on them")
    frame(ax)
    begins = "" if unlimited else _begin_accuracy(ax)
    best_first = sorted(ends, key=lambda n: -ends[n])
    handles = dict(zip(ends, ax.get_legend_handles_labels()[0], strict=True))
    legend_beside(ax, handles=[handles[n] for n in best_first], title=f"after {n_tasks} tasks")
    ranking = ", ".join(f"{n} {written(ends[n])}" for n in best_first)
    n_seeds = max(map(len, groups.values()))
    left_out = _say_what_is_left_out(ax, runs)
    return described(
        figure,
        f"Average {what} on the tasks learned so far against their number, 1 to {n_tasks}, a "
        f"line a method, mean of {n_seeds} seed{'s' * (n_seeds > 1)}. At the end: {ranking}."
        f"{begins}{left_out}",
    )


def _begin_accuracy(ax: Axes) -> str:
    """Let the axis of accuracy end at 100 % and begin at 0, or higher, broken; say which."""
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    low = math.floor(10 * ax.dataLim.y0) / 10
    if low < 0.5:
        ax.set_ylim(0, 1)
        return ""
    ax.set_ylim(low, 1)
    stroke: Any = [(-1, -0.5), (1, 0.5)]
    look: dict[str, Any] = {"marker": stroke, "markersize": 9, "linestyle": "none", "color": "k"}
    ax.plot([0, 0], [0.03, 0.055], transform=ax.transAxes, clip_on=False, **look)
    return f" The axis is broken: it begins at {low:.0%}."


def draw_mean(ax: Axes, curves: NDArray, method: str, text: str, **look: Any) -> None:
    """Draw the mean over seeds of a curve, in a band from the lowest seed to the highest.

    Joint training, which has only an end, is a level line.

    Args:
        ax: the axes.
        curves: (seeds, tasks), NaN where not evaluated.
        method: whose colour, marker and dashes are used.
        text: for the legend.
        look: other arguments of `Axes.plot`.
    """
    colour, marker, dash = LOOK.get(method, OTHER)
    mean, x = curves.mean(0), np.arange(1, curves.shape[1] + 1)
    if len(x) > 1 and np.isnan(mean[:-1]).all():
        ax.axhline(mean[-1], color=colour, linestyle=dash, label=text)
        return
    known = ~np.isnan(mean)  # a run that looks back at few tasks has no mean over all of them
    x, mean, curves = x[known], mean[known], curves[:, known]
    ax.plot(x, mean, color=colour, marker=marker, linestyle=dash, label=text, **look)
    ax.fill_between(x, curves.min(0), curves.max(0), color=colour, alpha=0.15, linewidth=0)


def accuracy_matrix(run: Run) -> Chart:
    """Draw the accuracy matrix a[t, j] of `run` as a heat map.

    The diagonal shows learning, each column downwards shows forgetting.
    """
    n = len(run.accuracy)
    figure = blank(max(0.85 * n + 1.8, 4.8), 0.7 * n + 1.5)
    ax = figure.subplots()
    shown = np.where(np.tril(np.ones((n, n), dtype=bool)), run.accuracy, np.nan)
    image = ax.imshow(shown, cmap="cividis", vmin=0, vmax=1)
    for t, j in zip(*np.nonzero(~np.isnan(shown)), strict=True):
        ink = "black" if shown[t, j] > 0.6 else "white"
        ax.text(j, t, f"{100 * shown[t, j]:.1f}", ha="center", va="center", color=ink, fontsize=10)
    numbers = [str(t + 1) for t in range(n)]
    ax.set_xticks(range(n), numbers)
    ax.set_yticks(range(n), numbers)
    ax.set(xlabel="accuracy on task (%)", ylabel="after learning task")
    ax.spines[:].set_visible(False)
    figure.colorbar(image, ax=ax, format=PercentFormatter(1, decimals=0), shrink=0.85)
    name = run.config["method"]
    forgot = f"forgetting {100 * run.forgetting:.1f} percentage points"
    end = run.outcome if run.diverged else f"average {run.average_accuracy:.1%}, {forgot}"
    lines = end.replace(" (", "\n(").replace(", forgetting", ",\nforgetting")
    ax.set_title(f"{method_label(name)}: {lines}", fontsize=11)
    return described(
        figure,
        f"Accuracy matrix of {name}: row t, column j is the accuracy on task j after learning task "
        f"t. At the end: {end}.",
    )


def forgetting(runs: Sequence[Run]) -> Chart:
    """Draw how much accuracy on each earlier task was lost by the end, in percentage points.

    There is a group of bars for each task, and a bar for each method: the mean over seeds, with
    error bars from the lowest to the highest seed.

    Args:
        runs: as in `average_accuracy`; joint training is left out.

    Raises:
        ValueError: nothing can be forgotten (one task, or joint training alone), or as
            `average_accuracy`.
    """
    groups = {
        name: 100 * np.array([metrics.forgettings(r.accuracy) for r in group])
        for name, group in _by_method(runs).items()
        if not np.isnan(group[0].forgetting)
    }
    if not groups:
        raise ValueError("there is nothing to forget: one task only, or joint training alone")
    figure = blank(7.4, 3.6)
    ax = figure.subplots()
    width = 0.8 / len(groups)
    hatches = ["", "//", "..", "\\\\", "xx", "--", "++"]
    for i, (name, lost) in enumerate(groups.items()):
        x = np.arange(1, lost.shape[1] + 1) + (i - (len(groups) - 1) / 2) * width
        mean = lost.mean(0)
        error = [mean - lost.min(0), lost.max(0) - mean] if len(lost) > 1 else None
        colour, hatch = LOOK.get(name, OTHER)[0], hatches[i % len(hatches)]
        look: dict[str, Any] = {"color": colour, "hatch": hatch, "edgecolor": "white"}
        ax.bar(x, mean, width, yerr=error, label=method_label(name), **look)
        n_tasks = lost.shape[1] + 1
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set(xticks=range(1, n_tasks), xlabel="task")
    ax.set_ylabel(f"accuracy lost by the end of\ntask {n_tasks} (percentage points)")
    frame(ax)
    legend_beside(ax)
    means = ", ".join(f"{name} {lost.mean():.1f}" for name, lost in groups.items())
    left_out = _say_what_is_left_out(ax, runs)
    return described(
        figure,
        f"Percentage points of accuracy on tasks 1 to {n_tasks - 1} that were lost by the end of "
        f"task {n_tasks}, a bar a method. Mean over tasks: {means}.{left_out}",
    )


def method_label(method: str) -> str:
    """Return the name of a `method` in charts: "ewc" is "EWC"; others stay as they are."""
    return METHODS[method].label if method in METHODS else method


def _show(ax: Axes, image: torch.Tensor) -> None:
    """An image (C, H, W), from its darkest value to its lightest."""
    low, high = image.min(), image.max()
    ax.imshow(((image - low) / (high - low)).permute(1, 2, 0).cpu().numpy(), cmap="gray")
    ax.set(xticks=[], yticks=[])


def _say_what_is_left_out(ax: Axes, runs: Sequence[Run]) -> str:
    """Write above the axes how many runs are not drawn, by method and why; return that."""
    counts: dict[str, int] = {}
    for run in runs:
        if not run.complete:
            why = "diverged" if run.diverged else "stopped early"
            key = f"{method_label(run.config['method'])} {why}"
            counts[key] = counts.get(key, 0) + 1
    if not counts:
        return ""
    listed = ", ".join(f"{key} ({n})" for key, n in counts.items())
    ax.set_title(f"not drawn: {listed}", fontsize=9, loc="left")
    return f" Not drawn: {listed}."


def _by_method(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Complete runs by method, in the palette's order and then as they come."""
    names = dict.fromkeys([*LOOK, *(r.config["method"] for r in runs)])
    groups = {n: [r for r in runs if r.config["method"] == n and r.complete] for n in names}
    groups = {n: g for n, g in groups.items() if g}
    if not groups:
        raise ValueError("there is no complete run to draw")
    for name, group in groups.items():
        if apart := unlike(group):
            raise ValueError(
                f"the runs of {name} differ in more than the seed, in {', '.join(apart)}: "
                "draw those of one setting"
            )
    must_have_learned_the_same([run for group in groups.values() for run in group], "draw")
    return groups


def blank(width: float, height: float) -> Chart:
    """Make an empty chart of `width` and `height` in inches."""
    return Chart(figsize=(width, height), dpi=120, layout="constrained")


def note(ax: Axes, text: str, at: Point, off: tuple[float, float], **look: Any) -> None:
    """Write `text` beside the point `at` of `ax`, `off` points away; `look` as in `Axes.text`."""
    ax.annotate(text, (at[0], at[1]), off, textcoords="offset points", **look)


def legend_beside(ax: Axes, *entries: Any, **look: Any) -> None:
    """Put a legend to the right of `ax`; `entries` and `look` are arguments of `Axes.legend`."""
    ax.legend(*entries, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, **look)


def frame(ax: Axes) -> None:
    """Give `ax` two spines and a faint grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#dddddd", linewidth=0.8)
    ax.set_axisbelow(True)


def described(figure: Chart, text: str) -> Chart:
    """Attach `text`, what is to be seen in words, to `figure`, and return it."""
    figure.set_label(text)
    return figure
