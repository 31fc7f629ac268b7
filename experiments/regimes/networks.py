"""Networks that differ from those of the course, as their authors' code has them."""

from __future__ import annotations

from torch import Tensor, nn

import cl_helpers as cl
from cl_helpers.models.seeded import Dropout


class OneConvolution(cl.ResNet18):
    """What Stable SGD's authors trained on Split CIFAR-100 (stable_sgd/models.py in their code).

    Of the two convolutions of a block only the first is used. Normalisation comes after the ReLU,
    dropout after that, and shortcuts are not normalised: half a million weights.
    """

    def block(self, n_in: int, n_out: int, dropout: float, stride: int = 1) -> nn.Module:
        return _Block(n_in, n_out, dropout, stride)


class _Block(nn.Module):
    def __init__(self, n_in: int, n_out: int, dropout: float, stride: int):
        super().__init__()
        self.convolution = _convolution(n_in, n_out, 3, stride)
        same = n_in == n_out and stride == 1
        self.shortcut = nn.Identity() if same else _convolution(n_in, n_out, 1, stride)
        self.first = nn.Sequential(nn.ReLU(), nn.BatchNorm2d(n_out), Dropout(dropout))
        self.second = nn.Sequential(nn.ReLU(), nn.BatchNorm2d(n_out), Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.shortcut(x) + self.first(self.convolution(x)))


def _convolution(n_in: int, n_out: int, size: int, stride: int) -> nn.Conv2d:
    return nn.utils.skip_init(
        nn.Conv2d, n_in, n_out, size, stride=stride, padding=size // 2, bias=False
    )


class DropoutStaysOn(cl.MLP):
    """The authors' MLP, in both of their programs: hidden units are dropped in testing too."""

    def __init__(self) -> None:
        super().__init__((784, 256, 256, 10))

    def features(self, x: Tensor) -> Tensor:
        self.dropout.train()
        return super().features(x)
