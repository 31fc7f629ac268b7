"""How to run a lesson: a line below its title, and a button at its exercises.

`repository` is https://github.com/OWNER/NAME. While it is empty, no page leads to it or to Colab.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

ROOT = Path(__file__).resolve().parent.parent


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


def files_of_the_repository(app, doctree):
    """Let a link to a file that is no page lead to the repository; without one it is mere text."""
    for link in list(doctree.findall(addnodes.pending_xref)):
        if link["reftype"] == "myst" and link["reftarget"].startswith("../"):
            file = (ROOT / "notebooks" / link["reftarget"]).resolve()
            if file.exists():
                address = f"{app.config.repository}/blob/main/{file.relative_to(ROOT)}"
                to = {"refuri": address} if app.config.repository else {}
                kind = nodes.reference if to else nodes.inline
                link.replace_self(kind("", "", *link.children, **to))


def setup(app):
    app.add_config_value("repository", "", "env", str)
    app.connect("doctree-read", below_headings)
    app.connect("doctree-read", files_of_the_repository)
    return {"parallel_read_safe": True}
