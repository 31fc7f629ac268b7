"""Help that opens in stages: hints one by one, and the solution after an honest try.

What was tried is remembered as long as the kernel lives, and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from ...methods import METHODS
from ...report.source import Source, show
from .judge import Exercise, Verdict
from .reading import Reading

_OURS = "|".join(kind.__name__ for kind in METHODS.values())  # in a notebook they are of `cl`


class Note(str):
    """A text that a notebook shows as Markdown."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)

    __repr__ = str.__str__


@dataclass
class _Progress:
    tried: bool = False
    hints: int = 0


_progress: dict[str, _Progress] = {}


def _of(name: str) -> _Progress:
    return _progress.setdefault(name, _Progress())


def record(name: str, asked: Exercise | Reading, verdict: Verdict) -> Verdict:
    """Remember an honest try, and say after a wrong one where help is.

    Args:
        name: of the exercise.
        asked: the exercise.
        verdict: on the answer that came.
    """
    if verdict.status == "not yet":
        return verdict
    so_far = _of(name)
    so_far.tried = so_far.tried or verdict.tried
    helps = []
    if so_far.hints < len(asked.hints):
        helps.append(f'a hint is in `cl.hint("{name}")`')
    if asked.solution and so_far.tried:
        helps.append(f'the solution is in `cl.solution("{name}")`')
    if verdict.status == "right" or not helps:
        return verdict
    more = ", ".join(helps)
    return replace(verdict, message=f"{verdict.message} {more[0].upper()}{more[1:]}.")


def next_hint(name: str, asked: Exercise | Reading) -> Note:
    """Return the first hint not seen so far; all of them again when there is none left.

    Args:
        name: of the exercise.
        asked: the exercise.
    """
    so_far, hints = _of(name), asked.hints
    if not hints:
        return Note("There is no hint for this exercise.")
    if so_far.hints == len(hints):
        listed = "\n".join(f"{i}. {hint}" for i, hint in enumerate(hints, start=1))
        last = f'The solution is in `cl.solution("{name}")`, after a try.' * bool(asked.solution)
        return Note(f"These are all the hints:\n\n{listed}\n\n{last}".strip())
    so_far.hints += 1
    return Note(f"**Hint {so_far.hints} of {len(hints)}.** {hints[so_far.hints - 1]}")


def solution_of(name: str, asked: Exercise | Reading) -> Note | Source:
    """Return the solution, or what to do first.

    Args:
        name: of the exercise.
        asked: the exercise.
    """
    if not asked.solution:
        return Note("There is no solution for this exercise.")
    if not _of(name).tried:
        hint = f' A hint is in `cl.hint("{name}")`.' * bool(asked.hints)
        return Note(
            f"Try it first: the solution opens when `cl.check` has judged an answer of yours.{hint}"
        )
    if isinstance(asked, Reading):
        return Note(asked.solution)
    right: Any = asked.solution
    text = re.sub(rf"(?<![\w.])({_OURS})(?=[()])", r"cl.\1", show(right).text)
    its_name = rf"^(def|class) {right.__name__}\b"
    return Source(re.sub(its_name, rf"\1 {asked.name}", text, count=1, flags=re.M), "")
