"""Results that took longer than a notebook may: kept with the package, with how they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "shipped_results"


def load_results(name: str) -> dict[str, Any]:
    """The results of that name; "command" in them says what makes them anew.

    Raises:
        ValueError: nothing is stored under it.
    """
    path = FOLDER / f"{name}.json"
    if not path.exists():
        there = ", ".join(sorted(p.stem for p in FOLDER.glob("*.json"))) or "nothing"
        raise ValueError(f"{name!r} is not among the stored results: there is {there}")
    return json.loads(path.read_text("utf-8"))
