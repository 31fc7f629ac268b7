"""The first notebook in a real JupyterLab, and what a test of one sees of errors."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import nbformat
import pytest

START = Path(__file__).parents[2] / "notebooks" / "00_start.ipynb"


def test_start_runs_and_shows_its_pictures(notebook):
    source = nbformat.read(START, as_version=4)
    start = notebook(START)
    start.run_all()
    assert start.errors() == []
    kept = {i: start.outputs(i) for i in range(len(source.cells))}
    kept = {i: [o for o in kept[i] if "image/png" in o.get("data", {})] for i in kept}
    kept = {i: outputs for i, outputs in kept.items() if outputs}
    assert len(kept) >= 4
    for i, outputs in kept.items():
        start.cell(i).scroll_into_view_if_needed()
        start.screenshot(f"start-{i}")
        assert all(len(o["metadata"]["image/png"]["alt"]) > 40 for o in outputs)
    figures = [i for i in kept if "widget" not in source.cells[i].source]
    for i in figures:  # a live widget may hide what it leaves in the saved notebook
        expected = [b64decode(o["data"]["image/png"]) for o in kept[i]]
        start.wait_until(
            lambda i=i, expected=expected: expected == [p.png for p in start.pictures(i)]
        )
    saved = start.save()
    assert [c.source for c in saved.cells] == [c.source for c in source.cells]
    assert [i for i, c in enumerate(saved.cells) if "image/png" in str(c.get("outputs"))] == [*kept]


@pytest.mark.full
def test_errors_and_interrupts_are_seen(notebook):
    probe = notebook(
        ["import time; print('begun', flush=True); time.sleep(600)", "1 / 0", "never = True"]
    )
    probe.run_cell(0, wait=False)
    probe.wait_until(lambda: "begun" in str(probe.outputs(0)))
    probe.interrupt_kernel()
    probe.wait_until(lambda: probe.errors() == ["KeyboardInterrupt: "])
    probe.ask("")  # answered once the kernel takes cells again
    probe.run_cell(1)
    assert probe.errors() == ["KeyboardInterrupt: ", "ZeroDivisionError: division by zero"]
    with pytest.raises(RuntimeError, match="NameError"):
        probe.ask("never")
    with pytest.raises(TimeoutError, match="division by zero"):
        probe.wait_until(lambda: False, timeout=0.1)
