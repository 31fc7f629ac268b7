"""How λ was chosen: on validation data, never on the test set.

    python experiments/tuning/tune.py
    python experiments/tuning/tune.py --preset class

The first trains the settings of GRID on the homework's five tasks, 10 epochs each, one seed, with
10,000 of the 60,000 training images held out, and ranks them by their average accuracy on those.
The second trains those of CLASS_GRID in a laptop's preset, three seeds, with 2,000 training images
more, held out. A finished run is found again, and an interrupted one goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from cl_helpers.checks import one_of
from cl_helpers.cli import (
    console,
    main,
    pick_engine,
    pick_methods,
    print_tables,
    whole,
    write_tables,
)
from cl_helpers.data.datasets import Dataset, load
from cl_helpers.data.tasks import Task, hold_out
from cl_helpers.files import writable
from cl_helpers.methods import METHODS
from cl_helpers.report.tables import metrics_table
from cl_helpers.scale.sweep import sweep
from cl_helpers.training.presets import PRESETS
from cl_helpers.training.run import Run
from cl_helpers.training.settings import pick_device

Grid = dict[str, list[dict[str, Any]]]  # method -> settings

N_VALIDATION = 10_000
GRID: Grid = {
    "ewc": [
        *({"lam": lam, "n_samples": 1024} for lam in (200.0, 400.0, 800.0)),
        {"lam": 400.0, "n_samples": 4096},
    ],
    "mas": [{"lam": lam} for lam in (0.005, 0.01, 0.02, 0.04)],
    "si": [{"lam": lam} for lam in (0.2, 0.4, 0.8)],
    "rwalk": [
        *({"lam": lam} for lam in (0.25, 0.5, 1.0)),
        *({"lam": 0.5} | other for other in ({"alpha": 0.99}, {"interval": 50}, {"epsilon": 1e-2})),
    ],
    "scp": [{"lam": lam} for lam in (12.5, 25.0, 50.0)],
}

N_CLASS_VALIDATION = 2_000
SEEDS = (0, 1, 2)
CLASS_GRID: Grid = {
    "ewc": [
        {"lam": lam, "anchors": anchors, "n_samples": None}
        for anchors in ("latest", "separate")
        for lam in (25.0, 50.0, 100.0, 200.0, 400.0, 800.0)
    ],
    "mas": [{"lam": lam, "n_samples": None} for lam in (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)],
    "si": [{"lam": lam} for lam in (0.2, 0.4, 0.8, 1.6, 3.2)],
    "rwalk": [
        *({"lam": lam} for lam in (0.25, 0.5, 1.0, 2.0, 4.0)),
        *({"lam": lam, "online": True} for lam in (0.5, 1.0, 2.0, 4.0, 8.0)),
    ],
    "scp": [{"lam": lam, "n_samples": None} for lam in (12.5, 25.0, 50.0, 100.0, 200.0, 400.0)],
}


def judged_by_held_out(preset: str, mnist: Dataset) -> list[Task]:
    """The tasks of a preset, judged by training images that are held out.

    Args:
        preset: "full", which holds out N_VALIDATION of its training images, or "class", which has
            N_CLASS_VALIDATION more.
        mnist: the images.
    """
    size, held_out = PRESETS[preset], N_VALIDATION
    if preset == "class":
        held_out = N_CLASS_VALIDATION
        size = replace(size, n_train=size.n_train + held_out)
    console.print(f"{held_out:,} of {size.n_train:,} training images held out")
    return hold_out(size.tasks(mnist), held_out)


def tune(name: str, held: Sequence[Task], folder: Path, grid: Grid = GRID, **how: Any) -> list[Run]:
    """Train every setting of `grid`; the best first.

    Args:
        name: of the method.
        held: tasks that are judged by held-out images.
        folder: for the runs.
        grid: the settings by method. Default GRID.
        how: the other arguments of `sweep`. Ctrl-C ends it; the runs are those that are finished.
    """
    methods = [METHODS[name](**knobs) for knobs in grid[name]]
    return sorted(sweep(methods, held, folder=folder, **how), key=lambda r: -r.average_accuracy)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def tune_command(
    methods: Annotated[str, typer.Option(help="Methods, separated by commas.")] = ",".join(GRID),
    preset: Annotated[str, typer.Option(help="full or class.")] = "full",
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    engine: Annotated[str, typer.Option(help="As in `compare`.")] = "local",
    out: Annotated[Path, typer.Option(help="Folder for what comes out.")] = Path(__file__).parent,
) -> None:
    """Choose λ (and ξ, …): every setting of the grid, judged by held-out training images."""
    one_of("preset", preset, "full", "class")
    names = list(pick_methods(methods, [], PRESETS[preset].method))
    for name in names:
        if name not in GRID:
            raise ValueError(f"{name} has nothing to tune: choose among {', '.join(GRID)}")
    grid, seeds = (CLASS_GRID, [*SEEDS]) if preset == "class" else (GRID, [0])
    folder = writable(out / preset)
    dataset = load("mnist")
    settings = PRESETS[preset].settings(dataset) | {"device": str(pick_device(device))}
    settings |= {"engine": pick_engine(engine), "seeds": seeds}
    held = judged_by_held_out(preset, dataset)
    runs: list[Run] = []
    for name in names:
        tuned = tune(name, held, folder, grid, **settings)
        runs += whole(tuned, len(seeds) * len(grid[name]))
    table = metrics_table(runs)
    print_tables(table)
    write_tables(folder / "table.md", table)


if __name__ == "__main__":
    main(app)
