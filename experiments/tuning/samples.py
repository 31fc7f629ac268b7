"""How many examples Ω needs: accuracy on held-out images against the number it is measured on.

    python experiments/tuning/samples.py

EWC, MAS and SCP in the preset class, each with its best λ, three seeds. The runs of a seed differ
in the examples alone, so that what is lost is a mean of differences within a seed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

import pandas as pd
from tune import N_CLASS_VALIDATION, SEEDS

import cl_helpers as cl
from cl_helpers.cli import print_tables, write_tables
from cl_helpers.data.tasks import hold_out
from cl_helpers.training.presets import PRESETS
from cl_helpers.training.run import Run

FOLDER = Path(__file__).parent / "samples"
SIZES = (64, 128, 256, 512, 1024, 2048, 4096, None)
LAM = {name: PRESETS["class"].lam[name] for name in ("ewc", "mas", "scp")}


def lost(runs: Sequence[Run], whole: Sequence[Run]) -> str:
    """Format what average accuracy loses against Ω of all examples: points, mean ± sd of seeds."""
    points = [
        100 * (b.average_accuracy - a.average_accuracy) for a, b in zip(runs, whole, strict=True)
    ]
    return f"{fmean(points):+.2f} ± {stdev(points):.2f}"


def main() -> None:
    mnist, preset = cl.load("mnist"), PRESETS["class"]
    larger = replace(preset, n_train=preset.n_train + N_CLASS_VALIDATION)
    tasks = hold_out(larger.tasks(mnist), N_CLASS_VALIDATION)
    methods = [cl.METHODS[name](lam=lam, n_samples=n) for name, lam in LAM.items() for n in SIZES]
    runs = cl.sweep(methods, tasks, seeds=SEEDS, folder=FOLDER, **preset.settings(mnist))
    if len(runs) < len(methods) * len(SEEDS):  # Ctrl-C
        sys.exit(130)
    of = {name: [r for r in runs if r.config["method"] == name] for name in LAM}
    by_size = {
        (name, n): [r for r in of[name] if r.config["knobs"]["n_samples"] == n]
        for name in LAM
        for n in SIZES
    }
    cells = {
        name: {f"{n:,}": lost(by_size[name, n], by_size[name, None]) for n in SIZES if n}
        for name in LAM
    }
    table = pd.DataFrame(cells)
    print_tables(table)
    write_tables(FOLDER / "table.md", table)


if __name__ == "__main__":
    main()
