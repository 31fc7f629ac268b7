"""Results that took too long for a notebook: shipped with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..files import replacing
from ..training.run import Run, finite

FOLDER = Path(__file__).parent / "shipped_results"


def load_results(name: str) -> dict[str, Any]:
    """Load results that ship with the package.

    Args:
        name: such as "table2".

    Returns:
        The results; "command" in them is the command that computes them again.

    Raises:
        ValueError: there are none of that name; the message lists all names.
    """
    path = FOLDER / f"{name}.json"
    if not path.exists():
        there = ", ".join(sorted(p.stem for p in FOLDER.glob("*.json"))) or "nothing"
        raise ValueError(f"{name!r} is not among the stored results: there is {there}")
    return json.loads(path.read_text("utf-8"))


def store_results(name: str, content: dict[str, Any]) -> None:
    """Write results so that they ship with the package, where `load_results` finds them.

    Args:
        name: such as "table2".
        content: what JSON can have; NaN becomes null. "command" in it is the command that computes
            it.
    """
    with replacing(FOLDER / f"{name}.json") as file:
        file.write((json.dumps(finite(content), ensure_ascii=False) + "\n").encode())


def load_runs(name: str) -> list[Run]:
    """Load the runs of results that ship with the package: their settings and accuracies alone.

    Args:
        name: such as "homework", the runs in experiments/homework.

    Raises:
        ValueError: as `load_results`.
    """
    return [
        Run(run["config"], np.array(run["accuracy"], float), np.array(run["initial"], float))
        for run in load_results(name)["runs"]
    ]
