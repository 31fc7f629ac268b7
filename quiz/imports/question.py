"""A question as it was found, made to fit a bank; and the report of what that took."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from string import ascii_lowercase

from cl_helpers.formats import format_printable

from .text import one_line, plain

SHORTEST, LONGEST = 2, 600  # characters of a text of the bank
MANY = 12  # questions that a line names; more are counted
NO_REASON = "No reason was given in the file it was imported from."

SINGLE = "asked for one answer; now any number can be chosen, and nothing says that one is right"
SHARES = (
    "an answer could earn or cost a share of the points; now each option with a positive share is "
    "correct, and exactly the correct options earn the points"
)
ORDER = "the order of the options was fixed; now it is shuffled"
WHOLE = "feedback on an answer as a whole was left out; reasons belong to options"
HINTS = "hints were left out"
EMBEDDED = "files in the text were left out"
SHORT = "an option of one character is shown as code"
NAMES = "the topic, which students see, is the name in the file"

# The general feedback that quiz.lms writes.
_READ_AGAIN = re.compile(r"(?P<topic>.{3,60})\. Read again: (?P<see>\S+)")


class LeftOutError(Exception):
    """A bank cannot hold a question; the message says why."""


class Report:
    """What was left out or changed.

    Attributes:
        number: the question that is read now, as the file counts.
        left: a line for each question that was left out.
    """

    def __init__(self) -> None:
        self.number = 0
        self.left: list[str] = []
        self._said: list[str] = []
        self._changed: dict[str, list[int]] = {}
        self._now: list[str] = []

    @contextmanager
    def question(self, name: str) -> Iterator[None]:
        """Read the next question; a `LeftOutError` goes no further."""
        self.number += 1
        self._now = []
        try:
            yield
        except LeftOutError as why:
            name = format_printable(" ".join(name.split()), 60)
            which = f"question {self.number}" + (f" ({name})" if name else "")
            self.left.append(f"{which} was left out: {why}")
        else:
            for what in dict.fromkeys(self._now):
                self.change_of(self.number, what)

    def say(self, line: str) -> None:
        self._said.append(line)

    def change(self, what: str, when: bool = True) -> None:
        """Note a change of the question that is read now."""
        if when:
            self._now.append(what)

    def change_of(self, number: int, what: str) -> None:
        self._changed.setdefault(what, []).append(number)

    def html(self, text: str) -> str:
        """HTML as a text of the bank."""
        try:
            text, changed = plain(text)
        except ValueError as error:
            raise LeftOutError(error) from None
        self._now += sorted(changed)
        return text

    def text(self, text: str) -> str:
        """A text that is no HTML, as one of the bank."""
        text, changed = one_line(text)
        self._now += sorted(changed)
        return text

    def lines(self) -> list[str]:
        changed = [f"{self._which(n)}: {what}" for what, n in self._changed.items()]
        return [*self.left, *self._said, *changed]

    def _which(self, numbers: list[int]) -> str:
        if len(numbers) == self.number - len(self.left) > MANY:
            return "all questions"
        some = ", ".join(map(str, numbers[:MANY]))
        more = f" and {len(numbers) - MANY} more" if len(numbers) > MANY else ""
        return f"question{'s' * (len(numbers) > 1)} {some}{more}"


@dataclass
class Option:
    text: str
    correct: bool
    why: str


@dataclass
class Question:
    """A question in a file; `fit` makes one of the bank of it.

    Attributes:
        general: feedback on the question, whatever was answered.
    """

    number: int
    ident: str
    name: str
    stem: str
    options: list[Option]
    general: str
    points: Decimal
    topic: str = ""
    see: str = ""

    def fit(self, report: Report) -> Question:
        """Give it all that a bank asks for.

        Raises:
            LeftOutError: it cannot be one of a bank.
        """
        if not any(option.correct for option in self.options):
            raise LeftOutError("no option is correct")
        for option in self.options:
            option.why = option.why if len(option.why) >= SHORTEST else ""
            if len(option.text) == 1:
                option.text = f"`{option.text}`"
                report.change(SHORT)
        _check_text("the stem", self.stem)
        for letter, option in zip(ascii_lowercase, self.options, strict=False):
            _check_text(f"option {letter}", option.text)
            _check_text(f"the reason of option {letter}", option.why or NO_REASON)
        if len({option.text for option in self.options}) < len(self.options):
            raise LeftOutError("two of its options are the same plain text")
        self._find_topic(report)
        for option in self.options:
            option.why = option.why or NO_REASON
        return self

    def _find_topic(self, report: Report) -> None:
        if again := _READ_AGAIN.fullmatch(self.general):
            self.topic, self.see = again["topic"], again["see"]
            return
        self.topic = format_printable(" ".join(self.name.split()), 60)
        if len(self.topic) < 3:
            self.topic = f"Question {self.number}"
        else:
            report.change(NAMES)
        # What is said on the question explains its correct options, where nothing else does.
        bare = [option for option in self.options if option.correct and not option.why]
        fits = SHORTEST <= len(self.general) <= LONGEST
        for option in bare if fits else []:
            option.why = self.general
        report.change(WHOLE, bool(self.general) and not (bare and fits))


@dataclass
class Group:
    """Questions that become a section.

    Attributes:
        path: its title; before it those of what it is in.
        ident: its id in the file, if there is one.
    """

    path: tuple[str, ...]
    ident: str = ""
    questions: list[Question] = field(default_factory=list)

    @property
    def title(self) -> str:
        return self.path[-1] if self.path else ""


def check_number_of_options(n: int) -> None:
    if not 2 <= n <= len(ascii_lowercase):
        raise LeftOutError(f"it has {n} options; 2 to {len(ascii_lowercase)} are possible")


def number(text: str | None) -> Decimal:
    """Points, or a share of them; 0 for no text."""
    try:
        found = Decimal((text or "").strip()[:30] or 0)
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite() or abs(found.adjusted()) > 30:
        raise LeftOutError(f"{format_printable(text, 30)!r} is no number of points")
    return found


def worth(text: str | None) -> Decimal:
    """The points of a question; 1 where the file does not say."""
    points = number(text)
    return points.normalize() if points > 0 else Decimal(1)


def _check_text(which: str, text: str) -> None:
    if len(text) < SHORTEST:
        raise LeftOutError(f"{which} has no text")
    if len(text) > LONGEST:
        raise LeftOutError(f"{which} has {len(text)} characters; at most {LONGEST} are possible")
