"""SCP: the importance of a weight is how far it moves the mean logits, in random directions."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import at_least_one, seeded
from ..data.tasks import SequenceTask, Task
from ..models.flat import flatten
from ..models.forward import evaluating
from .quadratic import N_SAMPLES, Measured


@dataclass(eq=False)
class SCP(Measured):
    """Sliced Cramér Preservation: hold each weight by how much it moves the mean logits.

        penalty(θ) = ½ Σ_i Ω_i (θ_i − θ*_i)²,
        Ω_i = 1/S Σ_s ( ∂ (u_s · φ̄) / ∂θ_i )²,        φ̄ = mean logits of a batch, ‖u_s‖ = 1

    A slice is the distribution of the logits along one of S random directions u_s. SCP protects the
    mean of each slice. It needs no labels. Ω is the mean over the batches of a task. Because φ̄ is a
    mean over a batch, Ω depends on the batch size, which is therefore part of the method.

    Args:
        lam: λ ≥ 0, in nats per logit²; 0 is off. Default 25, chosen on held-out images of the
            homework's stream, see experiments/tuning.
        slices: S, the number of random directions. Default 100.
        batch_size: examples that φ̄ is the mean of. Default 128.
        seed: of the directions. Default 0.
        n_samples: how many examples of a task Ω is measured on, drawn with the seed of the run.
            Default 1024, with which held-out images show no loss (experiments/tuning/samples);
            None: all of them.

    Raises:
        ValueError: `lam` is negative or not finite, `slices` or `batch_size` is not a whole number,
            1 or more, or `seed` is not a whole number below 2⁶³.

    Kolouri et al. 2020, openreview.net/forum?id=BJge3TNKwH, algorithm 1.
    """

    name = "scp"
    label = "SCP"

    lam: float = 25.0
    slices: int = 100
    batch_size: int = 128
    seed: int = 0
    n_samples: int | None = N_SAMPLES

    def __post_init__(self) -> None:
        super().__post_init__()
        for knob in ("slices", "batch_size"):
            at_least_one(knob, getattr(self, knob))
        seeded(self.seed)

    def check_task(self, task: Task) -> None:
        super().check_task(task)
        if isinstance(task, SequenceTask):
            raise ValueError(
                f"SCP slices the mean outputs of an example, and {task.name} has outputs at each "
                "position: take another penalty, such as EWC"
            )

    def importance_of(self, model: nn.Module, task: Task) -> Tensor:
        flat = flatten(model)
        omega = torch.zeros_like(flat.theta)
        n_batches = 0
        with evaluating(model):
            for x, _ in self.measured_on(task).to(omega.device).batches(self.batch_size):
                phi = task.outputs(model(x)).mean(0)
                if not n_batches:
                    directions = self.directions(len(phi)).to(phi)
                for c in directions:
                    grads = torch.autograd.grad(
                        c @ phi, flat.parameters, retain_graph=True, materialize_grads=True
                    )
                    g = torch.cat([p.reshape(-1) for p in grads])
                    omega.addcmul_(g, g)
                n_batches += 1
        return omega / n_batches

    def directions(self, n_outputs: int) -> Tensor:
        """Draw S slices of K = `n_outputs` logits and reduce them to at most K directions.

        The mean over slices is the diagonal of Jᵀ M J, with J = ∂φ̄/∂θ and M = 1/S Σ_s u_s u_sᵀ, a
        K × K matrix. Any C with Cᵀ C = M gives the same sum of squared derivatives: so S slices
        cost min(S, K) backward passes.

        Returns:
            C (min(S, K), K), float64.
        """
        rng = seeded(self.seed)
        u = torch.randn(self.slices, n_outputs, generator=rng, dtype=torch.float64)
        u = F.normalize(u, dim=1) / self.slices**0.5
        return u if self.slices <= n_outputs else torch.linalg.qr(u).R
