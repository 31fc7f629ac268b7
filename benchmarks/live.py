"""The widgets in JupyterLab and Chromium: what a gesture costs, and what being watched costs.

.venv/bin/python benchmarks/live.py [gestures | lab | "twenty runs"]    # as JSON
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))

VIEWS = """
import cl_helpers as cl
bowls = cl.widgets.Bowls(6)
bowls
"""
PROJECTION = "cl.widgets.Projection()"
SWEEP = """
tasks = cl.permuted(cl.load("digits").first(600, 200), 3)
lams = [float(f"{m}e{e}") for e in range(-1, 4) for m in (1, 2, 5)]
cl.widgets.Sweep(cl.sweep(cl.EWC(), tasks, lam=lams, epochs=1, lr=1e-3, engine=1, progress=False))
"""
BUSY = """
import threading, torch
stop = threading.Event()
def work():
    a = torch.rand(1500, 1500)
    while not stop.is_set():
        a @ a
for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
"""
LAB = """
import json, time
import cl_helpers as cl
from cl_helpers.widgets import lab_watch

data, preset = cl.load("mnist"), cl.presets.PRESETS["class"]
lab = cl.widgets.Lab(data, preset.name)
both = lab_watch.Watch._labels, lab_watch.Watch._weights
lab
"""
TRAINED = """
began = time.perf_counter()
cl.train(preset.method("ewc"), preset.tasks(data), progress=False, **preset.settings(data))
print(time.perf_counter() - began)
"""
SHOWN = """
labels, weights = both if {whole} else (lambda *_: {{}}, lambda *_: {{}})
lab_watch.Watch._labels, lab_watch.Watch._weights = labels, weights
pictures = []
lab.observe(lambda change: pictures.append(1), "news")
began = time.perf_counter()
lab.start()
time.sleep(2)
left, told = lab.news.get("left"), time.perf_counter()
lab.training.wait()
seconds = time.perf_counter() - began
off = (left or 0) / (time.perf_counter() - told)
lab.unobserve_all("news")
print(json.dumps([seconds, lab.watch.looks / seconds, len(pictures) / seconds, off]))
"""
TWENTY = """
brief = cl.widgets.Lab(data, "quick")
display(brief)
"""
ONCE = """
brief.start()
brief.wait()
"""
# What the main thread of a page does, and in which of it a gesture and its frame are.
CATEGORIES = "devtools.timeline,disabled-by-default-devtools.timeline,toplevel"


def gestures() -> dict[str, float]:
    """What a move of the pointer costs the page, and until its frame: in seconds."""
    with jupyterlab([VIEWS, PROJECTION, SWEEP, BUSY]) as notebook:
        for i in range(3):
            notebook.run_cell(i)
        figures: dict[str, float] = {}
        for busy in (False, True):
            if busy:
                notebook.run_cell(3)
            for i, name in ((0, "Bowls"), (1, "Projection"), (2, "Sweep")):
                role = notebook.cell(i).get_by_role("slider")
                handle = role.last if name == "Bowls" else role.first
                if name == "Bowls":
                    handle = notebook.cell(i).get_by_role("slider", name="minimum of task A")
                if name == "Projection":
                    handle = notebook.cell(i).get_by_role("slider", name="gradient g")
                costs, frames = _dragged(notebook.page, handle)
                where = f"{name}, {'both cores training' if busy else 'idle'}"
                figures[f"{where}: a move, median"] = median(costs)
                figures[f"{where}: a move, 95 %"] = quantiles(costs, n=20)[-1]
                figures[f"{where}: to its frame, median"] = median(frames)
        return figures


def in_jupyterlab(pairs: int = 10, moves: int = 20) -> dict[str, float]:
    """A run by `cl.train` and in a Lab on the page, by turns; from key to step: in seconds."""
    with jupyterlab([LAB]) as notebook:
        notebook.run_all()
        assert not notebook.errors(), notebook.errors()
        notebook.ask(TRAINED)  # to warm up
        alone, curves, whole, rates, pictures, told = [], [], [], [], [], []
        for _ in range(pairs):
            alone.append(float(notebook.ask(TRAINED).text))
            for times, everything in ((curves, False), (whole, True)):
                shown = notebook.ask(SHOWN.format(whole=everything)).text
                seconds, rate, picture, off = json.loads(shown)
                times.append(seconds)
                rates.append(rate)
                pictures.append(picture)
                told.append(max(off, 1 / off) if off else float("inf"))
        more = [
            median(b / a - 1 for a, b in zip(alone, times, strict=True))
            for times in (curves, whole)
        ]
        to_step, to_page = _keys(notebook, moves)
        return {
            "a run by cl.train": median(alone),
            "the same in a Lab, curves alone": median(curves),
            "the same in a Lab with digits and weights": median(whole),
            "more than by cl.train, curves alone, median of pairs": more[0],
            "more than by cl.train, digits and weights, median of pairs": more[1],
            "points of the curves a second": median(rates),
            "pictures a second": median(pictures),
            "time left, told after 2 s, off by a factor of, median": median(told),
            "the same, at most": max(told),
            "from key to the step that obeys, median": median(to_step),
            "from key to the page, median": median(to_page),
        }


def twenty_runs() -> dict[str, float]:
    """Megabytes of the page's heap after two runs of a Lab, and after twenty more."""
    with jupyterlab([LAB, TWENTY, ONCE]) as notebook:
        notebook.run_all()
        client = notebook.page.context.new_cdp_session(notebook.page)

        def heap() -> float:
            client.send("HeapProfiler.collectGarbage")
            return client.send("Runtime.getHeapUsage")["usedSize"] / 2**20

        notebook.ask(ONCE)
        notebook.page.wait_for_timeout(3000)
        before = heap()
        for _ in range(20):
            notebook.ask(ONCE)
        notebook.page.wait_for_timeout(3000)
        return {"page heap after 2 runs, MB": before, "after 22 runs, MB": heap()}


def _keys(notebook: Any, moves: int) -> tuple[list[float], list[float]]:
    """Press keys on λ while it trains: until the step that obeys, and until the page shows it."""
    notebook.ask(
        "acted = []\n"
        "class Noted(list):\n"
        "    def append(self, change):\n"
        "        super().append(change)\n"
        "        acted.append(time.time())\n"
        "lab.epochs = 20\n"
        "lab.start()\n"
        "while lab.watch is None or lab.event is None: time.sleep(0.01)\n"
        "lab.watch.moved = Noted()"
    )
    slider = notebook.widget("slider", "λ")
    pressed, shown = [], []
    for i in range(moves):
        pressed.append(time.time())
        shown.append(
            slider.evaluate(
                """(input, key) => new Promise((done) => {
                    const began = performance.now();
                    input.valueAsNumber += key;
                    input.dispatchEvent(new Event("input", { bubbles: true }));
                    requestAnimationFrame(() => requestAnimationFrame(() =>
                        done((performance.now() - began) / 1000)));
                })""",
                -1 if i % 2 else 1,
            )
        )
        notebook.page.wait_for_timeout(300)
    acted = json.loads(notebook.ask("print(json.dumps(acted)); lab.stop()").text)
    return [a - p for a, p in zip(acted, pressed, strict=True)], shown


def _dragged(page: Any, handle: Any, moves: int = 60) -> tuple[list[float], list[float]]:
    """For each move of a drag: how long the page's main thread was busy, and until its frame."""
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    trace = page.context.new_cdp_session(page)
    events: list[dict] = []
    trace.on("Tracing.dataCollected", lambda data: events.extend(data["value"]))
    trace.send("Tracing.start", {"categories": CATEGORIES, "transferMode": "ReportEvents"})
    page.mouse.move(x, y)
    page.mouse.down()
    for i in range(moves):
        page.mouse.move(x + (i % 30) * 2, y + (i % 20))
        page.wait_for_timeout(60)
    page.mouse.up()
    complete: list[bool] = []
    trace.on("Tracing.tracingComplete", lambda _: complete.append(True))
    trace.send("Tracing.end")
    while not complete:
        page.wait_for_timeout(50)
    return _costs(events)


def _costs(events: list[dict]) -> tuple[list[float], list[float]]:
    """From a trace, in seconds: the main thread's work from move to move, and until the frame."""
    moved = [
        e
        for e in events
        if e["name"] == "EventDispatch" and e["args"]["data"]["type"] == "pointermove"
    ]
    main = {(e["pid"], e["tid"]) for e in moved}
    drawn = (
        "EventDispatch",
        "FireAnimationFrame",
        "UpdateLayoutTree",
        "Layout",
        "PrePaint",
        "Paint",
    )
    work = [e for e in events if e["name"] in drawn and (e["pid"], e["tid"]) in main]
    at = sorted(e["ts"] for e in moved)
    costs, frames = [], []
    for begin, end in pairwise(at):
        within = [e for e in work if begin <= e["ts"] < min(end, begin + 60_000)]
        costs.append(_united(within) / 1e6)
        first = [e["ts"] + e.get("dur", 0) for e in within if e["name"] == "Paint"]
        if first:
            frames.append((min(first) - begin) / 1e6)
    return costs, frames


def _united(work: list[dict]) -> float:
    """The length of what the intervals cover; one may lie within another."""
    covered, end = 0.0, 0.0
    for e in sorted(work, key=lambda e: e["ts"]):
        begin, until = max(e["ts"], end), e["ts"] + e.get("dur", 0)
        covered += max(0.0, until - begin)
        end = max(end, until)
    return covered


@contextmanager
def jupyterlab(cells: list[str]) -> Iterator[Any]:
    """A notebook of these cells, open in JupyterLab and Chromium."""
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
            yield Notebook(browser, server, cells)
        finally:
            server.end()


if __name__ == "__main__":
    parts = {"gestures": gestures, "lab": in_jupyterlab, "twenty runs": twenty_runs}
    asked = sys.argv[1:] or parts
    print(json.dumps({name: parts[name]() for name in asked}, indent=1))
