"""How to run a lesson: a line below its title, and a button at its exercises.

`repository` is https://github.com/OWNER/NAME. While it is empty, no page leads to it or to Colab.
"""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

ROOT = Path(__file__).resolve().parent.parent
INCLUDED = {"teaching": "docs/teaching.md", "results": "experiments/README.md"}  # by these pages


def ways_to_run(page: str, repository: str) -> list[str]:
    """In HTML, the one that needs least first."""
    where = escape(repository)
    file = f'<a href="_sources/{page}.ipynb" download>Notebook file</a>'
    local = f"<code>make lab</code>, then open <code>{page}.ipynb</code>"
    if not where:
        return [file, f"On your computer: {local}"]
    colab = where.replace("github.com", "colab.research.google.com/github")
    return [
        f'<a href="{colab}/blob/main/notebooks/{page}.ipynb">Open in Colab</a>: '
        f"<code>%pip install git+{where}</code> in a new first cell",
        file,
        f"On your computer: <code>git clone {where}</code>, there {local}",
    ]


def below_headings(app, doctree):
    """Say below the title of a notebook how to run it, and below "Your turn" that one must."""
    page = app.env.docname
    if Path(app.env.doc2path(page)).suffix != ".ipynb":
        return
    ways = ways_to_run(page, app.config.repository)
    items = "".join(f"<li>{way}</li>" for way in ways)
    run = f'<div class="run-this"><strong>Run this</strong><ul>{items}</ul></div>'
    link = ways[0].partition("</a>")[0].replace("<a", '<a class="button"') + "</a>"
    turn = f'<p class="run-this">Exercises need the notebook, which checks your answers. {link}</p>'
    for title in list(doctree.findall(nodes.title)):
        if title.parent.parent is doctree:
            _insert_after(title, run)
        elif title.astext() == "Your turn":
            _insert_after(title, turn)


def _insert_after(title: nodes.title, html: str) -> None:
    title.parent.insert(title.parent.index(title) + 1, nodes.raw("", html, format="html"))


def where_the_repository_is(app, page, source):
    """Write the way to it for the word ROOT in a page that includes one of its files."""
    if page in INCLUDED:
        source[0] = source[0].replace("ROOT", os.path.relpath(ROOT, app.srcdir))


def _file_of(page: str) -> Path:
    """The file of the repository that a page is made from; where there is none, a notebook."""
    places = (INCLUDED.get(page, ""), f"site/{page}.md", f"notebooks/{page}.ipynb")
    return next((ROOT / place for place in places if (ROOT / place).is_file()), ROOT / places[-1])


def files_of_the_repository(app, doctree):
    """Let a link to a file lead to its page, else to the repository; or it is mere text."""
    page, pages = app.env.docname, {_file_of(p): p for p in app.env.found_docs if "/" not in p}
    for link in list(doctree.findall(addnodes.pending_xref)):
        path, _, place = link["reftarget"].partition("#")
        if link["reftype"] != "myst" or not (page in INCLUDED or path.startswith("../")):
            continue
        file = (_file_of(page).parent / path).resolve()
        if file in pages:
            address = f"{pages[file]}.html" + f"#{place}" * bool(place)
        elif file.is_relative_to(ROOT / "site" / "pages"):
            address = str(file.relative_to(ROOT / "site" / "pages"))
        elif file.exists():
            base = app.config.repository
            address = f"{base}/blob/main/{file.relative_to(ROOT)}" if base else ""
        else:
            continue  # Sphinx says so
        kind, to = (nodes.reference, {"refuri": address}) if address else (nodes.inline, {})
        link.replace_self(kind("", "", *link.children, **to))


def setup(app):
    app.add_config_value("repository", "", "env", str)
    app.connect("doctree-read", below_headings)
    app.connect("source-read", where_the_repository_is)
    app.connect("doctree-read", files_of_the_repository)
    return {"parallel_read_safe": True}
