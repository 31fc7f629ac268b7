"""What an author writes: quiz.yaml and a file a section, with the key and its reasons.

`docs/questions.md` describes every field. What is wrong with a file is said in an author's words, a
line each, with file, question, option and field.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from cl_helpers.answers.sheet import Option as PublicOption
from cl_helpers.answers.sheet import Variant

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
_NOTEBOOK = re.compile(r"\d\d[a-z]?_\w+")
LETTERS = string.ascii_lowercase
M = TypeVar("M", bound=BaseModel)
Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
# nbgrader's name of an assignment is a folder's, and part of a submission's name.
Assignment = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,60}$")]


class BankError(ValueError):
    """The bank is wrong; a line for each thing, with file, question, option and field."""


def _whole_code(text: str) -> str:
    if text.count("`") % 2:
        raise ValueError("a backtick has no partner")
    return text


def _points(value: object) -> Decimal:
    try:
        points = Decimal(str(value))
    except InvalidOperation:
        points = Decimal(0)
    if isinstance(value, bool) or not (points.is_finite() and 0 < points <= 1000):
        raise ValueError(f"{value!r} is no number of points: write 0.4 or 1")
    if points != round(points, 4):
        raise ValueError(f"{value!r} is finer than nbgrader keeps: at most four decimals")
    return points


Text = Annotated[str, Field(min_length=2, max_length=600), AfterValidator(_whole_code)]
Line = Annotated[str, Field(max_length=200)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, str_strip_whitespace=True)


class Settings(Part):
    """quiz.yaml: what is true of the quiz as a whole.

    Attributes:
        name: which quiz this is; answers to another are refused.
        assignment: what nbgrader calls it.
        points: of each question.
        rule: all correct options and no other, or nothing.
        sections: section -> how many questions it has, in the order of the quiz.
        introduction: said at the top of the notebook.
        due_note: said beside the deadline.
        language: of the questions, as HTML names it: "en", "de-CH".
    """

    name: Id
    assignment: Assignment = "quiz"
    title: Annotated[str, Field(min_length=2, max_length=120)]
    points: Annotated[Decimal, BeforeValidator(_points)]
    rule: Literal["all-or-nothing"] = "all-or-nothing"
    sections: Annotated[dict[Id, Annotated[int, Field(ge=1)]], Field(min_length=1)]
    introduction: Annotated[str, Field(max_length=2000)] = ""
    due_note: Line = ""
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"


class Option(Part):
    """An option of a question, with whether it is correct and why.

    Attributes:
        id: "a", "b", …; what is stored and graded, never the position. In a generated question the
            number of the variant comes after it.
        why: a sentence or two on why it is correct, or is not; shown after the deadline.
    """

    id: Annotated[str, Field(pattern=r"^[a-z][0-9]*$")]
    text: Text
    correct: bool
    why: Text


class Exactly(Part):
    """How many correct options, and how many others, each student sees of a pool."""

    right: Annotated[int, Field(ge=1)]
    wrong: Annotated[int, Field(ge=1)]


class Question(Part):
    """A question of the bank.

    Attributes:
        id: its section and a number, such as "ewc-1".
        topic: two to five words.
        see: where to read about it: a notebook, such as "04_ewc", an address, or in words.
        fact: the name of the test that computes the key, where it can be computed.
        show: how many of its options each student sees, if not all: they are a pool.
        generate: the function of generated.py that makes it, instead of stem and options.
        variants: how many of it there are, if it is generated or drawn from a pool.
    """

    id: Id
    topic: Annotated[str, Field(min_length=3, max_length=60)]
    see: Line = ""
    fact: Id | None = None
    stem: Text = ""
    options: Annotated[tuple[Option, ...], Field(max_length=26, strict=False)] = ()
    show: Annotated[int, Field(ge=2)] | Exactly | None = None
    generate: Annotated[str, Field(pattern=r"^[a-z_]\w*$")] | None = None
    variants: Annotated[int, Field(ge=2, le=100)] = 12

    @field_validator("see")
    @classmethod
    def _exists(cls, see: str) -> str:
        if _NOTEBOOK.fullmatch(see) and not (NOTEBOOKS / f"{see}.ipynb").exists():
            raise ValueError(f"there is no notebook {see!r}")
        return see

    @model_validator(mode="after")
    def _is_whole(self) -> Question:
        if self.generate:
            if self.stem or self.options or self.show:
                raise ValueError("it is generated: take stem, options and show away, or generate")
            return self
        if not self.stem:
            raise ValueError("its stem is missing: what is asked, or `generate:` and a function")
        if len(self.options) < 2:
            raise ValueError(f"it has {len(self.options)} options and needs at least 2")
        ids = [option.id for option in self.options]
        plain = all(id_.isalpha() for id_ in ids)
        if plain and ids != list(LETTERS[: len(ids)]):
            raise ValueError(f"its options are {', '.join(ids)}: name them a, b, c, … in order")
        seen: dict[str, str] = {}
        for option in self.options:
            if option.text in seen:
                raise ValueError(
                    f"two of its options say the same: {seen[option.text]}, {option.id}"
                )
            seen[option.text] = option.id
        if not self.key:
            raise ValueError("no option is correct: write `correct: true` in one of them")
        if self.show and self._shown >= len(ids):
            raise ValueError(
                f"it shows {self._shown} of {len(ids)} options: show fewer, or take `show` away"
            )
        return self

    @property
    def _shown(self) -> int:
        """How many options each student sees."""
        if isinstance(self.show, Exactly):
            return self.show.right + self.show.wrong
        return self.show or len(self.options)

    @property
    def is_notebook(self) -> bool:
        """Whether `see` is one of the course's notebooks."""
        return bool(_NOTEBOOK.fullmatch(self.see))

    @property
    def key(self) -> frozenset[str]:
        return frozenset(option.id for option in self.options if option.correct)

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(option.id for option in self.options)

    def drawn(self, draw: int) -> tuple[Question, ...]:
        """The variants that are drawn from its pool; by ids alone, whatever the key is.

        With `show: 5` they are `variants` draws of five. Where exact numbers are asked for, no two
        draws share an option: from what overlapping draws of two correct options have in common,
        anybody could compute which they are.
        """
        k, n = self._shown, len(self.options)
        if isinstance(self.show, Exactly):
            order = self._shuffled(draw, "")
            draws = [order[i : i + k] for i in range(0, n - k + 1, k)]
        else:
            draws = [self._shuffled(draw, str(i))[:k] for i in range(self.variants)]
        return tuple(
            self.model_copy(
                update={"options": tuple(o for o in self.options if o.id in draw), "show": None}
            )
            for draw in map(frozenset, draws)
        )

    def _shuffled(self, draw: int, turn: str) -> list[str]:
        def place(option: str) -> bytes:
            return sha256(f"{self.id}\n{draw}\n{turn}\n{option}".encode()).digest()

        return sorted(self.ids, key=place)

    def wrong_draw(self, draw: int) -> str:
        """What is wrong with what is drawn from its pool; "" if nothing is."""
        drawn = self.drawn(draw)
        for i, n in enumerate((len(each.key) for each in drawn), 1):
            if isinstance(self.show, Exactly) and n != self.show.right:
                return f"draw {i} has {n} correct options, not {self.show.right}"
            if n == self._shown:
                return f"draw {i} has no wrong option"
            if not n:
                return f"draw {i} has no correct option"
        never = self.ids - frozenset().union(*(each.ids for each in drawn))
        return f"nobody would see {', '.join(sorted(never))}" if never else ""

    def public(self) -> Variant:
        """What students may see of it, if it is a variant."""
        return Variant(self.stem, tuple(PublicOption(o.id, o.text) for o in self.options))


class Section(Part):
    section: Id
    title: Text
    questions: Annotated[tuple[Question, ...], Field(strict=False)]  # YAML has lists


def read(file: Path, model: type[M]) -> M:
    """A file of the bank.

    Raises:
        BankError: it is not what it should be; a line for each thing.
    """
    try:
        raw = yaml.load(file.read_text("utf-8-sig"), Loader=_Loader)
    except UnicodeDecodeError:
        raise BankError(f"{file.name}: is not UTF-8 text: save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        raise BankError(f"{file.name}{_at(error)}: {_in_yaml(error)}") from None
    except yaml.YAMLError as error:
        raise BankError(f"{file.name}: is no YAML: {' '.join(str(error).split())}") from None
    if raw is None:
        raise BankError(f"{file.name}: is empty: write its fields, or take it away")
    return validated(model, raw, file.name)


def validated(model: type[M], raw: Any, name: str) -> M:
    """A part of the bank from what was read.

    Raises:
        BankError: it is not what it should be; a line for each thing.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        lines = [f"{', '.join([name, *_place(raw, e['loc'])])}: {_said(e)}" for e in error.errors()]
        raise BankError("\n".join(dict.fromkeys(lines))) from None


def _place(raw: Any, loc: tuple[int | str, ...]) -> Iterator[str]:
    """Where it is, by the ids that the author gave: `question ewc-2`, `option c`, `why`."""
    kind = ""
    for step in loc:
        try:
            raw = raw[step]
        except (KeyError, IndexError, TypeError):
            raw = None
        if isinstance(step, int):
            known = raw.get("id") if isinstance(raw, dict) else None
            yield f"{kind} {known if isinstance(known, str) and known else step + 1}"
        elif step in ("questions", "options"):
            kind = str(step)[:-1]
            if step == loc[-1]:
                yield str(step)
        elif step not in ("Exactly", "constrained-int", "int"):
            yield str(step)


_FIELDS = sorted(
    {name for m in (Settings, Section, Question, Option, Exactly) for name in m.model_fields}
)
_FORMS = {
    "^[a-z][a-": "small letters, digits and hyphens, a letter first, at most 31",
    "^[A-Za-z]": "letters and digits, a letter first, no spaces",
    "^[a-z][0-": "options are named a, b, c, … in order",
    "^[a-z_]\\w": "the name of a function in generated.py",
}
_SAID: dict[str, Callable[[Any], str]] = {
    "missing": lambda e: "is missing",
    "extra_forbidden": lambda e: "is no field here" + _near(str(e["loc"][-1])),
    "string_type": lambda e: f"{e['input']!r} is no text: put it in quotes",
    "string_too_short": lambda e: (
        f"has {len(e['input'].strip())} characters and needs at least {e['ctx']['min_length']}"
    ),
    "string_too_long": lambda e: (
        f"has {len(e['input'].strip())} characters, and {e['ctx']['max_length']} are the most"
    ),
    "string_pattern_mismatch": lambda e: (
        f"{e['input']!r} will not do: {_FORMS[e['ctx']['pattern'][:9]]}"
    ),
    "bool_type": lambda e: (
        f"{e['input']!r} is neither true nor false: write one of them, no quotes"
    ),
    "int_type": lambda e: f"{e['input']!r} is no whole number",
    "int_from_float": lambda e: f"{e['input']!r} is no whole number",
    "greater_than_equal": lambda e: f"{e['input']!r} is too small: at least {e['ctx']['ge']}",
    "less_than_equal": lambda e: f"{e['input']!r} is too large: at most {e['ctx']['le']}",
    "too_short": lambda e: "is empty: there should be at least one",
    "too_long": lambda e: (
        f"are {e['ctx']['actual_length']}, and {e['ctx']['max_length']} are the most"
    ),
    "tuple_type": lambda e: "should be a list: begin each of its items with a hyphen",
    "dict_type": lambda e: "should be fields and values: `ewc: 3`, a line each",
    "model_type": lambda e: "should have fields: `name: value`, a line each",
    "literal_error": lambda e: f"{e['input']!r} is not among {e['ctx']['expected']}",
}


def _said(error: Any) -> str:
    """An error of pydantic's, to somebody who writes questions."""
    say = _SAID.get(error["type"])
    return say(error) if say else error["msg"].removeprefix("Value error, ")


def _near(name: str) -> str:
    near = get_close_matches(name, _FIELDS, n=1)
    return f": did you mean `{near[0]}`?" if near else ""


class _Loader(yaml.SafeLoader):
    """YAML in which nothing is lost without a word: a field that comes twice, a text after a #."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                second = ", or begin a second item with a hyphen" if key.value == "id" else ""
                twice = f"{key.value!r} is there twice: take one away{second}"
                raise _Plain(twice, key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
            plain = isinstance(value, yaml.ScalarNode) and not value.style
            if plain and key.value in _TEXTS and _rest(value.end_mark).startswith("#"):
                raise _Plain(_COMMENT, value.end_mark)
        return super().construct_mapping(node, deep)


_COMMENT = (
    "what comes after # is a comment, and nobody sees it: put the text in quotes, or the comment "
    "in a line of its own"
)


class _Plain(yaml.MarkedYAMLError):
    """What we say ourselves about YAML that is as YAML should be."""

    def __init__(self, problem: str, mark: yaml.Mark):
        super().__init__(problem=problem, problem_mark=mark)


_TEXTS = ("text", "why", "stem", "topic", "title", "see", "due_note", "introduction")


def _rest(mark: yaml.Mark) -> str:
    """What is left of a line."""
    return (mark.buffer or "")[mark.pointer :].partition("\n")[0].strip("\0").strip()


def _at(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    return f", line {mark.line + 1}" if mark else ""


def _in_yaml(error: yaml.MarkedYAMLError) -> str:
    """What usually is the reason."""
    problem, mark = error.problem or "cannot be read", error.problem_mark
    if isinstance(error, _Plain):
        return problem
    if "mapping values are not allowed" in problem:
        line = (mark.buffer or "")[: mark.pointer].rpartition("\n")[2] if mark else ""
        if ": " not in line:  # its first colon already is one too many
            return "begins further in than the line above: all fields of an item begin alike"
        return "a text with a colon in it must be in quotes, or in the lines below `>-`"
    if "\\t" in problem:
        return "is no YAML: it is indented with a tab: use spaces"
    if problem.startswith("found character '`'"):
        return "a text that begins with a backtick must be in quotes, or in the lines below `>-`"
    return f"is no YAML: {problem}: are all lines of an item equally far in, and quotes closed?"
