"""Sliced Cramér Preservation (Kolouri et al. 2020, openreview.net/forum?id=BJge3TNKwH).

    Ω_i = 1/L Σ_l ( ∂ (ξ_l · φ̄) / ∂θ_i )²,        φ̄ = mean logits of a batch, ‖ξ_l‖ = 1

Hold on to the *distribution* of the answers, seen from L random directions ξ_l. No labels. φ̄ is a
mean over a batch, so here the batch size is part of the method, not a matter of memory.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import at_least_one, seeded
from ..data.tasks import Task
from ..models.flat import flatten
from ..models.forward import evaluating
from .quadratic import Quadratic


@dataclass(eq=False)
class SCP(Quadratic):
    """
    Args:
        lam: λ.
        slices: L, the number of random directions.
        batch_size: how many samples φ̄ is the mean of.
        seed: of the directions.
    """

    name = "scp"
    label = "SCP"

    lam: float = 25.0
    slices: int = 100
    batch_size: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        for knob in ("slices", "batch_size"):
            at_least_one(knob, getattr(self, knob))
        seeded(self.seed)

    def importance_of(self, model: nn.Module, task: Task) -> Tensor:
        flat = flatten(model)
        omega = torch.zeros_like(flat.theta)
        n_batches = 0
        with evaluating(model):
            for x, _ in task.train.to(omega.device).batches(self.batch_size):
                phi = task.outputs(model(x)).mean(0)
                if not n_batches:
                    directions = self.directions(len(phi)).to(phi)
                for c in directions:
                    grads = torch.autograd.grad(c @ phi, flat.parameters, retain_graph=True)
                    g = torch.cat([p.reshape(-1) for p in grads])
                    omega.addcmul_(g, g)
                n_batches += 1
        return omega / n_batches

    def directions(self, n_outputs: int) -> Tensor:
        """(R, K), R ≤ K: directions whose squared derivatives add up to the mean over all L slices.

        That mean is the diagonal of Jᵀ M J, with J = ∂φ̄/∂θ and M = 1/L Σ_l ξ_l ξ_lᵀ, a K × K
        matrix. Any C with Cᵀ C = M serves: L slices cost min(L, K) backward passes.
        """
        rng = seeded(self.seed)
        xi = torch.randn(self.slices, n_outputs, generator=rng, dtype=torch.float64)
        xi = F.normalize(xi, dim=1) / self.slices**0.5
        return xi if self.slices <= n_outputs else torch.linalg.qr(xi).R
