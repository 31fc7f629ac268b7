"""What EWC expects of a move δ = θ − θ* away from task A, and what the move does to A's loss.

    L_A(θ) − L_A(θ*)  ≈  ½ δᵀFδ  ≈  ½ Σ_i F_ii δ_i²

The first step is Laplace's approximation with all of the Fisher information F, the second keeps
its diagonal alone. F is never made: δᵀFδ follows from how δ moves the logits.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..data.tasks import Task
from ..methods import EWC
from ..models.forward import evaluating


def whole(model: nn.Module, x: Tensor, delta: Mapping[str, Tensor]) -> Tensor:
    """Compute δᵀFδ with all of the true F of inputs `x`, a 0-dim tensor; δ can get a gradient.

    F is the mean of Jᵀ (diag p − p pᵀ) J over the inputs, J the Jacobian of the logits z and
    p = softmax(z). So δᵀFδ is the mean variance of Jδ under p.

    Args:
        model: its weights are θ*.
        x: (N, …) inputs; all outputs compete.
        delta: δ by parameter name.
    """
    theta = {name: p.detach().requires_grad_() for name, p in model.named_parameters()}
    z = functional_call(model, theta, (x,))
    u = torch.zeros_like(z, requires_grad=True)  # Jδ is the gradient of uᵀJδ by u
    back = torch.autograd.grad(z, [*theta.values()], u, create_graph=True)
    product = torch.stack([(g * delta[n]).sum() for n, g in zip(theta, back, strict=True)]).sum()
    (moved,) = torch.autograd.grad(product, u, create_graph=True)
    p = z.detach().softmax(1)
    return ((p * moved.square()).sum(1) - (p * moved).sum(1).square()).mean()


def rises(before: nn.Module, after: nn.Module, task: Task) -> pd.DataFrame:
    """Compare the rise of a task's training loss with what all of F, and its diagonal, say of it.

    Args:
        before: the model at θ*, where training on `task` ended.
        after: the same model at θ, after training on another task.
        task: task A, in which all outputs compete.

    Returns:
        One row, in nats: "measured", "all of F", "diagonal of F".
    """
    view = task.train.to(next(before.parameters()).device)
    x, y = view.batch(torch.arange(len(view), device=view.device))
    start = dict(before.named_parameters())
    delta = {name: (p - start[name]).detach() for name, p in after.named_parameters()}
    diagonal = EWC(fisher="true", n_samples=None).importance_of(before, task)
    with evaluating(before), evaluating(after):
        told = {
            "measured": task.loss(after(x), y) - task.loss(before(x), y),
            "all of F": whole(before, x, delta) / 2,
            "diagonal of F": diagonal @ torch.cat([d.flatten() for d in delta.values()]) ** 2 / 2,
        }
    return pd.DataFrame({k: [v.item()] for k, v in told.items()}, ["rise of L_A"])
