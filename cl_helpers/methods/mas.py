"""MAS: the importance of a weight is how far the logits move when it moves."""

from dataclasses import dataclass

from torch import Tensor, nn

from ..data.tasks import Task
from .gradients import mean_abs_grad
from .quadratic import N_SAMPLES, Measured


@dataclass(eq=False)
class MAS(Measured):
    """Memory Aware Synapses: hold each weight by how much it moves the learned function.

        penalty(θ) = ½ Σ_i Ω_i (θ_i − θ*_i)²,
        Ω_i = 1/N Σ_n | ∂ ‖f(x_n; θ*)‖²₂ / ∂θ_i |,        f = logits of the active outputs

    The loss is not involved, so Ω needs no labels. Gradients are per example, so Ω does not depend
    on any batch size.

    Args:
        lam: λ ≥ 0, in nats per (logit² × unit of θ); 0 is off. Default 0.02, chosen on held-out
            images of the homework's stream, see experiments/tuning.
        n_samples: how many examples of a task Ω is measured on, drawn with the seed of the run.
            Default 1024, with which held-out images show no loss (experiments/tuning/samples);
            None: all of them.

    Raises:
        ValueError: `lam` is negative or not finite, or `n_samples` is not 1 or more.

    Aljundi et al. 2018, arXiv:1711.09601, eq. 2 and sect. 4.1.

    Departs from the paper: its penalty has no ½, so a λ of the paper is 2λ here.
    """

    name = "mas"
    label = "MAS"

    lam: float = 0.02
    n_samples: int | None = N_SAMPLES

    def importance_of(self, model: nn.Module, task: Task) -> Tensor:
        def squared_norm(logits: Tensor, _: Tensor) -> Tensor:
            return task.outputs(logits).square().sum(-1)

        return mean_abs_grad(model, self.measured_on(task), squared_norm)
