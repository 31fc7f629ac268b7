"""How the default λ of each method was chosen: on validation data, never on the test set.

    python experiments/tuning/tune.py

trains the settings below on the homework's five tasks, one seed, with 10,000 of the 60,000 training
images held out, and ranks them by their average accuracy on those. The budget: a coarse grid at 4
epochs a task, then single settings at the homework's 10.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from cl_helpers.cli import console, main, pick_engine, pick_methods, print_tables, write_tables
from cl_helpers.data.datasets import load
from cl_helpers.data.tasks import Task, hold_out
from cl_helpers.files import writable
from cl_helpers.methods import METHODS
from cl_helpers.report.tables import metrics_table
from cl_helpers.scale.sweep import sweep
from cl_helpers.training.presets import PRESETS
from cl_helpers.training.run import Run
from cl_helpers.training.settings import pick_device

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


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def tune_command(
    methods: Annotated[str, typer.Option(help="Methods, separated by commas.")] = ",".join(GRID),
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    engine: Annotated[str, typer.Option(help="As in `compare`.")] = "local",
    out: Annotated[Path, typer.Option(help="Folder for what comes out.")] = Path(__file__).parent,
) -> None:
    """Choose λ (and ξ, …): every setting of the grid, judged by held-out training images."""
    names = list(pick_methods(methods, []))
    for name in names:
        if name not in GRID:
            raise ValueError(f"{name} has nothing to tune: choose among {', '.join(GRID)}")
    folder = writable(out)
    size = PRESETS["full"]
    dataset = load("mnist")
    settings = size.settings(dataset) | {"device": str(pick_device(device))}
    settings["engine"] = pick_engine(engine)
    del settings["epochs"]  # the grid says how many
    console.print(f"{N_VALIDATION:,} of {size.n_train:,} training images held out")
    runs: list[Run] = []
    for name in names:
        tuned = tune(name, size.tasks(dataset), folder, **settings)
        runs += tuned
        if len(tuned) < sum(map(len, GRID[name].values())):  # Ctrl-C
            sys.exit(130)
    table = metrics_table(runs, with_epochs=True)
    print_tables(table)
    write_tables(folder / "table.md", table)


if __name__ == "__main__":
    main(app)
