"""Feedback on a paper, in HTML: after the deadline, and only there."""

from __future__ import annotations

import re
from collections.abc import Set
from decimal import Decimal
from html import escape

from cl_helpers.answers.sheet import Reading

from .questions import Question

_BOX = "border:1px solid #d0d0d0;border-radius:6px;padding:10px 14px;max-width:52em"
_MARKS = {  # correct?, chosen? -> mark, words, colour
    (True, True): ("✓", "correct, and you chose it", "#006b4f"),
    (True, False): ("○", "correct, but you did not choose it", "#a03c00"),
    (False, True): ("✗", "not correct, but you chose it", "#a03c00"),
    (False, False): ("–", "not correct, and you left it", "#555"),
}


def prose(text: str) -> str:
    """A text of the bank as HTML: what is between backticks is code."""
    parts = escape(" ".join(text.split())).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(parts))


def question_card(
    question: Question, chosen: Set[str], points: Decimal, most: Decimal, ruled: str = ""
) -> str:
    """What was chosen, what is correct, and why, option by option.

    Args:
        points: what the answer earned.
        most: what it could have earned.
        ruled: what counts for this question besides its key.
    """
    verdict = (
        f"{points} of {most} points"
        + ("" if points or ruled else ": exactly the correct options earn them")
        + ("" if chosen else "; not answered")
    )
    again = "" if points == most else _read_again(question)
    rows = []
    for option in question.options:
        mark, words, colour = _MARKS[option.correct, option.id in chosen]
        rows.append(
            f'<li style="margin:8px 0;list-style:none"><b style="color:{colour}">{mark} '
            f"{option.id} · {words}.</b> {prose(option.text)}<br><i>{prose(option.why)}</i></li>"
        )
    return (
        f'<div style="{_BOX}"><p><b>{prose(question.stem)}</b></p>'
        f'<ul style="padding:0;margin:0">{"".join(rows)}</ul>'
        f"<p><b>{verdict}.</b> {escape(ruled)}{again}</p></div>"
    )


def overview(reading: Reading, receipt: str, n_questions: int) -> str:
    """What was read of a submission, and what could not be."""
    lines = [f"{len(reading.choices)} of {n_questions} answers were read. Receipt {receipt}."]
    lines += [f"Not in order: {problem}." for problem in reading.problems]
    return f'<div style="{_BOX}">{"".join(f"<p>{escape(line)}</p>" for line in lines)}</div>'


def _read_again(question: Question) -> str:
    see = escape(question.see)
    if re.fullmatch(r"https://[\w./-]+", question.see):
        see = f'<a href="{see}">{see}</a>'
    elif question.is_notebook:
        see = f"notebook {see}"
    return f" Read again: {see}" if see else ""
