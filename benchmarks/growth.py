"""How cost grows: with the number of tasks, of parameters, and of models that train together.

    python benchmarks/growth.py tasks N

prints what a run of N tasks takes, in a process of its own, as JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import torch
from loops import BATCH
from matplotlib.figure import Figure
from timing import in_turns, timed

import cl_helpers as cl
from cl_helpers.report.plots import LOOK
from cl_helpers.scale.stacked import train_together
from cl_helpers.training.settings import Settings

TASKS = (1, 2, 5, 10, 20, 50)
WIDTHS = {"0.1 M": 113, "0.3 M": 284, "1 M": 680, "3 M": 1364, "10 M": 2735, "30 M": 5035}
STACKS = (1, 2, 4, 8, 16, 32, 64)
METHODS = ("baseline", "ewc", "mas", "si", "rwalk", "scp")

Points = dict[str, list[float]]


def sizes_of(width: int) -> tuple[int, ...]:
    """A model with two hidden layers."""
    return (784, width, width, 10)


def a_run_of(n_tasks: int) -> dict[str, float]:
    """Seconds of training and of Ω, MB that the method keeps, MB of this process at its peak.

    Evaluation is left out (one test image): the accuracy matrix has T²/2 entries, whoever fills it.
    """
    method = cl.EWC()
    tasks = cl.permuted(cl.load("mnist").first(20 * BATCH, 1), n_tasks)
    run = cl.train(method, tasks, epochs=2, device="cpu", progress=False)
    return {
        "seconds": sum(h["seconds"] for h in run.history) + run.end_task_seconds,
        "kept": sum(method.stored.values()) / 2**20,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
    }


def with_tasks() -> Points:
    """One process each: the peak of the memory is that run's own."""
    points: Points = {"tasks": list(TASKS)}
    for n in TASKS:
        command = [sys.executable, __file__, "tasks", str(n)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        for key, value in json.loads(done.stdout).items():
            points.setdefault(key, []).append(value)
    return points


def with_parameters(device: torch.device) -> Points:
    """Seconds a step of the second task, by method."""
    data = cl.load("mnist").first(20 * BATCH, 1)
    points: Points = {"parameters": []}
    for width in WIDTHS.values():
        model = cl.MLP(sizes_of(width))
        points["parameters"].append(sum(p.numel() for p in model.parameters()))

        def step(name: str, width: int = width) -> float:
            method, model = cl.METHODS[name](), cl.MLP(sizes_of(width))
            tasks = cl.permuted(data, 2)
            run = cl.train(method, tasks, model, epochs=1, device=device, progress=False)
            return run.history[-1]["seconds"] / 20

        for name, seconds in in_turns({n: partial(step, n) for n in METHODS}, 3).items():
            points.setdefault(name, []).append(seconds)
    return points


def with_models(device: torch.device) -> Points:
    """Seconds a model of two tasks of EWC, together and one after the other."""
    tasks = cl.permuted(cl.load("mnist").first(20 * BATCH, 1), 2)
    shape = cl.MLP().sizes if device.type == "cuda" else (784, 100, 10)
    how = Settings(epochs=1, device=device)

    def train(n_models: int) -> None:
        methods, models = zip(*[(cl.EWC(), cl.MLP(shape)) for _ in range(n_models)], strict=True)
        for _ in train_together(methods, tasks, models, how, range(n_models)):
            pass

    points: Points = {"models": list(STACKS), "together": [], "alone": []}
    for n in STACKS:
        together = partial(timed, partial(train, n))
        alone = partial(timed, lambda n=n: [train(1) for _ in range(n)])
        for kind, seconds in in_turns({"together": together, "alone": alone}, 3).items():
            points[kind].append(seconds / n)
    return points


def exponents(points: Points, of: str) -> dict[str, float]:
    """p where cost ∝ nᵖ, fitted over the larger half of n, by curve."""
    n = np.log(points[of])
    half = len(n) // 2
    return {
        name: float(np.polyfit(n[half:], np.log(values)[half:], 1)[0])
        for name, values in points.items()
        if name != of
    }


def chart(growth: dict[str, Points]) -> Figure:
    """Three panels, each with the line that is just proportional."""
    figure = Figure(figsize=(13, 4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)

    tasks = growth["tasks"]
    _line(left, tasks["tasks"], tasks["seconds"], "ewc", "seconds of training")
    _line(left, tasks["tasks"], tasks["peak"], "si", "MB, the whole process")
    _line(left, tasks["tasks"], tasks["kept"], "mas", "MB that EWC keeps")
    left.set(xlabel="tasks", title="A run of EWC")
    _proportional(left, tasks["tasks"], tasks["seconds"])

    parameters = growth["parameters"]
    for name in METHODS:
        _line(middle, parameters["parameters"], 1e3 * np.array(parameters[name]), name, name)
    middle.set(xlabel="parameters", ylabel="milliseconds", title="A step of the second task")
    _proportional(middle, parameters["parameters"], 1e3 * np.array(parameters["baseline"]))

    models = growth["models"]
    n = np.array(models["models"])
    _line(right, n, n * models["together"], "ewc", "together")
    _line(right, n, n * models["alone"], "mas", "one after the other")
    right.set(xlabel="models", ylabel="seconds", title="Models trained, two tasks of EWC each")
    _proportional(right, n, n * models["together"])

    for panel in (left, middle, right):
        panel.set(xscale="log", yscale="log")
        panel.grid(alpha=0.3)
        panel.legend(fontsize="small", frameon=False)
    figure.set_label(
        "Cost against size on logarithmic axes, with a grey line that is just proportional: "
        f"seconds of a run of EWC with {tasks['tasks'][0]:g} to {tasks['tasks'][-1]:g} tasks, and "
        f"its memory; milliseconds of a step with {parameters['parameters'][0]:,.0f} to "
        f"{parameters['parameters'][-1]:,.0f} parameters, a line a method; seconds for "
        f"{n[0]} to {n[-1]} models, together and one after the other."
    )
    return figure


def _line(panel: Any, n: Any, values: Any, look: str, label: str) -> None:
    colour, marker, dashes = LOOK[look]
    panel.plot(n, values, color=colour, marker=marker, ls=dashes, ms=4, label=label)


def _proportional(panel: Any, n: Any, values: Any) -> None:
    n = np.array(n)
    panel.plot(n, values[-1] * n / n[-1], color="0.7", lw=1, label="proportional", zorder=0)


if __name__ == "__main__":
    print(json.dumps(a_run_of(int(sys.argv[2]))))
