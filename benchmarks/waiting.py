"""How long a student waits: from Run All to a notebook's first picture, and to its end.

    python benchmarks/waiting.py notebooks/04_ewc.ipynb

prints both in seconds, as JSON; the start of the kernel counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
PICTURES = {"image/png", "image/svg+xml", "application/vnd.jupyter.widget-view+json"}


def run_all(path: Path) -> dict[str, float]:
    """Seconds to the first picture and to the end, in the preset that $CL_PRESET names."""
    book = nbformat.read(path, as_version=4)
    seen: list[float] = []

    def look(cell: Any, **_: Any) -> None:
        kinds = {kind for output in cell.get("outputs", []) for kind in output.get("data", {})}
        if kinds & PICTURES:
            seen.append(time.perf_counter() - began)

    where = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(book, timeout=600, resources=where, on_cell_executed=look)
    began = time.perf_counter()
    client.execute()
    return {"first picture": seen[0], "end": time.perf_counter() - began}


def in_every_notebook() -> dict[str, float]:
    """Each in a process of its own, one after the other."""
    figures = {}
    for path in sorted(NOTEBOOKS.glob("[01]*.ipynb")):
        command, env = [sys.executable, __file__, str(path)], os.environ | {"CL_PRESET": "class"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
        for what, seconds in json.loads(done.stdout.splitlines()[-1]).items():
            figures[f"{path.stem}, {what}"] = seconds
    return figures


if __name__ == "__main__":
    print(json.dumps(run_all(Path(sys.argv[1]))))
