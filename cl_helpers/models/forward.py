"""A model asked for its outputs, and for nothing else: in eval mode, with an error that helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in eval mode, and afterwards each module in the mode that it was in."""
    modes = {m: m.training for m in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@torch.no_grad()
def check_forward(model: nn.Module, x: Tensor, whose: str) -> Tensor:
    """Logits (1, K) of one image, in eval mode.

    Raises:
        ValueError: the model does not take such images; `whose` says where they are from.
    """
    try:
        with evaluating(model):
            return model(x)
    except RuntimeError as error:
        raise ValueError(
            f"{type(model).__name__} does not take the images of {whose}, {x.dtype} of shape "
            f"{tuple(x.shape)}, and says: {str(error).splitlines()[0]}"
        ) from error
