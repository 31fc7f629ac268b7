"""How the default λ of each method was chosen: on validation data, never on the test set.

    python -m cl_helpers tune --out results/tuning

trains every setting below on the homework's five tasks with 10,000 training images held out, and
ranks the settings by their average accuracy on those.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn.model_selection import ParameterGrid

from .comparison import run_or_load
from .methods import METHODS
from .run import Run
from .tasks import Task, hold_out

N_VALIDATION = 10_000

GRID: dict[str, list[dict[str, list[Any]]]] = {
    "ewc": [
        {"fisher": ["empirical"], "lam": [200.0, 800.0, 3200.0]},
        {"fisher": ["true"], "lam": [100.0, 400.0, 1600.0]},
    ],
    "mas": [{"lam": [0.01, 0.02, 0.04]}],
    "si": [{"xi": [1e-3], "lam": [0.1, 0.2, 0.4]}, {"xi": [1e-4], "lam": [0.02, 0.05, 0.1]}],
    "rwalk": [{"lam": [0.125, 0.25, 0.5, 1.0, 2.0]}],
    "scp": [{"lam": [12.5, 25.0, 50.0]}],
}


def tune(
    name: str, tasks: Sequence[Task], folder: Path, seed: int = 0, **settings: Any
) -> list[Run]:
    """Train every setting of GRID[name] against a validation split; the best first."""
    held = hold_out(tasks, N_VALIDATION)
    runs = [
        run_or_load(METHODS[name](**knobs), held, folder, seed=seed, **settings)
        for knobs in ParameterGrid(GRID[name])
    ]
    return sorted(runs, key=lambda run: -run.average_accuracy)
