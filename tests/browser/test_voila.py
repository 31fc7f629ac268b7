"""The Lab as a page without code, `make demo`, driven as in a lecture hall."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from toys import wait_until

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(
        not importlib.util.find_spec("voila"), reason="needs pip install -e '.[demo]'"
    ),
]

ROOT = Path(__file__).parents[2]
LAB = ROOT / "notebooks" / "lab.ipynb"
PATIENCE = 120_000  # ms


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Voilà on a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("voila")
    options = ["--no-browser", "--Voila.ip=127.0.0.1", f"--port={port}", "--template=hall"]
    own = {"CL_PRESET": "quick", "OMP_NUM_THREADS": "1", "JUPYTER_RUNTIME_DIR": str(folder)}
    own["JUPYTER_PATH"] = str(ROOT / "docs")
    with (folder / "log").open("w") as log:
        voila = subprocess.Popen(
            [sys.executable, "-m", "voila", *options, LAB],
            env=os.environ | own,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}/"

    def answers() -> bool:
        assert voila.poll() is None, (folder / "log").read_text()
        try:
            with urllib.request.urlopen(f"{address}voila/static/voila.js", timeout=5):
                return True
        except OSError:
            return False

    try:
        wait_until(answers)
        yield address
    finally:
        voila.terminate()
        voila.wait(30)


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.set_default_timeout(PATIENCE)
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    page.goto(address)
    page.locator(".cl-now").wait_for()
    yield page
    page.close()
    assert asked <= {urlsplit(address).netloc, ""}, asked


def says(page, text):
    page.locator(".cl-now").filter(has_text=text).wait_for()


def lam(page) -> str:
    return page.get_by_role("slider", name="λ", exact=True).get_attribute("aria-valuetext")


def test_the_lab_runs_and_takes_the_stage(page):
    says(page, "Nothing has been trained yet")
    assert page.locator("div.cl").count() == 1
    assert page.locator(".cl-still").count() == 1
    assert not page.locator(".cl-still").is_visible()

    page.get_by_role("button", name="Run", exact=True).click()
    says(page, "EWC · λ 400 · quick · seed 0 · task")
    before = lam(page)
    page.get_by_role("slider", name="λ", exact=True).press("ArrowRight")
    assert lam(page) != before
    says(page, f"EWC · λ {lam(page)} · quick")
    says(page, "done in")

    page.get_by_role("button", name="Stage").click()
    stage = page.locator(".cl-stage")
    assert stage.bounding_box()["height"] == 720
    page.keyboard.press("1")
    stage.get_by_text("1. Forgetting").wait_for()
    says(page, "Baseline · quick · seed 0 · task")
    page.keyboard.press("Space")
    says(page, "paused at")
    page.keyboard.press("Space")
    says(page, "done in")
    page.keyboard.press("Escape")
    assert stage.count() == 0
    assert not page.locator(".cl-still").is_visible()
