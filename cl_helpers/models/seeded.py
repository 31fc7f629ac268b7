"""Layers and models whose random numbers are fixed by the seed of a run."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from ..checks import seeded


class Dropout(nn.Dropout):
    """`nn.Dropout` with a generator of its own, so that a run's seed fixes its masks too."""

    generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * keep / (1 - self.p)


def set_dropout(
    model: nn.Module, p: float | None = None, generator: torch.Generator | None = None
) -> None:
    """Give all `Dropout` layers the probability `p`, unless that is None, and the generator.

    Raises:
        ValueError: there is a probability, and no such layer.
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


class Seeded(nn.Module):
    """A model whose initial weights are those of a seed.

    Attributes:
        seed: None leaves the weights to whoever trains the model: `train` draws them from its own
            seed, as long as nothing has changed them since.
    """

    seed: int | None

    @torch.no_grad()
    def draw_weights(self, seed: int) -> None:
        """Draw all weights and biases from U(−1/√n, 1/√n), n inputs: PyTorch's own default.

        Normalisation layers begin anew.
        """
        generator = seeded(seed)
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                bound = layer.weight[0].numel() ** -0.5
                for p in layer.parameters():
                    p.copy_(torch.empty(p.shape).uniform_(-bound, bound, generator=generator))
            elif isinstance(layer, nn.BatchNorm2d):
                layer.reset_parameters()

    def is_untouched(self) -> bool:
        """True while all that the model is made of is as `seed=None` starts with."""
        if self.seed is not None:
            return False
        fresh = deepcopy(self)
        for value in fresh.state_dict().values():
            value.fill_(-1)  # and stays so if it is none of what is drawn
        fresh.draw_weights(0)
        now = self.state_dict()
        return all(torch.equal(value, now[name]) for name, value in fresh.state_dict().items())
