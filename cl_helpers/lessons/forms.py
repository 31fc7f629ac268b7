"""Forms of one method compared in fairness: each at its best λ, chosen on held-out images.

A form with a smaller Ω needs a larger λ. At one λ for all, the comparison would only say which
form that λ happened to suit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isnan
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from ..data.datasets import Dataset
from ..data.tasks import hold_out, permuted
from ..methods import Method
from ..models import MLP
from ..scale.sweep import sweep
from ..training.presets import Preset
from ..training.run import Run

SIZES = (784, 256, 10)  # small, so that many runs take seconds
N_TASKS, N_TRAIN = 4, 4_000
SEEDS = (0, 1)


def swept(
    forms: Mapping[str, Method], data: Dataset, preset: Preset, lams: Sequence[float]
) -> dict[str, list[Run]]:
    """Train a small network with each of `forms`, at every λ, two seeds; return each form's runs.

    Args:
        forms: name -> method, not trained yet.
        data: its first images, permuted anew for each of four tasks, are trained on; a quarter of
            them is held out, and those are what the runs' accuracies are about.
        preset: no more images than it has are taken.
        lams: values of λ, the same for all forms.
    """
    n_train = min(N_TRAIN, preset.n_train)
    tasks = hold_out(permuted(data.first(n_train, 10), N_TASKS), n_train // 4)
    how: dict[str, Any] = {"epochs": 2, "batch_size": preset.batch_size, "lr": 1e-3}
    return {
        name: sweep(form, tasks, MLP(SIZES), lam=lams, seeds=SEEDS, **how)
        for name, form in forms.items()
    }


def at_best(swept: Mapping[str, Sequence[Run]]) -> pd.DataFrame:
    """Format the average accuracy in per cent of each form at each λ, and where it is best.

    Args:
        swept: form -> runs of several λ and seeds. A cell is mean ± standard deviation over seeds.
    """
    rows = {}
    for name, runs in swept.items():
        by_lam = _by_lam(runs)
        best = max(by_lam, key=lambda lam: _rank(by_lam[lam]))
        edge = "" if min(by_lam) < best < max(by_lam) else ", the edge: perhaps not the best"
        rows[name] = {f"λ = {lam:,g}": _mean_sd(of) for lam, of in sorted(by_lam.items())}
        rows[name]["best"] = f"{_mean_sd(by_lam[best])} at λ = {best:,g}{edge}"
    return pd.DataFrame.from_dict(rows, orient="index")


def verdict(swept: Mapping[str, Sequence[Run]]) -> str:
    """Say in a sentence which form is better at its best λ, and whether seeds alone differ as much.

    Args:
        swept: form -> runs of several λ, two seeds or more of each.
    """
    best = {name: max(_by_lam(runs).values(), key=_rank) for name, runs in swept.items()}
    first, second = sorted(best, key=lambda name: _rank(best[name]), reverse=True)[:2]
    apart = fmean(best[first]) - fmean(best[second])
    spread = max(stdev(best[first]), stdev(best[second]))
    told = f"At their best λ, {first} is {apart:.1f} percentage points above {second}"
    if apart > spread:
        return f"{told}. Seeds alone have a standard deviation of {spread:.1f}."
    return f"{told}: within seeds, whose standard deviation is {spread:.1f}."


def _by_lam(runs: Sequence[Run]) -> dict[float, list[float]]:
    """λ -> average accuracies in per cent."""
    by_lam: dict[float, list[float]] = {}
    for run in runs:
        by_lam.setdefault(run.config["knobs"]["lam"], []).append(100 * run.average_accuracy)
    return by_lam


def _rank(values: Sequence[float]) -> float:
    """The mean; last of all if a run diverged, whose accuracy is NaN."""
    return -inf if isnan(fmean(values)) else fmean(values)


def _mean_sd(values: Sequence[float]) -> str:
    if isnan(fmean(values)):
        return "diverged"
    return f"{fmean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")
