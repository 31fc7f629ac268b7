"""The small models of the course: MLP, CNN, and a variational autoencoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import below_one
from .seeded import Dropout, Seeded, undrawn

if TYPE_CHECKING:
    from ..data.tasks import Task
    from ..data.views import DatasetView


class MLP(Seeded):
    """Fully connected layers with ReLU between them; the homework's fixed model by default.

    Args:
        sizes: numbers of inputs, hidden units …, outputs. Inputs of other shapes are flattened.
            Default (784, 1024, 512, 256, 10), the homework's.
        dropout: probability, 0 to below 1, of dropping each hidden unit, in training mode only.
            Default 0.
        seed: fixes the initial weights. None, the default, leaves them to `train`, which has a seed
            of its own.

    Raises:
        ValueError: `sizes` has fewer than two numbers or one below 1, or `dropout` is out of range.
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
        below_one("dropout", dropout)
        self.sizes, self.seed = tuple(sizes), seed
        for i, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
            self.add_module(f"fc{i}", undrawn(nn.Linear, n_in, n_out))
        self.n_layers = len(sizes) - 1
        self.relu = nn.ReLU()
        self.dropout = Dropout(dropout)
        self.draw_weights(seed or 0)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits (B, outputs) of images or vectors `x` (B, …)."""
        return self.get_submodule(f"fc{self.n_layers}")(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Compute the inputs of the last layer, (B, units of the last hidden layer)."""
        x = x.flatten(1)
        for i in range(1, self.n_layers):
            x = self.dropout(self.relu(self.get_submodule(f"fc{i}")(x)))
        return x


class NormalisedMLP(MLP):
    """An MLP whose hidden layers are normalised before their ReLU, input by input.

        h = ReLU( (z − mean z) / √(var z + 1e-5) ),     mean and variance over the units of a layer

    It has the same weights as the MLP: no gain and no bias are learned. (Ba et al. 2016,
    arXiv:1607.06450, have both.)

    Args:
        sizes, dropout, seed: as in `MLP`.
    """

    def features(self, x: Tensor) -> Tensor:
        """Compute the inputs of the last layer, (B, units of the last hidden layer)."""
        x = x.flatten(1)
        for i in range(1, self.n_layers):
            z = self.get_submodule(f"fc{i}")(x)
            x = self.dropout(self.relu(F.layer_norm(z, z.shape[-1:])))
        return x


class CNN(Seeded):
    """Two 5 × 5 convolutions of stride 2 with ReLU, and a linear layer on top of them.

    Args:
        channels: feature maps of the two convolutions. Default (16, 32).
        n_outputs: of the linear layer. Default 10.
        shape: of an image, (C, H, W), at least 13 pixels high and wide. Default (1, 28, 28).
        seed: fixes the initial weights. None, the default, leaves them to `train`, which has a seed
            of its own.

    Raises:
        ValueError: the images are too small.
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
        conv = partial(undrawn, nn.Conv2d, kernel_size=self.SIZE, stride=self.STRIDE)
        self.conv1, self.conv2 = conv(c, a), conv(a, b)
        self.fc = undrawn(nn.Linear, b * math.prod(sides), n_outputs)
        self.draw_weights(seed or 0)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits (B, n_outputs) of images `x` (B, C, H, W)."""
        return self.fc(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Compute the inputs of the linear layer, (B, units), for images `x` (B, C, H, W)."""
        return self.conv2(self.conv1(x).relu()).relu().flatten(1)


class VAE(nn.Module):
    """A variational autoencoder: a generator that learns to draw inputs like those it has seen.

        code ~ N(μ(x), σ²(x)),        loss(x) = CE(decoder(code), x) + KL( N(μ, σ²) ‖ N(0, 1) )

    Encoder and decoder are MLPs with two hidden layers each.

    Args:
        shape: of an input, such as (C, H, W). Default (1, 28, 28).
        hidden: units of each hidden layer. Default 400.
        latent: length of the code. Default 100.
        rng: generator of the initial weights. None, the default, is torch's global one.

    Attributes:
        low, high: the darkest and the lightest value of the inputs, set by `fit_range`; between
            them the inputs are scaled to [0, 1].

    Kingma & Welling 2014, arXiv:1312.6114.
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

    def fit_range(self, data: DatasetView, *, wider: bool = False) -> None:
        """Set `low` and `high` to the smallest and the largest value in the inputs of `data`.

        Args:
            data: the inputs.
            wider: whether the range as it was is kept, and only made wider. Default False.
        """
        ranges = [torch.stack(x.aminmax()) for x, _ in data.batches(1000)]
        if wider:
            ranges.append(torch.stack([self.low, self.high]))
        self.low.copy_(torch.stack(ranges)[:, 0].min())
        self.high.copy_(torch.stack(ranges)[:, 1].max())

    def loss(self, x: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """Compute the negative evidence lower bound, a 0-dim tensor, in nats for each input.

        Reconstruction (cross-entropy) and KL divergence are both *sums* over their units and means
        over the batch. A mean of the one beside a sum of the other would weigh them wrongly.

        Args:
            x: (B, …) inputs.
            rng: generator of the codes. None, the default, is torch's global one.
        """
        pixels = ((x - self.low) / (self.high - self.low)).flatten(1).clamp(0, 1)
        mean, log_variance = self.encoder(x).chunk(2, 1)
        code = mean + (log_variance / 2).exp() * _normal(mean.shape, mean, rng)
        missed = F.binary_cross_entropy_with_logits(self.decoder(code), pixels, reduction="none")
        kl = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
        return (missed.sum(1) + kl.sum(1)).mean()

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Draw `n` inputs (n, …) from codes ~ N(0, 1), in the range of the inputs it was fitted to.

        `rng` is the generator of the codes; None, the default, is torch's global one.
        """
        codes = _normal((n, self.latent), self.low, rng)
        pixels = self.decoder(codes).sigmoid()
        return (self.low + (self.high - self.low) * pixels).view(n, *self.shape)


def _normal(shape: Sequence[int], like: Tensor, rng: torch.Generator | None) -> Tensor:
    """Standard normal numbers on the device of `like`: drawn on the host, so alike everywhere."""
    return torch.randn(shape, generator=rng).to(like)


def mlp_for(tasks: Sequence[Task]) -> MLP:
    """Make the homework's MLP with as many inputs and outputs as `tasks` need."""
    x, _ = tasks[0].train.batch(torch.zeros(1, dtype=torch.long))
    return MLP((x.numel(), 1024, 512, 256, max(task.n_outputs for task in tasks)))
