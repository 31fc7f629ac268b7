"""How fast is the loop? Always beside something, in the same run, on the same machine.

    make bench

prints a table and writes it to runs/bench.json. Each figure is a median of repeats that take turns,
so that a machine that slows down slows all of them. Nothing here is a test: timings are no reason
to fail.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
import torchvision
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms

import cl_helpers as cl
from cl_helpers.data import Dataset, data_folder
from cl_helpers.methods import Quadratic
from cl_helpers.training import train_steps

OUT = Path("runs/bench.json")


def in_turns(things: dict[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """Median over `repeats` rounds of what each thing returns, in seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for _ in range(repeats):
        for name, thing in things.items():
            seconds[name].append(thing())
    return {name: median(values) for name, values in seconds.items()}


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# --- an epoch: ours and the usual loop ---


def our_epoch(dataset: Dataset) -> float:
    run = cl.train(
        cl.Baseline(), cl.permuted(dataset, 2)[1:], epochs=1, device="cpu", progress=False
    )
    return run.history[0]["seconds"]


def usual_epoch(n_train: int, workers: int) -> float:
    """A data set with transforms, a DataLoader and Adam, as tutorials and the homework have it."""
    order = torch.randperm(784, generator=torch.Generator().manual_seed(0))
    see = transforms.Compose(
        [
            transforms.ToTensor(),
            transforms.Normalize((0.1307,), (0.3081,)),
            transforms.Lambda(lambda x: x.view(-1)[order].view(1, 28, 28)),
        ]
    )
    data = torchvision.datasets.MNIST(data_folder(), train=True, transform=see)
    part = torch.utils.data.Subset(data, range(n_train))
    loader = DataLoader(part, batch_size=128, shuffle=True, num_workers=workers)
    model = cl.MLP()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    criterion = nn.CrossEntropyLoss()

    def epoch():
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()

    return timed(epoch)


# --- a step: with a penalty and without ---


def second_task(name: str, dataset: Dataset) -> Callable[[], float]:
    """Seconds a step of the second task, where the penalty pulls."""

    def measure() -> float:
        method = cl.METHODS[name]()
        began, seconds, n_steps = 0.0, 0.0, 0
        for event in train_steps(method, cl.permuted(dataset, 2), epochs=1, device="cpu", every=1):
            if event.kind == "step" and event.task == 1:
                if n_steps:
                    seconds += time.perf_counter() - began
                n_steps += 1
            began = time.perf_counter()
        return seconds / (n_steps - 1)

    return measure


# --- Ω over the whole data set ---


def omega(method: Quadratic, dataset: Dataset) -> Callable[[], float]:
    task, model = cl.permuted(dataset, 1)[0], cl.MLP()
    return lambda: timed(lambda: method.importance_of(model, task))


def main() -> None:
    mnist = cl.load("mnist")
    n = len(mnist.train_labels)
    no_test = mnist.first(n, 1)
    small = mnist.first(6400, 1)

    epochs = in_turns(
        {
            "ours": lambda: our_epoch(no_test),
            "DataLoader": lambda: usual_epoch(n, 0),
            "DataLoader, 2 workers": lambda: usual_epoch(n, 2),
        },
        repeats=3,
    )
    steps = in_turns({m: second_task(m, small) for m in cl.METHODS if m != "joint"}, repeats=5)
    omegas = in_turns(
        {
            "an epoch of training": lambda: our_epoch(no_test),
            "EWC, empirical Fisher": omega(cl.EWC(), mnist),
            "EWC, true Fisher": omega(cl.EWC(fisher="true"), mnist),
            "MAS": omega(cl.MAS(), mnist),
            "SCP, 100 slices": omega(cl.SCP(slices=100), mnist),
        },
        repeats=3,
    )

    console = Console()
    for title, unit, scale, figures in (
        (f"one epoch, {n:,} images, batch 128", "s", 1, epochs),
        ("one step of the second task", "ms", 1e3, steps),
        (f"Ω over {n:,} images", "s", 1, omegas),
    ):
        first = next(iter(figures.values()))
        table = Table("", f"{unit}, median", "ratio", title=title, title_justify="left")
        for name, seconds in figures.items():
            table.add_row(name, f"{scale * seconds:.2f}", f"{seconds / first:.2f}")
        console.print(table)

    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(
        json.dumps(
            {
                "machine": {
                    "processor": processor(),
                    "cores": os.cpu_count(),
                    "threads": torch.get_num_threads(),
                    "device": "cpu",
                },
                "versions": {
                    "python": platform.python_version(),
                    "torch": str(torch.__version__),
                    "torchvision": torchvision.__version__,
                },
                "seconds an epoch": epochs,
                "seconds a step": steps,
                "seconds for Ω": omegas,
            },
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
    )
    console.print(f"written to {OUT}")


def processor() -> str:
    """The processor's name, where the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
