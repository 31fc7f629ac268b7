"""How many examples Ω needs: accuracy on held-out images against the number it is measured on.

    python experiments/tuning/samples.py --preset class
    python experiments/tuning/samples.py

The first is for EWC, MAS and SCP in a laptop's preset, the second for EWC at the homework's size;
each method with its best λ, three seeds. The runs of a seed differ in the examples alone, so that
what is lost is a mean of differences within a seed, ± their standard deviation.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated

import pandas as pd
import typer
from tune import SEEDS, judged_by_held_out

import cl_helpers as cl
from cl_helpers.checks import one_of
from cl_helpers.cli import main, print_tables, whole, write_tables
from cl_helpers.training.presets import PRESETS

FOLDER = Path(__file__).parent / "samples"
SIZES = {  # None: all
    "class": dict.fromkeys(("ewc", "mas", "scp"), (64, 128, 256, 512, 1024, 2048, 4096, None)),
    "full": {"ewc": (4096, None)},
}


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def samples(
    preset: Annotated[str, typer.Option(help="class, or full: the homework's size.")] = "full",
) -> None:
    """Train each method with Ω of so many examples, three seeds; write the table."""
    one_of("preset", preset, *SIZES)
    mnist, size = cl.load("mnist"), PRESETS[preset]
    methods = [size.method(name, n_samples=n) for name, ns in SIZES[preset].items() for n in ns]
    tasks = judged_by_held_out(preset, mnist)
    folder = FOLDER / preset
    runs = cl.sweep(methods, tasks, seeds=SEEDS, folder=folder, **size.settings(mnist))
    runs = whole(runs, len(methods) * len(SEEDS))
    found = {
        (run.config["method"], run.config["knobs"]["n_samples"], run.config["seed"]): 100
        * run.average_accuracy
        for run in runs
    }

    def lost(name: str, n: int) -> str:
        points = [found[name, None, seed] - found[name, n, seed] for seed in SEEDS]
        return f"{fmean(points):+.2f} ± {stdev(points):.2f}"

    table = pd.DataFrame(
        {name: {f"{n:,}": lost(name, n) for n in ns if n} for name, ns in SIZES[preset].items()}
    ).rename_axis(index="examples")
    print_tables(table)
    write_tables(FOLDER / f"{preset}.md", table)


if __name__ == "__main__":
    main(app)
