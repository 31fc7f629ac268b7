"""The hidden units of a network of fully connected layers: which layers, and what they put out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor, nn


def linear_chain(model: nn.Module) -> list[nn.Linear]:
    """List the linear layers of `model`, each of which reads the units of the one before.

    The units of layer l are rows of its weight (outputs, inputs), and columns of the next one's.

    Raises:
        ValueError: the model has other layers with weights, or the sizes do not fit.
    """
    layers = [m for m in model.modules() if isinstance(m, nn.Linear)]
    theirs = {id(p) for layer in layers for p in layer.parameters()}
    others = [name for name, p in model.named_parameters() if id(p) not in theirs]
    fit = all(a.out_features == b.in_features for a, b in pairwise(layers))
    if others or not fit or len(layers) < 2:
        why = f"has {others[0]}" if others else "has none, or they do not follow one another"
        raise ValueError(
            f"hidden units are looked for between linear layers, and {type(model).__name__} {why}: "
            "give a model such as cl.MLP"
        )
    return layers


@contextmanager
def watched_units(model: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what the hidden units of `model` put out in the forward passes meanwhile.

    Yields:
        A list that is filled: h (B, units) of each hidden layer, the input of the layer that
        follows; without gradients.

    Raises:
        ValueError: as `linear_chain`; or the layers were not called once each, in their order.
    """
    layers, units = linear_chain(model), []
    order: list[nn.Module] = []

    def look(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        order.append(layer)
        if layer is not layers[0]:
            units.append(inputs[0].detach())

    hooks = [layer.register_forward_pre_hook(look) for layer in layers]
    try:
        yield units
    finally:
        for hook in hooks:
            hook.remove()
    if order != layers:
        raise ValueError(
            f"hidden units are looked for between linear layers, and {type(model).__name__} calls "
            "its own in another order than they are declared in, or not once each: declare them in "
            "the order of the calls"
        )


@torch.no_grad()
def hidden_units(model: nn.Module, x: Tensor) -> list[Tensor]:
    """Compute what the hidden units of `model` put out for inputs `x` (B, …): (B, units) a layer.

    Raises:
        ValueError: as `linear_chain`.
    """
    with watched_units(model) as units:
        model(x)
    return units
