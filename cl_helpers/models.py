"""The models of the course."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """`nn.Dropout` with a generator of its own, so that a run's seed fixes its masks too."""

    generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * keep / (1 - self.p)


class MLP(nn.Module):
    """Fully connected layers with ReLU between them; the homework's fixed model by default.

    Args:
        sizes: inputs, hidden units …, outputs. Images are flattened to the first.
        dropout: probability of dropping a hidden unit, in training mode only.
        seed: fixes the initial weights. None leaves them to whoever trains the model: `train` draws
            them from its own seed, as long as nothing has changed them since.
    """

    def __init__(
        self,
        sizes: Sequence[int] = (784, 1024, 512, 256, 10),
        *,
        dropout: float = 0.0,
        seed: int | None = None,
    ):
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes is {tuple(sizes)}: give at least inputs and outputs, all ≥ 1")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout is {dropout}: choose 0 ≤ dropout < 1")
        self.sizes, self.seed = tuple(sizes), seed
        for i, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
            self.add_module(f"fc{i}", nn.utils.skip_init(nn.Linear, n_in, n_out))
        self.n_layers = len(sizes) - 1
        self.relu = nn.ReLU()
        self.dropout = Dropout(dropout)
        self.draw_weights(seed or 0)

    def forward(self, x: Tensor) -> Tensor:
        """Images or vectors (B, …) to logits (B, outputs)."""
        x = x.flatten(1)
        for i in range(1, self.n_layers):
            x = self.dropout(self.relu(self.get_submodule(f"fc{i}")(x)))
        return self.get_submodule(f"fc{self.n_layers}")(x)

    @torch.no_grad()
    def draw_weights(self, seed: int) -> None:
        """Draw all weights and biases from U(−1/√n, 1/√n), n inputs: PyTorch's own default."""
        generator = torch.Generator().manual_seed(seed)
        for layer in self.children():
            if isinstance(layer, nn.Linear):
                bound = layer.in_features**-0.5
                for p in layer.parameters():
                    p.copy_(torch.empty(p.shape).uniform_(-bound, bound, generator=generator))

    def is_untouched(self) -> bool:
        """True while the weights are still those that `MLP(seed=None)` starts with."""
        if self.seed is not None:
            return False
        fresh = MLP(self.sizes, seed=0).state_dict()
        return all(torch.equal(v.cpu(), fresh[k]) for k, v in self.state_dict().items())
