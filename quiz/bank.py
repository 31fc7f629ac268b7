"""The question bank: one YAML file a section, key and explanations included.

A question is worth its points when *all* correct options and no other are chosen. `load` checks the
shape of every file; `Bank.check` what makes a quiz fair: the proportions of the homework, and a key
that cannot be guessed from the form of the options.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set
from decimal import Decimal
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from cl_helpers.answers.sheet import Option as PublicOption
from cl_helpers.answers.sheet import Question as PublicQuestion
from cl_helpers.answers.sheet import Questions

from .rulings import Rulings

HERE = Path(__file__).parent
FOLDER = HERE / "bank"
HOME = HERE / "course"  # the course that commands work in where none is named
NOTEBOOKS = HERE.parent / "notebooks"

ASSIGNMENT = "quiz"  # its name for nbgrader
NAME, TITLE = "continual-learning", "Continual learning: the quiz"
POINTS = Decimal("0.4")
# Section -> how many questions, in the order of the quiz; the homework's proportions.
PROPORTIONS = {"basics": 4, "ewc": 3, "mas": 3, "si": 3, "rwalk": 3, "scp": 3, "others": 6}
NO_RULINGS = Rulings()
SEVERAL, EVERY = 10, 2  # at least so many questions with two or more correct options; with all

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]


def _whole_code(text: str) -> str:
    if text.count("`") % 2:
        raise ValueError("a backtick has no partner")
    return text


Text = Annotated[str, Field(min_length=2, max_length=600), AfterValidator(_whole_code)]


class BankError(ValueError):
    """The bank is wrong; a line for each thing, with file, question and field."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, str_strip_whitespace=True)


class Option(Part):
    """An option of a question, with whether it is correct and why.

    Attributes:
        id: "a", "b", …; what is stored and graded, never the position.
        why: a sentence or two on why it is correct, or is not; shown after the deadline.
    """

    id: Annotated[str, Field(pattern=r"^[a-f]$")]
    text: Text
    correct: bool
    why: Annotated[Text, Field(min_length=20)]


class Question(Part):
    """A question of the bank, with its options.

    Attributes:
        id: its section and a number, such as "ewc-1".
        topic: two to five words.
        see: the notebook that builds up what it asks, such as "04_ewc", or the paper's address.
        fact: the name of the test that computes the key, where it can be computed.
    """

    id: Id
    stem: Text
    topic: Annotated[str, Field(min_length=3, max_length=60)]
    see: str
    fact: Id | None = None
    options: Annotated[tuple[Option, ...], Field(min_length=4, max_length=6, strict=False)]

    @field_validator("see")
    @classmethod
    def _exists(cls, see: str) -> str:
        if not see.startswith("https://") and not (NOTEBOOKS / f"{see}.ipynb").exists():
            raise ValueError(f"there is no notebook {see!r}")
        return see

    @model_validator(mode="after")
    def _has_a_key(self) -> Question:
        ids = [option.id for option in self.options]
        if ids != list("abcdef"[: len(ids)]):
            raise ValueError(f"its options are {', '.join(ids)}: name them a, b, c, … in order")
        if len({option.text for option in self.options}) < len(ids):
            raise ValueError("two of its options say the same")
        if not self.key:
            raise ValueError("no option is correct")
        return self

    @cached_property
    def key(self) -> frozenset[str]:
        return frozenset(option.id for option in self.options if option.correct)

    def public(self, section: str) -> PublicQuestion:
        """What students may see of it."""
        options = tuple(PublicOption(option.id, option.text) for option in self.options)
        return PublicQuestion(self.id, section, self.stem, options, self.topic, self.see)


class Section(Part):
    section: Id
    title: Text
    questions: Annotated[tuple[Question, ...], Field(strict=False)]  # YAML has lists


class Bank:
    """All sections, in the order of the quiz.

    Attributes:
        sections: as in the files.
        questions: question id -> question.
        key: question id -> the ids of its correct options.
        rulings: what counts besides.
    """

    def __init__(self, sections: list[Section], rulings: Rulings = NO_RULINGS):
        self.rulings = rulings
        order = list(PROPORTIONS)
        self.sections = sorted(
            sections, key=lambda s: order.index(s.section) if s.section in order else len(order)
        )
        every = [q for section in self.sections for q in section.questions]
        self.questions = {q.id: q for q in every}
        self.key = {q.id: q.key for q in every}
        self._ids = [q.id for q in every]

    @property
    def most(self) -> Decimal:
        """Points for a perfect paper."""
        return self._counts(Decimal(0))[1]

    def earned(self, question: str, chosen: Set[str]) -> Decimal:
        """The points of one answer: for exactly the key, or what was ruled."""
        right = self.rulings.right(question, chosen, self.key[question])
        return POINTS if right else Decimal(0)

    def score(self, points: Iterable[Decimal]) -> Decimal:
        """What counts of the points of all questions."""
        return self._counts(sum(points, Decimal(0)))[0]

    def _counts(self, score: Decimal) -> tuple[Decimal, Decimal]:
        return self.rulings.counts(score, POINTS * len(self.questions), POINTS)

    def public(self, due: str = "", home: str = "") -> Questions:
        """What students may see; `due` and `home` as in `Questions`."""
        return Questions(
            name=NAME,
            title=TITLE,
            points=str(POINTS),
            due=due,
            home=home,
            sections={s.section: s.title for s in self.sections},
            questions=tuple(q.public(s.section) for s in self.sections for q in s.questions),
        )

    def check(self) -> list[str]:
        """What is unfair about the quiz, a line each; nothing if it is in order."""
        return [*self._proportions(), *self._form_gives_it_away()]

    def _proportions(self) -> list[str]:
        wrong = []
        found = Counter({s.section: len(s.questions) for s in self.sections})
        for section in {**PROPORTIONS, **found}:
            n, right = found[section], PROPORTIONS.get(section, 0)
            if n != right:
                wrong.append(f"section {section} has {n} questions, not {right}")
        for twice in (q for q, n in Counter(self._ids).items() if n > 1):
            wrong.append(f"{twice}: the id is used twice")
        for each in self.sections:
            for q in each.questions:
                if not q.id.startswith(f"{each.section}-"):
                    wrong.append(f"{q.id}: its id should begin with {each.section}-")
        several = sum(len(q.key) > 1 for q in self.questions.values())
        every = sum(len(q.key) == len(q.options) for q in self.questions.values())
        if several < SEVERAL:
            wrong.append(f"{several} questions have several correct options, not {SEVERAL} or more")
        if every < EVERY:
            wrong.append(f"{every} questions have only correct options, not {EVERY} or more")
        return wrong

    def _form_gives_it_away(self) -> list[str]:
        """A rule that looks at no word's meaning must not do better than chance would."""
        wrong = []
        mixed = [q for q in self.questions.values() if len(q.key) < len(q.options)]
        options = [o for q in self.questions.values() for o in q.options]
        share = sum(o.correct for o in options) / max(len(options), 1)
        for letter in sorted({o.id for o in options}):
            mine = [o.correct for o in options if o.id == letter]
            if _unlikely(sum(mine), len(mine), share):
                wrong.append(
                    f"{sum(mine)} of {len(mine)} options {letter!r} are correct, where "
                    f"{share:.0%} of all are: move some"
                )
        rules = {
            "longest": lambda q: max(q.options, key=lambda o: len(o.text)),
            "shortest": lambda q: min(q.options, key=lambda o: len(o.text)),
        }
        chance = sum(len(q.key) / len(q.options) for q in mixed) / max(len(mixed), 1)
        for rule, pick in rules.items():
            hits = sum(pick(q).correct for q in mixed)
            if _unlikely(hits, len(mixed), chance):
                wrong.append(
                    f"the {rule} option is correct in {hits} of {len(mixed)} questions, where "
                    f"chance would give {chance * len(mixed):.0f}: reword some"
                )
        counts = Counter(len(q.options) for q in self.questions.values())
        for n, times in counts.items():
            if times == len(self.questions) > 1:
                wrong.append(f"every question has {n} options: vary their number")
        sizes = Counter(len(q.key) for q in self.questions.values())
        size, times = max(sizes.items(), key=lambda item: item[1], default=(0, 0))
        if times > 0.6 * len(self.questions):
            wrong.append(f"{times} of {len(self.questions)} questions have {size} correct options")
        return wrong


def bank_of(course: Path) -> Bank:
    """The bank of a course: its own, in its folder's bank/; ours where it has none."""
    own = course / "bank"
    found = load(own if own.exists() else FOLDER)
    rulings = Rulings.read(course)
    for question in {*rulings.accepted, *rulings.full, *rulings.void} - found.key.keys():
        raise BankError(f"rulings.json rules on {question}, which the bank has not: take it out")
    return Bank(found.sections, rulings)


def load(folder: Path = FOLDER) -> Bank:
    """The bank in a folder.

    Raises:
        BankError: a file is not what it should be.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise BankError(f"{folder} has no *.yaml: put the question bank there")
    return _read(tuple((file, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=1)
def _read(files: tuple[tuple[Path, int], ...]) -> Bank:
    """The bank in these files, read again when one of them has changed."""
    sections, wrong = [], []
    for file, _ in files:
        try:
            sections.append(Section.model_validate(yaml.safe_load(file.read_text("utf-8"))))
        except ValidationError as error:
            wrong += [_line(file, e) for e in error.errors()]
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            wrong.append(f"{file.name}: is no YAML: {' '.join(str(error).split())}")
    if wrong:
        raise BankError("\n".join(wrong))
    return Bank(sections)


def _line(file: Path, error: Any) -> str:
    """Where and what, in a line: `ewc.yaml, question 2, option 3, why: …`."""
    names = {"questions": "question", "options": "option"}
    place: list[str] = []
    for step in error["loc"]:
        if isinstance(step, int) and place:
            place[-1] = f"{names.get(place[-1], place[-1])} {step + 1}"
        else:
            place.append(str(step))
    message = error["msg"].removeprefix("Value error, ")
    return f"{', '.join([file.name, *place])}: {message}"


def _unlikely(hits: int, of: int, chance: float, level: float = 0.01) -> bool:
    """Whether chance alone gives so many hits, or so few, less than once in a hundred times."""
    from scipy.special import bdtr, bdtrc  # the binomial distribution: up to, and above

    return bool(of) and min(bdtr(hits, of, chance), bdtrc(hits - 1, of, chance)) < level / 2
