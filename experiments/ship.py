"""The homework's stored runs as notebook 08b shows them: a small file that ships with the package.

    python experiments/ship.py

It trains nothing. Of each run in experiments/homework it keeps the settings and the accuracies.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cl_helpers.files import replacing
from cl_helpers.report.results import FOLDER
from cl_helpers.training.run import Run

HERE = Path(__file__).parent
SETTINGS = ("method", "knobs", "data", "n_train", "epochs", "batch_size", "lr", "optimizer", "seed")


def short(run: Run) -> dict[str, Any]:
    """Settings and accuracies of `run`, as JSON can have them."""
    accuracy = [[None if v != v else v for v in row] for row in run.accuracy.tolist()]
    config = {k: run.config[k] for k in SETTINGS}
    return {"config": config, "accuracy": accuracy, "initial": run.initial.tolist()}


def main() -> None:
    runs = [Run.load(path) for path in sorted((HERE / "homework").glob("*.json"))]
    content = {
        "command": "make results",
        "preset": "full",
        "seeds": sorted({run.config["seed"] for run in runs}),
        "runs": [short(run) for run in runs],
    }
    with replacing(FOLDER / "homework.json") as file:
        file.write((json.dumps(content, ensure_ascii=False) + "\n").encode())
    print(f"{len(runs)} runs in {FOLDER / 'homework.json'}")


if __name__ == "__main__":
    main()
