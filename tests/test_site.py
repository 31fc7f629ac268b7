"""What `make site` publishes: one small notebook, built with the site's own settings."""

import html
import importlib.util
import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from runpy import run_path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image

import cl_helpers as cl

SITE = Path(__file__).parent.parent / "site"
NEEDED = ("sphinx", "myst_nb", "furo", "sphinx-mathjax-offline")

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, NEEDED)), reason="needs pip install -e '.[site]'"
    ),
]

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

GLOSSARY = """# Glossary

## Terms

### importance

**重要性** · first in [00](00_page.ipynb)

How *much* a weight $\\theta_i$ matters ([penalty](glossary.md#penalty)).

Held by $\\lambda$.

### penalty

**懲罰** · first in [00](00_page.ipynb)

What is added to the loss.
"""
LESSON = """# Weights & "what they hold"

*[Elastic](glossary.md#importance)* weights (Somebody et al. 2017) hold < all. What do they cost?
Time.

**Study time**: about 45 min.
**Run time**: about 5 s on two CPU cores in the preset `class`.
**Before this**: [00](00_page.ipynb).
"""
REPOSITORY = "https://github.com/Owner/course"

PRE = r"<pre>(.*?)</pre>"


class Elements(HTMLParser):
    """Every element of a page: (tag, attributes)."""

    def __init__(self, page: str):
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def build(
    folder: Path,
    *cells,
    strict: bool = True,
    rooms: Sequence[str] = (),
    options: Sequence[str] = (),
) -> subprocess.CompletedProcess:
    """Build the site of one notebook of these cells, from folder/in to folder/out.

    strict: a warning is a failure, as for `make site`.
    rooms: which pages of the API reference it has; without any, the front page has no link to it.
    options: more settings of Sphinx.
    """
    source = folder / "in"
    source.mkdir()
    front = (SITE / "index.md").read_text()
    if rooms:
        subprocess.run([sys.executable, SITE / "api.py", source / "api", *rooms], check=True)
    else:
        front = front.replace("api/index\n", "")
    (source / "index.md").write_text(front)
    shutil.copy(SITE / "own.md", source)
    (source / "glossary.md").write_text(GLOSSARY)
    for page in ("lab", "results", "teaching"):
        (source / f"{page}.md").write_text(f"# {page}\n")
    nbformat.write(new_notebook(cells=list(cells), metadata=KERNEL), source / "00_page.ipynb")
    cache = f"nb_execution_cache_path={folder / 'cache'}"
    command = [sys.executable, "-m", "sphinx", "-q", "-c", SITE, "-D", cache]
    command += [*options, *["-W"] * strict, "-d", folder / "doctrees", source, folder / "out"]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    cells = new_markdown_cell(MARKDOWN), new_code_cell(PICTURE)
    built = build(folder, *cells, rooms=["methods"], options=["-D", "repository="])
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def page(site) -> str:
    return (site / "out" / "00_page.html").read_text()


def test_a_figure_comes_with_its_alt_text(site, page):
    (image,) = [a for tag, a in Elements(page).found if tag == "img"]
    assert image["alt"] == ALT
    assert (site / "out" / image["src"]).read_bytes().startswith(b"\x89PNG")
    assert "plain words" not in page.split("cell_output")[1]


def test_a_widget_leaves_no_trace(page):
    output = page.split("cell_output")[1]
    assert "IntSlider(" not in output
    assert "widget-view" not in page
    assert "widget-state" not in page
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


@pytest.fixture(scope="module")
def methods(site) -> str:
    return (site / "out" / "api" / "methods.html").read_text()


def test_the_reference_has_every_method_and_the_summary_links_to_it(site, methods):
    index = (site / "out" / "api" / "index.html").read_text()
    for kind in cl.METHODS.values():
        place = f"{kind.__module__}.{kind.__name__}"
        assert f'id="{place}"' in methods
        assert f'href="methods.html#{place}"' in index


def test_the_equation_of_every_method_is_shown_as_it_is_written(methods):
    shown = [html.unescape(re.sub("<.*?>", "", e)) for e in re.findall(PRE, methods, re.DOTALL)]
    for kind in cl.METHODS.values():
        summary = re.split("Args:|Attributes:", inspect.getdoc(kind))[0]
        for equation in re.findall(r"^ {4}(.+)$", summary, re.MULTILINE):
            assert any(equation in block for block in shown), equation


DOCSTRING = """\
θ*_i and |x|, not *all* of `a_b`.

    |θ*_i|

Args:
    x: θ*.

        More on x.
"""
IN_RST = r"""
θ\*\_i and \|x\|, not *all* of `a_b`.

::

    |θ*_i|

Args:
    x: θ\*.

        More on x.
"""


def test_signs_of_a_docstring_are_no_markup():
    lines = DOCSTRING.splitlines()
    run_path(str(SITE / "conf.py"))["plain_text"](None, "function", "f", None, None, lines)
    assert lines == IN_RST.strip().splitlines()


def test_every_room_has_its_page():
    rooms = run_path(str(SITE / "api.py"))["ROOMS"]
    folders = [path.parent.name for path in SITE.parent.glob("cl_helpers/*/__init__.py")]
    assert sorted(rooms) == sorted(folders)


def test_the_source_is_left_alone(site):
    for cell in nbformat.read(site / "in" / "00_page.ipynb", as_version=4).cells:
        assert not cell.get("outputs")


def test_an_error_in_a_cell_fails_the_build(tmp_path):
    built = build(tmp_path, new_markdown_cell("# A page"), new_code_cell("1 / 0"), strict=False)
    assert built.returncode != 0
    assert "ZeroDivisionError" in built.stderr


def test_a_broken_link_fails_the_build(tmp_path):
    built = build(tmp_path, new_markdown_cell("# A page\n\n[nowhere](nowhere.ipynb)"))
    assert built.returncode != 0
    assert "nowhere.ipynb" in built.stderr


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """One lesson, not executed, on a site that has an address."""
    folder = tmp_path_factory.mktemp("published")
    picture = new_code_cell("import cl_helpers as cl\n\ncl.figures.ewc()")
    turn = "## Your turn\n\nWrite. The [table](../experiments/diagonal/table.md) and a "
    turn += "[penalty](glossary.md#penalty) help."
    cells = new_markdown_cell(LESSON), picture, new_markdown_cell(turn)
    options = ["-D", "nb_execution_mode=off", "-D", f"repository={REPOSITORY}"]
    built = build(folder, *cells, options=options)
    assert built.returncode == 0, built.stderr
    return folder / "out"


def text_of(part: str) -> str:
    return " ".join(html.unescape(re.sub("<[^>]*>", "", part.replace("<br>", " "))).split())


def test_a_lesson_has_its_card_on_the_front_page(published):
    front = (published / "index.html").read_text()
    (card,) = re.findall(r'<li class="card">(.*?)</li>', front, re.DOTALL)
    assert text_of(card) == (
        '00 Weights & "what they hold" Elastic weights hold < all. What do they cost? '
        "Study about 45 min, run about 5 s. Before this: 00."
    )
    links = [a["href"] for tag, a in Elements(card).found if tag == "a"]
    assert links == ["00_page.html", "00_page.html"]
    (image,) = [a for tag, a in Elements(card).found if tag == "img"]
    assert image["loading"] == "lazy"
    assert image["alt"] == cl.plots.alt_text(cl.figures.ewc())
    file = published / image["src"]
    assert file.stat().st_size <= 25_000
    assert Image.open(file).size == (int(image["width"]), int(image["height"])) == (640, 256)


def test_a_lesson_has_its_number_in_the_navigation(published):
    for name, address in (("glossary", "00_page.html"), ("00_page", "#")):
        page = (published / f"{name}.html").read_text()
        assert f'href="{address}">00 Weights &amp; “what they hold”</a>' in page


def test_every_lesson_is_on_the_map():
    from test_notebooks import FOLDER, LESSONS

    lessons = list(run_path(str(SITE / "course.py"))["lessons"](FOLDER))
    assert [lesson.name for lesson in lessons] == [path.stem for path in LESSONS]
    for lesson in lessons:
        assert 20 <= len(lesson.text) <= 200
        assert lesson.text[-1] in ".?"


def test_a_lesson_says_how_to_run_it(published):
    page = (published / "00_page.html").read_text()
    links = [a for tag, a in Elements(page).found if tag == "a"]
    colab = (
        "https://colab.research.google.com/github/Owner/course/blob/main/notebooks/00_page.ipynb"
    )
    assert [a.get("class") for a in links if a.get("href") == colab] == [None, "button"]
    assert f"%pip install git+{REPOSITORY}<" in page
    (file,) = [a["href"] for a in links if "download" in a]
    assert nbformat.read(published / file, as_version=4).cells[0].source.startswith("# Weights")
    assert f'href="{REPOSITORY}/blob/main/experiments/diagonal/table.md"' in page


def test_without_an_address_nothing_leads_to_the_repository(site, page):
    for path in (site / "out").glob("*.html"):
        written = path.read_text().replace("https://github.com/pradyunsg/furo", "")
        assert "github" not in written
        assert "colab.research" not in written
        assert "og:image" not in written
    assert "_sources/00_page.ipynb" in page
    assert not (site / "out" / "sitemap.xml").exists()
    assert (site / "out" / "robots.txt").read_text() == "User-agent: *\nAllow: /\n"


def test_a_site_with_an_address_is_found_and_previewed(published):
    base = "https://owner.github.io/course/"
    assert f"Sitemap: {base}sitemap.xml" in (published / "robots.txt").read_text()
    listed = re.findall("<loc>(.*?)</loc>", (published / "sitemap.xml").read_text())
    pages = "00_page", "glossary", "index", "lab", "own", "results", "teaching"
    assert listed == [f"{base}{page}.html" for page in pages]
    page = (published / "00_page.html").read_text()
    metas = [a for tag, a in Elements(page).found if tag == "meta"]
    said = {a.get("property") or a.get("name"): a["content"] for a in metas if "content" in a}
    assert said["description"].startswith("Elastic weights (Somebody et al. 2017) hold < all.")
    assert said["og:url"] == f"{base}00_page.html"
    assert said["og:image"] == f"{base}preview.png"
    assert Image.open(published / "preview.png").size == (1200, 630)


def test_a_linked_term_brings_its_definition(published):
    page = (published / "00_page.html").read_text()
    cards = re.findall(r'<div class="term".*? id="term-(.*?)" hidden>(.*)', page)
    assert [name for name, _ in cards] == ["importance", "penalty"]
    words = text_of(page.partition('id="term-importance" hidden>')[2])
    assert words.startswith(r"importance 重要性 How much a weight \(\theta_i\) matters (penalty).")
    assert "Held by" not in words
    assert 'class="term"' not in (published / "glossary.html").read_text()


def test_a_site_is_built_alike_twice(published, tmp_path):
    """All that is ours: the same source gives the same files."""
    command = [sys.executable, "-m", "sphinx", "-q", "-c", SITE, "-D", "nb_execution_mode=off"]
    command += ["-D", f"repository={REPOSITORY}", published.parent / "in", tmp_path]
    subprocess.run(command, check=True, timeout=120)
    for file in published.rglob("*"):
        if file.is_file() and ".doctrees" not in file.parts:
            assert (tmp_path / file.relative_to(published)).read_bytes() == file.read_bytes(), file
