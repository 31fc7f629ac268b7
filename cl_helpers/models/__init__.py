"""The networks of the course, and all parameters of a network as one vector.

Imports data and the leaves; methods and every room above may import it.
"""

from . import flat
from .flat import flatten, unflatten
from .gpt import GPT
from .heads import with_head
from .resnet import ResNet18
from .seeded import Dropout, Seeded, set_dropout
from .small import CNN, MLP, VAE, NormalisedMLP

__all__ = [
    "CNN",
    "GPT",
    "MLP",
    "VAE",
    "Dropout",
    "NormalisedMLP",
    "ResNet18",
    "Seeded",
    "flat",
    "flatten",
    "set_dropout",
    "unflatten",
    "with_head",
]
