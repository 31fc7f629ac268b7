"""Averaged GEM (Chaudhry et al. 2019, arXiv:1812.00420, eqs. 10 and 11).

    g̃ = g − min(0, ⟨g, r⟩) / ⟨r, r⟩ · r

r is the gradient on a batch of stored examples of *all* old tasks: their mean loss may not grow.
One condition instead of GEM's one a task, so there is a formula, and nothing to be solved.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..checks import at_least_one
from .memory import TaskMemory


@dataclass(eq=False)
class AGEM(TaskMemory):
    """
    Args:
        memory: examples stored in all, shared among the tasks.
        batch: stored examples that r is the gradient on.
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
    """g̃ (P,), the nearest to `g` that does not contradict `r`; `g` itself where it does not."""
    # Without a question that a GPU would have to wait for; r = 0 leaves g as it is.
    return g - (g @ r).clamp(max=0) / (r @ r).clamp(min=torch.finfo(r.dtype).tiny) * r
