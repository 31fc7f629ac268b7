"""A-GEM: a gradient that raises the mean loss of all old tasks is corrected by a formula."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..checks import at_least_one
from .memory import TaskMemory


@dataclass(eq=False)
class AGEM(TaskMemory):
    """Averaged GEM: keep each step from raising the mean loss on stored examples.

        g̃ = g − min(0, ⟨g, r⟩) / ⟨r, r⟩ · r

    g is the gradient of the task in training, r the gradient on a batch of stored examples of *all*
    old tasks. GEM has one condition for each old task and solves a quadratic program; A-GEM has one
    condition in all, so there is a formula.

    ⟨g̃, r⟩ ≥ 0 says that a small step of plain SGD does not raise the old loss. Adam and momentum
    step along another vector, for which nothing is guaranteed.

    Args:
        memory: examples stored in all; after t tasks, memory / t of each. Default 500.
        batch: stored examples, drawn anew at each step, that r is computed on. Default 256.

    Raises:
        ValueError: `memory` or `batch` is not a whole number, 1 or more.

    Chaudhry et al. 2019, arXiv:1812.00420, eqs. 10 and 11.
    """

    name = "agem"
    label = "A-GEM"

    memory: int = 500
    batch: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one("batch", self.batch)

    def reconciled(self, model: nn.Module, g: Tensor) -> Tensor:
        return averaged(g, self.memory_gradient(model, self.drawn(self.batch)))


def averaged(g: Tensor, r: Tensor) -> Tensor:
    """Project g onto the half-space ⟨g̃, r⟩ ≥ 0 (eq. 11).

    Args:
        g, r: (P,) gradients of the new task and on the stored examples.

    Returns:
        g̃ (P,), the vector nearest to `g` with ⟨g̃, r⟩ ≥ 0; `g` itself where ⟨g, r⟩ ≥ 0.
    """
    # No `if`, for which a GPU would have to wait; r = 0 leaves g unchanged.
    return g - (g @ r).clamp(max=0) / (r @ r).clamp(min=torch.finfo(r.dtype).tiny) * r
