"""What the texts of the repository point to is there: files, and the names of what is in them."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
OWN_FOLDERS = (
    "benchmarks",
    "cl_helpers",
    "docs",
    "experiments",
    "notebooks",
    "quiz",
    "site",
    "tests",
)
TEXTS = sorted(
    path
    for pattern in ("*.md", "*.ipynb")
    for folder in (ROOT, *(ROOT / name for name in OWN_FOLDERS))
    for path in (folder.glob if folder == ROOT else folder.rglob)(pattern)
    if ".ipynb_checkpoints" not in path.parts
)
IN_HTML = re.compile(r"""<(?:a|img)\s[^>]*?(?:href|src)=["']([^"']+)["']""")
# A link to a source file and, after it, names in backticks: each is to be found in that file.
NAMED = re.compile(r"\]\(([^)]+\.(?:py|js))\)((?:,?\s+`[^`]+`)+)")


def markdown_of(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text("utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def links_in(text: str) -> set[str]:
    """Where links and images point to; code is passed over."""
    found = set()
    for block in MarkdownIt("commonmark").enable("table").parse(text):
        for token in (block, *(block.children or ())):
            if token.type in ("html_block", "html_inline"):
                found.update(IN_HTML.findall(token.content))
            found.update(str(token.attrs[a]) for a in ("href", "src") if a in token.attrs)
    return found


def missing(path: Path) -> list[str]:
    """The relative links of a text that lead nowhere."""
    relative = [link for link in links_in(markdown_of(path)) if not urlsplit(link).scheme]
    # What is in site/pages lies beside the pages of the site.
    folders = (
        [path.parent, path.parent / "pages"] if path.parent == ROOT / "site" else [path.parent]
    )
    return [
        link
        for link in relative
        if (file := unquote(urlsplit(link).path))
        and not any((folder / file).exists() for folder in folders)
    ]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(path):
    assert missing(path) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    text = tmp_path / "text.md"
    text.write_text(
        "[a](text.md#part), [b](gone.md), `[c](code.md)`, ![d](gone%20too.png), [e](https://x.org)\n\n"
        '<img src="gone.svg">\n'
    )
    assert sorted(missing(text)) == ["gone%20too.png", "gone.md", "gone.svg"]


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_a_name_after_a_link_is_in_that_file(name):
    pairs = [
        (file, word)
        for file, names in NAMED.findall((ROOT / name).read_text("utf-8"))
        for word in re.findall(r"`(\w+)`", names)
    ]
    assert pairs
    for file, word in pairs:
        source = (ROOT / file).read_text("utf-8")
        assert re.search(rf"(?:def|class|function|const) {word}\b|^{word}\b", source, re.M), word


def test_architecture_names_every_room_and_every_file():
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    package = ROOT / "cl_helpers"
    for path in [*package.glob("*.py"), *package.glob("*/*.py"), *package.glob("*/*/__init__.py")]:
        if path.name == "__init__.py":
            assert path.parent == package or f"`{path.parent.name}/`" in text, path
        elif path.stem != "__main__":
            assert f"`{path.stem}`" in text, path
