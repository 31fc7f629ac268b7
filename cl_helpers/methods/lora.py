"""LoRA: the old weights stay as they are; each new task adds a change of low rank to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..checks import above_zero, at_least_one
from ..data.tasks import Task
from .base import Remembering


class LowRank(nn.Module):
    """Adds a change of rank r to a weight that does not move: W = W₀ + (α/r) B A.

    Args:
        w: (out, in) W₀.
        rank: r.
        alpha: α.
        rng: generator of A's initial numbers. None is torch's global one.

    Attributes:
        A: (r, in), at first uniform, |A| ≤ 1/√in.
        B: (out, r), at first 0, so that W = W₀.
    """

    def __init__(self, w: Tensor, rank: int, alpha: float, rng: torch.Generator | None = None):
        super().__init__()
        n_out, n_in = w.shape
        self.scale = alpha / rank
        drawn = torch.empty(rank, n_in).uniform_(-(n_in**-0.5), n_in**-0.5, generator=rng)
        self.A, self.B = nn.Parameter(drawn.to(w)), nn.Parameter(w.new_zeros(n_out, rank))

    def forward(self, w: Tensor) -> Tensor:
        """Compute W (out, in) of `w`, W₀ (out, in)."""
        return w + self.scale * (self.B @ self.A)


@dataclass(eq=False)
class LoRA(Remembering):
    """Low-Rank Adaptation: from the second task on, train two thin matrices beside each weight.

        W = W₀ + (α/r) B A,        B (out, r) = 0 at first, A (r, in) random, W₀ frozen

    W₀ is the weight (out, in) of a linear layer as the task before left it. Only A and B are
    trained: r (out + in) numbers in place of out · in. All other parameters are frozen. When the
    task has ended, the change is added to W₀: the model has no more weights than before. The first
    task trains all weights, unless the model was pretrained (`learned` in the settings).

    Args:
        rank: r, 1 or more; each layer's change of its weight has at most this rank. Default 8.
        alpha: α > 0; the change is multiplied by α/r. Default 16.

    Attributes:
        frozen: the parameters that do not move while A and B are trained; () between tasks.

    Raises:
        ValueError: `rank` or `alpha` is out of its range, the model has no linear layer, or has one
            whose weight it shares or computes.

    Hu et al. 2021, arXiv:2106.09685, eq. 3.

    Departs from the paper: all linear layers are adapted, there the queries and values of attention
    alone. A is uniform, as in the authors' code; in the paper it is normal.
    """

    name = "lora"
    label = "LoRA"

    rank: int = 8
    alpha: float = 16.0
    frozen: Sequence[nn.Parameter] = ()

    def __post_init__(self) -> None:
        at_least_one("rank", self.rank)
        above_zero("alpha", self.alpha)

    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        if self.ended:
            self.frozen = adapt(model, self.rank, self.alpha, self.rng)
        else:
            adaptable_layers(model)  # refuses the model before the first task has been trained on

    def end_task(self, model: nn.Module, task: Task) -> None:
        self.leave_task(model)
        super().end_task(model, task)

    def leave_task(self, model: nn.Module) -> None:
        if self.frozen:
            merge(model)
            for p in self.frozen:
                p.requires_grad_(True)
            self.frozen = ()


def linear_layers(model: nn.Module) -> dict[str, nn.Linear]:
    """Find the linear layers of `model` whose weight can be trained, by name."""
    layers = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear)}
    return {n: layer for n, layer in layers.items() if layer.weight.requires_grad}


def adaptable_layers(model: nn.Module) -> dict[str, nn.Linear]:
    """Find the `linear_layers` of `model`, each of which can get a change of its own.

    Raises:
        ValueError: it has none, or one with a weight that it shares with another layer or computes
            from other weights.
    """
    layers, name = linear_layers(model), type(model).__name__
    if not layers:
        raise ValueError(f"LoRA adapts linear layers, but {name} has none to train")
    uses = Counter(id(p) for _, p in model.named_parameters(remove_duplicate=False))
    for where, layer in layers.items():
        shared = uses[id(layer.weight)] > 1
        if shared or parametrize.is_parametrized(layer):
            raise ValueError(
                f"LoRA adds a change to each weight, but that of {where} in {name} is "
                f"{'shared with another layer' if shared else 'computed from others'}: "
                "give a model whose layers have weights of their own"
            )
    return layers


def adapt(
    model: nn.Module, rank: int, alpha: float, rng: torch.Generator | None = None
) -> list[nn.Parameter]:
    """Freeze all parameters of a model; give each linear layer A and B, which can be trained.

    Args:
        model: it computes the same as before, until A and B are trained.
        rank, alpha: r and α.
        rng: generator of A's initial numbers. None is torch's global one.

    Returns:
        The parameters that were frozen.

    Raises:
        ValueError: as `adaptable_layers`.
    """
    layers = adaptable_layers(model)
    frozen = [p for p in model.parameters() if p.requires_grad]
    for p in frozen:
        p.requires_grad_(False)
    for layer in layers.values():
        change = LowRank(layer.weight, rank, alpha, rng)
        parametrize.register_parametrization(layer, "weight", change)
    return frozen


def merge(model: nn.Module) -> None:
    """Add the changes to the weights of `model`, and take A and B away: W₀ ← W₀ + (α/r) B A."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear) and parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
            layer._parameters["bias"] = layer._parameters.pop("bias")  # weight first, as before


def n_trained(model: nn.Module, rank: int) -> int:
    """Count the numbers that LoRA trains: r (out + in), summed over the linear layers.

    Args:
        model: not adapted.
        rank: r.
    """
    layers = linear_layers(model).values()
    return sum(rank * (layer.in_features + layer.out_features) for layer in layers)
