"""What a term means, beside the links to the glossary: static/pages.js shows it."""

from __future__ import annotations

from html import escape

from docutils import nodes
from sphinx import addnodes

GLOSSARY = "glossary"


def definition(section: nodes.section) -> nodes.container:
    """A term, its name in Chinese, and the first paragraph on it, without links."""
    term, told, *paragraphs = [*section.findall(nodes.title), *section.findall(nodes.paragraph)]
    first = nodes.paragraph("", "", nodes.strong("", term.astext()))
    for name in told.findall(nodes.strong):
        first += [nodes.Text(" "), nodes.Text(name.astext())]
    card = nodes.container("", first, *(each.deepcopy() for each in paragraphs[:1]))
    for link in list(card.findall(addnodes.pending_xref)):
        link.replace_self(link.children)
    return card


def definitions(app, page, template, context, doctree):
    """Put the definitions of the terms that a page links to at its end."""
    if doctree is None or page == GLOSSARY or GLOSSARY not in app.env.found_docs:
        return
    links = (link.get("refuri", "") for link in doctree.findall(nodes.reference))
    wanted = {uri.partition("#")[2] for uri in links if uri.startswith(f"{GLOSSARY}.html#")}
    for section in app.env.get_doctree(GLOSSARY).findall(nodes.section):
        if wanted.intersection(section["ids"]) and isinstance(section.parent, nodes.section):
            html = app.builder.render_partial(definition(section))["fragment"]
            name = escape(section["ids"][0])
            context["body"] += (
                f'<div class="term" role="tooltip" id="term-{name}" hidden>{html}</div>'
            )


def setup(app):
    app.connect("html-page-context", definitions)
    return {"parallel_read_safe": True}
