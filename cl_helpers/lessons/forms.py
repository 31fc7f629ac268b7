"""Forms of one method compared in fairness: each at its best λ, chosen on held-out images.

A form with a smaller Ω needs a larger λ. At one λ for all, the comparison would only say which
form that λ happened to suit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isnan
from statistics import fmean
from typing import Any

import pandas as pd
from IPython.display import Markdown

from ..data.datasets import Dataset
from ..data.tasks import hold_out, permuted
from ..methods import Method
from ..models import MLP
from ..scale.sweep import sweep
from ..training.presets import Preset
from ..training.run import Run
from .seeds import difference, mean_sd

SIZES = (784, 128, 10)  # small, so that many runs take seconds
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
        by_lam, best = _by_lam(runs)
        edge = "" if min(by_lam) < best < max(by_lam) else ", the edge: perhaps not the best"
        rows[name] = {f"λ = {lam:,g}": mean_sd(of) for lam, of in sorted(by_lam.items())}
        rows[name]["best"] = f"{mean_sd(by_lam[best])} at λ = {best:,g}{edge}"
    return pd.DataFrame.from_dict(rows, orient="index")


def verdict(swept: Mapping[str, Sequence[Run]]) -> Markdown:
    """Say in words whether seeds alone can explain how far two forms differ at their best λ.

    Args:
        swept: as in `at_best`, two forms with the same two or more seeds.
    """
    (one, a), (other, b) = ((name, _by_lam(runs)) for name, runs in swept.items())
    found = difference(a[0][a[1]], b[0][b[1]])
    mean, half = found
    if isnan(mean):
        return Markdown("A run diverged at every λ of one form: there is no verdict.")
    better, worse = (one, other) if mean > 0 else (other, one)
    size = f"{abs(mean):.1f} ± {half:.1f} percentage points"
    said = f"{found.verdict}: *{better}* is {size} above *{worse}*"
    if found.verdict == "within seeds":
        said += ", and the interval contains 0"
    elif abs(mean) < 0.05:
        said = "less than 0.05 percentage points"
    return Markdown(
        f"Each at its best λ ({one} {a[1]:,g}, {other} {b[1]:,g}), the difference is {said}."
    )


def _by_lam(runs: Sequence[Run]) -> tuple[dict[float, list[float]], float]:
    """Per cent of average accuracy of each seed, by λ; and the best λ."""
    by_lam: dict[float, list[float]] = {}
    for run in sorted(runs, key=lambda run: run.config["seed"]):
        by_lam.setdefault(run.config["knobs"]["lam"], []).append(100 * run.average_accuracy)
    return by_lam, max(by_lam, key=lambda lam: _rank(by_lam[lam]))


def _rank(values: Sequence[float]) -> float:
    """The mean; last of all if a run diverged, whose accuracy is NaN."""
    return -inf if isnan(fmean(values)) else fmean(values)
