"""The path integral of SI, for two weights."""

import traitlets

from .view import View


class Credit(View):
    """Gradient descent over a bowl of two weights; each weight's credit grows with −g_i Δθ_i.

    The loss is that of `lessons.bowls.Bowl` with its minimum at 0.

    Args:
        lr: the learning rate η, 0.01 to 0.5, to begin with. Training ends after the same time, η
            times the number of steps.

    Attributes:
        start: (θ₁, θ₂) where training begins.
        walked: how much of the path is shown, 0 to 1.
        curvature, degrees: of the bowl.
    """

    view = traitlets.Unicode("credit").tag(sync=True)
    start: traitlets.List = traitlets.List([-2.0, 0.9]).tag(sync=True)
    lr = traitlets.Float(min=0.01, max=0.5).tag(sync=True)
    walked = traitlets.Float(1.0, min=0.0, max=1.0).tag(sync=True)
    curvature = traitlets.Float(9.0, min=1.0, max=9.0).tag(sync=True)
    degrees = traitlets.Float(25.0).tag(sync=True)

    def __init__(self, lr: float = 0.05):
        super().__init__(lr=lr)
