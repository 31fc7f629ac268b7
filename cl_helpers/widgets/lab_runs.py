"""How the Lab lays runs beside each other: what each is called, and which cannot be compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..formats import format_lam
from ..report.labels import differing, label
from ..report.plots import method_label
from ..training import metrics
from ..training.run import Run
from ..training.settings import OUTCOME
from .numbers import number, numbers


def summary(run: Run, name: str) -> dict[str, Any]:
    """A run as it is laid over others."""
    return {
        "id": name,
        "method": run.config["method"],
        "label": describe_run(run),
        "averages": numbers(np.array(metrics.average_accuracies(run.accuracy))),
        "matrix": numbers(run.accuracy),
        "average": number(run.average_accuracy),
        "forgetting": number(run.forgetting),
        "seed": run.config["seed"],
    }


def describe_run(run: Run) -> str:
    """What a run is called: its method, its λ and where that was moved to, its other knobs."""
    name, *knobs = label(run).split()
    moved = run.config.get("lab", {}).get("lam_at")
    words = [method_label(name)]
    for knob in knobs:
        if knob[:4] == "lam=" and "→" in knob and not moved:  # by no Lab
            words.append(f"λ {knob[4:]}")
        elif knob[:4] == "lam=":
            words.append(f"λ {format_lam(run.config['knobs']['lam'])}")
        else:
            words.append(knob)
    return " ".join(words) + (f" → {format_lam(moved[-1][1])}" if moved else "")


def differs(run: Run, beside: Run) -> list[str]:
    """In what two runs are different experiments, with the values of `run`."""
    a, b = run.config, beside.config
    unlike = differing([run, beside], (*OUTCOME, "model", "code", "tasks"))
    found = [
        "model" if name == "model" else f"{name} {a.get(name)}"  # it is written over many lines
        for name in unlike
        if name in a
    ]
    found += [name for name in unlike if name not in a]
    if a.get("data") != b.get("data"):
        found.insert(0, f"data {a.get('data')}")
    if a.get("n_train") != b.get("n_train"):
        found.append(f"{a['n_train'][0]:,} training images a task")
    if a.get("tasks_digest", a["tasks"]) != b.get("tasks_digest", b["tasks"]):
        scenario = a.get("lab", {}).get("scenario")
        found.append(f"{len(run.accuracy)} tasks" + (f", {scenario}-IL" if scenario else ""))
    return found
