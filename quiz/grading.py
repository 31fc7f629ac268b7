"""The rule, and what a paper earns by it.

A question earns its points when all the correct options and no other are chosen; else nothing.
Points are decimals: 25 × 0.4 is 10 here, and everywhere a person or a file sees it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from cl_helpers.answers.sheet import Choices

from .bank import Bank


def exact(points: float | Decimal) -> Decimal:
    """What nbgrader keeps as floats, as the number of tenths it was: 10.000000000000004 is 10."""
    return Decimal(f"{points:.4f}".rstrip("0").rstrip("."))


@dataclass(frozen=True)
class Paper:
    """What one student handed in, and what it earns.

    Attributes:
        student: nbgrader's id.
        choices: question id -> options chosen; only what is answered and could be read.
        problems: what could not be read, a line each.
        submitted: when, in UTC; None if that is not known.
        late: after the deadline: worth nothing, whatever it says.
        receipt: the code that the student was shown for these answers.
        sheet: made at random when the answers were begun; two papers with the same one are copies.
        counts: False if it came after the key was out: worth nothing, whatever it says.
        stale: the gradebook has other points than the answers earn, and no grader changed them.
    """

    student: str
    choices: Choices = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    submitted: datetime | None = None
    late: bool = False
    receipt: str = ""
    sheet: str = ""
    counts: bool = True
    stale: bool = False

    def points(self, bank: Bank) -> dict[str, Decimal]:
        """By question, before the late policy."""
        if not self.counts:
            return dict.fromkeys(bank.questions, Decimal(0))
        chosen = {q: self.choices.get(q, frozenset()) for q in bank.questions}
        return {q: bank.earned(q, options, self.student) for q, options in chosen.items()}

    def score(self, bank: Bank) -> Decimal:
        """In all, after it."""
        return Decimal(0) if self.late else exact(bank.score(self.points(bank).values()))


def copies(papers: Sequence[Paper]) -> list[list[str]]:
    """Students whose answers were begun as one and the same file."""
    students = defaultdict(set)
    for paper in papers:
        students[paper.sheet].add(paper.student)
    return sorted(sorted(s) for sheet, s in students.items() if sheet and len(s) > 1)
