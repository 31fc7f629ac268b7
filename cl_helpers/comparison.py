"""Many methods, many seeds, one table; a run that is on disk already is not trained again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from .methods import METHODS, Method
from .run import Run
from .tasks import Task, fingerprint
from .training import train

FIGURES = ("average_accuracy", "forgetting", "backward_transfer", "seconds")


def run_or_load(
    method: Method, tasks: Sequence[Task], folder: Path, progress: bool = True, **settings: Any
) -> Run:
    """The finished run with these settings from `folder`, or else a new one, which is saved there.

    A run in training leaves a checkpoint beside it, from which the next call goes on.
    """
    path = folder / f"{run_name(method, tasks, **settings)}.json"
    if path.exists():
        return Run.load(path)
    checkpoint = path.with_suffix(".checkpoint")
    run = train(method, tasks, progress=progress, checkpoint=checkpoint, **settings)
    if run.complete:
        run.save(path)
        checkpoint.unlink(missing_ok=True)
    return run


def run_name(method: Method, tasks: Sequence[Task], **settings: Any) -> str:
    """A file name that says what a reader looks for first, and a digest of all the rest."""
    everything = {
        "knobs": method.knobs,
        "tasks": fingerprint(tasks),
        "settings": settings,
    }
    digest = hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:8]
    lam = f"-lam{method.lam:g}" if "lam" in method.knobs else ""
    return f"{method.name}{lam}-seed{settings.get('seed', 0)}-{digest}"


def compare(
    methods: Iterable[Callable[[], Method]],
    tasks: Sequence[Task],
    seeds: Sequence[int],
    folder: Path,
    **settings: Any,
) -> list[Run]:
    """Train every method with every seed. Ctrl-C ends it; the runs are those that are finished."""
    return finished(
        run_or_load(make(), tasks, folder, seed=seed, **settings)
        for make in methods
        for seed in seeds
    )


def finished(runs: Iterable[Run]) -> list[Run]:
    """The runs up to the first that was interrupted."""
    done = []
    with suppress(KeyboardInterrupt):
        for run in runs:
            if not run.complete:
                break
            done.append(run)
    return done


def table(runs: Sequence[Run], with_epochs: bool = False) -> pd.DataFrame:
    """One row a method and setting: mean and standard deviation over seeds of the four figures.

    Columns are pairs (figure, "mean" or "sd"); accuracies are fractions, not per cent.
    """
    rows = [
        {"method": label(run, with_epochs)} | {f: getattr(run, f) for f in FIGURES} for run in runs
    ]
    grouped = pd.DataFrame(rows).groupby("method", sort=False)
    mean, sd = grouped.mean(), grouped.std()
    return pd.concat({"mean": mean, "sd": sd}, axis=1).swaplevel(axis=1)


def label(run: Run, with_epochs: bool = False) -> str:
    """The method's name, λ and every other knob that is not at its default: "ewc lam=100"."""
    name, knobs = run.config["method"], run.config["knobs"]
    default = METHODS[name]().knobs if name in METHODS else {}
    told = {k: v for k, v in knobs.items() if k == "lam" or default.get(k) != v}
    words = [f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in told.items()]
    if with_epochs:
        words.append(f"({run.config['epochs']} epochs)")
    return " ".join([name, *words])
