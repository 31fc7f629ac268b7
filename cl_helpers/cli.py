"""The command line: `python -m cl_helpers compare` and `info`."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import torch
import typer
from pandas import DataFrame
from rich.console import Console
from rich.table import Table

from .data.datasets import DataError, data_folder, load
from .data.tasks import as_scenario, permuted
from .files import replacing, writable
from .formats import format_duration
from .methods import METHODS, Method, serving
from .report import plots
from .report.tables import costs, metrics_table
from .scale.sweep import sweep
from .shell import run
from .training.presets import PRESETS, STREAMS, pick_preset
from .training.run import Run
from .training.settings import pick_device, steps_an_epoch
from .training.train import train

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(highlight=False)

CHARTS = ("average_accuracy", "forgetting")

Data = Annotated[str, typer.Option(help="mnist, digits, cifar100 or auto (MNIST, else digits).")]
PresetName = Annotated[str | None, typer.Option("--preset", help="quick, class or full.")]
Epochs = Annotated[str | None, typer.Option(help="Passes over each task, instead of the preset's.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or auto.")]
Engine = Annotated[
    str,
    typer.Option(
        help="local (a process a core), a number of processes, or a Dask scheduler's address."
    ),
]
Out = Annotated[Path, typer.Option(help="Folder for what comes out.")]


@app.command("compare")
def compare_command(
    methods: Annotated[
        str | None,
        typer.Option(help="Methods, separated by commas; else all that serve the scenario."),
    ] = None,
    data: Data = "auto",
    stream: Annotated[str, typer.Option(help=f"{', '.join(STREAMS)}: kind of tasks.")] = "permuted",
    scenario: Annotated[
        str, typer.Option(help="task, domain or class: which outputs compete.")
    ] = "domain",
    preset: PresetName = None,
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0",
    epochs: Epochs = None,
    lam: Annotated[
        list[str] | None,
        typer.Option(help="λ: a number for all methods, or METHOD=NUMBER; may be given again."),
    ] = None,
    device: Device = "auto",
    engine: Engine = "local",
    out: Out = Path("runs"),
) -> None:
    """Train methods on the same tasks; write two tables, two charts and every run to OUT.

    A finished run that is in OUT already is not trained again; one that was interrupted goes on.
    Table and charts of another experiment that are in OUT are kept under other names.
    """
    asked = as_scenario(scenario)
    size = pick_preset(preset)
    make = partial(size.method, stream=stream, scenario=asked)
    makers = pick_methods(methods or ",".join(serving(asked)), lam or [], make)
    seed_list = list(dict.fromkeys(whole_number(s, "seed") for s in seeds.split(",")))
    folder = writable(out)
    dataset = load(data)
    settings: dict[str, Any] = size.settings(dataset, stream)
    settings["device"] = str(pick_device(device))
    if epochs is not None:
        settings["epochs"] = whole_number(epochs, "epochs")
    tasks = size.tasks(dataset, stream, asked)
    n_images = max(len(task.train) for task in tasks)
    of_what = (
        f'{dataset.name}, {stream}, scenario="{asked}": {len(tasks)} tasks of up to '
        f"{n_images:,} images, {settings['epochs']} epochs each, preset {size.name}, "
        f"seeds {', '.join(map(str, seed_list))}"
    )
    console.print(f"{of_what}, on {settings['device']}")
    settings |= {"seeds": seed_list, "folder": folder, "engine": pick_engine(engine)}
    runs = sweep([make() for make in makers.values()], tasks, **settings)
    if not runs:
        sys.exit(130)
    tables = metrics_table(runs), costs(runs)
    print_tables(*tables)
    if kept := keep_others(folder, of_what):
        console.print(f"table.md was of another experiment: it is kept as {kept}")
    write_tables(folder / "table.md", *tables, of_what=of_what)
    drawn = [plots.average_accuracy(runs)]
    if any(run.forgetting == run.forgetting for run in runs):  # joint training has none
        drawn.append(plots.forgetting(runs))
    for name, figure in zip(CHARTS, drawn, strict=False):
        plots.save(figure, folder / f"{name}.png")
        console.print(f"{folder / name}.png: {plots.alt_text(figure)}")
    console.print(f"{folder / 'table.md'} and {len(runs)} runs (JSON) beside it")
    whole(runs, len(makers) * len(seed_list))


@app.command("tune", hidden=True, context_settings={"ignore_unknown_options": True})
def tune_command(arguments: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    raise ValueError("tune has moved: python experiments/tuning/tune.py")


@app.command()
def info() -> None:
    """Show this machine: versions, device, data, and how long training will take."""
    rows = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    rows.add_row("python", platform.python_version())
    rows.add_row("torch", f"{torch.__version__}, torchvision {version('torchvision')}")
    device = pick_device()
    name = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor()
    rows.add_row("device", f"{device.type} {name}".strip())
    rows.add_row("cores", f"{os.cpu_count()}, {torch.get_num_threads()} used by torch")
    rows.add_row("data folder", str(data_folder()))
    for data in ("mnist", "cifar100"):
        rows.add_row(data, whether_there(data))
    rows.add_row("digits", "embedded")
    step = seconds_a_step()
    for size in PRESETS.values():
        steps = steps_an_epoch(size.n_train, size.batch_size, drop_last=False)
        seconds = size.n_tasks * size.epochs * steps * step
        of_what = (
            f"{size.n_tasks} tasks × {size.epochs} epoch{'s' * (size.epochs > 1)} × {steps} steps"
        )
        default = ", the default here" if size is pick_preset() else ""
        duration = f"about {format_duration(seconds)} a method: {of_what}{default}"
        rows.add_row(f"preset {size.name}", duration)
    rows.add_row("a step", f"{1000 * step:.1f} ms, measured just now in batches of 128")
    console.print(rows)


def pick_methods(
    names: str, lams: list[str], make: Callable[..., Method]
) -> dict[str, Callable[..., Method]]:
    """By name, what makes each of the methods named, with the λ given for it.

    `make` takes a name and knobs, as `Preset.method` does.
    """
    chosen = [name.strip() for name in names.split(",")]
    makers: dict[str, Callable[..., Method]] = {name: partial(make, name) for name in chosen}
    with_lam = [name for name, made in makers.items() if "lam" in made().knobs]
    for entry in lams:
        name, _, value = entry.rpartition("=")
        if not with_lam:
            raise ValueError(f"λ is given for {names!r}, which has none: leave --lam out")
        if name and name not in with_lam:
            raise ValueError(f"λ is given for {name!r}; what has one here: {', '.join(with_lam)}")
        try:
            lam = float(value)
        except ValueError:
            raise ValueError(f"λ is {value!r}: choose a number, 0 (off) or larger") from None
        for each in [name] if name else with_lam:
            makers[each] = partial(makers[each], lam=lam)
            makers[each]()  # says at once what is wrong with it
    return makers


def pick_engine(text: str) -> str | int:
    """What `sweep` is to take: a number of processes, or the name of something."""
    return int(text) if text.lstrip("-").isdigit() else text


def whole_number(text: str, what: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{what} is {text!r}: choose a whole number") from None


def whole(runs: Sequence[Run], n: int) -> Sequence[Run]:
    """Return the `runs` of a sweep if there are all `n`; where Ctrl-C ended it, exit."""
    if len(runs) < n:
        sys.exit(130)
    return runs


def print_tables(*tables: DataFrame) -> None:
    for frame in tables:
        rich_table = Table(str(frame.index.name or "method"))
        for heading in frame:
            rich_table.add_column(str(heading), justify="right")
        for name, *cells in frame.itertuples():
            rich_table.add_row(name, *cells)
        console.print(rich_table)


def keep_others(folder: Path, of_what: str) -> str:
    """Rename table.md and the charts in `folder` unless they are `of_what`; say under which names.

    A table of earlier versions does not say what it is of: it is left where it is.
    """
    table = folder / "table.md"
    if not table.is_file():
        return ""
    first = table.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    if first == of_what or first.startswith("| "):
        return ""
    there = [table, *filter(Path.exists, (folder / f"{name}.png" for name in CHARTS))]
    numbers = range(1, len(os.listdir(folder)) + 2)  # one of them is free
    n = next(n for n in numbers if not any(_numbered(path, n).exists() for path in there))
    for path in there:
        path.rename(_numbered(path, n))
    return ", ".join(_numbered(path, n).name for path in there)


def _numbered(path: Path, n: int) -> Path:
    return path.with_name(f"{path.stem}-{n}{path.suffix}")


def write_tables(path: Path, *tables: DataFrame, of_what: str = "") -> None:
    """Write `tables` as Markdown to `path`, completely or not at all; a line says `of_what`."""
    lines = [of_what, ""] if of_what else []
    for frame in tables:
        lines += [
            f"| {frame.index.name or 'method'} | {' | '.join(frame.columns)} |",
            "| --- |" + " ---: |" * len(frame.columns),
        ]
        lines += [f"| {' | '.join(row)} |" for row in frame.itertuples()] + [""]
    with replacing(path) as file:
        file.write(("\n".join(lines[:-1]) + "\n").encode())


def whether_there(data: str) -> str:
    try:
        folder = data_folder()
        there = folder / ("MNIST/raw" if data == "mnist" else "cifar100.npz")
        if not there.exists():
            return "not there; downloaded when first needed"
        load(data)
        return "there, checked"
    except DataError as error:
        return f"damaged: {error}"


def seconds_a_step() -> float:
    """Measured on the homework's model and batch size, with the embedded digits."""
    tasks = permuted(load("digits"), 1)
    run = train(METHODS["baseline"](), tasks, epochs=5, batch_size=128, progress=False)
    n_steps = steps_an_epoch(len(tasks[0].train), 128, drop_last=False)
    return median(epoch["seconds"] for epoch in run.history) / n_steps


def main(commands: typer.Typer = app) -> None:
    run(commands)
