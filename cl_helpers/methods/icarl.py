"""iCaRL: the network learns features; the nearest mean of stored exemplars classifies."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import above_zero, at_least_one, shortened
from ..data.tasks import Task
from ..formats import format_tensor
from ..models.forward import evaluating
from .old_outputs import Teacher, columns


@dataclass(eq=False)
class ICaRL(Teacher):
    """Incremental Classifier and Representation Learning: for Class-IL alone.

        L(θ) = − Σ_c [ q_c log σ(z_c) + (1 − q_c) log(1 − σ(z_c)) ],  a mean over the batch

    For the classes that the old network knew, the target is its output, q_c = σ(z_old,c / τ). For
    the new classes q_c is the label, 0 or 1. Each batch is joined by stored exemplars, in their
    share of all data. Herding chooses the exemplars: the next one is the example that brings the
    mean of those chosen closest to the mean of its class. The prediction is the class whose
    exemplars have the nearest mean, by features of length 1; a bias of the last layer towards the
    new classes does no harm. While a task is in training, the prediction is the largest output.

    Args:
        memory: M, exemplars in all; with t classes seen, M / t of each, at least one. Default 500.
        temperature: τ > 0 of the old network's outputs. Default 2.

    Raises:
        ValueError: `memory` is not a whole number, 1 or more; `temperature` is not above 0; or, in
            `begin_task`, the model has no method `features(x)`.

    Rebuffi et al. 2017, arXiv:1611.07725, algorithms 1 to 5.

    Departs from the paper: there τ = 1. A network that has seen only two classes is sure that an
    example of a third is one of them. τ = 2, as in van de Ven & Tolias 2019 (arXiv:1904.07734),
    softens that: 94.8 % instead of 89.9 % on Split MNIST (experiments/README.md).
    """

    name = "icarl"
    label = "iCaRL"
    scenarios = ("class",)
    recordable = False
    mixes_tasks = True
    kept = Teacher.kept | {"exemplars": "exemplars", "means": "class means"}

    memory: int = 500
    temperature: float = 2.0
    means = None  # (n, d), in the order of the exemplars; None while the features change

    def __post_init__(self) -> None:
        at_least_one("memory", self.memory)
        above_zero("τ", self.temperature)

    def check_task(self, task: Task) -> None:
        super().check_task(task)
        there = set(task.train.y.tolist())
        if missing := [c for c in task.classes if c not in there]:
            raise ValueError(
                f"iCaRL stores exemplars of each class, but {task.name} has no training images of "
                f"{', '.join(map(str, missing))}: give it some, or leave the class out of `classes`"
            )

    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        self.means = None
        check_features(self.label, model, task)
        if self.competed:
            self.x = torch.cat(list(self.exemplars.values()))
            counts = torch.tensor([len(x) for x in self.exemplars.values()])
            self.y = torch.tensor(list(self.exemplars)).repeat_interleave(counts).to(self.x.device)
            self.share = len(self.y) / len(task.train)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        if self.competed:
            n = min(len(self.y), max(1, round(self.share * len(y))))
            index = torch.randint(len(self.y), (n,), generator=self.rng).to(self.y.device)
            x, y = torch.cat([x, self.x[index]]), torch.cat([y, self.y[index]])
        z = model(x)
        targets = F.one_hot(y, z.shape[1]).to(z)
        if self.competed:
            with torch.no_grad():
                q = (self.teacher(x) / self.temperature).sigmoid()
            known = list(self.exemplars if self.competed[-1] is None else self.competed[-1])
            targets[:, known] = q[:, known]
        seen = None if self.task is None else self.task.active
        loss = F.binary_cross_entropy_with_logits(
            columns(z, seen), columns(targets, seen), reduction="none"
        )
        return loss.sum(1).mean()

    @torch.no_grad()
    def end_task(self, model: nn.Module, task: Task) -> None:
        super().end_task(model, task)
        before = getattr(self, "exemplars", {})
        share = max(1, self.memory // (len(before) + len(task.classes)))
        # By class, (m, …) inputs in the order in which herding chose them.
        self.exemplars = {c: x[:share] for c, x in before.items()}
        data = task.train.to(next(model.parameters()).device)
        with evaluating(model):
            labels = data.y
            for c in task.classes:
                x, _ = data.batch((labels == c).nonzero()[:, 0])
                self.exemplars[c] = x[herding(features(model, x), share)]
            centres = [features(model, x).mean(0) for x in self.exemplars.values()]
        self.means = F.normalize(torch.stack(centres), dim=1)

    def predict(self, model: nn.Module, x: Tensor, task: Task) -> Tensor:
        """Predict the class of the nearest mean of exemplars, (B,), for inputs `x` (B, …).

        While a task is in training, and features change, the class of the largest output.
        """
        if self.means is None:
            return super().predict(model, x, task)
        nearest = torch.cdist(features(model, x), self.means).argmin(1)
        return torch.tensor(list(self.exemplars), device=x.device)[nearest]


def check_features(label: str, model: Any, task: Task) -> None:
    """Find out whether `model` has a method `features(x)` that gives vectors.

    Args:
        label: of the method that wants them, for the message.
        model: the network.
        task: has the inputs that it is tried with.

    Raises:
        ValueError: it has none, or gives something else.
    """
    name = type(model).__name__
    if not callable(getattr(model, "features", None)):
        raise ValueError(
            f"{label} compares features, but {name} has none: give it a method features(x), all "
            "but the last layer"
        )
    x, _ = task.train.batch(torch.arange(min(2, len(task.train)), device=task.train.device))
    try:
        with evaluating(model), torch.no_grad():
            seen = model.features(x.to(next(model.parameters()).device))
    except Exception as error:  # of anybody's model
        seen = error
    if not isinstance(seen, Tensor) or seen.ndim != 2:
        given = format_tensor(seen) if isinstance(seen, Tensor) else shortened(seen)
        raise ValueError(f"features of {name} gives {given}: return vectors (B, d)")


def features(model: Any, x: Tensor) -> Tensor:
    """Compute `model.features` of the inputs `x` (B, …), scaled to length 1: (B, d)."""
    return F.normalize(model.features(x), dim=1)


def herding(features: Tensor, n: int) -> Tensor:
    """Choose exemplars one by one, so that their mean stays close to the mean of all (algorithm 4).

    Args:
        features: (N, d) of all examples of a class.
        n: how many to choose; all N if N is less.

    Returns:
        Their positions, in the order of choice: each brings the mean of those chosen so far as
        close as possible to the mean of all.
    """
    mean, total = features.mean(0), torch.zeros_like(features[0])
    left = torch.zeros(len(features), dtype=features.dtype, device=features.device)
    chosen = []
    for k in range(1, min(n, len(features)) + 1):
        distance = (mean - (total + features) / k).norm(dim=1) + left
        best = distance.argmin()
        chosen.append(best)
        left[best] = torch.inf
        total = total + features[best]
    return torch.stack(chosen)
