"""Moodle XML, as Moodle exports it: multiple choice, all-or-nothing, and true/false."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import takewhile
from xml.etree.ElementTree import Element

from markdown_it import MarkdownIt

from . import question as asked
from .question import Group, LeftOutError, Option, Question, Report, number

_TYPES = {"multichoice", "multichoiceset", "truefalse"}
_WHOLE = ("correctfeedback", "partiallycorrectfeedback", "incorrectfeedback")


def read_moodle(roots: list[Element], report: Report) -> tuple[str, list[Group]]:
    """A title, if the categories have one in common, and a group for each category."""
    path: tuple[str, ...] = ()
    groups: dict[tuple[str, ...], Group] = {}
    for node in roots[0].findall("question"):
        if node.get("type") == "category":
            path = _category(node.findtext("category/text", ""))
            continue
        with report.question(name := node.findtext("name/text", "")):
            found = _question(node, name, report)
            groups.setdefault(path, Group(path)).questions.append(found)
    return _title(list(groups)), list(groups.values())


def _category(path: str) -> tuple[str, ...]:
    """`$course$/top/Quiz/Week 1`; a slash that belongs to a name is doubled."""
    names = [name.replace("//", "/").strip() for name in re.split("(?<!/)/(?!/)", path)]
    if re.fullmatch(r"\$\w+\$", names[0]):
        names = names[2 if names[1:2] == ["top"] else 1 :]
    return tuple(name for name in names if name)


def _title(paths: list[tuple[str, ...]]) -> str:
    """The innermost category that has all; of a single one the outer."""
    levels = takewhile(lambda level: len(set(level)) == 1, zip(*paths, strict=False))
    common = [level[0] for level in levels]
    if len(paths) == 1 and len(common) > 1:
        common.pop()
    return common[-1] if common else ""


def _question(node: Element, name: str, report: Report) -> Question:
    kind = node.get("type", "")
    if kind not in _TYPES:
        raise LeftOutError(f"the type {kind!r} is no choice among options")
    if node.findtext("hidden", "").strip() == "1":
        raise LeftOutError("it is hidden, as Moodle does with deleted questions")
    answers = node.findall("answer")
    asked.check_number_of_options(len(answers))
    _changes(node, kind, [number(answer.get("fraction")) for answer in answers], report)
    options = [
        Option(
            _text(answer, report),
            number(answer.get("fraction")) > 0,
            _text(answer.find("feedback"), report),
        )
        for answer in answers
    ]
    if kind == "truefalse":
        for option in options:
            option.text = option.text.capitalize()
    return Question(
        report.number,
        ident=node.findtext("idnumber", "").strip() or name.strip(),
        name=name,
        stem=_text(node.find("questiontext"), report),
        options=options,
        general=_text(node.find("generalfeedback"), report),
        points=asked.worth(node.findtext("defaultgrade")),
    ).fit(report)


def _changes(node: Element, kind: str, shares: list[Decimal], report: Report) -> None:
    """Note what a bank has otherwise."""
    single, several = kind == "truefalse", sum(share > 0 for share in shares) > 1
    if kind == "multichoice":
        single = _says(node, "single", "true")
        in_part = not {*shares} <= {0, 100}
        report.change(asked.SHARES, in_part or (single and several))
    report.change(asked.SINGLE, single)
    report.change(asked.ORDER, kind != "truefalse" and not _says(node, "shuffleanswers", "true"))
    report.change(asked.HINTS, node.find("hint") is not None)
    report.change(asked.EMBEDDED, next(node.iter("file"), None) is not None)
    report.change(asked.WHOLE, any(node.findtext(f"{tag}/text", "").strip() for tag in _WHOLE))


def _says(node: Element, tag: str, otherwise: str) -> bool:
    return (node.findtext(tag, "").strip() or otherwise) in {"true", "1"}


def _text(node: Element | None, report: Report) -> str:
    if node is None:
        return ""
    text = node.findtext("text", "")
    match node.get("format"):
        case "plain_text":
            return report.text(text)
        case "markdown":
            return report.html(MarkdownIt().render(text))
    return report.html(text)
