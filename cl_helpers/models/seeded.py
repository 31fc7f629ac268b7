"""Layers and models whose random numbers are fixed by the seed of a run."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..checks import seeded

Layer = TypeVar("Layer", bound=nn.Module)


def undrawn(kind: Callable[..., Layer], *args: Any, **kwargs: Any) -> Layer:
    """Make a layer whose weights are yet to be drawn, and leave torch's global generator alone.

    As `nn.utils.skip_init`, which first imports what meta tensors need: a second of every process.

    Args:
        kind: its class, such as `nn.Linear`, which takes `args` and `kwargs`.
    """
    with torch.random.fork_rng(devices=[]):
        return kind(*args, device="cpu", **kwargs)


class Dropout(nn.Dropout):
    """`nn.Dropout` with a generator of its own, so that the seed of a run fixes its masks too.

    Args:
        p, inplace: as in `nn.Dropout`; `inplace` is ignored.

    Attributes:
        generator: draws the masks, on the device of the model. None is torch's global one.
    """

    of_a_run = ("generator",)  # does not identify the layer

    generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """In training mode set each number of `x` to 0 with probability p, scale the others up."""
        if not self.training or self.p == 0:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * keep / (1 - self.p)


def set_dropout(
    model: nn.Module, p: float | None = None, generator: torch.Generator | None = None
) -> None:
    """Set the probability and the generator of all `Dropout` layers of a model.

    Args:
        model: the network.
        p: probability of dropping, 0 to below 1. None, the default, leaves it as it is.
        generator: draws the masks. None is torch's global one.

    Raises:
        ValueError: `p` is above 0, and the model has no such layer.
    """
    layers = [module for module in model.modules() if isinstance(module, Dropout)]
    if p and not layers:
        raise ValueError(
            f"dropout is {p}, but {type(model).__name__} has no layer for it: "
            "build it with cl.models.Dropout layers, or leave dropout at None"
        )
    for layer in layers:
        layer.p = layer.p if p is None else p
        layer.generator = generator


_NORMS = nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm


class Seeded(nn.Module):
    """Base of models whose initial weights are fixed by a seed.

    Attributes:
        seed: of the initial weights. None leaves them to `train`, which draws them from its own
            seed, unless something has changed them before.
    """

    seed: int | None

    @torch.no_grad()
    def draw_weights(self, seed: int) -> None:
        """Draw all weights and biases from U(−1/√n, 1/√n), n inputs, with generator `seed`.

        This is the distribution that PyTorch uses by default. Normalisation layers are reset.
        """
        generator = seeded(seed)
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                bound = layer.weight[0].numel() ** -0.5
                for p in layer.parameters():
                    p.copy_(torch.empty(p.shape).uniform_(-bound, bound, generator=generator))
            elif isinstance(layer, _NORMS):
                layer.reset_parameters()

    def is_untouched(self) -> bool:
        """Whether it was made with `seed=None` and its weights are still the initial ones."""
        if self.seed is not None:
            return False
        fresh, now = self._drawn().state_dict(), self.state_dict()
        return all(torch.equal(value, now[name]) for name, value in fresh.items())

    def draws_all(self) -> bool:
        """Whether `draw_weights` writes every parameter."""
        return not any((p == -1).all() for p in self._drawn().parameters())

    def _drawn(self) -> Seeded:
        """A copy with the weights of seed 0, and −1 where `draw_weights` does not write."""
        fresh = deepcopy(self)
        for value in fresh.state_dict().values():
            value.fill_(-1)
        fresh.draw_weights(0)
        return fresh
