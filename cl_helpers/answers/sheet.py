"""What a quiz asks, and what a student answered: two JSON files, with no key in either.

`questions.json` comes with the assignment. `answers.json` is the student's: it is read again before
every change and replaced as a whole, so that two tabs, two kernels or a `kill -9` lose nothing.
Both the quiz widget and the grader read it here, and neither ever runs anything that is in it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..files import replacing
from ..formats import format_printable, format_untrusted

SCHEMA = 1
FILE = "answers.json"
LARGEST = 64 * 1024  # bytes; answers to 25 questions take two thousand
MANY = 9  # problems of one file; more are counted

Choices = dict[str, frozenset[str]]  # question id -> option ids; only what is answered


class AnswersError(ValueError):
    """A file cannot be read as answers to this quiz; the message says why, in one line."""


@dataclass(frozen=True)
class Option:
    """An option of a question, without its correctness."""

    id: str
    text: str


@dataclass(frozen=True)
class Variant:
    """One of several forms of a question, of which each student has one."""

    stem: str
    options: tuple[Option, ...]

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Variant:
        return cls(raw["stem"], tuple(Option(**o) for o in raw["options"]))


@dataclass(frozen=True)
class Question:
    """A question as students see it.

    Attributes:
        id: unique in the quiz, such as "ewc-1".
        see: where in the course to read about it.
        variants: of which each student has one; then there are no stem and options before the draw.
    """

    id: str
    section: str
    stem: str
    options: tuple[Option, ...]
    topic: str
    see: str
    variants: tuple[Variant, ...] = ()


@dataclass(frozen=True)
class Questions:
    """A quiz as its students see it.

    Attributes:
        name: which quiz this is; answers to another are refused.
        points: of each question, as text: "0.4" is exact.
        due: when answers must be in, for display; empty if nobody said.
        sections: id -> title.
        home: where this file was fetched from: a later release is found there.
        note: said beside the deadline.
        language: of the questions, as HTML names it.
        number: of the release: with a student's name it decides whose variants are which.
        student: whose paper it is; empty before the draw.
    """

    name: str
    title: str
    points: str
    due: str
    sections: Mapping[str, str]
    questions: tuple[Question, ...]
    home: str = ""
    note: str = ""
    language: str = "en"
    number: int = 0
    student: str = ""

    @property
    def varies(self) -> bool:
        """Whether students have different papers."""
        return any(q.variants for q in self.questions)

    def drawn_for(self, student: str) -> Questions:
        """The paper of one student: of every question the variant that follows from the name."""

        def drawn(question: Question) -> Question:
            variants = question.variants
            if not variants:
                return question
            mine = variants[which_variant(self.number, student, question.id, len(variants))]
            return replace(question, stem=mine.stem, options=mine.options, variants=())

        questions = tuple(drawn(q) for q in self.questions)
        return replace(self, questions=questions, student=student if self.varies else "")

    @property
    def due_now(self) -> str:
        """When answers must be in, by what is released now, where that can be read."""
        try:
            due = _object(plain_bytes(Path(self.home), 2**20))["due"] if self.home else self.due
            return format_printable(due, 60) if isinstance(due, str) else self.due
        except (OSError, AnswersError, KeyError, ValueError, TypeError):
            return self.due

    @classmethod
    def read(cls, path: str | os.PathLike) -> Questions:
        """From `questions.json`.

        Raises:
            ValueError: it is missing or damaged.
        """
        try:
            raw = json.loads(Path(path).read_text("utf-8"))
            questions = tuple(
                Question(
                    **q
                    | {"options": tuple(Option(**o) for o in q["options"])}
                    | {"variants": tuple(map(Variant.of, q.get("variants", ())))}
                )
                for q in raw.pop("questions")
            )
            if raw.pop("schema") != SCHEMA:
                raise ValueError("another schema")
            return cls(questions=questions, **raw)
        except FileNotFoundError:
            raise ValueError(f"{path} is not there: fetch the assignment again") from None
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            raise ValueError(f"{path} is damaged: fetch the assignment again") from None

    def to_json(self) -> str:
        raw = {"schema": SCHEMA} | asdict(self)
        del raw["student"]  # it is everybody's
        return json.dumps(raw, indent=1, ensure_ascii=False) + "\n"

    @cached_property
    def version(self) -> str:
        """A digest of the ids: a corrected word changes nothing, another option does.

        Of a student's paper it is the ids of what was drawn: answers to another paper do not fit.
        """
        ids: list[Any] = [self.name, [[q.id, *_ids(q)] for q in self.questions]]
        if self.varies:
            ids.append(self.number)
        return hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:12]

    @cached_property
    def options(self) -> dict[str, tuple[str, ...]]:
        """Question id -> the ids of its options."""
        return {q.id: tuple(o.id for o in q.options) for q in self.questions}

    def options_of(self, question: str) -> tuple[str, ...]:
        """Raises ValueError if there is no such question."""
        if question not in self.options:
            raise ValueError(f"there is no question {question!r}: choose {', '.join(self.options)}")
        return self.options[question]


def _ids(question: Question) -> list[list[str]]:
    """The ids of the options, of each variant."""
    forms = question.variants or (Variant(question.stem, question.options),)
    return [sorted(o.id for o in form.options) for form in forms]


def which_variant(number: int, student: str, question: str, n: int) -> int:
    """The draw: which of the `n` variants of a question a student has."""
    digest = hashlib.sha256(f"{number}\n{student}\n{question}".encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8]) % n


def receipt(questions: Questions, choices: Choices) -> str:
    """A short code of the answers: the same answers, the same code. It says nothing of the key."""
    content = [questions.version, sorted([q, sorted(chosen)] for q, chosen in choices.items())]
    digest = hashlib.sha256(json.dumps(content).encode()).digest()
    code = base64.b32encode(digest).decode()
    return f"{code[:4]}-{code[4:8]}"


@dataclass(frozen=True)
class Reading:
    """What a file of answers holds.

    Attributes:
        choices: what could be read; a question with a broken answer is not among them.
        problems: what could not, a line each.
        student: who began the file, as far as it says.
        sheet: made at random when it was begun: two students with the same one share a file.
        counts: whether the paper is worth anything, whatever it says.
    """

    choices: Choices = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    student: str = ""
    sheet: str = ""
    counts: bool = True


def read_answers(
    path: str | os.PathLike, questions: Questions, *, other_version: bool = False
) -> Reading:
    """The answers in a file that anybody may have written. It is data, and is treated as such.

    Args:
        other_version: take what still fits from answers to another version of the quiz.

    Raises:
        AnswersError: nothing in it can be used.
        FileNotFoundError: there is no such file.
    """
    raw = _object(plain_bytes(Path(path)))
    _check_quiz(raw, questions, other_version)
    answers = raw.get("answers")
    if not isinstance(answers, dict):
        raise AnswersError("it has no answers by question")
    choices, problems = {}, []
    for question, chosen in answers.items():
        if question not in questions.options:
            problems.append(f"there is no question {format_untrusted(question)}")
        elif not (isinstance(chosen, list) and all(isinstance(o, str) for o in chosen)):
            problems.append(f"{question}: {format_untrusted(chosen)} is no list of options")
        elif unknown := [o for o in chosen if o not in questions.options[question]]:
            problems.append(f"{question}: there is no option {format_untrusted(unknown[0])}")
        elif chosen:
            choices[question] = frozenset(chosen)
    if len(problems) > MANY:
        problems[MANY:] = [f"and {len(problems) - MANY} more of this kind"]
    student, sheet = (format_printable(raw.get(key)) for key in ("student", "sheet"))
    return Reading(choices, tuple(problems), student, sheet)


def _check_quiz(raw: dict[str, Any], questions: Questions, other_version: bool) -> None:
    """Raise unless these are answers to this quiz."""
    if raw.get("schema") != SCHEMA:
        raise AnswersError(f"its schema is {format_untrusted(raw.get('schema'))}, not {SCHEMA}")
    if raw.get("quiz") != questions.name:
        raise AnswersError(
            f"it answers the quiz {format_untrusted(raw.get('quiz'))}, not {questions.name!r}"
        )
    if other_version or raw.get("version") == questions.version:
        return
    if questions.student and raw.get("student") != questions.student:
        raise AnswersError(
            f"it answers the paper of {format_untrusted(raw.get('student'))}, not that of "
            f"{questions.student!r}"
        )
    version = format_untrusted(raw.get("version"))
    raise AnswersError(f"it answers version {version} of the quiz, not {questions.version!r}")


class AnswerSheet:
    """A student's answers on disk: every change is there before `choose` returns.

    Args:
        path: of `answers.json`; begun anew where there is none.
        questions: what is asked, of everybody.
        student: who begins it, if it is new; whoever began it has the paper.
        insist: it is the paper of `student`, whoever began the file.

    Attributes:
        notice: what happened to a file that could not be used as it was; empty if nothing.
        reading: what the file held when it was last read or written.
    """

    def __init__(
        self, path: str | os.PathLike, questions: Questions, student: str, *, insist: bool = False
    ):
        self.path = Path(path)
        self.notice = ""
        self.saved: datetime | None = None
        with self._locked():
            name = student if insist else _began(self.path) or student
            self.questions = questions.drawn_for(name)
            self._new = Reading(student=name, sheet=secrets.token_hex(4))
            for part in self.path.parent.glob(f".{self.path.name}.*.part"):
                part.unlink(missing_ok=True)  # of somebody who was killed while writing
            self.reading = self._read()
            if not os.path.lexists(self.path):
                self._write(self.reading)

    @property
    def choices(self) -> Choices:
        return self.reading.choices

    def choose(self, question: str, options: Iterable[str]) -> None:
        """Make `options` the answer to `question`; none at all takes the answer back.

        Raises:
            ValueError: there is no such question or option.
            OSError: the file cannot be written; what was there before still is.
        """
        known, chosen = self.questions.options_of(question), list(options)
        for option in chosen:
            if option not in known:
                raise ValueError(
                    f"{question} has no option {option!r}: choose among {', '.join(known)}"
                )
        with self._locked():
            reading = self._read()
            choices = {k: v for k, v in reading.choices.items() if k != question}
            if chosen:
                choices[question] = frozenset(chosen)
            self._write(Reading(choices, student=reading.student, sheet=reading.sheet))

    def refresh(self) -> None:
        """Take up what somebody else has written."""
        with self._locked():
            self.reading = self._read()

    def _read(self) -> Reading:
        """What is in the file. One that cannot be used as it is goes on under another name."""
        try:
            reading = read_answers(self.path, self.questions)
            trouble = reading.problems
        except FileNotFoundError:
            return self._new
        except AnswersError as error:
            reading, trouble = self._salvage(), (str(error),)
        if trouble:
            now = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
            aside = self.path.with_name(f"{self.path.stem}.aside-{now}{self.path.suffix}")
            os.replace(self.path, aside)
            n = len(reading.choices)
            self.notice = (
                f"{self.path.name} could not be used as it was: {trouble[0]}. It is kept as "
                f"{aside.name}; " + (f"{n} answers were taken from it." if n else "begun anew.")
            )
            self._write(reading)
        return reading

    def _salvage(self) -> Reading:
        """What fits from another version of the quiz, or from somebody else's paper; or nothing."""
        try:
            reading = read_answers(self.path, self.questions, other_version=True)
        except AnswersError:
            return self._new
        student = self.questions.student or reading.student
        return replace(reading, student=student)

    def _write(self, reading: Reading) -> None:
        now = datetime.now().astimezone()
        answered = [q for q in self.questions.options if q in reading.choices]
        raw = {
            "schema": SCHEMA,
            "quiz": self.questions.name,
            "version": self.questions.version,
            "student": reading.student,
            "sheet": reading.sheet,
            "saved": now.isoformat(timespec="seconds"),
            "answers": {q: sorted(reading.choices[q]) for q in answered},
        }
        with replacing(self.path) as file:
            file.write((json.dumps(raw, indent=1, ensure_ascii=False) + "\n").encode())
        self.reading, self.saved = reading, now

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One reader and writer at a time, whichever kernel it is in."""
        try:
            with FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout=10):
                yield
        except Timeout:
            raise OSError(f"another program has been writing {self.path} for 10 s") from None


def _began(path: Path) -> str:
    """Who began a file of answers, as far as it says."""
    try:
        student = _object(plain_bytes(path)).get("student")
    except (FileNotFoundError, AnswersError):
        return ""
    return format_printable(student) if isinstance(student, str) else ""


def plain_bytes(path: Path, largest: int = LARGEST) -> bytes:
    """The content of a plain file of a sensible size. A pipe is not waited for, no link followed.

    Raises:
        AnswersError: it is something else, larger, or cannot be read.
        FileNotFoundError: there is nothing.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if path.is_symlink():
            raise AnswersError("it is a link, not a file")
        if path.is_dir():
            raise AnswersError("it is a folder, not a file")
        with os.fdopen(os.open(path, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise AnswersError("it is no plain file")
            content = file.read(largest + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise AnswersError(f"it cannot be read ({error.strerror})") from None
    if len(content) > largest:
        raise AnswersError(f"it is larger than {largest // 1024} KB")
    return content


def _object(content: bytes) -> dict[str, Any]:
    """The JSON object in `content`: UTF-8, with or without a byte-order mark, no key twice."""

    def no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
            raise AnswersError(f"it has {format_untrusted(twice)} twice")
        return members

    def no_constant(name: str) -> None:
        raise AnswersError(f"it has {name}, which is no JSON")

    if not content.strip():
        raise AnswersError("it is empty")
    try:
        text = content.decode("utf-8-sig")
        raw = json.loads(text, object_pairs_hook=no_key_twice, parse_constant=no_constant)
    except AnswersError:
        raise
    except UnicodeDecodeError:
        raise AnswersError("it is not UTF-8 text") from None
    except RecursionError:
        raise AnswersError("it is nested too deeply") from None
    except ValueError as error:
        raise AnswersError(f"it is not JSON ({format_printable(str(error), 80)})") from None
    if not isinstance(raw, dict):
        raise AnswersError("it is no JSON object")
    return raw
