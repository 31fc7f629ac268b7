"""The views on pages that are not JupyterLab, opened from a folder and without a network."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from every_view import VIEWS, write

pytestmark = pytest.mark.full

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def notebook(chromium, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("views") / "views.ipynb"
    write(path)
    return path


@pytest.fixture(scope="module")
def site(notebook) -> Path:
    """A site of that notebook and of a page without a view."""
    if not importlib.util.find_spec("myst_nb"):
        pytest.skip("needs pip install -e '.[site]'")
    source = notebook.parent / "source"
    source.mkdir()
    shutil.copy(notebook, source)
    (source / "index.md").write_text("# Front page\n\n```{toctree}\nviews\n```\n")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-c", ROOT / "site"]
    command += ["-D", "nb_execution_mode=off", source, notebook.parent / "site"]
    subprocess.run(command, check=True, timeout=300)
    return notebook.parent / "site"


@pytest.mark.parametrize("width", [360, 1280])
def test_on_the_site_each_view_answers_and_nothing_is_asked_of_other_hosts(site, read, width):
    reader = read(site / "views.html", width=width)
    assert {view: reader.answers(view) for view in VIEWS} == dict.fromkeys(VIEWS, True)
    assert not any(copy.is_visible() for copy in reader.page.locator(".cl-still").all())
    views = reader.page.evaluate(
        "[...document.querySelectorAll('div.cl')].map(e => [e.scrollWidth, e.clientWidth])"
    )
    assert all(whole <= seen for whole, seen in views), views
    assert not reader.wrong


def test_only_pages_with_views_load_them(site):
    assert "views.js" in (site / "views.html").read_text()
    assert "views.js" not in (site / "index.html").read_text()


def test_the_same_notebook_gives_the_same_page(site):
    names = re.findall(r'class="cl-still cl-still-(\S+)"', (site / "views.html").read_text())
    assert names == [f"view-{number}" for number in range(len(VIEWS))]


def test_the_theme_of_the_site_is_that_of_the_views(site, read):
    reader = read(site / "views.html")
    paper = {}
    for theme in ("light", "dark"):
        reader.page.evaluate("theme => document.body.dataset.theme = theme", theme)
        colour = "e => getComputedStyle(e).backgroundColor"
        paper[theme] = reader.page.locator("div.cl").first.evaluate(colour)
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 22, 22)"}


def test_a_page_of_nbconvert_shows_each_still_copy_once(notebook, read):
    convert = [sys.executable, "-m", "nbconvert", "--to", "html", notebook]
    subprocess.run(convert, check=True, timeout=120)
    reader = read(notebook.with_suffix(".html"))
    copies = reader.page.locator(".cl-still").all()
    assert len(copies) == len(VIEWS)
    assert all(copy.is_visible() for copy in copies)
    outputs = reader.page.locator(".jp-OutputArea-output").all_inner_texts()
    said = [text for text in outputs if text.strip()]
    assert len(said) == len(VIEWS) - 1, said  # the first is a picture
    assert copies[0].locator("img").evaluate("image => image.naturalWidth") == 321
