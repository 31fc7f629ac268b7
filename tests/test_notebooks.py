"""The notebooks: run from top to bottom as a student would, in the smallest preset; their form."""

import os
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest
from jupyter_client import KernelManager
from nbclient import NotebookClient
from toys import PATIENCE

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LAB = FOLDER / "lab.ipynb"
BESIDE = re.compile(r"lab|glossary|11b")  # no lessons: a page, a list, an appendix
LESSONS = [path for path in NOTEBOOKS if not BESIDE.match(path.stem)]


def each(paths):
    return pytest.mark.parametrize("path", paths, ids=[path.stem for path in paths])


def cells_of(path, kind):
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == kind]


def headings(path):
    """(level, text) of every heading, in order."""
    text = "\n".join(c.source for c in cells_of(path, "markdown"))
    return [(len(marks), words) for marks, words in re.findall(r"^(#+) (.+)$", text, re.M)]


@pytest.fixture(scope="module")
def kernel():
    """One for all notebooks, emptied before each: what one has imported, the next need not."""
    quick = {"CL_PRESET": "quick", "OMP_NUM_THREADS": "1"}
    quick["LOKY_MAX_CPU_COUNT"] = "1"  # the other core has tests of its own
    manager = KernelManager()
    manager.start_kernel(env=os.environ | quick)
    yield manager
    manager.shutdown_kernel(now=True)


@each(NOTEBOOKS)
def test_runs_from_top_to_bottom(path, tmp_path, kernel):
    notebook = nbformat.read(path, as_version=4)
    emptied = nbformat.v4.new_code_cell(f"%reset -f\n%cd -q {tmp_path}")
    notebook.cells.insert(0, emptied)
    patience = {"timeout": PATIENCE, "startup_timeout": PATIENCE, "iopub_timeout": PATIENCE}
    NotebookClient(notebook, kernel, **patience).execute()
    notebook.cells.remove(emptied)
    notebook.metadata.pop("widgets", None)  # JupyterLab saves the views' copies alone
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", ())]
    assert not [o for o in outputs if o.output_type == "error"]
    pictures = [o for o in outputs if "image/png" in o.get("data", {})]
    views = [o for o in outputs if "data-state=" in o.get("data", {}).get("text/html", "")]
    assert pictures or views or path.stem == "glossary"
    for picture in pictures:
        text = picture["metadata"]["image/png"]["alt"]
        assert len(text) > 25
        assert 'alt="' in picture["data"]["text/html"]
    assert not [o for o in outputs if o.get("name") == "stderr" and "Warning" in o["text"]]
    checks = [o for o in outputs if "not attempted yet" in str(o.get("data"))]
    assert len(checks) == 3 * (path in LESSONS)
    assert len(nbformat.writes(notebook)) < 2_000_000


@each(NOTEBOOKS)
def test_is_stored_without_outputs(path):
    for cell in cells_of(path, "code"):
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@each(NOTEBOOKS)
def test_headings_are_in_order(path):
    levels = [level for level, _ in headings(path)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))


@each([*LESSONS, LAB])
def test_begins_with_the_same_cell_everywhere(path):
    first, empty, picture = cells_of(path, "code")[0].source.splitlines()
    assert (first, empty) == ("import cl_helpers as cl", "")
    assert picture.startswith(("cl.figures.", "cl.widgets.Lab"))


@each(LESSONS)
def test_has_all_eight_parts(path):
    told = [words for _, words in headings(path)]
    for part in ("Do you remember?", "Predict", "Run", "Labels, memory, time", "References"):
        assert part in told
    assert any(words.startswith("Explore") for words in told)
    source = "\n".join(c.source for c in cells_of(path, "markdown"))
    assert source.count("<details><summary>") == 3
    assert source.count("</details>") == 3
    code = "\n".join(c.source for c in cells_of(path, "code"))
    for call in ("cl.widgets.Predict(", ".replay("):
        assert call in code


@each(LESSONS)
def test_its_title_says_what_for_how_long_and_what_comes_before(path):
    title = cells_of(path, "markdown")[0].source
    assert title.count("\n1. ") == title.count("\n2. ") == title.count("\n3. ") == 1
    study = re.search(r"\*\*Study time\*\*: about (\d+) min\.", title)
    assert 30 <= int(study[1]) <= 130
    rest = title[study.end() :]
    assert re.search(r"\*\*Run time\*\*: (about |under |\d+–)\d+ s\b", rest)
    assert re.search(r"\*\*Before this\*\*: \S", rest)


@each(LESSONS)
def test_its_three_exercises_grow(path):
    """A stub and its check are one cell each, so that a stub cannot be forgotten."""
    told = headings(path)
    turn = told.index((2, "Your turn"))
    assert told[turn + 1 : turn + 4] == [(3, "Read"), (3, "Write"), (3, "Transfer")]
    checks = [c.source for c in cells_of(path, "code") if "cl.check(" in c.source]
    assert len(checks) == 3
    assert all("..." in source for source in checks)


@each(LESSONS)
def test_each_cell_has_its_place_in_the_slides(path):
    kinds = {"slide", "subslide", "fragment", "skip", "notes"}
    for cell in nbformat.read(path, as_version=4).cells:
        assert cell.metadata.get("slideshow", {}).get("slide_type") in kinds


@each(LESSONS)
def test_its_text_is_short(path):
    source = " ".join(c.source for c in cells_of(path, "markdown"))
    words = [word for word in source.split() if re.search(r"\w", word)]  # a table's | is none
    assert len(words) <= 1_300  # the ceiling; 1,000 is the aim


@each(LESSONS)
def test_cells_are_few_and_short(path):
    assert 25 <= len(nbformat.read(path, as_version=4).cells) <= 45
    for cell in cells_of(path, "code"):
        assert len(cell.source.splitlines()) <= 16
