"""A trained network for new classes: the same features, a new last layer."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import nn

from ..checks import at_least_one, seeded
from .seeded import undrawn

M = TypeVar("M", bound=nn.Module)


def with_head(model: M, n_outputs: int, *, frozen: bool = True, seed: int = 0) -> M:
    """Copy `model` and give the copy a new last layer.

    Args:
        model: its last `nn.Linear` is the one that is replaced.
        n_outputs: of the new layer.
        frozen: whether only the new layer can be trained. Default True; False leaves everything as
            it can be trained in `model`.
        seed: of the new layer's weights, U(−1/√n, 1/√n) with n inputs. Default 0.

    Raises:
        ValueError: the model has no linear layer, or `n_outputs` is not a whole number, 1 or more.
    """
    at_least_one("n_outputs", n_outputs)
    copy = deepcopy(model)
    linear = [name for name, layer in copy.named_modules() if isinstance(layer, nn.Linear)]
    if not linear:
        raise ValueError(f"{type(model).__name__} has no nn.Linear that could be replaced")
    where, _, own = linear[-1].rpartition(".")
    old = copy.get_submodule(linear[-1])
    assert isinstance(old, nn.Linear)
    head = undrawn(nn.Linear, old.in_features, n_outputs).to(old.weight)
    bound, generator = old.in_features**-0.5, seeded(seed)
    with torch.no_grad():
        for p in head.parameters():
            p.copy_(torch.empty(p.shape).uniform_(-bound, bound, generator=generator))
    if frozen:
        copy.requires_grad_(False)
    setattr(copy.get_submodule(where), own, head)
    return copy
