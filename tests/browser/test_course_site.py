"""The site of the notebooks as they are stored, unexecuted, as a reader's browser shows it."""

from __future__ import annotations

import gzip
import importlib.util
import re
import shutil
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from static_page import AXE, serious

pytestmark = pytest.mark.full

ROOT = Path(__file__).parents[2]
FRONT_PAGE = 150_000  # bytes, gzipped: what is needed before the pictures


@pytest.fixture(scope="module")
def site(chromium, tmp_path_factory) -> Path:
    if not importlib.util.find_spec("myst_nb"):
        pytest.skip("needs pip install -e '.[site]'")
    folder = tmp_path_factory.mktemp("site")
    source = folder / "in"
    source.mkdir()
    for path in [*(ROOT / "site").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]:
        shutil.copy(path, source)
    subprocess.run(
        [sys.executable, ROOT / "site" / "api.py", source / "api", "methods"], check=True
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-c", ROOT / "site"]
    command += ["-D", "nb_execution_mode=off", source, folder / "out"]
    subprocess.run(command, check=True, timeout=300)
    return folder / "out"


def test_the_front_page_is_light(site):
    page = (site / "index.html").read_text()
    needed = re.findall(r'<(?:link|script)[^>]* (?:href|src)="([^"?]+\.(?:css|js|svg))', page)
    assert {"playground/playground.js", "_static/styles/furo.css", "_static/site.css"} <= {*needed}
    files = ["index.html", *needed]
    sizes = {file: len(gzip.compress((site / file).read_bytes())) for file in files}
    assert sum(sizes.values()) <= FRONT_PAGE, sizes


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["index", "04_ewc", "glossary", "api/methods"])
def test_nothing_is_cut_off_and_axe_finds_nothing_serious(site, read, name, width, theme):
    if not AXE.exists():
        pytest.skip("needs axe-core: make front")
    reader = read(site / f"{name}.html", width=width)
    reader.page.evaluate("theme => document.body.dataset.theme = theme", theme)
    reader.settle()
    assert reader.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert serious(reader.page) == []
    assert not reader.wrong


def test_the_cards_lead_to_the_lessons_and_stand_in_columns(site, read):
    for width, columns in ((360, 1), (1280, 3), (1920, 4)):
        page = read(site / "index.html", width=width).page
        lefts = page.locator(".card").evaluate_all(
            "cards => cards.map(card => card.getBoundingClientRect().left)"
        )
        assert len(set(lefts)) == columns
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.locator(".card").nth(4).locator("img").click(force=True)  # the link lies over it
    assert page.url.endswith("04_ewc.html")


def test_the_playground_is_alive_on_the_front_page(site, read):
    page = read(site / "index.html").page
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("button", name="Pause", exact=True).wait_for()


def test_a_term_shows_what_it_means(site, read):
    page = read(site / "04_ewc.html").page
    link, card = page.get_by_role("link", name="importance").first, page.locator("#term-importance")
    assert card.is_hidden()
    link.focus()
    assert "重要性" in card.inner_text()
    assert link.get_attribute("aria-describedby") == card.get_attribute("id")
    page.keyboard.press("Escape")
    assert card.is_hidden()
    link.hover()
    box = card.bounding_box()
    assert 0 <= box["x"] <= box["x"] + box["width"] <= 1280
    card.hover()
    page.wait_for_timeout(400)
    assert card.is_visible()
    page.mouse.move(5, 5)
    card.wait_for(state="hidden")


def test_paper_has_the_text_alone(site, read):
    page = read(site / "04_ewc.html").page
    page.emulate_media(media="print")
    assert page.locator("h1").is_visible()
    for name in (".sidebar-drawer", ".toc-drawer", ".button", ".related-pages", ".term >> nth=0"):
        assert page.locator(name).first.is_hidden(), name


def test_what_was_visited_is_there_without_a_network(site, browser):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    try:
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
        page.evaluate("navigator.serviceWorker.ready")
        page.wait_for_function(
            """async () => {
                const visited = await (await caches.open("visited")).keys();
                return visited.some(({ url }) => url.endsWith("playground.js"));
            }"""
        )
        page.wait_for_load_state("networkidle")
    finally:
        server.shutdown()
        server.server_close()
    page.reload()
    page.get_by_role("button", name="Step", exact=True).click()
    page.get_by_text("Task 1: it learns to read digits").wait_for()
    page.get_by_role("link", name="Glossary").first.click()
    page.wait_for_url("chrome-error://**")  # was not visited
    page.close()


def test_the_teaching_and_the_results_lead_to_the_pages_of_this_site(site):
    teaching, results = ((site / f"{name}.html").read_text() for name in ("teaching", "results"))
    assert 'href="04_ewc.html"' in teaching
    assert 'href="playground/index.html"' in teaching
    assert "_images/average_accuracy.png" in results
    for page in (teaching, results):
        to = re.findall(r'href="([^":#?]+)[#"?]', page)
        assert not [link for link in to if not (site / link).exists()]
