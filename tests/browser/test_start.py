"""The first notebook, and what every live widget rests on, in a real JupyterLab."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from pathlib import Path

import nbformat
import pytest

START = Path(__file__).parents[2] / "notebooks" / "00_start.ipynb"

# A slider beside a thread that trains as hard as it can, a picture that counts its answers.
PROBE = [
    """
    import base64, io, threading, time
    import ipywidgets as widgets, torch
    from PIL import Image as Pillow
    from cl_helpers.widgets.accessible import Image, Slider

    def png(shade):
        file = io.BytesIO()
        Pillow.new("L", (40, 20), shade).save(file, "png")
        return file.getvalue()

    globals().get("halt", threading.Event()).set()  # the thread of the test before
    lam = Slider("λ", [(str(i), i) for i in range(101)], 0)
    answer = widgets.Label("λ is 0")
    picture = Image(png=png(0), alt="a shade")
    halt, steps = threading.Event(), 0

    def on_change(change):
        answer.value = f"λ is {change['new']}"
        picture.png = png(change["new"])

    def train():
        global steps
        torch.set_num_threads(1)
        weights = torch.eye(300)
        while not halt.is_set():
            weights = torch.tanh(weights @ weights)
            steps += 1

    lam.observe(on_change, "value")
    training = threading.Thread(target=train, daemon=True)
    training.start()
    widgets.VBox([lam, answer, picture])
    """,
    "print('ran to the end')",
]


def shown(notebook, text):
    return lambda: notebook.page.get_by_text(text, exact=True).is_visible()


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


def test_a_slider_is_answered_while_a_thread_trains(notebook):
    probe = notebook(PROBE)
    probe.run_all()
    assert probe.errors() == []
    assert probe.outputs(1)[0]["text"] == "ran to the end\n"
    probe.wait_until(shown(probe, "λ is 0"))
    [before] = probe.pictures(0)
    steps = int(probe.ask("print(steps)").text)

    probe.move_slider_by_keyboard("λ", "ArrowRight", "ArrowRight", "ArrowLeft")
    probe.wait_until(shown(probe, "λ is 1"))
    probe.drag_slider("λ", 0.5)
    probe.wait_until(lambda: abs(int(probe.ask("print(lam.value)").text) - 50) <= 2)
    probe.drag_slider("λ", 1)
    probe.wait_until(shown(probe, "λ is 100"))
    probe.screenshot("slider")

    expected = probe.ask("print(base64.b64encode(png(100)).decode())").text
    probe.wait_until(lambda: probe.pictures(0)[0].png == b64decode(expected))
    assert probe.pictures(0)[0].digest == hashlib.sha256(b64decode(expected)).hexdigest()
    assert probe.pictures(0)[0].digest != before.digest
    answer = probe.ask("print(steps)")
    assert int(answer.text) > steps
    assert answer.seconds < 60  # and not when the training has ended, which is never


@pytest.mark.full
def test_restart_then_run_again(notebook):
    probe = notebook(PROBE)
    probe.run_all()
    first = probe.ask("import os; print(os.getpid()); here = 1").text
    probe.restart_kernel()
    with pytest.raises(RuntimeError, match="NameError"):
        probe.ask("print(here)")
    probe.run_all()
    assert probe.errors() == []
    assert probe.ask("import os; print(os.getpid())").text != first
    probe.move_slider_by_keyboard("λ", "End")
    probe.wait_until(shown(probe, "λ is 100"))


@pytest.mark.full
def test_reload_finds_the_running_training_again(notebook):
    probe = notebook(PROBE)
    probe.run_all()
    probe.move_slider_by_keyboard("λ", "ArrowRight")
    probe.wait_until(shown(probe, "λ is 1"))
    probe.save()
    steps = int(probe.ask("print(steps)").text)
    probe.reload()
    probe.wait_until(shown(probe, "λ is 1"))
    probe.move_slider_by_keyboard("λ", "End")
    probe.wait_until(shown(probe, "λ is 100"))
    assert int(probe.ask("print(steps)").text) > steps


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
