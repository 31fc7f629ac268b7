"""What a frozen, pretrained network and the nearest class mean reach; and DER++ beside ER.

    python experiments/pretrained/pretrained.py
    python experiments/pretrained/pretrained.py mnist

The second makes one of the three parts. A small CNN is trained on some classes; the other classes
come as a Class-IL stream. All ways of learning the stream begin with the same network. Then ER and
DER++ learn Split MNIST with the same number of stored examples. Learning rates, α and β are chosen
on held-out training images, seed 0. The chosen ones are trained with three seeds and judged by the
test images. A finished run is found again in the part's file; an interrupted program goes on.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

import cl_helpers as cl
from cl_helpers.data.tasks import Task, hold_out
from cl_helpers.files import replacing
from cl_helpers.methods import Method
from cl_helpers.models.heads import with_head
from cl_helpers.report.results import store_results

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
RATES = (3e-4, 1e-3, 3e-3, 1e-2)
HOW = {"progress": False, "device": "cpu", "batch_size": 32}
REPLAY = {  # each around the default
    "er": [{"lr": lr} for lr in RATES],
    "derpp": [
        *({"lr": 1e-3, "alpha": a, "beta": b} for a in (0.1, 0.3, 1.0) for b in (0.5, 1.0)),
        *({"lr": 1e-3, "alpha": 0.3, "beta": b} for b in (2.0, 4.0)),
        *({"lr": lr, "alpha": 0.3, "beta": 1.0} for lr in (3e-4, 3e-3, 1e-2)),
    ],
}


@dataclass
class Stream:
    """Classes to pretrain on and a stream of the rest.

    Args:
        data: name of the data set.
        n_train, n_test: its first images are used.
        pretrained_on: classes 0 to this one, which is left out.
        a_task: classes of each task.
        channels: of the CNN.
        epochs: of pretraining, and of each task.
        memory: examples that ER stores.
        rates: learning rates that are tried.
        trains: whether the whole network is trained too, which takes longest. Default True.
    """

    data: str
    n_train: int
    n_test: int
    pretrained_on: int
    a_task: int
    channels: tuple[int, int]
    epochs: tuple[int, int]
    memory: int
    rates: Sequence[float]
    trains: bool = True

    @cached_property
    def whole(self) -> cl.Dataset:
        """The images that are used."""
        return cl.load(self.data).first(self.n_train, self.n_test)

    @cached_property
    def tasks(self) -> list[Task]:
        """The stream."""
        n = len(self.whole.class_names)
        return cl.split(self.whole.only(range(self.pretrained_on, n)), self.a_task)

    @property
    def n_outputs(self) -> int:
        """How many classes the stream has."""
        return self.tasks[-1].n_outputs

    def cnn(self, n_outputs: int, seed: int | None = None) -> cl.CNN:
        """Make the network."""
        shape = tuple(self.whole.train_images.shape[1:])
        return cl.CNN(self.channels, n_outputs, shape=shape, seed=seed)

    def pretrained(self, seed: int) -> cl.CNN:
        """Train the network on the first classes, or take the weights of an earlier call."""
        if seed not in vars(self).setdefault("kept", {}):
            model = self.cnn(self.pretrained_on)
            known = cl.split(self.whole.only(range(self.pretrained_on)), self.pretrained_on)
            how = HOW | {"epochs": self.epochs[0], "lr": 1e-3, "seed": seed}
            run = cl.train(cl.Baseline(), known, model, **how)
            print(f"{self.data}, seed {seed}: pretrained, {run.average_accuracy:.1%}", flush=True)
            vars(self)["kept"][seed] = model
        return vars(self)["kept"][seed]


STREAMS = {
    "mnist": Stream("mnist", 12_800, 2_000, 4, 2, (16, 32), (2, 2), 200, RATES),
    "cifar100": Stream("cifar100", 25_000, 5_000, 50, 5, (32, 64), (4, 1), 1_000, RATES[:3], False),
}

# name: the method, and the network it begins with
Way = tuple[Callable[[Stream], Method], Callable[[Stream, int], torch.nn.Module]]
WAYS: dict[str, Way] = {
    "NCM on pixels": (
        lambda s: cl.NCM(),
        lambda s, seed: cl.MLP((math.prod(s.whole.train_images.shape[1:]), s.n_outputs)),
    ),
    "NCM, untrained network": (
        lambda s: cl.NCM(),
        lambda s, seed: s.cnn(s.n_outputs, seed=seed),
    ),
    "NCM, pretrained network": (
        lambda s: cl.NCM(),
        lambda s, seed: with_head(s.pretrained(seed), s.n_outputs, seed=seed),
    ),
    "linear probe": (
        lambda s: cl.Baseline(),
        lambda s, seed: with_head(s.pretrained(seed), s.n_outputs, seed=seed),
    ),
    "linear probe, ER": (
        lambda s: cl.ER(memory=s.memory),
        lambda s, seed: with_head(s.pretrained(seed), s.n_outputs, seed=seed),
    ),
    "fine-tuning": (
        lambda s: cl.Baseline(),
        lambda s, seed: with_head(s.pretrained(seed), s.n_outputs, frozen=False, seed=seed),
    ),
    "fine-tuning, ER": (
        lambda s: cl.ER(memory=s.memory),
        lambda s, seed: with_head(s.pretrained(seed), s.n_outputs, frozen=False, seed=seed),
    ),
    "joint fine-tuning": (
        lambda s: cl.Joint(),
        lambda s, seed: with_head(s.pretrained(seed), s.n_outputs, frozen=False, seed=seed),
    ),
}


class Runs:
    """Finished runs by name, in a file that is written after each."""

    def __init__(self, file: Path):
        self.file = file
        self.runs: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}

    def get(self, name: str, train: Callable[[], cl.Run]) -> Mapping[str, Any]:
        """Return the run called `name`; train it if it is new."""
        if name not in self.runs:
            run = train()
            accuracy = [[None if v != v else round(v, 4) for v in row] for row in run.accuracy]
            self.runs[name] = {
                "average_accuracy": round(run.average_accuracy, 4),
                "forgetting": None
                if run.forgetting != run.forgetting
                else round(run.forgetting, 4),
                "accuracy": accuracy,
                "stored": run.costs[-1]["stored"],
                "passes": [run.costs[-1]["forward"], run.costs[-1]["backward"]],
                "seconds": round(run.seconds, 1),
            }
            with replacing(self.file) as out:
                lines = (json.dumps({k: v}, ensure_ascii=False)[1:-1] for k, v in self.runs.items())
                out.write(("{\n" + ",\n".join(lines) + "\n}\n").encode())
            print(f"{name}: {run.average_accuracy:.1%}, {run.seconds:.0f} s", flush=True)
        return self.runs[name]


def fifth(tasks: Sequence[Task]) -> list[Task]:
    """The same tasks; a fifth of the smallest one's training images is held out of each."""
    return hold_out(tasks, min(len(task.train) for task in tasks) // 5)


def row(name: str, stream: str, setting: Mapping[str, Any], runs: Sequence[Any]) -> dict[str, Any]:
    """What is shipped of the runs of one setting."""
    seeds = [{k: run[k] for k in ("average_accuracy", "forgetting")} for run in runs]
    first = {k: runs[0][k] for k in ("stored", "passes")}
    return {"stream": stream, "name": name, "setting": dict(setting), "seeds": seeds} | first


def pretrained_rows(done: Runs, name: str, stream: Stream) -> list[dict[str, Any]]:
    """Learn the stream in each of WAYS, at its best learning rate."""
    rows = []
    for way, (method, model) in WAYS.items():
        if "fine-tuning" in way and not stream.trains:
            continue
        rates = (1e-3,) if way.startswith("NCM") else stream.rates

        def run(tasks: str, lr: float, seed: int, method: Any = method, model: Any = model) -> Any:
            which = stream.tasks if tasks == "test" else fifth(stream.tasks)
            how = HOW | {"epochs": stream.epochs[1], "lr": lr, "seed": seed}
            return cl.train(method(stream), which, model(stream, seed), **how)

        tried = {
            lr: done.get(
                f"{name}, {way}, lr {lr}, held out, seed 0",
                lambda lr=lr, run=run: run("held", lr, 0),
            )
            for lr in rates
            if len(rates) > 1
        }
        lr = max(tried, key=lambda lr: tried[lr]["average_accuracy"]) if tried else rates[0]
        runs = [
            done.get(
                f"{name}, {way}, lr {lr}, seed {s}", lambda s=s, lr=lr, run=run: run("test", lr, s)
            )
            for s in SEEDS
        ]
        rows.append(row(way, name, {"lr": lr} if tried else {}, runs))
    return rows


def replay_rows(done: Runs) -> list[dict[str, Any]]:
    """Train ER and DER++ with 200 stored examples on Split MNIST, as in notebook 09."""
    tasks = cl.split(cl.load("mnist").first(12_800, 2_000))
    rows = []
    for name, grid in REPLAY.items():

        def run(setting: Any, which: Any, seed: int, name: str = name) -> cl.Run:
            knobs = {k: v for k, v in setting.items() if k != "lr"}
            how = HOW | {"epochs": 2, "lr": setting["lr"], "seed": seed}
            method = cl.METHODS[name](memory=200, **knobs)
            return cl.train(method, which, cl.MLP((784, 100, 100, 10)), **how)

        def held(setting: Any, name: str = name, run: Any = run) -> float:
            which = f"{name}, {setting}, held out, seed 0"
            return done.get(which, lambda: run(setting, fifth(tasks), 0))["average_accuracy"]

        best = max(grid, key=held)
        named = {name: best}
        if "alpha" in best:  # what the stored logits add
            named[f"{name} alpha=0"] = best | {"alpha": 0.0}
        for title, setting in named.items():
            runs = [
                done.get(
                    f"{name}, {setting}, seed {s}",
                    lambda s=s, setting=setting, run=run: run(setting, tasks, s),
                )
                for s in SEEDS
            ]
            rows.append(row(title, "Split MNIST", setting | {"memory": 200}, runs))
    return rows


def main(parts: Sequence[str]) -> None:
    torch.set_num_threads(1)
    rows: dict[str, list[dict[str, Any]]] = {}
    for part in parts or ("replay", *STREAMS):
        done = Runs(HERE / f"{part}.json")
        rows[part] = (
            replay_rows(done) if part == "replay" else pretrained_rows(done, part, STREAMS[part])
        )
    if not parts:
        content = {"command": "python experiments/pretrained/pretrained.py"} | rows
        store_results("pretrained", content)


if __name__ == "__main__":
    main(sys.argv[1:])
