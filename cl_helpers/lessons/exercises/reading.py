"""An exercise that is answered by one number or one word: what a curve or a matrix says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...checks import shortened
from .judge import Verdict

Answer = float | str


@dataclass(frozen=True)
class Reading:
    """Something to read off, or to predict.

    Args:
        ask: what the answer is: "the number of the task, counted from 1".
        right: a number, or a word; case and spaces of a word do not matter.
        mistakes: message -> the answer, or answers, of this mistake.
        moral: message when the answer is right.
        hints: shown one after the other by `cl.hint`.
        solution: a sentence, shown by `cl.solution`.
        tolerance: how far a number may be from the right one, or from a mistake's.
    """

    ask: str
    right: Answer
    mistakes: dict[str, Answer | tuple[Answer, ...]]
    moral: str
    hints: tuple[str, ...] = ()
    solution: str = ""
    tolerance: float = 0.0

    def not_yet(self) -> Verdict:
        """Make the verdict on an exercise that was not attempted."""
        return Verdict("not yet", f"not attempted yet: in place of the `...` write {self._ask}.")

    def judge(self, answer: Any) -> Verdict:
        """Judge what a student gave."""
        word = isinstance(self.right, str)
        try:
            given = _word(answer) if word else _number(answer)
        except (TypeError, ValueError, RuntimeError):
            came = shortened(answer).replace("`", "'")
            message = (
                f"One {'word' if word else 'number'} is asked for: {self._ask}. `{came}` came."
            )
            return Verdict("wrong", message, tried=False)
        if self._same(given, self.right):
            return Verdict("right", f"Right. {self.moral}")
        for message, theirs in self.mistakes.items():
            variants = theirs if isinstance(theirs, tuple) else (theirs,)
            if any(self._same(given, variant) for variant in variants):
                return Verdict("wrong", message)
        if not isinstance(given, str) and self._same(given / 100, self.right):
            return Verdict("wrong", f"That is in per cent. Asked for is {self._ask}.")
        if not isinstance(given, str) and self._same(100 * given, self.right):
            return Verdict("wrong", f"That is a fraction. Asked for is {self._ask}, in per cent.")
        return Verdict("wrong", f"That is not it. Asked for is {self._ask}.")

    @property
    def _ask(self) -> str:
        return self.ask.rstrip(".")

    def _same(self, given: Any, other: Answer) -> bool:
        if isinstance(other, str):
            return given == _word(other)
        return abs(given - other) <= self.tolerance + 1e-9 * abs(other)


def _word(answer: Any) -> str:
    """In lower case, without spaces; so that "EWC " is "ewc"."""
    if not isinstance(answer, str):
        raise TypeError("no text")
    return "".join(answer.casefold().split())


def _number(answer: Any) -> float:
    """The number in 3, "3", "80 %" or a tensor with one number."""
    if isinstance(answer, str):
        answer = answer.replace("−", "-").rstrip("% ")
    return float(answer)
