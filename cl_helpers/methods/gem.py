"""Gradient Episodic Memory (Lopez-Paz & Ranzato 2017, arXiv:1706.08840, eqs. 8 to 11).

    minimise ½ ‖g̃ − g‖²   subject to   ⟨g̃, g_k⟩ ≥ 0  for every old task k

g_k is the gradient of the loss on the stored examples of task k: no step may make one of the old
losses larger. In the dual, with the g_k as the rows of G,

    g̃ = g + Gᵀv,        v = argmin ½ ‖Gᵀv + g‖²  over  v ≥ γ

which is a non-negative least-squares problem in v − γ, as many unknowns as there are old tasks.
(Eq. 11 has v ≥ 0; γ is what the authors add to it in practice.)
"""

import math
import numbers
from dataclasses import dataclass

import torch
from scipy.optimize import nnls
from torch import Tensor, nn

from .memory import TaskMemory


@dataclass(eq=False)
class GEM(TaskMemory):
    """
    Args:
        memory: examples stored in all, shared among the tasks.
        margin: γ, the least weight with which an old gradient joins a step that is corrected.
    """

    name = "gem"
    label = "GEM"

    memory: int = 500
    margin: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isinstance(self.margin, numbers.Real) and 0 <= self.margin < math.inf):
            raise ValueError(f"γ is {self.margin!r}: choose a number, 0 or larger")

    def reconciled(self, model: nn.Module, g: Tensor) -> Tensor:
        return projected(g, self.old_gradients(model), self.margin)

    def old_gradients(self, model: nn.Module) -> Tensor:
        """(t, P): of the loss on the examples of each old task, as the model is now."""
        # A memory smaller than the number of tasks has no examples of the first.
        stored = [(self.of == k).nonzero()[:, 0] for k in self.of.unique()]
        return torch.stack([self.memory_gradient(model, index) for index in stored])


def projected(g: Tensor, old: Tensor, margin: float = 0.0) -> Tensor:
    """The g̃ nearest to `g` (P,) that no row of `old` (t, P) contradicts; `g` itself if none does.

    In float64, and from a QR decomposition of the rows at length 1: neither parallel rows nor tiny
    or huge ones do any harm, as they would in G Gᵀ. Where training has diverged, it is `g` as well.
    """
    g_, rows = g.double(), old.double()
    products = rows @ g_
    if not bool((products < 0).any() & products.isfinite().all()):
        return g
    length = rows.norm(dim=1, keepdim=True)
    rows, length = rows[length[:, 0] > 0], length[length[:, 0] > 0]
    pushed = g_ + margin * rows.sum(0)  # v = γ + u / length, u ≥ 0
    q, r = torch.linalg.qr((rows / length).T)
    u, _ = nnls(r.cpu().numpy(), -(pushed @ q).cpu().numpy())
    return (pushed + torch.from_numpy(u).to(rows) @ (rows / length)).to(g)
