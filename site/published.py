"""What search engines and previews of links ask for; `repository` gives the site its address."""

from __future__ import annotations

from html import escape
from pathlib import Path
from textwrap import shorten

from course import picture
from docutils import nodes

import cl_helpers as cl
from cl_helpers.report.plots import Chart, alt_text, save


def address(app, config):
    """The site lives on GitHub Pages, as that of the repository."""
    if config.repository:
        owner, name = config.repository.split("/")[-2:]
        config.html_baseurl = f"https://{owner.lower()}.github.io/{name}/"
        link = {"name": "Repository", "url": config.repository, "html": "Repository", "class": ""}
        config.html_theme_options["footer_icons"] = [link]


def describe(app, page, template, context, doctree):
    """The first paragraph of a page is its description."""
    first = next(iter(doctree.findall(nodes.paragraph)), None) if doctree else None
    if first is None:
        return
    said = escape(shorten(first.astext(), 200, placeholder=" …"))
    tags = [f'<meta name="description" content="{said}">']
    if base := app.config.html_baseurl:
        about = {"title": context["title"], "description": said, "type": "website"}
        about["url"] = base + app.builder.get_target_uri(page)
        about["image"] = f"{base}preview.png"
        tags += [f'<meta property="og:{name}" content="{text}">' for name, text in about.items()]
        tags.append('<meta name="twitter:card" content="summary_large_image">')
    context["metatags"] += "\n".join(tags)


def preview(title: str) -> Chart:
    """The picture beside a link to the site, 1200 × 630."""
    idea = cl.figures.ewc()
    figure = Chart(figsize=(12, 6.3), dpi=100)
    figure.text(0.04, 0.86, title, fontsize=34, fontweight="bold")
    axes = figure.add_axes((0.04, 0.03, 0.92, 0.76))
    axes.imshow(picture(idea, width=1104))
    axes.axis("off")
    figure.set_label(f"{title}. {alt_text(idea)}")
    return figure


def write(app, error):
    """robots.txt; the sitemap and the preview, which name their address."""
    if error or app.builder.format != "html":
        return
    out, base = Path(app.outdir), app.config.html_baseurl
    robots = "User-agent: *\nAllow: /\n"
    if base:
        robots += f"Sitemap: {base}sitemap.xml\n"
        pages = map(app.builder.get_target_uri, sorted(app.env.found_docs))
        urls = "\n".join(f"<url><loc>{base}{page}</loc></url>" for page in pages)
        space = "http://www.sitemaps.org/schemas/sitemap/0.9"
        (out / "sitemap.xml").write_text(f'<urlset xmlns="{space}">\n{urls}\n</urlset>\n')
        save(preview(app.config.project), out / "preview.png")
    (out / "robots.txt").write_text(robots)


def setup(app):
    app.connect("config-inited", address)
    app.connect("html-page-context", describe)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True}
