"""How fast the loop is, always beside something else, in the same run, on the same machine.

    make bench                                    # everything
    .venv/bin/python benchmarks/bench.py epoch    # one section; the others keep their figures

prints tables and writes them to runs/bench.json; those that README.md quotes are copied to
benchmarks/bench.json. Each figure is a median of repeats that take
turns. Nothing here is a test: timings are no reason to fail.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import grading
import growth
import loops
import many as many_
import numpy as np
import torch
import waiting
from live import gestures, in_jupyterlab, twenty_runs
from loops import omega, our_epoch, products_alone, second_task, usual_epoch
from playground import playground
from rich.console import Console
from rich.table import Table
from timing import in_turns, machine, timed

import cl_helpers as cl
from cl_helpers.report.plots import save
from cl_helpers.speed.precision import PRECISIONS, has_bfloat16
from cl_helpers.training.presets import PRESETS
from cl_helpers.training.settings import pick_device

OUT = Path("runs/bench.json")
DEVICE = pick_device("auto")
SIX = ("baseline", "ewc", "mas", "si", "rwalk", "scp")

Figures = dict[str, Any]


def without_tests() -> cl.Dataset:
    """MNIST with a single test image."""
    return cl.load("mnist").first(60_000, 1)


def epoch() -> Figures:
    """One epoch of the baseline, 60,000 images, batch 128, in seconds."""
    no_test = without_tests()
    n = len(no_test.train_labels)
    ours: dict[str, Any] = {}
    for precision in PRECISIONS if has_bfloat16(DEVICE) else ("fast", "full"):
        name = f'precision="{precision}"'
        ours[f"products alone, {name}"] = partial(products_alone, n, DEVICE, precision)
        ours[f"ours, {name}"] = partial(our_epoch, no_test, DEVICE, precision=precision)
    return in_turns(
        {
            **ours,
            "DataLoader": lambda: usual_epoch(n, 0, DEVICE),
            "DataLoader, 2 workers": lambda: usual_epoch(n, 2, DEVICE),
        },
        repeats=3,
    )


def step() -> Figures:
    """One step of the second task, where the penalty pulls, in seconds."""
    small = cl.load("mnist").first(12_800, 1)
    return in_turns({name: second_task(name, small, DEVICE) for name in SIX}, repeats=5)


def importance() -> Figures:
    """Ω of 60,000 images, of all and of as many as is the default, in seconds."""
    mnist, no_test = cl.load("mnist"), without_tests()
    ways: dict[str, Any] = {
        "EWC": cl.EWC,
        "EWC, true Fisher": partial(cl.EWC, fisher="true"),
        "MAS": cl.MAS,
        "SCP": cl.SCP,
    }
    return in_turns(
        {
            "an epoch of training": lambda: our_epoch(no_test, DEVICE),
            **{
                f"{n}, all images": omega(m(n_samples=None), mnist, DEVICE) for n, m in ways.items()
            },
            **{
                f"{n}, {m().n_samples:,} images": omega(m(), mnist, DEVICE) for n, m in ways.items()
            },
        },
        repeats=3,
    )


def avalanche() -> Figures:
    """2 tasks × 1 epoch of 60,000 images, on the CPU: ours and Avalanche's, in seconds."""
    if not loops.AVALANCHE.exists():
        raise SystemExit(f"{loops.AVALANCHE} is not there: make bench sets it up")
    no_test = without_tests()
    names = ("baseline", "ewc", "si", "mas")
    ours = {name: partial(loops.our_run, name, no_test, 2, 1) for name in names}
    theirs = {f"Avalanche's {name}": partial(loops.avalanches_run, name, 2, 1) for name in names}
    return in_turns(ours | theirs, repeats=3)


def sweeping() -> Figures:
    """2 methods × 8 λ × 4 seeds, preset class: the sweep, and the sum of its 64 parts, in seconds.

    Of the parts, every method with its smallest and largest λ is timed, alone.
    """
    mnist = cl.load("mnist")
    preset = PRESETS["class"]
    tasks, settings = preset.tasks(mnist), preset.settings(mnist) | {"progress": False}
    grid = {"ewc": [25.0 * 2**n for n in range(8)], "si": [0.0125 * 2**n for n in range(8)]}

    def whole() -> None:
        for name, lam in grid.items():
            cl.sweep(cl.METHODS[name](), tasks, lam=lam, seeds=range(4), device=DEVICE, **settings)

    def part(name: str, lam: float) -> float:
        return timed(lambda: cl.train(cl.METHODS[name](lam=lam), tasks, device=DEVICE, **settings))

    def parts() -> float:
        return sum(16 * part(name, lam) for name in grid for lam in (grid[name][0], grid[name][-1]))

    before, sweep, after = parts(), timed(whole), parts()
    return {"the sum of its parts": (before + after) / 2, "the sweep": sweep}


def homework() -> Figures:
    """Six methods, 5 tasks × 10 epochs, full MNIST, and 16 λ of EWC at once; needs a GPU."""
    mnist = cl.load("mnist")
    preset = PRESETS["full"]
    tasks, settings = preset.tasks(mnist), preset.settings(mnist) | {"progress": False}
    figures = {n: timed(lambda n=n: cl.train(cl.METHODS[n](), tasks, **settings)) for n in SIX}
    figures["all six"] = sum(figures.values())
    lam = [25.0 * 1.5**n for n in range(16)]
    figures["16 λ of EWC"] = timed(lambda: cl.sweep(cl.EWC(), tasks, lam=lam, **settings))
    return figures


def growing() -> Figures:
    """Exponents p of cost ∝ nᵖ over the larger half of n; the points are in the JSON."""
    points = {
        "tasks": growth.with_tasks(),
        "parameters": growth.with_parameters(DEVICE),
        "models": growth.with_models(DEVICE),
    }
    OUT.with_name("growth.json").write_text(json.dumps(points, indent=1) + "\n")
    save(growth.chart(points), OUT.with_name("growth.png"))
    models = {name: np.array(values) for name, values in points["models"].items()}
    n = models["models"]
    total = {"models": n, "together": n * models["together"], "alone": n * models["alone"]}
    return {
        f"{name} against {of}": p
        for of, curves in (points | {"models": total}).items()
        for name, p in growth.exponents(curves, of).items()
    }


def many() -> Figures:
    """1,000 tasks in a run, 10,000 runs in a folder, 64 runs on one Dask worker and two, in s."""
    return many_.a_thousand_tasks() | many_.ten_thousand_runs() | many_.on_a_cluster()


def wait() -> Figures:
    """From Run All to the first picture and to the end of each notebook, preset class, in s."""
    return waiting.in_every_notebook()


def lab() -> Figures:
    """The Lab beside cl.train, preset class, EWC, in a real JupyterLab and browser, in seconds."""
    return in_jupyterlab() | twenty_runs()


def pictures() -> Figures:
    """What a move of the pointer costs the page, in a real JupyterLab and browser, in seconds."""
    return gestures()


def page() -> Figures:
    """The playground: until it is there by Fast 3G, and a run on one core and on a quarter."""
    return playground()


def quiz() -> Figures:
    """Grading the quiz, in seconds a submission; then for 1,000 what is the grader's own."""
    return grading.per_submission()


def commands() -> Figures:
    """What a command of the quiz takes, in seconds, and in megabytes."""
    return grading.starting()


LEARNING = (epoch, step, importance, avalanche, sweeping, growing, many)
SECTIONS = {f.__name__: f for f in (*LEARNING, wait, lab, pictures, page, quiz, commands)}
if DEVICE.type == "cuda":
    SECTIONS["homework"] = homework


def show(title: str, figures: Figures) -> None:
    first = next(iter(figures.values()))
    table = Table("", "median", "ratio", title=title, title_justify="left")
    for name, value in figures.items():
        table.add_row(name, f"{value:.4g}", f"{value / first:.2f}")
    Console().print(table)


def main(names: list[str]) -> None:
    for name in names:
        if name not in SECTIONS:
            raise SystemExit(f"section is {name!r}: choose among {', '.join(SECTIONS)}")
    OUT.parent.mkdir(exist_ok=True)
    written = json.loads(OUT.read_text()) if OUT.exists() else {}
    for name in names or SECTIONS:
        section = SECTIONS[name]
        title = (section.__doc__ or "").splitlines()[0]
        figures = section()
        show(title, figures)
        written[name] = {"what": title, "machine": machine(), "figures": figures}
        OUT.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n")
    print(f"written to {OUT}")


if __name__ == "__main__":
    torch.manual_seed(0)
    main(sys.argv[1:])
