"""The Lab in a real JupyterLab and Chromium, while it trains at full speed."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

MADE = """
import json, time
import cl_helpers as cl

data, preset = cl.load("mnist"), cl.presets.PRESETS["class"]
lab = cl.widgets.Lab(data, preset.name)
lab
"""
TRAINED = """
began = time.perf_counter()
cl.train(cl.EWC(), preset.tasks(data), progress=False, **preset.settings(data))
print(time.perf_counter() - began)
"""
HIDDEN = """
hidden = cl.widgets.Lab(data, preset.name)  # draws and sends as ever; no page shows it
began = time.perf_counter()
hidden.start()
hidden.training.wait()
print(time.perf_counter() - began)
hidden.close()
"""
NOTED = """
drawn, draw = [], type(lab.canvas).draw
def noted():
    draw(lab.canvas)
    drawn.append(time.perf_counter())
lab.canvas.draw = noted
start = lab.start
def started(*_):
    global began
    began = time.perf_counter()
    drawn.clear()
    start()
lab.start_.on_click(started)
lab.start_.on_click(start, remove=True)
"""
SHOWN = """
lab.training.wait()
ended = time.perf_counter()
times = [began, *(t for t in drawn if t < ended), ended]
print(json.dumps([ended - began, len(times) - 2, max(b - a for a, b in zip(times, times[1:]))]))
"""
WATCHED = """
class Noted(list):
    def append(self, change):
        super().append(change)
        acted.append(time.time())
acted = []
lab.start()
while lab.curves is None:
    time.sleep(0.01)
lab.curves.moved = Noted()
"""


def in_jupyterlab(repeats: int = 3, moves: int = 10) -> dict[str, float]:
    """Seconds: a run with and without its widget, the longest wait for a frame, for a slider."""
    from driver import Notebook, Server
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder), threads=None)
        try:
            server.wait_until_ready()
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
            )
            return _measured(Notebook(browser, server, [MADE]), repeats, moves)
        finally:
            server.end()


def _measured(notebook, repeats: int, moves: int) -> dict[str, float]:
    notebook.run_all()
    assert not notebook.errors(), notebook.errors()
    notebook.ask(TRAINED)  # to warm up
    notebook.ask(NOTED)
    alone, hidden, shown, frames, waits = [], [], [], [], []
    for _ in range(repeats):
        alone.append(float(notebook.ask(TRAINED, 120).text))
        hidden.append(float(notebook.ask(HIDDEN, 120).text))
        notebook.press("Run")
        running = notebook.page.get_by_role("status").filter(has_text="task")
        running.first.wait_for()
        seconds, n, longest = json.loads(notebook.ask(SHOWN, 120).text)
        shown.append(seconds)
        frames.append(seconds / n)
        waits.append(longest)
    notebook.ask(WATCHED)
    pressed = []
    for i in range(moves):
        pressed.append(time.time())
        notebook.move_slider_by_keyboard("λ", "ArrowLeft" if i % 2 else "ArrowRight")
        notebook.page.wait_for_timeout(350)
    notebook.wait_until(lambda: notebook.ask("print(len(acted))").text.strip() == str(moves))
    acted = json.loads(notebook.ask("print(json.dumps(acted))").text)
    answers = [a - p for a, p in zip(acted, pressed, strict=True)]
    return {
        "a run by cl.train": median(alone),
        "the same in a Lab that no page shows": median(hidden),
        "the same in a Lab on the page": median(shown),
        "from frame to frame": median(frames),
        "longest wait for a frame": max(waits),
        "from key to the step that obeys": median(answers),
        "longest from key to step": max(answers),
    }
