"""The homework's stored runs as notebook 08b shows them: a small file that ships with the package.

    python experiments/ship.py

It trains nothing. Of each run in experiments/homework it keeps the settings and the accuracies.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cl_helpers.report.results import store_results
from cl_helpers.training.run import Run

HERE = Path(__file__).parent
SETTINGS = ("method", "knobs", "data", "n_train", "epochs", "batch_size", "lr", "optimizer", "seed")


def short(run: Run) -> dict[str, Any]:
    """Settings and accuracies of `run`."""
    config = {k: run.config[k] for k in SETTINGS}
    return {"config": config, "accuracy": run.accuracy, "initial": run.initial}


def main() -> None:
    runs = [Run.load(path) for path in sorted((HERE / "homework").glob("*.json"))]
    content = {
        "command": "make results",
        "preset": "full",
        "seeds": sorted({run.config["seed"] for run in runs}),
        "runs": [short(run) for run in runs],
    }
    store_results("homework", content)
    print(f"{len(runs)} runs shipped")


if __name__ == "__main__":
    main()
