"""A hundred permuted tasks: what a network learns of the newest, and what it keeps of the others.

    python experiments/plasticity/plasticity.py          # choose settings, train, ship
    python experiments/plasticity/plasticity.py tune 0 2 # every second run, to share the work

Permuted MNIST, 600 training images a task, one epoch, batches of 20, 784-100-100-100-10, Adam with
learning rate 3e-3 and a fresh optimiser for each task, unless an arm says otherwise. Settings are
chosen with one seed on 40 tasks and 500 held-out images of the training set. A run that is stored
is not trained again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import cl_helpers as cl
from cl_helpers.data.tasks import Task, hold_out
from cl_helpers.files import replacing
from cl_helpers.report.results import FOLDER as SHIPPED

FOLDER = Path(__file__).parent
N_TRAIN, N_TEST, N_TASKS, N_TUNE, SEEDS = 600, 500, 100, 40, (0, 1, 2)
SIZES = (784, 100, 100, 100, 10)
HOW: dict[str, Any] = {"epochs": 1, "batch_size": 20, "lr": 3e-3, "looks_back": 0, "device": "cpu"}
TAIL = 10  # tasks at the end, over which the learning of the newest is averaged


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
    """

    make: Callable[[float], cl.Method]
    tried: Sequence[float] = (0.0,)
    chosen_by: str = "learned"
    how: Callable[[float], Mapping[str, Any]] = field(default=lambda value: {})
    model: type[cl.MLP] = cl.MLP


def plain(value: float) -> cl.Method:
    return cl.Baseline()


def l2(value: float) -> Mapping[str, Any]:
    return {"optimizer": partial(torch.optim.Adam, weight_decay=value)}


ARMS = {
    "baseline": Arm(plain),
    "fresh": Arm(lambda p: cl.ShrinkPerturb(share=p), (1.0,)),
    "cbp": Arm(lambda rho: cl.CBP(rho=rho), (3e-4, 1e-3, 3e-3)),
    "l2": Arm(plain, (1e-4, 1e-3, 3e-3), how=l2),
    "shrink": Arm(lambda p: cl.ShrinkPerturb(share=p), (0.1, 0.3, 0.5)),
    "norm": Arm(plain, model=cl.models.NormalisedMLP),
    "ewc": Arm(lambda lam: cl.EWC(lam=lam), (3, 10, 30), "kept"),
    "ewc-strong": Arm(lambda lam: cl.EWC(lam=lam), (1000,)),
    "mas": Arm(lambda lam: cl.MAS(lam=lam, n_samples=None), (0.01, 0.03, 0.1), "kept"),
    "si": Arm(lambda lam: cl.SI(lam=lam), (0.03, 0.1, 0.3), "kept"),
    "rwalk": Arm(lambda lam: cl.RWalk(lam=lam), (0.1, 0.3, 1), "kept"),
    "scp": Arm(lambda lam: cl.SCP(lam=lam, slices=10), (10, 30, 100), "kept"),
    "slow": Arm(plain, how=lambda value: {"lr": 1e-3}),
    "sgd": Arm(plain, (0.03, 0.1, 0.3), how=lambda lr: {"optimizer": "sgd", "lr": lr}),
    "kept-moments": Arm(plain, how=lambda value: {"optimizer_state": "keep"}),
    "beta2": Arm(plain, how=lambda b: {"optimizer": partial(torch.optim.Adam, betas=(0.9, 0.9))}),
}


def streams(n_tasks: int, held_out: bool) -> list[Task]:
    """The tasks; settings are chosen on others, with images that no test set has."""
    mnist = cl.load("mnist")
    if not held_out:
        return cl.permuted(mnist.first(N_TRAIN, N_TEST), n_tasks)
    return hold_out(cl.permuted(mnist.first(N_TRAIN + N_TEST, 10), n_tasks, seed=1), N_TEST)


def trained(name: str, value: float, seed: int, tasks: Sequence[Task]) -> dict[str, Any]:
    """Train one run; return accuracies, and after every tenth task the state of the network."""
    arm, probe = ARMS[name], tasks[0].test.batch(torch.arange(N_TEST))[0]
    how = HOW | dict(arm.how(value)) | {"seed": seed}
    states = []
    for event in cl.train_steps(arm.make(value), tasks, arm.model(SIZES), every=10**9, **how):
        if event.kind == "task" and (event.task == 0 or event.task % 10 == 9):
            found = cl.plasticity.diagnose(event.run.learner[0], probe)
            states.append({"task": event.task} | {k: round(v, 4) for k, v in found.items()})
    a = event.run.accuracy
    return {
        "arm": name,
        "value": value,
        "seed": seed,
        "learned": [round(v, 4) for v in np.diagonal(a).tolist()],
        "kept": [round(v, 4) for v in a[-1].tolist()],
        "states": states,
        "seconds": round(event.run.seconds, 1),
    }


def run(name: str, value: float, seed: int, held_out: bool) -> dict[str, Any]:
    """Read a run, or train it and store it."""
    path = FOLDER / "runs" / f"{'held-out-' * held_out}{name}-{value:g}-seed{seed}.json"
    if not path.exists():
        tasks = streams(N_TUNE if held_out else N_TASKS, held_out)
        content = trained(name, value, seed, tasks)
        with replacing(path) as file:
            file.write((json.dumps(content) + "\n").encode())
        print(f"{path.stem}: {score(content, 'learned'):.3f} {score(content, 'kept'):.3f}")
    return json.loads(path.read_text())


def score(content: Mapping[str, Any], by: str) -> float:
    """Accuracy on the last tasks just after learning them, or on all tasks at the end."""
    values = content[by]
    return float(np.mean(values[-TAIL:] if by == "learned" else values))


def best(name: str) -> float:
    """The value of an arm's knob that is best on held-out images."""
    arm = ARMS[name]
    if len(arm.tried) == 1:
        return arm.tried[0]
    return max(arm.tried, key=lambda value: score(run(name, value, 0, True), arm.chosen_by))


def ship() -> None:
    """Write what the lesson shows into the package."""
    content = {
        "command": "python experiments/plasticity/plasticity.py",
        "setting": {k: v for k, v in HOW.items() if k != "device"}
        | {"n_train": N_TRAIN, "n_test": N_TEST, "n_tasks": N_TASKS, "sizes": SIZES},
        "seeds": SEEDS,
        "runs": [run(name, best(name), seed, False) for name in ARMS for seed in SEEDS],
    }
    with replacing(SHIPPED / "plasticity.json") as file:
        file.write((json.dumps(content) + "\n").encode())


def main(stage: str = "all", part: str = "0", parts: str = "1") -> None:
    torch.set_num_threads(1)
    mine = slice(int(part), None, int(parts))
    if stage in ("tune", "all"):
        for name, value in [(n, v) for n, a in ARMS.items() if len(a.tried) > 1 for v in a.tried][
            mine
        ]:
            run(name, value, 0, True)
    if stage in ("train", "all"):
        for seed, name in [(s, n) for s in SEEDS for n in ARMS][mine]:
            run(name, best(name), seed, False)
    if stage in ("ship", "all"):
        ship()


if __name__ == "__main__":
    main(*sys.argv[1:])
