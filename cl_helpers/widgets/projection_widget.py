"""GEM and A-GEM in the plane: take the gradient by its tip, and see what they make of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anywidget
import ipywidgets as widgets
import numpy as np
import traitlets
from numpy.typing import NDArray

from ..lessons.figures.arrows import DOT, ROOM, SPAN, Gradients
from ..report import plots
from .accessible import Status
from .canvas import Canvas
from .controls import row, slider
from .course_widget import CourseWidget

_HERE = Path(__file__).parent


class Plane(anywidget.AnyWidget):
    """Arrows over half-planes; the one called g has a handle."""

    _esm = (_HERE / "plane.js").read_text("utf-8")
    _css = (_HERE / "plane.css").read_text("utf-8")
    span = traitlets.List(list(SPAN)).tag(sync=True)
    room = traitlets.Float(ROOM).tag(sync=True)
    dot = traitlets.Float(DOT).tag(sync=True)
    g = traitlets.List(traitlets.Float(), minlen=2, maxlen=2).tag(sync=True)
    arrows: traitlets.List = traitlets.List().tag(sync=True)
    regions: traitlets.List = traitlets.List().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)


class Projection(CourseWidget):
    """A gradient g, two old tasks that must not lose, and g̃ of GEM and of A-GEM.

    Args:
        g: (2,) where g begins.
        margin: GEM's γ, 0 to 1.
        angle: between the gradients of the old tasks, in degrees, 10 to 170.

    Raises:
        ValueError: g is no point of the plane that is shown.

    Attributes:
        gradients: what is shown, with `gem` and `agem`, the two g̃.
    """

    def __init__(
        self, g: Sequence[float] = (-2.0, -0.95), margin: float = 0.0, angle: float = 60.0
    ):
        if len(g) != 2 or any(abs(v) > most for v, most in zip(g, SPAN, strict=True)):
            raise ValueError(f"g is {g}: choose a point within ±{SPAN[0]:g} and ±{SPAN[1]:g}")
        self.plane = Plane(g=[float(v) for v in g])
        self.margin = slider("Margin γ", 0, 1, 0.05, margin)
        self.angle = slider("Angle of g₁ and g₂ (°)", 10, 170, 5, angle)
        self.status = Status()
        self.canvas = Canvas(plots.blank(6.2, 4.6), self._update)
        self.canvas.image.layout.display = "none"  # the plane is the live one
        for control, name in ((self.plane, "g"), (self.margin, "value"), (self.angle, "value")):
            control.observe(self._take, name)
        self._take()
        # The words below the plane: they may take another line, which must not move it in a drag.
        self.box = widgets.VBox(
            [row(self.margin, self.angle), self.plane, self.status, self.canvas.box]
        )

    @property
    def old(self) -> NDArray:
        """(2, 2): g₁ and g₂, one longer than the other."""
        turns = np.radians(90 + np.array([0.5, -0.5]) * self.angle.value)
        return np.array([[1.9], [1.3]]) * np.stack([np.cos(turns), np.sin(turns)], 1)

    @property
    def gradients(self) -> Gradients:
        return Gradients(self.plane.g, self.old, self.margin.value)

    def _take(self, _: object = None) -> None:
        shown = self.gradients
        with self.plane.hold_sync():
            self.plane.arrows = [arrow._asdict() for arrow in shown.arrows]
            self.plane.regions = [region._asdict() for region in shown.regions]
            self.plane.alt = _alt(shown)
        self.status.value = shown.words
        self.canvas.ask()

    def _update(self) -> None:
        """The copy for readers without a kernel."""
        figure, shown = self.canvas.figure, self.gradients
        figure.clear()
        shown.draw(figure.subplots())
        plots.described(figure, _alt(shown))


def _alt(shown: Gradients) -> str:
    x, y = shown.g
    return (
        "Arrows from one point: the gradients g₁ and g₂ of two old tasks, each with the half-plane "
        f"in which its loss does not rise, and the task's gradient g = ({x:.2f}, {y:.2f}). "
        f"{shown.words}"
    )
