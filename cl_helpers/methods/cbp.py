"""CBP: at every step, the least useful units may be replaced by new ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..checks import at_least_one, below_one, up_to_one
from ..data.tasks import Task
from ..models.flat import flatten
from ..models.hidden import linear_chain, watched_units
from .base import Remembering


@dataclass(eq=False)
class CBP(Remembering):
    """Continual backpropagation: train as usual, and replace a few hidden units now and then.

        U_l[i] ← β U_l[i] + (1 − β) |h_l,i| Σ_k |w_l,i,k|

    U is the utility of unit i of layer l, h its output (|h| is the mean over the batch), and w its
    weight to unit k of the next layer. A unit is mature once it is older than m steps. At every
    step, ρ times the number of mature units of a layer is added to the units that are due. As soon
    as that reaches 1, the mature unit with the smallest U is replaced: its incoming weights are
    drawn anew, its bias and its outgoing weights are 0, and so are its U, its age, and what the
    optimiser keeps beside these weights. It does not protect the past.

    Args:
        rho: ρ, the part of the mature units that is replaced in each step. 0 replaces none.
            Default 3e-3, chosen on held-out images (see experiments/). On permuted MNIST the
            authors' code has 1e-4 to 1e-6.
        maturity: m, steps. Default 100.
        decay: β, the decay of the utility, 0 to below 1. Default 0.99.

    Raises:
        ValueError: a setting is out of its range, or the model has other layers with weights than
            linear ones, or weights that are not trained.

    The paper writes u for U and η for β.

    Departs from the paper: |h| is a mean over a batch, where its batches have one example. As in
    the authors' code, the bias of a new unit is 0. Unlike there, the mean output of the replaced
    unit is not moved into the biases of the next layer, U is not corrected for its youth, and
    Adam's count of steps is not reset.

    Dohare et al. 2024, doi:10.1038/s41586-024-07711-7, eq. 1 and algorithm 1.
    """

    name = "cbp"
    label = "CBP"
    recordable = False  # which units are replaced is decided on the host
    kept = Remembering.kept | {"utility": "utilities", "age": "utilities", "ripe": "", "new": ""}

    rho: float = 3e-3
    maturity: int = 100
    decay: float = 0.99

    def __post_init__(self) -> None:
        up_to_one("ρ", self.rho)
        at_least_one("maturity", self.maturity)
        below_one("decay", self.decay)

    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        layers = linear_chain(model)
        trained = {id(p) for p in flatten(model).parameters}
        if not all(id(layer.weight) in trained for layer in layers):
            raise ValueError(
                f"CBP draws units anew, but a weight of {type(model).__name__} is frozen, or "
                "computed from others: give a model whose linear layers are all trained"
            )
        if not hasattr(self, "utility"):
            hidden = layers[:-1]
            self.utility = [layer.weight.new_zeros(layer.out_features) for layer in hidden]
            self.age = [torch.zeros_like(u, dtype=torch.long) for u in self.utility]
            self.ripe = [0] * len(hidden)  # mature units, summed over the steps
            self.new = [0] * len(hidden)  # units that were replaced

    def task_loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        with watched_units(model) as self.outputs:
            return super().task_loss(model, x, y)

    @torch.no_grad()
    def after_step(self, model: nn.Module) -> None:
        layers = linear_chain(model)
        for k, (h, after) in enumerate(zip(self.outputs, layers[1:], strict=True)):
            self.age[k] += 1
            now = h.abs().mean(0) * after.weight.abs().sum(0)
            self.utility[k].mul_(self.decay).add_(now, alpha=1 - self.decay)
            mature = (self.age[k] > self.maturity).nonzero().squeeze(1)
            self.ripe[k] += len(mature)
            due = int(self.rho * self.ripe[k] + 1e-9) - self.new[k]  # ρ · ripe, rounded down
            due = min(due, len(mature))  # ρ may have been changed since
            if due > 0:
                least = self.utility[k][mature].topk(due, largest=False).indices
                self.replace(model, k, mature[least])

    def replace(self, model: nn.Module, k: int, units: Tensor) -> None:
        """Make new units in the place of some units of a hidden layer.

        Args:
            model: the network.
            k: the layer, 0, 1, …
            units: (n,) positions in it.
        """
        before, after = linear_chain(model)[k : k + 2]
        flat, n = flatten(model), before.in_features
        drawn = torch.empty(len(units), n).uniform_(-(n**-0.5), n**-0.5, generator=self.rng)
        before.weight[units] = drawn.to(before.weight)
        after.weight[:, units] = 0
        for moment in flat.moments_of(before.weight):
            moment[units] = 0
        for moment in flat.moments_of(after.weight):
            moment[:, units] = 0
        if before.bias is not None:
            for vector in (before.bias, *flat.moments_of(before.bias)):
                vector[units] = 0
        self.utility[k][units] = 0
        self.age[k][units] = 0
        self.new[k] += len(units)
