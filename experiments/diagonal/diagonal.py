"""Why the best λ of EWC is far above the 1 that its derivation gives.

    python experiments/diagonal/diagonal.py

Two tasks of permuted MNIST, 8,000 images each and 1,000 held out (the accuracies are on those),
784-256-10, Adam with learning rate 1e-3, batches of 128, two epochs a task. EWC's penalty with the
diagonal of the true Fisher information, and with all of it: that needs old images (1,024 of task A,
128 of them in each step), so it explains EWC and does not replace it.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import cl_helpers as cl
from cl_helpers.cli import print_tables, whole, write_tables
from cl_helpers.data.tasks import Task, hold_out

FOLDER = Path(__file__).parent
LAMBDAS = [0, 0.1, 1, 10, 100, 1_000]
SEEDS = [0, 1, 2]
HOW = {"epochs": 2, "batch_size": 128, "lr": 1e-3}


@dataclass(eq=False)
class AllOfF(cl.EWC):
    """EWC with all of F: penalty(θ) = ½ (θ − θ*)ᵀ F (θ − θ*), of the first task."""

    def end_task(self, model: nn.Module, task: Task) -> None:
        super().end_task(model, task)
        self.star, (self.inputs, _) = (
            deepcopy(model),
            self.measured_on(task).batch(torch.arange(1024)),
        )

    def penalty(self, model: nn.Module) -> Tensor:
        if not self.tasks_held:
            return super().penalty(model)
        star = dict(self.star.named_parameters())
        delta = {name: p - star[name].detach() for name, p in model.named_parameters()}
        drawn = torch.randperm(1024, generator=self.rng)[:128]
        return cl.laplace.whole(self.star, self.inputs[drawn], delta) / 2


def main() -> None:
    tasks = hold_out(cl.permuted(cl.load("mnist").first(9_000, 10), 2), 1_000)
    every = {"fisher": "true", "n_samples": None}
    forms = {"diagonal of F": cl.EWC(**every), "all of F": AllOfF(**every)}
    how = {"lam": LAMBDAS, "seeds": SEEDS} | HOW
    swept = {
        name: whole(cl.sweep(form, tasks, cl.MLP((784, 256, 10)), **how), len(LAMBDAS) * len(SEEDS))
        for name, form in forms.items()
    }
    table = cl.forms.at_best(swept)
    print_tables(table)
    write_tables(FOLDER / "table.md", table)


if __name__ == "__main__":
    main()
