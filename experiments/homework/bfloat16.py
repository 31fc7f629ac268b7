"""Products in bfloat16 beside those in float32, the same seeds: is accuracy lost?

    python experiments/homework/bfloat16.py --preset class

On a processor with such products. Two runs of a seed differ in the products of their training steps
alone; Ω and the evaluation are float32 in both. A finished run is found again: at the homework's
size those in float32 are the homework's own, some of an earlier version that rounded otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
import typer

import cl_helpers as cl
from cl_helpers.cli import main, print_tables, whole, write_tables
from cl_helpers.lessons.seeds import difference, mean_sd
from cl_helpers.report.plots import method_label
from cl_helpers.speed.precision import has_bfloat16
from cl_helpers.training.presets import pick_preset

FOLDER = Path(__file__).parent / "bfloat16"
NAMES = ("baseline", "ewc", "mas", "si", "rwalk", "scp")
SEEDS = (0, 1, 2)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def compare(
    preset: Annotated[str, typer.Option(help="class, or full: the homework's size.")] = "full",
) -> None:
    """Train six methods at both precisions, three seeds; write the table."""
    if not has_bfloat16(torch.device("cpu")):
        print("bfloat16 is not compared: this processor has no such products (AVX512-BF16, AMX)")
        return
    mnist, size = cl.load("mnist"), pick_preset(preset)
    methods, tasks = [size.method(name) for name in NAMES], size.tasks(mnist)
    how = size.settings(mnist) | {"device": "cpu", "seeds": SEEDS, "together": 1}
    own, homework = FOLDER / size.name, size.name == "full"
    folders = {"bfloat16": own, "fast": FOLDER.parent if homework else own}
    runs = [
        run
        for precision, folder in folders.items()
        for run in cl.sweep(methods, tasks, precision=precision, folder=folder, **how)
    ]
    runs = whole(runs, 2 * len(NAMES) * len(SEEDS))
    found = {
        (run.config["method"], run.config["precision"], run.config["seed"]): 100
        * run.average_accuracy
        for run in runs
    }
    rows = {}
    for name in NAMES:
        ours, plain = ([found[name, p, seed] for seed in SEEDS] for p in ("bfloat16", "fast"))
        by = difference(ours, plain)
        rows[method_label(name)] = {
            "bfloat16": mean_sd(ours, 2),
            "float32": mean_sd(plain, 2),
            "difference within a seed": f"{by.mean:+.2f} ± {by.half:.2f}, {by.verdict}",
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(index="average accuracy %")
    print_tables(table)
    write_tables(FOLDER / f"{size.name}.md", table)


if __name__ == "__main__":
    main(app)
