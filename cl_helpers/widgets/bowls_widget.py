"""Two tasks in the plane: where each penalty lets the weights go."""

from __future__ import annotations

import ipywidgets as widgets
import numpy as np

from ..lessons.bowls import PENALTIES, Bowl, end, importance, joint, path, quadratic
from ..report import plots
from .accessible import Status
from .canvas import Canvas
from .controls import choice, row, slider, strength
from .course_widget import CourseWidget

GOOD = 1.0  # a task counts as solved where its loss is below
VIEWS = {
    "1 · one task: many good θ": ("A", "none"),
    "2 · a second task": ("AB", "none"),
    "3 · they overlap": ("AB&", "none"),
    "4 · just train on": ("AB&>", "none"),
    "5 · hold all weights alike": ("AB&>", "L2"),
    "6 · hold the important ones": ("AB&>", "diagonal"),
}
BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"


class Bowls(CourseWidget):
    """The geometry of forgetting, two weights at a time.

    Args:
        view: which of the six figures to begin with, 1 to 6.

    Raises:
        ValueError: there is no such figure.

    Attributes:
        end: (2,) where training ends, with the settings on the page.
    """

    def __init__(self, view: int = 4):
        names = list(VIEWS)
        if view not in range(1, len(names) + 1):
            raise ValueError(f"view is {view!r}: choose 1 to {len(names)}")
        self.view = choice("Figure", names, names[view - 1])
        self.penalty = widgets.ToggleButtons(
            options=PENALTIES,
            description="Penalty",
            tooltips=[
                "train on B alone",
                "every weight alike",
                "each weight by A's curvature in it: EWC",
                "A's whole curvature",
            ],
            style={"button_width": "80px", "description_width": "initial"},
        )
        self.lam = strength(value=1.0)
        self.curvature = slider("Curvature", 1, 30, 1, 12)
        self.rotation = slider("Rotation of A (°)", -90, 90, 5, 0)
        self.distance = slider("Distance", 0, 4, 0.1, 2.5)
        self.status = Status()
        self.canvas = Canvas(plots.blank(8.6, 4.6), self._update)
        self.view.observe(self._take_view, "value")
        self._take_view()
        for control in (self.penalty, self.lam, self.curvature, self.rotation, self.distance):
            control.observe(lambda _: self.canvas.ask(), "value")
        self.box = widgets.VBox(
            [
                row(self.view, self.penalty),
                row(self.lam, self.curvature),
                row(self.rotation, self.distance),
                self.status,
                self.canvas.box,
            ]
        )

    @property
    def tasks(self) -> tuple[Bowl, Bowl]:
        """The two bowls with the settings on the page."""
        c, gap = self.curvature.value, self.distance.value
        x, y = 0.43 * gap, 0.25 * gap
        return Bowl((-x, -y), c, self.rotation.value), Bowl((x, y), c, 120.0)

    @property
    def end(self) -> np.ndarray:
        return end(*self.tasks, self.penalty.value, self.lam.value)

    def _take_view(self, _: object = None) -> None:
        self.penalty.value = VIEWS[self.view.value][1]
        self.canvas.ask()

    def _update(self) -> None:
        parts = VIEWS[self.view.value][0]
        if self.penalty.value != "none":
            parts = "AB&>"
        a, b = self.tasks
        words = _draw(self.canvas.figure, a, b, self.penalty.value, self.lam.value, parts)
        self.status.value = words


def _draw(figure: plots.Chart, a: Bowl, b: Bowl, penalty: str, lam: float, parts: str) -> str:
    """Draw the bowls, and say what came of it."""
    figure.clear()
    ax = figure.subplots()
    x, y = np.meshgrid(np.linspace(-4.3, 4.3, 220), np.linspace(-2.6, 2.6, 140))
    points = np.stack([x, y], -1)
    loss_a, loss_b = a.loss(points), b.loss(points)
    drawn = [("A", BLUE, a, loss_a), ("B", RED, b, loss_b)]
    for name, colour, bowl, loss in drawn:
        if name not in parts:
            continue
        ax.contourf(x, y, loss, levels=[0, GOOD], colors=[colour], alpha=0.22)
        levels = [GOOD, 3, 6, 10]
        dashes = "solid" if name == "A" else "dashed"
        ax.contour(x, y, loss, levels=levels, colors=[colour], linewidths=0.9, linestyles=dashes)
        ax.plot(*bowl.optimum, "o" if name == "A" else "s", color=colour, markersize=8)
        off = (-8, -20) if name == "A" else (8, 7)
        plots.note(ax, f"$θ^*_{name}$", bowl.optimum, off, fontsize=12)
    both = np.maximum(loss_a, loss_b)
    if "&" in parts and both.min() < GOOD:
        ax.contourf(x, y, both, levels=[0, GOOD], colors=[GREEN], alpha=0.55)
    words = f"Shaded: all θ with which task A is solved, its loss below {GOOD:g}."
    if "B" in parts:
        words = "Shaded: where each task is solved."
    if "&" in parts:
        words += " Green: where both are." if both.min() < GOOD else " No θ solves both."
    if ">" in parts:
        trajectory, stop = path(a, b, penalty, lam), end(a, b, penalty, lam)
        if lam and penalty != "none":
            held = quadratic(points - a.optimum, importance(a, penalty))
            ax.contour(
                x, y, held, levels=[0.25, 1], colors="#777777", linestyles=":", linewidths=1.3
            )
        ax.plot(*trajectory.T, color="black", linewidth=2.4)
        ax.plot(*stop, "*", color="black", markersize=19, markeredgecolor="white")
        best = joint(a, b)
        ax.plot(*best, "P", color=GREEN, markersize=8, markeredgecolor="white")
        plots.note(ax, "best for both", best, (10, -16), fontsize=10)
        la, lb = float(a.loss(stop)), float(b.loss(stop))
        fate = {
            (True, True): "both tasks are solved",
            (True, False): "A is kept, B is not learned",
            (False, True): "B is learned, A is forgotten",
            (False, False): "neither is solved",
        }[la < GOOD, lb < GOOD]
        words = (
            f"From A's minimum training ends at ({stop[0]:.2f}, {stop[1]:.2f}), the star: "
            f"loss on A {la:.2f}, on B {lb:.2f}, together {la + lb:.2f} (at best "
            f"{float(a.loss(best) + b.loss(best)):.2f}); {fate}."
        )
    ax.set(xlim=(-4.3, 4.3), ylim=(-2.6, 2.6), aspect="equal", xlabel="θ₁", ylabel="θ₂")
    ax.set(xticks=[], yticks=[])
    ax.spines[["top", "right"]].set_visible(False)
    losses = "losses of task A (blue) and B (orange)" if "B" in parts else "loss of task A (blue)"
    plots.described(figure, f"Contours of the {losses} over two weights. {words}")
    return words
