"""The site: every notebook, executed, with its figures. `make site` gathers the pages.

Nothing is loaded from other hosts: MathJax and the theme's files are copied into the site.
"""

import hashlib
import os
import re
import sys
import tomllib
from pathlib import Path

from docutils import nodes
from myst_nb.core.render import NbElementRenderer

ROOT = Path(__file__).resolve().parent.parent

project = html_title = "Continual learning, to read and to run"
html_theme = "furo"
html_extra_path = ["pages"]  # the playground, as it is
html_static_path = [str(ROOT / "cl_helpers" / "widgets" / "front"), "static"]
html_css_files = ["site.css"]
html_js_files = [("pages.js", {"defer": "defer"})]
html_favicon = "static/favicon.svg"
html_sourcelink_suffix = ""  # _sources/ has the notebooks, as they are
html_theme_options: dict[str, object] = {}
html_show_copyright = html_show_sphinx = html_show_sourcelink = False
sys.path[:0] = [str(ROOT), str(ROOT / "site")]
repository = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["cl_helpers"][
    "repository"
]
extensions = [
    "course",
    "published",
    "run_this",
    "terms",
    "myst_nb",
    "sphinx-mathjax-offline",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
]
myst_enable_extensions = ["amsmath", "dollarmath", "html_image"]
myst_heading_anchors = 3  # a link to a section of a notebook works here as it does in JupyterLab

nb_execution_mode = "cache"
nb_execution_in_temp = True  # whatever a notebook writes, notebooks/ stays as it is
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = -1
nb_merge_streams = True
nb_render_markdown_format = "myst"
nb_mime_priority_overrides = [("html", "image/png", 1)]

# The API reference, from the docstrings; api.py writes its pages.
default_role = "code"  # `x` in a docstring is code
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autosummary_generate = False
napoleon_numpy_docstring = False
SECTIONS = ("Args:", "Attributes:", "Raises:", "Returns:", "Yields:")
# Code and *emphasis* are passed over (\1); a sign of reStructuredText (\2) gets a backslash.
MARKUP = re.compile(r"(`[^`]*`|(?<!\w)\*\w+\*(?!\w))|([\\*|_])")


def cache_folder() -> Path:
    """Where results are kept: a folder for each state of what they depend on beside their cells."""
    state = hashlib.sha256()
    for path in sorted((ROOT / "cl_helpers").rglob("*.py")):
        state.update(path.read_bytes())
    for name in ("CL_PRESET", "CL_DATA"):
        state.update(os.environ.get(name, "").encode() + b"\0")
    return ROOT / "build" / "site-cache" / state.hexdigest()[:16]


nb_execution_cache_path = str(cache_folder())

# What myst-nb 1 has no setting for: alt text from the output's metadata, and no trace of a widget's
# model, which is nothing without its kernel. A view's still copy stands beside it.
render_image = NbElementRenderer.render_image


def render_described_image(self, data):
    (image,) = render_image(self, data)
    if alt := data.output_metadata.get(data.mime_type, {}).get("alt"):
        image["alt"] = alt
    return [image]


NbElementRenderer.render_image = render_described_image
NbElementRenderer.render_widget_view = lambda self, data: [nodes.raw("", "", format="html")]
NbElementRenderer.render_nb_finalise = lambda self, metadata: None  # it would store the models


def maths_in_html(app, doctree):
    """Mark $…$ in a cell's own HTML, a <summary> for one, for MathJax, as JupyterLab does."""
    for html in doctree.findall(nodes.raw):
        if "output" not in html["classes"]:
            marked = re.sub(r"\$([^$\n]+)\$", r'<span class="math">\(\1\)</span>', html.astext())
            html[:] = [nodes.Text(marked)]


def views(app, page, template, context, doctree):
    """A page that has still copies of views loads what makes them live.

    Their names, random in a notebook, are numbers here: the same notebook gives the same page.
    """
    names = dict.fromkeys(re.findall(r'class="cl-still cl-still-(\w+)"', context.get("body", "")))
    for number, name in enumerate(names):
        context["body"] = context["body"].replace(name, f"view-{number}")
    if names:
        app.add_js_file(None, body='globalThis.clPlayground = "playground/index.html";')
        app.add_js_file("views.js")


def plain_text(app, what, name, obj, options, lines):
    """A docstring is plain text: its indented blocks stay as they are, its signs are no markup.

    Arguments and the like are left to napoleon, code between backticks to `default_role`.
    """
    written, in_section, literal = [], False, False
    for before, line in zip(["", *lines], list(lines), strict=False):
        indented = line.startswith(" ")
        if line and not indented:
            in_section, literal = line in SECTIONS, False
        if indented and not before and not in_section and not literal:
            written += ["::", ""]
            literal = True
        written.append(line if literal else MARKUP.sub(lambda m: m[1] or f"\\{m[2]}", line))
    lines[:] = written


def captions(app, page, template, context, doctree):
    """Give the captions of toctrees, which Sphinx marks as headings, their level."""
    for part in ("body", "furo_navigation_tree"):
        if part in context:
            context[part] = context[part].replace('role="heading"', 'role="heading" aria-level="2"')


def setup(app):
    app.connect("autodoc-process-docstring", plain_text, priority=400)  # before napoleon
    app.connect("doctree-read", maths_in_html)
    app.connect("html-page-context", views)
    app.connect("html-page-context", captions, priority=900)  # after furo
