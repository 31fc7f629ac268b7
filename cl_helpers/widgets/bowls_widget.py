"""Two tasks in the plane: where each penalty lets the weights go."""

from __future__ import annotations

import numpy as np
import traitlets

from ..lessons.bowls import PENALTIES, Bowl, end
from .view import View

FIGURES = ("none", "none", "none", "none", "L2", "diagonal")  # the penalty that each begins with


class Bowls(View):
    """The geometry of forgetting, two weights at a time.

    Args:
        view: which of the six figures to begin with, 1 to 6.

    Raises:
        ValueError: there is no such figure.

    Attributes:
        a, b: the minima θ*_A and θ*_B, (θ₁, θ₂).
        curvature_a, degrees_a, curvature_b, degrees_b: of the two, as in `lessons.bowls.Bowl`.
        penalty, lam: what holds the weights, as in `lessons.bowls.end`.
        end: (2,) where training ends.
    """

    view = traitlets.Unicode("bowls").tag(sync=True)
    figure = traitlets.Int(min=1, max=len(FIGURES)).tag(sync=True)
    penalty = traitlets.Enum(PENALTIES).tag(sync=True)
    lam = traitlets.Float(1.0, min=0.0).tag(sync=True)
    a: traitlets.List = traitlets.List([-1.08, -0.62]).tag(sync=True)
    b: traitlets.List = traitlets.List([1.08, 0.62]).tag(sync=True)
    curvature_a = traitlets.Float(12.0, min=1.0).tag(sync=True)
    curvature_b = traitlets.Float(12.0, min=1.0).tag(sync=True)
    degrees_a = traitlets.Float(0.0).tag(sync=True)
    degrees_b = traitlets.Float(-60.0).tag(sync=True)
    walked = traitlets.Float(1.0, min=0.0, max=1.0).tag(sync=True)

    def __init__(self, view: int = 4):
        if view not in range(1, len(FIGURES) + 1):
            raise ValueError(f"view is {view!r}: choose 1 to {len(FIGURES)}")
        super().__init__(figure=view, penalty=FIGURES[view - 1])

    @property
    def tasks(self) -> tuple[Bowl, Bowl]:
        """The two bowls as they are on the page."""
        return (
            Bowl((self.a[0], self.a[1]), self.curvature_a, self.degrees_a),
            Bowl((self.b[0], self.b[1]), self.curvature_b, self.degrees_b),
        )

    @property
    def end(self) -> np.ndarray:
        return end(*self.tasks, self.penalty, self.lam)
