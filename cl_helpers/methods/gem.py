"""GEM: a gradient that raises the loss of an old task is projected until it raises none."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..checks import zero_or_more
from .memory import TaskMemory


@dataclass(eq=False)
class GEM(TaskMemory):
    """Gradient Episodic Memory: keep each step from raising the loss of any old task.

        minimise ½ ‖g̃ − g‖²   subject to   ⟨g̃, g_k⟩ ≥ 0  for every old task k

    g is the gradient of the task in training, g_k that of the loss on the stored examples of task
    k. Where g violates a condition, g̃ takes its place. In the dual, with the g_k as rows of G,

        g̃ = g + Gᵀv,        v = argmin ½ ‖Gᵀv + g‖²  over  v ≥ γ,

    a non-negative least-squares problem in v − γ with one unknown for each old task.

    ⟨g̃, g_k⟩ ≥ 0 says that a small step of plain SGD does not raise the loss of task k. Adam and
    momentum step along another vector, for which nothing is guaranteed.

    Args:
        memory: examples stored in all; after t tasks, memory / t of each. Default 500.
        margin: γ ≥ 0, the least weight with which each old gradient is added to a gradient that is
            corrected at all. Default 0.5, as in the authors' experiments.

    Raises:
        ValueError: `memory` is not a whole number, 1 or more, or `margin` is negative.

    Lopez-Paz & Ranzato 2017, arXiv:1706.08840, eqs. 8 to 11; eq. 11 has γ = 0, the text adds γ.

    Departs from the paper: stored examples are drawn at random, evenly by class; the paper stores
    the last ones of each task.
    """

    name = "gem"
    label = "GEM"

    memory: int = 500
    margin: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        zero_or_more("γ", self.margin)

    def reconciled(self, model: nn.Module, g: Tensor) -> Tensor:
        return projected(g, self.old_gradients(model), self.margin)

    def old_gradients(self, model: nn.Module) -> Tensor:
        """Compute the gradient of the loss on the stored examples of each old task: (t, P)."""
        # A memory smaller than the number of tasks has no examples of the first.
        stored = [(self.of == k).nonzero()[:, 0] for k in self.of.unique()]
        return torch.stack([self.memory_gradient(model, index) for index in stored])


def projected(g: Tensor, old: Tensor, margin: float = 0.0) -> Tensor:
    """Project g onto the cone ⟨g̃, g_k⟩ ≥ 0 for all k (eqs. 8 to 11).

    Computed in float64 from the products of the rows, scaled to length 1, and of these alone: t + 1
    vectors as long as θ are read twice. Eigenvalues that rounding has made are left out: parallel,
    tiny or huge rows do no harm.

    Args:
        g: (P,) gradient of the task in training.
        old: (t, P) gradients g_k of the old tasks.
        margin: γ; 0, the default, is the exact projection.

    Returns:
        g̃ (P,); `g` itself where no condition is violated or training has diverged.
    """
    from scipy.optimize import nnls  # takes long to import, and GEM alone needs it

    g_, rows = g.double(), old.double()
    products = rows @ g_
    if not bool((products < 0).any() & products.isfinite().all()):
        return g
    length = rows.norm(dim=1, keepdim=True)
    rows, length = rows[length[:, 0] > 0], length[length[:, 0] > 0]
    pushed = g_ + margin * rows.sum(0)  # v = γ + u / length, u ≥ 0
    # ‖Aᵀu + pushed‖² with A the rows of length 1: only A Aᵀ = R Rᵀ and A pushed are needed.
    rows = rows / length
    values, vectors = torch.linalg.eigh(rows @ rows.T)
    big = values > values[-1] * 1e-12
    r = (vectors[:, big] * values[big].sqrt()).T
    ahead = (vectors[:, big].T @ (rows @ pushed)) / values[big].sqrt()
    u, _ = nnls(r.cpu().numpy(), -ahead.cpu().numpy())
    return (pushed + torch.from_numpy(u).to(rows) @ rows).to(g)
