"""A bank out of what a learning management system exports: Moodle XML, or QTI 1.2.

A question of a bank is a set of options, and earns its points for exactly the correct ones. What a
file has besides is left out, or changed so that it fits, and each such thing is named.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from itertools import chain, count
from pathlib import PurePath
from string import ascii_lowercase
from textwrap import shorten
from typing import Any

from .files import EXPORT, LARGEST, read_roots
from .moodle import read_moodle
from .qti import read_qti
from .question import LONGEST, NO_REASON, SHORTEST, Group, Question, Report

__all__ = ["LARGEST", "read_bank"]

Files = dict[str, dict[str, Any]]

_ID = re.compile(r"[a-z][a-z0-9-]{0,30}")


def read_bank(content: bytes, name: str) -> tuple[Files, list[str]]:
    """The files of a bank, and a line for each thing that was left out or changed.

    Args:
        content: of a file of Moodle XML or QTI 1.2, or of a zip with QTI 1.2: it is looked at.
        name: of the file, for messages, and for a title where the file has none.

    Returns:
        "quiz.yaml" and "SECTION.yaml", … -> what YAML is to be made of; the lines.

    Raises:
        ValueError: it is no such file, or nothing of it can be used; the line says what to do.
    """
    report = Report()
    roots = read_roots(content, name)
    read = read_moodle if roots[0].tag == "quiz" else read_qti
    title, groups = read(roots, report)
    if not groups:
        some = "; ".join(report.left[:3])
        raise ValueError(f"{name}: has no question that a bank can hold: {some or EXPORT}")
    title = _heading(title or PurePath(name).stem, "Imported quiz")
    options = [o for group in groups for question in group.questions for o in question.options]
    if bare := sum(option.why == NO_REASON for option in options):
        report.say(f"{bare} of {len(options)} options had no reason; it is now {NO_REASON!r}")
    return _bank(title, groups, report), report.lines()


def _bank(title: str, groups: list[Group], report: Report) -> Files:
    sections: dict[str, int] = {}
    files: Files = {
        "quiz.yaml": {
            "name": _slug(title, "imported"),
            "assignment": "quiz",
            "title": title,
            "points": _points(groups, report),
            "language": "en",
            "sections": sections,
        }
    }
    used = {"quiz"}  # that file is not a section's
    times = Counter(group.title for group in groups)
    for group in groups:
        full = " / ".join(group.path) if times[group.title] > 1 else group.title
        heading = _heading(full, "Questions")
        section, idents = _idents(group, heading, used)
        used |= {section, *idents}
        sections[section] = len(idents)
        entries = [_entry(*each) for each in zip(idents, group.questions, strict=True)]
        files[f"{section}.yaml"] = {"section": section, "title": heading, "questions": entries}
    return files


def _entry(ident: str, question: Question) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": ident, "topic": question.topic}
    if question.see:
        entry["see"] = question.see
    entry["stem"] = question.stem
    entry["options"] = [
        {"id": letter, "text": option.text, "correct": option.correct, "why": option.why}
        for letter, option in zip(ascii_lowercase, question.options, strict=False)
    ]
    return entry


def _idents(group: Group, heading: str, used: set[str]) -> tuple[str, list[str]]:
    """Ids of the section and of its questions: the file's own, if all of them can be."""
    own = [question.ident for question in group.questions]
    section = group.ident or own[0].rpartition("-")[0]
    named = _ID.fullmatch(section) and all(
        _ID.fullmatch(ident) and ident.startswith(f"{section}-") for ident in own
    )
    if named and len({section, *own} - used) == 1 + len(own):
        return section, own
    slug = _slug(heading, "section")
    numbered = (f"{slug}-{n}" for n in count(2))
    section = next(s for s in chain([slug], numbered) if s not in used)
    free = (i for n in count(1) if (i := f"{section}-{n}") not in used)
    return section, [next(free) for _ in own]


def _points(groups: list[Group], report: Report) -> str:
    """What most questions are worth: a bank has one number for all."""
    every = [question for group in groups for question in group.questions]
    worths = Counter(question.points for question in every)
    most = worths.most_common(1)[0][0]
    for question in every:
        if question.points != most:
            report.change_of(question.number, f"was not worth {most:f}, as all are now")
    return f"{most:f}"


def _heading(text: str, otherwise: str) -> str:
    text = " ".join(text.replace("`", "'").split())[:LONGEST]
    return text if len(text) >= SHORTEST else otherwise


def _slug(text: str, otherwise: str) -> str:
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub("[^a-z0-9]+", " ", letters).lstrip("0123456789 ")
    slug = shorten(words, 20, placeholder="") or words[:20]
    return slug.replace(" ", "-") or otherwise
