"""Sixty permuted tasks: what a network learns of the newest, and what it keeps of the others.

    python experiments/plasticity/plasticity.py          # choose settings, train, ship
    python experiments/plasticity/plasticity.py tune 0 2 # only every second group of runs

Permuted MNIST, 600 training images a task, one epoch, batches of 20, 784-100-100-100-10, Adam with
learning rate 3e-3 and a fresh optimiser for each task, unless an arm says otherwise. Settings are
chosen with one seed on 40 other tasks and 300 held-out images of the training set. Models that
differ only in method and seed take their steps together. A run that is stored is not trained again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

import cl_helpers as cl
from cl_helpers.cli import write_tables
from cl_helpers.data.tasks import Task, hold_out
from cl_helpers.files import replacing
from cl_helpers.report.results import store_results
from cl_helpers.scale.stacked import train_together
from cl_helpers.training.settings import Settings

FOLDER = Path(__file__).parent
N_TRAIN, N_TEST, N_TASKS, N_TUNE, SEEDS = 600, 300, 60, 40, (0, 1, 2)
SIZES = (784, 100, 100, 100, 10)
HOW: dict[str, Any] = {"epochs": 1, "batch_size": 20, "lr": 3e-3, "looks_back": 0, "device": "cpu"}
Wanted: TypeAlias = tuple[str, float, int]  # arm, value of its knob, seed


@dataclass(frozen=True)
class Arm:
    """One line of the comparison.

    Args:
        make: value -> the method.
        tried: values of its knob; one needs no choice.
        chosen_by: "learned", accuracy on each of the last tasks just after it was learned, or
            "kept", the average accuracy on all tasks at the end.
        how: value -> settings other than HOW.
        model: class of the network.
        size: training images of a task, and tasks.
    """

    make: Callable[[float], cl.Method]
    tried: Sequence[float] = (0.0,)
    chosen_by: str = "learned"
    how: Callable[[float], Mapping[str, Any]] = field(default=lambda value: {})
    model: type[cl.MLP] = cl.MLP
    size: tuple[int, int] = (N_TRAIN, N_TASKS)


def plain(value: float) -> cl.Method:
    return cl.Baseline()


def l2(value: float) -> Mapping[str, Any]:
    return {"optimizer": partial(torch.optim.Adam, weight_decay=value)}


ARMS = {
    "baseline": Arm(plain),
    "fresh": Arm(lambda p: cl.ShrinkPerturb(share=p), (1.0,)),
    "cbp": Arm(lambda rho: cl.CBP(rho=rho), (1e-3, 3e-3, 1e-2)),
    "l2": Arm(plain, (1e-3, 3e-3, 1e-2), how=l2),
    "shrink": Arm(lambda p: cl.ShrinkPerturb(share=p), (0.01, 0.03, 0.1)),
    "norm": Arm(plain, model=cl.models.NormalisedMLP),
    "ewc": Arm(lambda lam: cl.EWC(lam=lam, n_samples=None), (10, 30, 100), "kept"),
    "ewc-strong": Arm(lambda lam: cl.EWC(lam=lam, n_samples=None), (1000,)),
    "mas": Arm(lambda lam: cl.MAS(lam=lam, n_samples=None), (0.01, 0.03, 0.1), "kept"),
    "si": Arm(lambda lam: cl.SI(lam=lam), (0.1, 0.3, 1), "kept"),
    "rwalk": Arm(lambda lam: cl.RWalk(lam=lam), (0.1, 0.3, 1), "kept"),
    "scp": Arm(lambda lam: cl.SCP(lam=lam, slices=10), (10, 30, 100), "kept"),
    "sgd": Arm(plain, (0.03, 0.1, 0.3), how=lambda lr: {"optimizer": "sgd", "lr": lr}),
    "slow": Arm(plain, how=lambda value: {"lr": 1e-3}),
    "sgd-long": Arm(
        plain,
        how=lambda value: {"optimizer": "sgd", "lr": 0.1, "batch_size": 16},
        size=(2_000, 80),
    ),
    "kept-moments": Arm(plain, how=lambda value: {"optimizer_state": "keep"}),
}


def streams(n_train: int, n_tasks: int, held_out: bool) -> list[Task]:
    """The tasks; settings are chosen on others, with images that no test set has."""
    mnist = cl.load("mnist")
    if not held_out:
        return cl.permuted(mnist.first(n_train, N_TEST), n_tasks)
    return hold_out(cl.permuted(mnist.first(n_train + N_TEST, 10), n_tasks, seed=1), N_TEST)


def groups(runs: Sequence[Wanted]) -> list[list[Wanted]]:
    """Runs whose models can take their steps together, because only the method and seed differ."""
    found: dict[object, list[Wanted]] = {}
    for wanted in runs:
        name, value, _ = wanted
        alone = wanted if name == "cbp" else None
        arm = ARMS[name]
        key = arm.model, arm.size, str(arm.how(value)), arm.how is l2 and value, alone
        found.setdefault(key, []).append(wanted)
    return [*found.values()]


def train(group: Sequence[Wanted], held_out: bool) -> None:
    """Train runs together, and store each: accuracies, and the state after every tenth task."""
    name, value, _ = group[0]
    n_train, n_tasks = ARMS[name].size
    tasks = streams(n_train, N_TUNE if held_out else n_tasks, held_out)
    probe = tasks[0].test.batch(torch.arange(N_TEST))[0]
    settings = Settings.of(HOW | dict(ARMS[name].how(value)))
    methods = [ARMS[name].make(value) for name, value, _ in group]
    models = [ARMS[name].model(SIZES) for name, _, _ in group]
    seeds = [seed for _, _, seed in group]
    states: list[list[dict[str, float]]] = [[] for _ in group]
    for event in train_together(methods, tasks, models, settings, seeds, every=10**9):
        if event.kind == "task" and (event.task == 0 or event.task % 10 == 9):
            for run, so_far in zip(event.runs, states, strict=True):
                found = cl.plasticity.diagnose(run.learner[0], probe)
                so_far.append({"task": event.task} | {k: round(v, 4) for k, v in found.items()})
    for (name, value, seed), run, its in zip(group, event.runs, states, strict=True):
        content = {
            "arm": name,
            "value": value,
            "seed": seed,
            "learned": [round(v, 4) for v in np.diagonal(run.accuracy).tolist()],
            "kept": [round(v, 4) for v in run.accuracy[-1].tolist()],
            "states": its,
            "together": len(group),
            "seconds": round(run.seconds, 1),
        }
        with replacing(place((name, value, seed), held_out)) as file:
            file.write((json.dumps(content) + "\n").encode())
        scores = (f"{by} {score(content, by):.3f}" for by in ("learned", "kept"))
        print(place((name, value, seed), held_out).stem, *scores, flush=True)


def place(wanted: Wanted, held_out: bool) -> Path:
    """The file of a run."""
    name, value, seed = wanted
    return FOLDER / "runs" / f"{'held-out-' * held_out}{name}-{value:g}-seed{seed}.json"


def load(wanted: Wanted, held_out: bool = False) -> dict[str, Any]:
    """Read a stored run."""
    return json.loads(place(wanted, held_out).read_text())


def score(content: Mapping[str, Any], by: str) -> float:
    """Accuracy on the last tasks just after learning them, or on all tasks at the end."""
    return cl.renewal.last(content) if by == "learned" else float(np.mean(content["kept"]))


def best(name: str) -> float:
    """The value of an arm's knob that is best on held-out images."""
    arm = ARMS[name]
    if len(arm.tried) == 1:
        return arm.tried[0]
    return max(arm.tried, key=lambda value: score(load((name, value, 0), True), arm.chosen_by))


def ship() -> None:
    """Write what the lesson shows into the package, and a table beside the runs."""
    tried = {
        name: {
            f"{v:g}": round(score(load((name, v, 0), True), arm.chosen_by), 4) for v in arm.tried
        }
        for name, arm in ARMS.items()
        if len(arm.tried) > 1
    }
    content = {
        "command": "python experiments/plasticity/plasticity.py",
        "setting": {k: v for k, v in HOW.items() if k != "device"}
        | {"n_train": N_TRAIN, "n_test": N_TEST, "n_tasks": N_TASKS, "sizes": SIZES},
        "tried": tried,
        "seeds": SEEDS,
        "runs": [load((name, best(name), seed)) for name in ARMS for seed in SEEDS],
    }
    store_results("plasticity", content)
    write_tables(FOLDER / "table.md", cl.renewal.table(content["runs"], [*ARMS]))


def main(stage: str = "all", part: str = "0", parts: str = "1") -> None:
    torch.set_num_threads(1)
    (FOLDER / "runs").mkdir(exist_ok=True)
    tuned: list[Wanted] = [(n, v, 0) for n, a in ARMS.items() if len(a.tried) > 1 for v in a.tried]
    if stage in ("tune", "all"):
        for group in groups([w for w in tuned if not place(w, True).exists()])[
            int(part) :: int(parts)
        ]:
            train(group, True)
    if stage in ("train", "all"):
        final: list[Wanted] = [(n, best(n), seed) for n in ARMS for seed in SEEDS]
        for group in groups([w for w in final if not place(w, False).exists()])[
            int(part) :: int(parts)
        ]:
            train(group, False)
    if stage in ("ship", "all"):
        ship()


if __name__ == "__main__":
    main(*sys.argv[1:])
