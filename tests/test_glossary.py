"""The glossary: every term has what it promises, and every link to a term arrives."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "notebooks" / "glossary.ipynb"
PAGES = [
    *(ROOT / "notebooks").glob("*.ipynb"),
    *(path for folder in (".", "docs", "site", "quiz") for path in (ROOT / folder).glob("*.md")),
]
LINK = re.compile(r"glossary\.(?:ipynb|html)#([^)\s\"'>]+)")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def text_of(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text("utf-8")
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)


def parts() -> list[str]:
    """The title, then the sections, as text."""
    markdown = (c for c in nbformat.read(GLOSSARY, as_version=4).cells if c.cell_type == "markdown")
    return re.split(r"^## ", "\n\n".join(cell.source for cell in markdown), flags=re.M)


def sections() -> dict[str, dict[str, str]]:
    """Section -> term -> the text below its heading."""
    found = {}
    for part in parts()[1:]:
        name, *terms = re.split(r"^### ", part, flags=re.M)
        found[name.splitlines()[0]] = dict(term.split("\n", 1) for term in terms)
    return found


TERMS = {term: text for terms in sections().values() for term, text in terms.items()}


def anchor(heading: str) -> str:
    return heading.replace(" ", "-")


def dangling(text: str) -> list[str]:
    """The anchors in links of `text` that no heading has."""
    return [place for place in LINK.findall(text) if place not in map(anchor, TERMS)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_has_its_heading(path):
    assert not dangling(text_of(path))


def test_a_link_without_its_heading_is_found():
    text = "[a](glossary.ipynb#importance) [b](../notebooks/glossary.ipynb#no-such-term)"
    assert dangling(text) == ["no-such-term"]


def test_a_heading_is_the_same_anchor_everywhere():
    """JupyterLab puts hyphens for spaces; the site makes small letters and drops all signs."""
    assert not [term for term in TERMS if not re.fullmatch(r"[a-z0-9-]+( [a-z0-9-]+)*", term)]


@pytest.mark.parametrize("term", TERMS)
def test_a_term_has_chinese_a_lesson_and_a_definition(term):
    head, definition, *_ = TERMS[term].strip().split("\n\n")
    chinese, lesson = re.fullmatch(r"\*\*(.+)\*\* · first in \[.+\]\((.+)\)", head).groups()
    assert CHINESE.search(chinese)
    assert (GLOSSARY.parent / lesson).exists()
    sentences = re.findall(r"[.](?= |$)", re.sub(r"\$.*?\$|et al\.", "", definition))
    assert 1 <= len(sentences) <= 4
    assert definition.endswith((".", ")."))


def test_terms_are_sorted_and_unique():
    for terms in sections().values():
        assert list(terms) == sorted(terms)
    assert len(TERMS) == sum(map(len, sections().values()))


def test_chinese_is_said_to_be_unreviewed_wherever_it_begins():
    for part in parts():
        before_the_terms = part.split("### ")[0]
        assert CHINESE.search(part)
        assert "reviewed by a native reader" in before_the_terms
