"""How the default λ of each method was chosen: on validation data, never on the test set.

    python -m cl_helpers tune --out results/tuning

trains the settings below on the homework's five tasks, one seed, with 10,000 of the 60,000 training
images held out, and ranks them by their average accuracy on those. The budget: a coarse grid at 4
epochs a task, then single settings at the homework's 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .methods import METHODS
from .run import Run
from .sweep import sweep
from .tasks import Task, hold_out

N_VALIDATION = 10_000

# method -> epochs -> settings
GRID: dict[str, dict[int, list[dict[str, Any]]]] = {
    "ewc": {
        4: [
            *({"fisher": "empirical", "lam": lam} for lam in (200.0, 800.0, 3200.0)),
            {"fisher": "true", "lam": 100.0},
        ],
        10: [{"fisher": "empirical", "lam": 400.0}, {"fisher": "true", "lam": 200.0}],
    },
    "mas": {4: [{"lam": lam} for lam in (0.01, 0.02, 0.04, 0.08)]},
    "si": {
        4: [
            *({"xi": 1e-3, "lam": lam} for lam in (0.1, 0.2, 0.4)),
            *({"xi": 1e-4, "lam": lam} for lam in (0.02, 0.05)),
        ],
        10: [{"xi": 1e-3, "lam": 0.4}],
    },
    "rwalk": {4: [{"lam": lam} for lam in (0.5, 1.0, 2.0)]},
    "scp": {10: [{"lam": 25.0}]},
}


def tune(name: str, tasks: Sequence[Task], folder: Path, **how: Any) -> list[Run]:
    """Train every setting of GRID[name] against held-out images; of each budget the best first.

    `how`: the other arguments of `sweep`. Ctrl-C ends it; the runs are those that are finished.
    """
    held = hold_out(tasks, N_VALIDATION)
    runs: list[Run] = []
    for epochs, trials in GRID[name].items():
        methods = [METHODS[name](**knobs) for knobs in trials]
        tried = sweep(methods, held, folder=folder, epochs=epochs, **how)
        runs += sorted(tried, key=lambda run: -run.average_accuracy)
        if len(tried) < len(trials):
            break
    return runs
