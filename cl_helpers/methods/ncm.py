"""NCM: for each class the mean of a frozen network's features; nothing is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.tasks import Task
from ..identity import fingerprint_of
from ..models.forward import evaluating
from .base import Method
from .icarl import check_features, features
from .old_outputs import check_classifies

GRID = 2.0**40  # features are rounded to multiples of 1/GRID, far below what float32 tells apart


@dataclass(eq=False)
class NCM(Method):
    """Nearest Class Mean: no training; the class whose mean feature is nearest is predicted.

        μ_c = 1/n_c Σ_{x of class c} φ(x),        prediction(x) = argmin_c ‖ φ(x) − μ_c / ‖μ_c‖ ‖

    φ are the features of the network, the inputs of its last layer, scaled to length 1. The network
    is used as it is given: bring one that was trained on something else. No weight moves, so there
    is nothing to forget. Each example is seen once, and the order of the tasks does not matter: the
    sums are whole multiples of 2⁻⁴⁰, which add up to the same bits in any order (for up to eight
    million examples of a class).

    In Class-IL all classes seen so far compete, in Task-IL those of the task. In Domain-IL a label
    has one mean over all tasks. Where no class of a task has been seen, the largest output
    predicts. It has no settings.

    Attributes:
        sums: class -> Σ φ(x) in units of 2⁻⁴⁰, (d,) long.
        counts: class -> n_c.

    Raises:
        ValueError: in `begin_task`, the model has no method `features(x)`, or other weights than in
            the tasks before; in `end_task`, a feature is not finite.

    Mensink et al. 2013, doi:10.1109/TPAMI.2013.83; iCaRL's classifier (arXiv:1611.07725, algorithm
    1) with all examples; Janson et al. 2022, arXiv:2210.04428.

    Departs from Mensink et al.: features and means have length 1, as in iCaRL, and no metric is
    learned.
    """

    name = "ncm"
    label = "NCM"
    kept: ClassVar[dict[str, str]] = {"sums": "class means", "counts": "class means", "network": ""}
    takes_steps = False

    network = ""  # what identifies its weights

    def check_task(self, task: Task) -> None:
        super().check_task(task)
        check_classifies(task, "NCM takes the mean of each class")

    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        check_features(self.label, model, task)
        network = fingerprint_of(model.state_dict())
        if self.network and network != self.network:
            raise ValueError(
                "this NCM has the means of another network's features: make a new one, cl.NCM(), "
                "and leave the weights as they are between tasks"
            )
        self.network = network

    @torch.no_grad()
    def end_task(self, model: nn.Module, task: Task) -> None:
        sums: dict[int, Tensor] = dict(getattr(self, "sums", {}))
        counts: dict[int, int] = dict(getattr(self, "counts", {}))
        with evaluating(model):
            for x, y in task.train.to(next(model.parameters()).device).batches(1000):
                phi = features(model, x).double()
                if not phi.isfinite().all():
                    raise ValueError(f"features of {type(model).__name__} are not finite")
                whole = (phi * GRID).round().long()
                for c in y.unique().tolist():
                    sums[c] = sums.get(c, 0) + whole[y == c].sum(0)
                    counts[c] = counts.get(c, 0) + int((y == c).sum())
        self.sums, self.counts = sums, counts

    def means(self, classes: Sequence[int]) -> Tensor:
        """Return μ_c of the `classes`, which have been seen: (K, d) float64."""
        return torch.stack([self.sums[c].double() / (GRID * self.counts[c]) for c in classes])

    def predict(self, model: nn.Module, x: Tensor, task: Task) -> Tensor:
        """Predict the class (B,) with the nearest mean for inputs `x` (B, …).

        Only classes that have been seen and compete in `task` have one; if there is none, the
        largest output predicts.
        """
        seen = sorted(getattr(self, "sums", {}))
        classes = [c for c in seen if task.active is None or c in task.active]
        if not classes:
            return super().predict(model, x, task)
        nearest = features(model, x).double() @ F.normalize(self.means(classes), dim=1).T
        return torch.tensor(classes, device=x.device)[nearest.argmax(1)]
