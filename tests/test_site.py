"""What `make site` publishes: one small notebook, built with the site's own settings."""

import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

SITE = Path(__file__).parent.parent / "site"
NEEDED = ("sphinx", "myst_nb", "furo", "sphinx-mathjax-offline")

pytestmark = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, NEEDED)), reason="needs pip install -e '.[site]'"
)

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
ALT = 'A grey square, neither "black" nor <white>, & nothing else.'
MARKDOWN = r"""# A page

Strength $\lambda$ and

$$\Omega_i \ge 0$$

<details><summary>Who forgets at $\lambda = 0$?</summary>

The **baseline**.

</details>
"""
PICTURE = f"""\
import ipywidgets
from IPython.display import Markdown, display
from matplotlib.figure import Figure

class Picture(Figure):
    def _repr_mimebundle_(self, include=None, exclude=None):
        import io
        self.savefig(png := io.BytesIO(), format="png")
        data = {{"image/png": png.getvalue(), "text/plain": "plain words"}}
        return data, {{"image/png": {{"alt": {ALT!r}}}}}

display(ipywidgets.IntSlider(description="a slider"), Picture(figsize=(1, 1)))
display(Markdown("```python\\ndef omega():\\n    return 0\\n```"))
"""


class Elements(HTMLParser):
    """Every element of a page: (tag, attributes)."""

    def __init__(self, page: str):
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def build(folder: Path, *cells, strict: bool = True) -> subprocess.CompletedProcess:
    """Build the site of one notebook of these cells, from folder/in to folder/out.

    strict: a warning is a failure, as for `make site`.
    """
    source = folder / "in"
    source.mkdir()
    (source / "index.md").write_text((SITE / "index.md").read_text())
    nbformat.write(new_notebook(cells=list(cells), metadata=KERNEL), source / "page.ipynb")
    cache = f"nb_execution_cache_path={folder / 'cache'}"
    command = [sys.executable, "-m", "sphinx", "-q", "-c", SITE, "-D", cache]
    command += ["-W"] * strict + ["-d", folder / "doctrees", source, folder / "out"]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = build(folder, new_markdown_cell(MARKDOWN), new_code_cell(PICTURE))
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def page(site) -> str:
    return (site / "out" / "page.html").read_text()


def test_a_figure_comes_with_its_alt_text(site, page):
    (image,) = [a for tag, a in Elements(page).found if tag == "img"]
    assert image["alt"] == ALT
    assert (site / "out" / image["src"]).read_bytes().startswith(b"\x89PNG")
    assert "plain words" not in page.split("cell_output")[1]


def test_a_widget_leaves_no_trace(page):
    output = page.split("cell_output")[1]
    assert "IntSlider(" not in output
    assert "widget-view" not in page
    assert "Loading widget" not in page


def test_answers_are_revealed_on_click(page):
    (answer,) = re.findall(r"<details>(.*?)</details>", page, re.DOTALL)
    assert '<summary>Who forgets at <span class="math">\\(\\lambda = 0\\)</span>?' in answer
    assert "<strong>baseline</strong>" in answer


def test_code_in_an_output_is_highlighted(page):
    assert '<span class="nf">omega</span>' in page.split("cell_output")[1]


def test_maths_is_there_and_nothing_comes_from_other_hosts(site, page):
    assert r"\(\lambda\)" in page
    assert r"\[\Omega_i \ge 0\]" in page
    loaded = [
        a.get("src") or a.get("href")
        for tag, a in Elements(page).found
        if tag in ("script", "link", "img") and (a.get("src") or a.get("href"))
    ]
    assert any("mathjax" in address for address in loaded)
    for address in loaded:
        assert (site / "out" / address.split("?")[0].split("#")[0]).exists(), address


def test_the_source_is_left_alone(site):
    for cell in nbformat.read(site / "in" / "page.ipynb", as_version=4).cells:
        assert not cell.get("outputs")


def test_an_error_in_a_cell_fails_the_build(tmp_path):
    built = build(tmp_path, new_markdown_cell("# A page"), new_code_cell("1 / 0"), strict=False)
    assert built.returncode != 0
    assert "ZeroDivisionError" in built.stderr


def test_a_broken_link_fails_the_build(tmp_path):
    built = build(tmp_path, new_markdown_cell("# A page\n\n[nowhere](nowhere.ipynb)"))
    assert built.returncode != 0
    assert "nowhere.ipynb" in built.stderr
