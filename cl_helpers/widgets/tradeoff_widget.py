"""One weight, and what λ makes of it."""

import traitlets

from .view import View


class TradeOff(View):
    """EWC with one weight θ: the loss of B, the penalty λ/2 · F (θ − θ*_A)², and their sum.

    L_A = F/2 · (θ − θ*_A)² and L_B = ½ (θ − θ*_B)², with θ*_A = −1 and θ*_B = 1.

    Args:
        lam: λ, 0 or larger, to begin with.
        fisher: F, the curvature of the loss of A, 0.1 to 8.
    """

    view = traitlets.Unicode("tradeoff").tag(sync=True)
    lam = traitlets.Float(min=0.0).tag(sync=True)
    fisher = traitlets.Float(min=0.1, max=8.0).tag(sync=True)

    def __init__(self, lam: float = 1.0, fisher: float = 2.0):
        super().__init__(lam=lam, fisher=fisher)
