"""HTML as a text of the bank: one line, code between backticks, nothing else marked up."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag
from bs4.exceptions import ParserRejectedMarkup

LONGEST: Final = 20_000  # characters of HTML; a text of the bank has at most 600

IMAGES: Final = "[image: …] or the like stands in place of an image, a film or a sound"
FORMAT: Final = "bold, lists, tables, links and the like became plain text"
LINES: Final = "code of several lines is now one line"
LATEX: Final = "LaTeX is shown as it is written"

_MEDIA = ["img", "video", "audio", "iframe", "object", "embed", "svg"]
_CODE = ["code", "pre", "tt", "samp", "kbd"]
_BLOCKS = [
    *("p", "div", "br", "hr", "ul", "ol", "li", "dl", "dt", "dd", "table", "tr", "td", "th"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "section", "article", "pre", "option"),
]
_KEPT = {*_CODE, "p", "div", "br", "span", "font"}
_FORMULA = re.compile(r"\\\(.+\\\)|\\\[.+\\\]|\$\$.+\$\$")
_DATA = re.compile(r"data:[\w/+.;=-]*,[\w+/=%-]*")  # a file within the HTML


def plain(html: str) -> tuple[str, set[str]]:
    """The text, and what was changed to get it: of IMAGES, FORMAT, LINES and LATEX.

    Raises:
        ValueError: it is longer than LONGEST, or damaged.
    """
    html = _DATA.sub("data:", html)
    if len(html) > LONGEST:
        raise ValueError(f"one of its texts has {len(html)} characters")
    if not re.search("[<&]", html):
        return one_line(html)
    soup = _parse(html)
    changed: set[str] = set()
    for tag in soup.find_all(["script", "style"]):
        tag.decompose()
    for tag in soup.find_all(_MEDIA):
        tag.replace_with(_medium(tag, changed))
    changed |= {FORMAT} if any(tag.name not in _KEPT for tag in soup.find_all(True)) else set()
    for tag in reversed(soup.find_all(["sub", "sup"])):  # inner ones first
        tag.replace_with(_index("_" if tag.name == "sub" else "^", tag.get_text().strip()))
    for tag in soup.find_all("br"):
        tag.replace_with("\n")
    for tag in soup.find_all(_CODE):
        if not tag.find_parent(_CODE):
            code = tag.get_text().replace("`", "'").strip("\n")
            changed |= {LINES} if "\n" in code.strip() else set()
            around = "\n" if tag.name == "pre" else ""
            tag.replace_with(f"{around}`{code}`{around}" if code.strip() else "")
    for tag in soup.find_all(_BLOCKS):
        tag.insert_before("\n")
        tag.insert_after("\n")
    text, more = one_line(soup.get_text())
    return text, changed | more


def _parse(html: str) -> BeautifulSoup:
    try:
        return BeautifulSoup(f"<div>{html}</div>", "html.parser")  # bare, it might be a path
    except ParserRejectedMarkup:
        raise ValueError("the HTML of one of its texts is damaged") from None


def one_line(text: str) -> tuple[str, set[str]]:
    """A text that is no HTML, likewise: a backtick that has no partner becomes an apostrophe."""
    if text.count("`") % 2:
        text = text.replace("`", "'")
    text = " ".join(text.split())
    return text, {LATEX} if _FORMULA.search(text) else set()


def _medium(tag: Tag, changed: set[str]) -> str:
    """What stands for an image; Canvas has its formulas in such."""
    if tag.get("data-equation-content"):
        return rf"\({tag['data-equation-content']}\)"
    changed.add(IMAGES)
    source = unquote(str(tag.get("src") or "")).split("?")[0].split("/")[-1]
    told = str(tag.get("alt") or "").strip() or source
    kind = "image" if tag.name in {"img", "svg"} else tag.name
    return f"[{kind}: {told}]" if told and told != "data:" else f"[{kind}]"


def _index(sign: str, text: str) -> str:
    return f"{sign}({text})" if len(text) > 1 else f"{sign}{text}" if text else ""
