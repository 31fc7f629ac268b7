"""The homework with products in bfloat16, beside the stored runs in float32: is anything lost?

    python experiments/homework/bfloat16.py

On a processor with such products. The runs of a seed differ in the products of the training steps
alone; Ω and the evaluation are float32 in both. A finished run is found again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import torch

import cl_helpers as cl
from cl_helpers.cli import print_tables, write_tables
from cl_helpers.lessons.seeds import difference, mean_sd
from cl_helpers.report.plots import method_label
from cl_helpers.speed.precision import has_bfloat16
from cl_helpers.training.presets import PRESETS
from cl_helpers.training.run import Run

FOLDER = Path(__file__).parent
NAMES = ("baseline", "ewc", "mas", "si", "rwalk", "scp")
SEEDS = (0, 1, 2)


def average_accuracies(runs: list[Run], name: str) -> list[float]:
    of = [run for run in runs if run.config["method"] == name]
    return [100 * run.average_accuracy for run in sorted(of, key=lambda run: run.config["seed"])]


def main() -> None:
    if not has_bfloat16(torch.device("cpu")):
        sys.exit("this processor has no bfloat16 products: take one with AVX512-BF16 or AMX")
    mnist, preset = cl.load("mnist"), PRESETS["full"]
    how = preset.settings(mnist) | {"precision": "bfloat16", "device": "cpu"}
    methods = [preset.method(name) for name in NAMES]
    runs = cl.sweep(
        methods, preset.tasks(mnist), seeds=SEEDS, folder=FOLDER / "bfloat16", together=1, **how
    )
    if len(runs) < len(NAMES) * len(SEEDS):  # Ctrl-C
        sys.exit(130)
    stored = [Run.load(path) for path in sorted(FOLDER.glob("*.json"))]
    rows = {}
    for name in NAMES:
        a, b = average_accuracies(runs, name), average_accuracies(stored, name)
        by = difference(a, b)
        rows[method_label(name)] = {
            "bfloat16": mean_sd(a, 2),
            "float32": mean_sd(b, 2),
            "difference within a seed": f"{by.mean:+.2f} ± {by.half:.2f}, {by.verdict}",
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(index="average accuracy %")
    print_tables(table)
    write_tables(FOLDER / "bfloat16" / "table.md", table)


if __name__ == "__main__":
    main()
