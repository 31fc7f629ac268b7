"""What an instructor rules on a question that turned out to be wrong, beside correcting its key.

Rulings are kept in rulings.json, in the course's folder; the key stays what the bank says.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from .kept import keep, read_kept

FILE = "rulings.json"


@dataclass(frozen=True)
class Rulings:
    """What counts for a question besides its key; none, as a rule.

    Attributes:
        accepted: question -> sets of options that earn its points as the key does.
        full: questions for which every paper has the points.
        void: questions for which no paper has any, and that are not among those to be had.
        rescaled: whether the points that are left are scaled up to the same most as before.
    """

    accepted: dict[str, frozenset[frozenset[str]]] = field(default_factory=dict)
    full: frozenset[str] = frozenset()
    void: frozenset[str] = frozenset()
    rescaled: bool = False

    @classmethod
    def read(cls, course: Path) -> Rulings:
        """Those of a course; none if there is no file.

        Raises:
            ValueError: the file is damaged.
        """

        def made(raw: Any) -> Rulings:
            sets = {q: frozenset(map(frozenset, each)) for q, each in raw["accepted"].items()}
            void, full = frozenset(raw["void"]), frozenset(raw["full"])
            return cls(sets, full, void, bool(raw["rescaled"]))

        return read_kept(course / FILE, made, cls())

    def save(self, course: Path) -> None:
        raw = {
            "accepted": {q: sorted(map(sorted, each)) for q, each in self.accepted.items()},
            "full": sorted(self.full),
            "void": sorted(self.void),
            "rescaled": self.rescaled,
        }
        keep(course / FILE, raw)

    def accepting(self, question: str, sets: Iterable[frozenset[str]]) -> Rulings:
        """The same, and `sets` earn the points of `question` too."""
        every = self.accepted.get(question, frozenset()) | frozenset(sets)
        return replace(self.strict(question), accepted=self.accepted | {question: every})

    def giving(self, question: str) -> Rulings:
        """The same, and everybody has the points of `question`."""
        rest = self.strict(question)
        return replace(rest, full=rest.full | {question})

    def without(self, question: str) -> Rulings:
        """The same, and nobody's points depend on `question`."""
        rest = self.strict(question)
        return replace(rest, void=rest.void | {question})

    def strict(self, question: str) -> Rulings:
        """The same, and for `question` the key alone counts."""
        accepted = {q: sets for q, sets in self.accepted.items() if q != question}
        return Rulings(accepted, self.full - {question}, self.void - {question}, self.rescaled)

    def right(self, question: str, chosen: Set[str], key: Set[str], shown: Set[str]) -> bool:
        """Whether an answer earns the points of its question.

        Args:
            shown: the options that were to choose from, of which `key` are correct.
        """
        if question in self.void:
            return False
        accepted = self.accepted.get(question, frozenset())
        full = question in self.full
        exact = chosen == key or any(chosen == each & shown for each in accepted)
        return full or (bool(chosen) and exact)

    def counts(self, score: Decimal, most: Decimal, each: Decimal) -> tuple[Decimal, Decimal]:
        """The score that counts, and the most that can be had.

        Args:
            score: the sum over the questions, of which those that are void give 0.
            most: what all questions would give.
            each: what one gives.
        """
        left = most - each * len(self.void)
        if not self.rescaled or not left:
            return score, left
        cents = (score * most / left).quantize(Decimal("0.01"), ROUND_HALF_UP)
        return cents, most

    def told(self, question: str) -> str:
        """What was ruled on a question, for its feedback; "" if nothing was."""
        if question in self.void:
            return "This question does not count, for anybody."
        if question in self.full:
            return "Everybody has the points of this question."
        if sets := self.accepted.get(question):
            words = sorted(", ".join(sorted(each)) or "nothing" for each in sets)
            return f"Also accepted: {' or '.join(words)}."
        return ""
