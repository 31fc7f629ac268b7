"""GEM and A-GEM in the plane: take the gradient by its tip, and see what they make of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import traitlets
from numpy.typing import NDArray

from ..lessons.figures.arrows import SPAN, Gradients
from .view import View


class Projection(View):
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

    view = traitlets.Unicode("projection").tag(sync=True)
    g: traitlets.List = traitlets.List(traitlets.Float(), minlen=2, maxlen=2).tag(sync=True)
    margin = traitlets.Float(min=0.0, max=1.0).tag(sync=True)
    angle = traitlets.Float(min=10.0, max=170.0).tag(sync=True)

    def __init__(
        self, g: Sequence[float] = (-2.0, -0.95), margin: float = 0.0, angle: float = 60.0
    ):
        if len(g) != 2 or any(abs(v) > most for v, most in zip(g, SPAN, strict=True)):
            raise ValueError(f"g is {g}: choose a point within ±{SPAN[0]:g} and ±{SPAN[1]:g}")
        super().__init__(g=[float(v) for v in g], margin=margin, angle=angle)

    @property
    def old(self) -> NDArray:
        """(2, 2): g₁ and g₂, one longer than the other."""
        turns = np.radians(90 + np.array([0.5, -0.5]) * self.angle)
        return np.array([[1.9], [1.3]]) * np.stack([np.cos(turns), np.sin(turns)], 1)

    @property
    def gradients(self) -> Gradients:
        return Gradients(self.g, self.old, self.margin)
