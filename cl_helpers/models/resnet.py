"""The convolutional network of the papers on Split CIFAR-100."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from ..checks import below_one
from .seeded import Dropout, Seeded, undrawn


class ResNet18(Seeded):
    """ResNet-18 for small images, with about a third of the feature maps.

    The network of GEM, A-GEM and Stable SGD on Split CIFAR-100: the first convolution is 3 × 3 with
    stride 1, there is no max-pooling, and there are 1.1 million weights. The running statistics of
    its batch normalisation are not weights: all tasks share them, the latest task shifts them, and
    no penalty on θ holds them back.

    Args:
        n_outputs: one for each class of all tasks. Default 100.
        channels: of the images. Default 3, colour.
        width: feature maps of the first of four stages; each stage has twice as many as the one
            before. Default 20; 64 is the full ResNet-18.
        dropout: probability, 0 to below 1, of dropping each output of a block, in training mode
            only. Default 0.
        seed: fixes the initial weights. None, the default, leaves them to `train`, which has a seed
            of its own.

    Raises:
        ValueError: an argument is out of its range.

    He et al. 2016, arXiv:1512.03385, as reduced by Lopez-Paz & Ranzato 2017, arXiv:1706.08840.
    """

    def __init__(
        self,
        n_outputs: int = 100,
        *,
        channels: int = 3,
        width: int = 20,
        dropout: float = 0.0,
        seed: int | None = None,
    ):
        super().__init__()
        for name, value in (("n_outputs", n_outputs), ("channels", channels), ("width", width)):
            if value < 1:
                raise ValueError(f"{name} is {value}: at least 1 is needed")
        below_one("dropout", dropout)
        self.seed = seed
        self.first = _convolution(channels, width)
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        blocks: list[nn.Module] = []
        for stage, (n_in, n_out) in enumerate(pairwise(widths)):
            blocks += [self.block(n_in, n_out, dropout, stride=2 if stage else 1)]
            blocks += [self.block(n_out, n_out, dropout)]
        self.blocks = nn.Sequential(*blocks)
        self.fc = undrawn(nn.Linear, 8 * width, n_outputs)
        self.relu = nn.ReLU()
        self.draw_weights(seed or 0)

    def block(self, n_in: int, n_out: int, dropout: float, stride: int = 1) -> nn.Module:
        """Make one of the eight residual blocks; a subclass may override it.

        Args:
            n_in, n_out: feature maps before and after it.
            dropout: as in the class.
            stride: of its first convolution. Default 1.
        """
        return _Block(n_in, n_out, dropout, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits (B, n_outputs) of images `x` (B, C, H, W)."""
        return self.fc(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Compute the inputs of the last layer, (B, 8 · width): means over each feature map."""
        return self.blocks(self.relu(self.first(x))).mean((2, 3))


class _Block(nn.Module):
    """relu(shortcut(x) + f(x)), f two convolutions; the shortcut is x where the shapes agree."""

    def __init__(self, n_in: int, n_out: int, dropout: float, stride: int = 1):
        super().__init__()
        self.first = _convolution(n_in, n_out, stride)
        self.second = _convolution(n_out, n_out)
        same = n_in == n_out and stride == 1
        self.shortcut = nn.Identity() if same else _convolution(n_in, n_out, stride, size=1)
        self.relu = nn.ReLU()
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.relu(self.shortcut(x) + self.second(self.relu(self.first(x)))))


def _convolution(n_in: int, n_out: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    """A convolution, padded so that only the stride shrinks the image, and batch normalisation."""
    convolution = undrawn(
        nn.Conv2d, n_in, n_out, size, stride=stride, padding=size // 2, bias=False
    )
    return nn.Sequential(convolution, nn.BatchNorm2d(n_out))
