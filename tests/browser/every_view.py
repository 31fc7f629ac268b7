"""A notebook with every view, executed, and what a reader does to each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import Page

TESTS = Path(__file__).parents[1]
STILL = '<svg xmlns="http://www.w3.org/2000/svg" width="321" height="200"/>'
BEFORE = f"""
import cl_helpers as cl
from cl_helpers.widgets import *
from test_curvature_view import POINTS
from toys import a_sweep, random_omega, with_omega

few = cl.load("digits").first(300, 100)
tasks = cl.permuted(few, 2)
bowls = Bowls(6)
bowls.still = {STILL!r}
curvature = Curvature(tasks)
curvature.points = POINTS
starts = {{"new": cl.MLP((784, 16, 10))}}
omega = random_omega(0, (20, 784), (10, 20))
run = cl.train(cl.EWC(), tasks, progress=False, epochs=1)
"""
VIEWS = {  # source; role and name of a control; a key
    "bowls": ("bowls", "slider", "λ", "ArrowRight"),
    "credit": ("Credit()", "slider", "Learning rate η", "ArrowRight"),
    "curvature": ("curvature", "combobox", "Against forgetting", "ArrowDown"),
    "importance": ("Importance([with_omega(omega)], tasks)", "combobox", "Layer", "ArrowDown"),
    "lab": ('Lab(few, "quick", keep=[run])', "checkbox", "show EWC λ 400", " "),
    "predict": ('Predict("How much?")', "slider", "Your guess", "ArrowRight"),
    "projection": ("Projection()", "slider", "Margin γ", "ArrowRight"),
    "schedule": ("Schedule(tasks[0], starts, target=0.8)", "combobox", "Schedule", "ArrowDown"),
    "sweep": ("Sweep(a_sweep())", "slider", "λ", "ArrowRight"),
    "tradeoff": ("TradeOff()", "slider", "λ", "ArrowRight"),
}


def _slide(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    cell.metadata["slideshow"] = {"slide_type": "slide"}
    return cell


def write(path: Path) -> None:
    """As a reader saves it: each output has the view and its still copy, of which one was seen."""
    sources = [source for source, *_ in VIEWS.values()]
    cells = [new_markdown_cell("# Views"), *map(new_code_cell, [BEFORE, *sources])]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=list(map(_slide, cells)), metadata={"kernelspec": kernel})
    found = os.pathsep.join(map(str, [TESTS.parent, TESTS, TESTS / "browser"]))
    client = NotebookClient(notebook, timeout=300, store_widget_state=False)
    client.execute(cwd=path.parent, env=os.environ | {"PYTHONPATH": found, "OMP_NUM_THREADS": "1"})
    nbformat.write(notebook, path)


class Reader:
    """A browser without a network, in which a page of a folder is open."""

    def __init__(self, browser: Any, path: Path, width: int = 1280, height: int = 720):
        self.page: Page = browser.new_page(viewport={"width": width, "height": height})
        self.page.context.set_offline(True)
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda asked: self._note(asked.url))
        self.page.goto(path.as_uri())

    def _note(self, url: str) -> None:
        if url.split(":")[0] not in ("file", "data", "blob", "about"):
            self.wrong.append(url)

    def settle(self) -> None:
        frames = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        self.page.evaluate(frames)

    def answers(self, view: str) -> bool:
        """Whether the view that is on the page changes what it shows when a control is used."""
        _, role, name, key = VIEWS[view]
        root = self.page.locator("div.cl").nth(list(VIEWS).index(view))
        root.wait_for()
        self.settle()
        before = root.inner_html()
        root.get_by_role(role, name=name, exact=True).first.press(key)
        self.settle()
        return root.inner_html() != before
