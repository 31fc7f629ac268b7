"""A lesson as slides, converted as `make slides` does, in a browser that has no network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from every_view import VIEWS, Reader, write
from playwright.sync_api import Page

pytestmark = pytest.mark.full

ROOT = Path(__file__).parent.parent.parent
LESSON = ROOT / "notebooks" / "03_baseline.ipynb"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What slides load."""
    if not shutil.which("npm"):
        pytest.skip("there is no npm")
    folder = tmp_path_factory.mktemp("slides")
    settings = ROOT / "docs" / "slides"
    shutil.copy(settings / "package.json", folder)
    shutil.copy(ROOT / "cl_helpers" / "widgets" / "front" / "views.js", folder)
    npm = ["npm", "install", "--prefix", folder, "--silent", "--no-audit", "--no-fund"]
    npm += ["--fetch-timeout=20000"]  # of a connection that stalls; npm tries again
    subprocess.run(npm, check=True, timeout=300)
    return folder


def convert(folder: Path, notebook: Path, *options: str) -> Path:
    command = [sys.executable, "-m", "nbconvert", "--config", ROOT / "docs/slides/config.py"]
    command += ["--to", "slides", *options, "--output-dir", folder, notebook]
    quick = os.environ | {"CL_PRESET": "quick", "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=quick, timeout=600)
    return folder / f"{notebook.stem}.slides.html"


@pytest.fixture(scope="module")
def slides(folder) -> Path:
    """The lesson, run in the preset `quick`."""
    return convert(folder, LESSON, "--execute")


def test_a_lesson_with_outputs_of_widgets_becomes_slides(folder):
    """`interact` writes into an Output, whose state nbclient keeps; slides have no use for it."""
    text = convert(folder, ROOT / "notebooks" / "01_permutation.ipynb", "--execute").read_text()
    assert "highlight hl-python" in text
    assert "widget-state" not in text


@pytest.fixture(scope="module")
def of_views(folder) -> Path:
    """A slide for each view."""
    write(folder / "views.ipynb")
    return convert(folder, folder / "views.ipynb")


@pytest.fixture
def deck(browser, slides):
    """The slides on a projector of 1280 × 720, and what went wrong or was asked of other hosts."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.context.set_offline(True)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: None if is_local(asked.url) else wrong.append(asked.url))
    page.goto(slides.as_uri())
    page.wait_for_selector(".reveal.ready")
    page.wait_for_function("document.querySelector('.slides > .present > .present').innerText")
    yield page, wrong
    page.close()


def is_local(url: str) -> bool:
    return urlsplit(url).scheme in ("file", "data", "blob", "about")


def walk(page: Page) -> list[str]:
    """The text of every slide, once all of it is there, as the space bar leads through them."""
    seen: dict[str, str] = {}
    now = at(page)
    while now:
        seen[now["slide"]] = now["text"]
        page.keyboard.press("Space")
        now = after(page, now)
    return list(seen.values())


def after(page: Page, before: dict) -> dict | None:
    """What is shown next; None if two seconds change nothing."""
    for _ in range(40):
        if (now := at(page)) != before:
            return now
        page.wait_for_timeout(50)
    return None


def at(page: Page) -> dict:
    """Which slide is shown, how many of its fragments, and its text."""
    return page.evaluate(
        """() => {
            const all = [...document.querySelectorAll(".slides section section")];
            const slide = document.querySelector(".slides > .present > .present");
            const parts = slide.querySelectorAll(".fragment.visible").length;
            return {slide: String(all.indexOf(slide)), parts, text: slide.innerText};
        }"""
    )


def test_the_space_bar_leads_through_all_slides_without_a_network(deck):
    page, wrong = deck
    seen = walk(page)
    for text, cell in zip(seen, starts(), strict=True):
        assert not cell.source.startswith("#") or first_line(cell.source) in text
    assert not wrong


def test_exercises_are_left_out_and_the_idea_is_there(deck):
    page, _ = deck
    whole = "\n".join(walk(page))
    assert "The idea" in whole
    assert "Your turn" not in whole
    assert "cl.check(" not in whole


def test_formulas_and_figures_are_there(deck):
    page, _ = deck
    page.wait_for_function("document.querySelectorAll('.mjx-chtml').length > 3")
    widths = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert widths
    assert all(widths)


def test_the_title_fits_the_screen(deck):
    page, _ = deck
    page.keyboard.press("Space")  # the figure is a fragment
    figure = page.locator("section.present section.present img")
    figure.wait_for()
    box = figure.bounding_box()
    assert box["y"] > 0
    assert box["y"] + box["height"] <= 720


def test_each_view_lives_in_its_slide(browser, of_views):
    reader = Reader(browser, of_views, width=1920, height=1080)  # a slide is scaled
    page = reader.page
    page.wait_for_selector(".reveal.ready")
    for _ in range(2):  # past the title and the imports
        page.keyboard.press("PageDown")
    wide = {}
    for view in VIEWS:
        there = "i => document.querySelectorAll('div.cl')[i].closest('section.present')"
        page.wait_for_function(there, arg=at_view(view))
        slide = at(page)
        assert reader.answers(view), view
        assert at(page)["slide"] == slide["slide"]  # the key was the view's
        wide[view] = page.locator("div.cl").nth(at_view(view)).evaluate("e => e.clientWidth")
        if view == "bowls":
            assert_a_handle_follows_the_pointer(page)
        page.keyboard.press("PageDown")
    assert set(wide.values()) == {800}
    assert not reader.wrong
    page.close()


def at_view(view: str) -> int:
    return list(VIEWS).index(view)


def assert_a_handle_follows_the_pointer(page: Page) -> None:
    handle = page.get_by_role("slider", name="minimum of task A", exact=True)
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2 + 150, box["y"] + box["height"] / 2 + 60
    page.mouse.move(x - 150, y - 60)
    page.mouse.down()
    page.mouse.move(x, y, steps=3)
    page.mouse.up()
    page.wait_for_timeout(100)
    box = handle.bounding_box()
    now = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    assert now == pytest.approx((x, y), abs=3)


def starts() -> list[nbformat.NotebookNode]:
    """The cells that begin a slide."""
    cells = nbformat.read(LESSON, 4).cells
    return [c for c in cells if c.metadata.slideshow.slide_type in ("slide", "subslide")]


def first_line(source: str) -> str:
    return source.splitlines()[0].lstrip("# ")
