"""The models of the course."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .seeded import Dropout, Seeded

if TYPE_CHECKING:
    from ..data.tasks import Task
    from ..data.views import DatasetView


class MLP(Seeded):
    """Fully connected layers with ReLU between them; the homework's fixed model by default.

    Args:
        sizes: inputs, hidden units …, outputs. Images are flattened to the first.
        dropout: probability of dropping a hidden unit, in training mode only.
        seed: fixes the initial weights; None leaves them to `train`, which has a seed of its own.
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
        return self.get_submodule(f"fc{self.n_layers}")(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees of `x` (B, …): (B, units of the last hidden layer)."""
        x = x.flatten(1)
        for i in range(1, self.n_layers):
            x = self.dropout(self.relu(self.get_submodule(f"fc{i}")(x)))
        return x


class CNN(Seeded):
    """Two convolutions, each of every second place, and a linear layer on top of them.

    Args:
        channels: of the two convolutions.
        n_outputs: of the linear layer.
        shape: of an image, (C, H, W), at least 13 pixels high and wide.
        seed: fixes the initial weights; None leaves them to `train`, which has a seed of its own.
    """

    SIZE, STRIDE = 5, 2

    def __init__(
        self,
        channels: Sequence[int] = (16, 32),
        n_outputs: int = 10,
        *,
        shape: Sequence[int] = (1, 28, 28),
        seed: int | None = None,
    ):
        super().__init__()
        self.seed = seed
        (c, *sides), (a, b) = shape, channels
        for _ in range(2):
            sides = [(side - self.SIZE) // self.STRIDE + 1 for side in sides]
        if min(sides) < 1:
            raise ValueError(f"shape is {tuple(shape)}: give images of 13 × 13 pixels or more")
        conv = partial(nn.utils.skip_init, nn.Conv2d, kernel_size=self.SIZE, stride=self.STRIDE)
        self.conv1, self.conv2 = conv(c, a), conv(a, b)
        self.fc = nn.utils.skip_init(nn.Linear, b * math.prod(sides), n_outputs)
        self.draw_weights(seed or 0)

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) to logits (B, outputs)."""
        return self.fc(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """What the linear layer sees of `x`: (B, units)."""
        return self.conv2(self.conv1(x).relu()).relu().flatten(1)


class VAE(nn.Module):
    """A variational autoencoder (Kingma & Welling 2014, arXiv:1312.6114): it can dream up images.

    Args:
        shape: of an image, (C, H, W).
        hidden: units of each of the two hidden layers, on the way in and on the way out.
        latent: length of the code.
        rng: the initial weights are drawn from it; None is torch's global generator.
    """

    low: Tensor
    high: Tensor

    def __init__(
        self,
        shape: Sequence[int] = (1, 28, 28),
        hidden: int = 400,
        latent: int = 100,
        *,
        rng: torch.Generator | None = None,
    ):
        super().__init__()
        self.shape, self.latent = tuple(shape), latent
        n = math.prod(shape)
        seeds = torch.randint(2**62, (2,), generator=rng).tolist()
        self.encoder = MLP((n, hidden, hidden, 2 * latent), seed=seeds[0])
        self.decoder = MLP((latent, hidden, hidden, n), seed=seeds[1])
        self.register_buffer("low", torch.tensor(0.0))
        self.register_buffer("high", torch.tensor(1.0))

    def fit_range(self, data: DatasetView) -> None:
        """Learn what is black and what is white in `data`, which are between 0 and 1 in here."""
        ranges = [torch.stack(x.aminmax()) for x, _ in data.batches(1000)]
        self.low.copy_(torch.stack(ranges)[:, 0].min())
        self.high.copy_(torch.stack(ranges)[:, 1].max())

    def loss(self, x: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """−ELBO of images `x` (B, C, H, W), a 0-dim tensor, in nats an image.

        Reconstruction, as cross-entropy, and KL(code ‖ N(0, 1)) are both *sums* over their units,
        and means over the batch: only so do they weigh as they should.
        """
        pixels = ((x - self.low) / (self.high - self.low)).flatten(1).clamp(0, 1)
        mean, log_variance = self.encoder(x).chunk(2, 1)
        code = mean + (log_variance / 2).exp() * _normal(mean.shape, mean, rng)
        missed = F.binary_cross_entropy_with_logits(self.decoder(code), pixels, reduction="none")
        kl = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
        return (missed.sum(1) + kl.sum(1)).mean()

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """(n, C, H, W): images as the model of a method sees them, from random codes."""
        codes = _normal((n, self.latent), self.low, rng)
        pixels = self.decoder(codes).sigmoid()
        return (self.low + (self.high - self.low) * pixels).view(n, *self.shape)


def _normal(shape: Sequence[int], like: Tensor, rng: torch.Generator | None) -> Tensor:
    """Standard normal numbers beside `like`: drawn on the host, the same on every device."""
    return torch.randn(shape, generator=rng).to(like)


def mlp_for(tasks: Sequence[Task]) -> MLP:
    """The homework's model, with as many inputs and outputs as the tasks ask for."""
    x, _ = tasks[0].train.batch(torch.zeros(1, dtype=torch.long))
    return MLP((x.numel(), 1024, 512, 256, max(task.n_outputs for task in tasks)))
