"""Tables of many runs: seeds of one experiment as one row; metrics and what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import pandas as pd

from ..training.run import Run
from .labels import grouped, labels

METRICS = ("average_accuracy", "forgetting", "backward_transfer", "seconds")
HEADINGS = ("average accuracy %", "forgetting", "backward transfer", "seconds")
COSTS = ("stored, MB", "passes a step", "seconds a task")


def table(runs: Sequence[Run]) -> pd.DataFrame:
    """Compute mean and standard deviation over seeds of four metrics, one row for each setting.

    Columns are pairs (metric, "mean" or "sd"); accuracies are in [0, 1].

    Args:
        runs: of any methods, settings and seeds.

    Raises:
        ValueError: as `labels`.
    """
    rows = [
        {"method": name} | {m: getattr(run, m) for m in METRICS}
        for run, name in zip(runs, labels(runs), strict=True)
    ]
    # With a run that diverged there is no mean: that of the others would look better than it is.
    numbers = pd.DataFrame(rows).set_index("method")
    grouped = numbers.groupby("method", sort=False)
    mean, sd = (grouped.agg(how, skipna=False) for how in ("mean", "std"))
    return pd.concat({"mean": mean, "sd": sd}, axis=1).swaplevel(axis=1)


def metrics_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Format `table` for reading: mean ± standard deviation over seeds, accuracies in per cent.

    Args:
        runs: as in `table`.
    """

    def cell(row: pd.Series, metric: str) -> str:
        scale, digits = (1, 0) if metric == "seconds" else (100, 2)
        mean, sd = scale * row[metric, "mean"], scale * row[metric, "sd"]
        if mean != mean:
            return "–"
        return f"{mean:.{digits}f}" + (f" ± {sd:.{digits}f}" if sd == sd else "")

    by_name = grouped(labels(runs), runs)
    rows = {
        f"{name}{unfinished(by_name[str(name)])}": [cell(row, m) for m in METRICS]
        for name, row in table(runs).iterrows()
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=HEADINGS)


def unfinished(runs: Sequence[Run]) -> str:
    """Say how many of `runs` did not come to their end, as in " (1 of 3 diverged)"; or ""."""
    diverged = sum(run.diverged is not None for run in runs)
    stopped = sum(not run.complete and run.diverged is None for run in runs)
    counts = {"diverged": diverged, "stopped early": stopped}
    return "".join(f" ({n} of {len(runs)} {how})" for how, n in counts.items() if n)


def costs(runs: Sequence[Run]) -> pd.DataFrame:
    """Format what training cost, one row for each method and setting among `runs`."""
    rows = {name: cost(each) for name, each in grouped(labels(runs), runs).items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=COSTS)


def cost(runs: Sequence[Run]) -> list[str]:
    """Format what one setting cost, whose `runs` differ in the seed; COSTS are the columns.

    Bytes stored are those at the end, passes a step those of the last task: both may have grown.
    """
    run = runs[0]
    if not run.costs:  # saved before they were counted
        return ["–"] * len(COSTS)
    stored = run.costs[-1]["stored"]
    megabytes = f"{', '.join(stored)} {sum(stored.values()) / 1e6:.1f}" if stored else "–"
    seconds = fmean(sum(c["seconds"] for c in run.costs) / len(run.accuracy) for run in runs)
    return ["all data" if keeps_data(run) else megabytes, passes(run), f"{seconds:.1f}"]


def passes(run: Run) -> str:
    """Format the passes of `run` through the network in a step, forward + backward, last task."""
    return f"{run.costs[-1]['forward']:.1f} + {run.costs[-1]['backward']:.1f}"


def keeps_data(run: Run) -> bool:
    """Whether `run` was trained on all data at once: it has fewer stages than tasks."""
    return len(run.config["n_train"]) < len(run.accuracy)
