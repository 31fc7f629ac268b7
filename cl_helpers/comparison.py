"""Many runs, one table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from .methods import METHODS
from .run import Run

FIGURES = ("average_accuracy", "forgetting", "backward_transfer", "seconds")


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
