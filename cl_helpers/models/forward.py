"""Forward passes in eval mode, with an error that says what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put `model` into eval mode; afterwards each of its modules is in the mode it was in."""
    modes = {m: m.training for m in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@torch.no_grad()
def check_forward(model: nn.Module, x: Tensor, whose: str) -> Tensor:
    """Compute the logits (1, K) of one input, in eval mode, to see that it works.

    Args:
        model: the network.
        x: (1, …) the input.
        whose: where it comes from, for the message.

    Raises:
        ValueError: the model cannot compute it.
    """
    try:
        with evaluating(model):
            return model(x)
    except RuntimeError as error:
        raise ValueError(
            f"{type(model).__name__} does not take the images of {whose}, {x.dtype} of shape "
            f"{tuple(x.shape)}, and says: {str(error).splitlines()[0]}"
        ) from error
