"""What a network that can no longer learn looks like: its hidden units, their rank, its weights.

Each function takes numbers that anybody can check by hand: the outputs h (N, units) of one hidden
layer for N inputs, as `cl_helpers.models.hidden.hidden_units` computes them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..models.flat import flatten
from ..models.forward import evaluating
from ..models.hidden import hidden_units


def dead(h: Tensor) -> Tensor:
    """Say of each unit whether its output is 0 for all inputs: (units,) bool.

    A ReLU that is dead has the gradient 0, so no step of these inputs can bring it back.

    Args:
        h: (N, units), outputs of a hidden layer.

    Dohare et al. 2024, doi:10.1038/s41586-024-07711-7.
    """
    return (h == 0).all(0)


def dormant(h: Tensor, threshold: float = 0.025) -> Tensor:
    """Say of each unit whether its share of the layer's output is small: (units,) bool.

        mean |h_i| / mean_k ( mean |h_k| ) ≤ threshold

    The means of |h| are over the inputs. If all outputs of a layer are 0, all units are dormant.

    Args:
        h: (N, units), outputs of a hidden layer.
        threshold: τ in the paper, 0 or more. 0 counts the dead units alone. Default 0.025.

    Sokar et al. 2023, arXiv:2302.12902, definition 3.1.
    """
    size = h.abs().mean(0)
    return size <= threshold * size.mean()


def effective_rank(h: Tensor) -> float:
    """Compute the effective rank of a matrix, between 1 and its rank; 0 if all is 0.

        exp( − Σ_i p_i ln p_i ),        p_i = σ_i / Σ_k σ_k

    σ are the singular values. If r of them are equal and the others 0, it is r.

    Args:
        h: (N, units), outputs of a hidden layer; they are not centred.

    Roy & Vetterli 2007; used by Dohare et al. 2024, doi:10.1038/s41586-024-07711-7.
    """
    sigma = torch.linalg.svdvals(h.double())
    if not bool(sigma.any()):
        return 0.0
    return float(torch.special.entr(sigma / sigma.sum()).sum().exp())


def weight_magnitude(model: nn.Module) -> float:
    """Compute the mean of |θ_i| over all trainable parameters of `model`."""
    return float(flatten(model).theta.abs().mean())


def diagnose(model: nn.Module, x: Tensor) -> dict[str, float]:
    """Measure all of these on inputs `x` (N, …): the state of a network in four numbers.

    Returns:
        "dead" and "dormant": the part of all hidden units, 0 to 1; "rank": the effective rank of
        the last hidden layer; "weight": the mean of |θ|.

    Raises:
        ValueError: `model` has other layers with weights than linear ones.
    """
    with evaluating(model):
        units = hidden_units(model, x)
    part = {
        name: float(torch.cat([of(h) for h in units]).double().mean())
        for name, of in (("dead", dead), ("dormant", dormant))
    }
    return part | {"rank": effective_rank(units[-1]), "weight": weight_magnitude(model)}
