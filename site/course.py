"""The map of the course: `{course-map}` becomes a card for each lesson, made from its notebook.

A lesson is a notebook that begins with a title figure and says how long it takes; tests/
test_notebooks.py holds all of them to that form.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import nbformat
from docutils import nodes
from PIL import Image
from sphinx.util.docutils import SphinxDirective

import cl_helpers as cl
from cl_helpers.report.plots import Chart, alt_text, png

FORM = re.compile(
    r"# (?P<title>.+)\n\n(?P<text>.+)(?s:.*)"
    r"\*\*Study time\*\*: (?P<study>.+?)\.\s+"
    r"\*\*Run time\*\*: (?P<run>[\w– ]+ s)(?s:.*?)"
    r"\*\*Before this\*\*: (?P<before>.+?)\.(?:\s|$)"
)
CARD = """\
<li class="card">
<img src="map/{name}.webp" width="{width}" height="{height}" loading="lazy" alt="{alt}">
<h3><span>{number}</span> <a href="{name}.html">{title}</a></h3>
<p>{text}</p>
<p class="facts">Study {study}, run {run}.<br>Before this: {before}.</p>
</li>"""


@dataclass
class Lesson:
    """What the title cell of a notebook says, in HTML, and its title figure."""

    name: str
    title: str
    text: str
    study: str
    run: str
    before: str
    figure: Chart


def lessons(folder: Path) -> Iterator[Lesson]:
    """The lessons of a folder in reading order."""
    for path in sorted(folder.glob("*.ipynb")):
        title, *cells = nbformat.read(path, as_version=4).cells
        begin = cells[0].source if cells else ""
        drawn = re.search(r"^cl\.figures\.(\w+)\((.*)\)$", begin, re.M)
        if (said := FORM.match(title.source)) and drawn:
            words = said.groupdict()
            words["text"] = two_sentences(words["text"])
            link = r'<a href="\2.html">\1</a>'
            words = {name: escape(text) for name, text in words.items()}
            words["before"] = re.sub(r"\[(\w+)\]\((\w+)\.ipynb\)", link, words["before"])
            arguments = re.findall(r'"(\w+)"', drawn[2])
            yield Lesson(path.stem, figure=getattr(cl.figures, drawn[1])(*arguments), **words)


def two_sentences(markdown: str) -> str:
    """The first sentence as plain text without its sources; the second too where both are short."""
    text = re.sub(r"\[([^]]+)\]\([^)]+\)|\*", r"\1", markdown)
    text = re.sub(r" \([^)]*\d{4}\)", "", text)
    first, *more = re.split(r"(?<=[.?:]) (?=[A-Z])", text)
    both = " ".join([first, *more[:1]])
    return re.sub(":$", ".", both if len(both) < 140 else first)


def picture(figure: Chart, width: int = 640) -> Image.Image:
    """The figure as a small picture."""
    image = Image.open(io.BytesIO(png(figure)))
    return image.resize(
        (width, round(image.height * width / image.width)), Image.Resampling.LANCZOS
    )


class CourseMap(SphinxDirective):
    """Writes the pictures beside the pages, and gives the cards."""

    def run(self) -> list[nodes.Node]:
        folder = Path(self.env.app.outdir) / "map"
        folder.mkdir(parents=True, exist_ok=True)
        cards = []
        for lesson in lessons(Path(self.env.srcdir)):
            image = picture(lesson.figure)
            image.save(folder / f"{lesson.name}.webp", quality=75, method=6)
            size = {"width": image.width, "height": image.height}
            more = {"alt": escape(alt_text(lesson.figure)), "number": lesson.name.split("_")[0]}
            cards.append(CARD.format_map(vars(lesson) | size | more))
        cards = "\n".join(cards)
        return [nodes.raw("", f'<ol class="course-map">\n{cards}\n</ol>', format="html")]


def numbered(app, page, template, context, doctree):
    """Write its number before a lesson in the navigation: other lessons call it by that."""
    if tree := context.get("furo_navigation_tree"):
        tree = re.sub(r'href="(?:\.\./)*(\d+\w?)_\w+\.html">', r"\g<0>\1 ", tree)
        if own := re.match(r"\d+\w?(?=_)", page):
            tree = tree.replace('href="#">', f'href="#">{own[0]} ')
        context["furo_navigation_tree"] = tree


def setup(app):
    app.add_directive("course-map", CourseMap)
    app.connect("html-page-context", numbered, priority=900)  # after furo
    return {"parallel_read_safe": True}
