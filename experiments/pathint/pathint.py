"""The authors' own figure for SI on permuted MNIST, run again.

    python experiments/pathint/pathint.py

Zenke, Poole & Ganguli publish, with their code (github.com/ganguli-lab/pathint), the average
accuracy after ten tasks of permuted MNIST: 57.4 % with c = 0 and 96.9 % with c = 0.1. As they have
it: 784-2000-2000-10, Adam with learning rate 1e-3 whose moments are kept from task to task, batches
of 256, 20 epochs a task, pixels from 0 to 1, ξ = 0.1, a permutation in the first task too. Their
penalty has no ½, so λ = 2c, and c = 0 is the baseline. One seed; an interrupted run goes on after
its last task. The products are in bfloat16 where the processor has them, or it takes twice as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

import cl_helpers as cl
from cl_helpers.cli import print_tables, whole, write_tables
from cl_helpers.data.tasks import Task
from cl_helpers.report.tables import metrics_table

FOLDER = Path(__file__).parent
SIZES = (784, 2000, 2000, 10)
HOW = {
    "epochs": 20,
    "batch_size": 256,
    "lr": 1e-3,
    "optimizer_state": "keep",
    "precision": "bfloat16",
}


@dataclass(eq=False)
class Pathint(cl.SI):
    """SI as the authors' code has it: the relu is taken of the sum over the tasks.

    Ω ← relu( Ω + ω / (Δ² + ξ) )
    """

    def importance_of(self, model: nn.Module, task: Task) -> Tensor:
        delta = self.theta_before - self.theta_start
        self.quotient = self.path / (delta.square() + self.xi)
        return self.quotient.relu()  # all there is to the first task

    def joined(self, omega: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        return (self.omega + self.quotient).relu(), theta


def main() -> None:
    mnist = cl.load("mnist").in_unit_range()
    tasks = cl.permuted(mnist, 11)[1:]
    methods = [Pathint(lam=0.2, xi=0.1), cl.Baseline()]
    runs = cl.sweep(methods, tasks, cl.MLP(SIZES), folder=FOLDER, together=1, **HOW)
    table = metrics_table(whole(runs, len(methods)))
    print_tables(table)
    write_tables(FOLDER / "table.md", table)


if __name__ == "__main__":
    main()
