"""The role of training regimes (Mirzadeh et al. 2020, arXiv:2006.06958), run again.

    python experiments/regimes/regimes.py table2 [permuted|rotated|cifar …]  # its table 2, figure 4
    python experiments/regimes/regimes.py curvature  # its experiment 1
    python experiments/regimes/regimes.py summary  # what there is so far

Three seeds for the table, five for the curvature. All is kept beside this file; a finished run is
found again, an interrupted one goes on. `summary` writes table.md, and what notebook 11 shows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from loky import get_reusable_executor
from table2 import PUBLISHED, SHARED, STREAMS, Row
from tqdm import tqdm

import cl_helpers as cl
from cl_helpers.analysis import curvature
from cl_helpers.files import replacing
from cl_helpers.lessons.figures import landscapes
from cl_helpers.report.plots import save
from cl_helpers.report.results import store_results

SEEDS = (0, 1, 2)
RESULTS = Path(__file__).parent
COMMAND = "python experiments/regimes/regimes.py"


def train_table(names: Sequence[str]) -> None:
    """Train all rows of these streams."""
    for name in names:
        stream = STREAMS[name]
        tasks = stream.tasks()
        for row in stream.rows:
            print(f"{name}, {row.name}, {row.how}", flush=True)
            there = {run.config["seed"] for run in runs_of(name, row)}  # of any device
            if seeds := [seed for seed in SEEDS if seed not in there]:
                model = (row.model or stream.model)()
                how = SHARED | row.how
                cl.sweep(row.method, tasks, model, seeds=seeds, folder=RESULTS / name, **how)


def runs_of(name: str, row: Row) -> list[cl.Run]:
    """The finished runs of a row, in the order of their seeds."""
    expected = {"momentum": 0.0, "lr_decay": 1.0, "dropout": None} | SHARED | row.how
    expected["method"] = row.method.name
    model = type((row.model or STREAMS[name].model)()).__name__
    found = {}
    for path in sorted((RESULTS / name).glob(f"{row.method.name}-*.json")):
        run = cl.Run.load(path)
        alike = all(run.config[k] == v for k, v in expected.items())
        # Earlier versions had fewer knobs, and did then what is the default now.
        alike = alike and run.config["knobs"].items() <= row.method.knobs.items()
        if alike and run.config["model"].startswith(f"{model}("):
            found[run.config["seed"]] = run
    return [found[seed] for seed in sorted(found)]


def record_of(run: cl.Run) -> dict[str, Any]:
    """What notebook 11 shows of a run: accuracies in per cent, forgetting as in the paper."""
    joint = len(run.config["n_train"]) == 1
    curve = cl.metrics.average_accuracies(run.accuracy)
    return {
        "seed": run.config["seed"],
        "accuracy": round(100 * run.average_accuracy, 2),
        "forgetting": 0.0 if joint else round(run.forgetting, 4),
        "curve": [round(100 * float(a), 2) for a in curve],
        "device": run.config["device"],
    }


# --- curvature ---


N_TRAIN, EPOCHS = 20_000, 3  # 60,000 and five in the paper


@dataclass(frozen=True)
class Regime:
    """A way to train, and on how many tasks."""

    name: str
    stream: str
    lr: float
    batch_size: int
    dropout: float
    lr_decay: float = 1.0
    momentum: float = 0.0
    n_tasks: int = 5
    epochs: int = EPOCHS

    @property
    def stem(self) -> str:
        """Of the names of its files; the usual number of epochs is left out."""
        said = {k: v for k, v in vars(self).items() if k not in ("name", "stream")}
        if self.epochs == EPOCHS:
            del said["epochs"]
        return "-".join([self.stream, *(f"{k}{v:g}" for k, v in said.items())])


N_CURVATURE_SEEDS = 5
N_EXAMPLES = 5_000  # that the Hessian is of: of the training images
PLASTIC = {"lr": 0.01, "batch_size": 64, "dropout": 0.0, "momentum": 0.8}
# With the momentum of their code, 0.8, this network dies in the first task: all answers are alike.
STABLE = {"lr": 0.1, "batch_size": 10, "dropout": 0.5, "lr_decay": 0.4}
EQUAL_STEPS = 19  # epochs in batches of 64 that are as many steps as three in batches of 10
GRID = list(product((0.01, 0.03, 0.1), (10, 64), (0.0, 0.5)))


def regimes() -> Iterator[tuple[Regime, int]]:
    """Each regime with each of its seeds."""
    for seed in range(N_CURVATURE_SEEDS):
        for stream in ("rotated", "permuted"):
            yield Regime("plastic", stream, **PLASTIC), seed
            yield Regime("stable", stream, **STABLE), seed
            yield Regime("plastic, equal steps", stream, **PLASTIC, epochs=EQUAL_STEPS), seed
    for seed in SEEDS:
        for lr, batch_size, dropout in GRID:
            name = f"lr {lr:g}, batch {batch_size}, dropout {dropout:g}"
            yield Regime(name, "rotated", lr, batch_size, dropout, n_tasks=2), seed


def measure(regime: Regime, seed: int) -> dict[str, Any]:
    """Train in this regime; the curvature of each task's loss, and what became of the first."""
    data = cl.load("mnist").in_unit_range().first(N_TRAIN, 10_000)
    tasks = {"rotated": cl.rotated, "permuted": cl.permuted}[regime.stream](data, regime.n_tasks)
    how = {k: getattr(regime, k) for k in ("lr", "batch_size", "dropout", "lr_decay", "momentum")}
    trajectory = cl.trajectories.follow(
        tasks, cl.MLP((784, 100, 100, 10)), epochs=regime.epochs, seed=seed, **how
    )
    model, first = trajectory.run.learner[0], trajectory.weights[0]
    steps: list[dict[str, float | None]] = []
    for t, w in enumerate(trajectory.weights):
        top = float(curvature.largest(curvature.Loss(model, *examples(tasks[t])), w)[0])
        distance = float((w - trajectory.weights[t - 1]).norm()) if t else None
        steps.append({"sharpness": top, "distance": distance})
    x, y = examples(tasks[0])
    bounds = [
        {"after": t} | vars(curvature.bound(model, first, w, x, y, None, steps[0]["sharpness"]))
        for t, w in enumerate(trajectory.weights[1:], start=2)
    ]
    accuracy = [
        [None if a != a else round(a, 4) for a in row] for row in trajectory.run.accuracy.tolist()
    ]
    which = vars(regime) | {"seed": seed, "device": trajectory.run.config["device"]}
    return which | {"accuracy": accuracy, "tasks": steps, "bounds": bounds}


def examples(task: cl.Task) -> tuple[torch.Tensor, torch.Tensor]:
    """The same of each task."""
    order = torch.randperm(len(task.train), generator=torch.Generator().manual_seed(0))
    return task.train.batch(order[:N_EXAMPLES])


def measure_curvature() -> None:
    """All regimes that are not on disk yet, in a process a core."""
    folder = RESULTS / "curvature"
    folder.mkdir(parents=True, exist_ok=True)
    left = {}
    for regime, seed in regimes():
        path = folder / f"{regime.stem}-seed{seed}.json"
        if not path.exists():
            left[path] = regime, seed
    with get_reusable_executor(env={"OMP_NUM_THREADS": "1"}) as executor:
        jobs = {path: executor.submit(measure, *what) for path, what in left.items()}
        for path, job in tqdm(jobs.items(), desc="curvature"):
            with replacing(path) as file:
                file.write(json.dumps(job.result(), indent=1).encode())


# --- what there is ---


def summary() -> None:
    """table.md, and the two files that notebook 11 shows, of the runs there are."""
    lines = [
        "| stream | method | setting | published % | ours % | published forgetting | ours "
        "| published learned % | ours | setting from |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    rows, devices = [], set()
    for i, (name, stream) in enumerate(STREAMS.items()):
        for row in stream.rows:
            seeds = [record_of(run) for run in runs_of(name, row)]
            if not seeds:
                continue
            devices |= {seed.pop("device") for seed in seeds}
            accuracy, accuracy_sd, forgetting, forgetting_sd = theirs = PUBLISHED[row.name][i]
            cells = [
                name,
                row.name,
                setting(row),
                f"{accuracy} ± {accuracy_sd:.1f}",
                spread([seed["accuracy"] for seed in seeds], 1),
                f"{forgetting:.2f} ± {forgetting_sd:.2f}",
                spread([seed["forgetting"] for seed in seeds], 2),
                f"{learned(accuracy, forgetting):.1f}",
                f"{mean(learned(seed['accuracy'], seed['forgetting']) for seed in seeds):.1f}",
                setting_from(row),
            ]
            lines.append(f"| {' | '.join(cells)} |")
            figures = ("accuracy", "accuracy_sd", "forgetting", "forgetting_sd")
            published = dict(zip(figures, theirs, strict=True))
            rows.append(
                {
                    "stream": name,
                    "method": row.name,
                    "published": published,
                    "how": setting(row),
                    "setting_from": setting_from(row),
                    "model": row.model.__name__ if row.model else None,
                    "seeds": seeds,
                }
            )
        # Drawn is the best of a method's settings, all in one network.
        mine = [row for row in rows if row["stream"] == name]
        alike = [row for row in mine if not row["model"]]
        best = {row["method"]: row for row in sorted(alike, key=accuracy_of)}
        for row in mine:
            row["best"] = row is best[row["method"]]
    (RESULTS / "table.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    content = {"command": f"{COMMAND} table2", "device": sorted(devices), "rows": rows}
    store_results("table2", content)
    best_rows = [row for row in rows if row["best"]]
    streams = dict.fromkeys(row["stream"] for row in best_rows)
    drawn = {name: [row for row in best_rows if row["stream"] == name] for name in streams}
    save(landscapes.evolution(drawn), RESULTS / "evolution.png")
    paths = sorted((RESULTS / "curvature").glob("*.json"))
    runs = [json.loads(path.read_text()) for path in paths]
    runs.sort(key=lambda run: (-run["n_tasks"], run["stream"], run["name"], run["seed"]))
    store_results("regimes", {"command": f"{COMMAND} curvature", "runs": runs})
    (RESULTS / "curvature.md").write_text("\n".join(curvature_lines(runs)) + "\n")


def curvature_lines(runs: Sequence[dict[str, Any]]) -> list[str]:
    """A row a regime, of the first task: how sharp, how far it was left, what that cost."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in runs:
        groups.setdefault((run["stream"], run["name"]), []).append(run)
    lines = [
        "| stream | regime | seeds | μ_max | ‖δ‖ | Forg₁ | ½δᵀHδ | ½μ_max‖δ‖² | accuracy % |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for (stream, name), mine in groups.items():
        last = [bounds_of(run)[-1] for run in mine]
        measured = ("sharpness", "distance", "forgetting", "quadratic")
        cells = [stream, name, str(len(mine))]
        cells += [spread([getattr(b, figure) for b in last], 2) for figure in measured]
        cells += [spread([b.bound for b in last], 0)]
        cells += [spread([100 * mean(run["accuracy"][-1]) for run in mine], 1)]
        lines.append(f"| {' | '.join(cells)} |")
    every = [b for run in runs for b in bounds_of(run)]
    close = [b for b in every if abs(b.quadratic - b.forgetting) <= 0.2 * abs(b.forgetting)]
    holds = [b.forgetting < b.bound for b in every]
    lines += [
        "",
        f"Forg₁ is below the bound in {sum(holds)} of {len(every)} measurements; the quadratic "
        f"term is within 20 % of Forg₁ in {len(close)} of them.",
    ]
    return lines


def bounds_of(run: dict[str, Any]) -> list[curvature.Bound]:
    """After the second task, the third, …, as `measure` wrote them."""
    return [curvature.Bound(**{k: v for k, v in b.items() if k != "after"}) for b in run["bounds"]]


def learned(accuracy: float, forgetting: float) -> float:
    """Per cent: the mean over 20 tasks of the best accuracy that each ever had."""
    return accuracy + 100 * forgetting * 19 / 20


def accuracy_of(row: dict[str, Any]) -> float:
    return mean(seed["accuracy"] for seed in row["seeds"])


def setting_from(row: Row) -> str:
    """Whose setting a row has: stated with a model of its own, it is that of their code."""
    if not row.stated:
        return "ours"
    return "authors' code" if row.model else "paper"


def setting(row: Row) -> str:
    words = {"lr_decay": "decay", "lam": "λ", "batch_size": "batch"}
    values = {k: v for k, v in row.method.knobs.items() if k in ("lam", "memory")} | row.how
    parts = [f"{words.get(k, k)} {v:g}" for k, v in values.items()]
    return ", ".join([*parts, *([row.model.__name__] if row.model else [])])


def spread(values: Sequence[float], digits: int) -> str:
    texts = [f"{mean(values):.{digits}f}"]
    if len(values) > 1:
        texts.append(f"± {stdev(values):.{digits}f}")
    if len(values) < len(SEEDS):
        texts.append(("(one seed)", "(two seeds)")[len(values) - 1])
    return " ".join(texts)


if __name__ == "__main__":
    what, *names = sys.argv[1:] or ["everything"]
    if what in ("everything", "table2"):
        train_table(names or list(STREAMS))
    if what in ("everything", "curvature"):
        measure_curvature()
    summary()
