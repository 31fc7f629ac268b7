"""The question bank: a folder with quiz.yaml and a file a section, key and reasons included.

A question is worth its points when *all* correct options and no other are chosen. It may have
variants, drawn from a pool of options or made by a function of generated.py: each student has one.
`load` checks the form of every file, `Bank.check` what makes a quiz fair.
"""

from __future__ import annotations

import importlib.util
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import replace
from decimal import Decimal
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path

from cl_helpers.answers.sheet import Question as PublicQuestion
from cl_helpers.answers.sheet import Questions, which_variant

from . import fairness
from .places import FOLDER, SETTINGS, bank_folder
from .questions import LETTERS, BankError, Part, Question, Section, Settings, read, validated
from .released import Released
from .rulings import Rulings

GENERATED = "generated.py"
TRIED, TWICE = 200, 10  # seeds of each generator, by `check`; of them so many twice
NO_RULINGS, NOT_RELEASED = Rulings(), Released()

Generator = Callable[[int], Question]


class Bank:
    """All sections, in the order of the quiz.

    Attributes:
        settings: quiz.yaml.
        sections: as in the files.
        questions: question id -> question.
        variants: question id -> its variants; of most questions the question itself alone.
        key: question id -> the ids of its correct options, in all variants.
        generators: question id -> what makes it from a seed; of those that are generated.
        rulings: what counts besides.
        released: by which each student's variants are drawn.
    """

    def __init__(
        self,
        settings: Settings,
        sections: list[Section],
        generators: dict[str, Generator] | None = None,
        rulings: Rulings = NO_RULINGS,
        released: Released = NOT_RELEASED,
    ):
        self.settings, self.rulings, self.released = settings, rulings, released
        self.generators = generators or {}
        order = list(settings.sections)
        self.sections = sorted(
            sections, key=lambda s: order.index(s.section) if s.section in order else len(order)
        )
        every = [q for section in self.sections for q in section.questions]
        self.questions = {q.id: q for q in every}
        self._ids = [q.id for q in every]

    def ruled(self, rulings: Rulings, released: Released | None = None) -> Bank:
        """The same, with these rulings; and as it was released, if that is given."""
        released = released or self.released
        return Bank(self.settings, self.sections, self.generators, rulings, released)

    @cached_property
    def variants(self) -> dict[str, tuple[Question, ...]]:
        return {q.id: tuple(self._variants(q)) for q in self.questions.values()}

    def _variants(self, question: Question) -> Iterable[Question]:
        if question.show:
            return question.drawn(self.draws[question.id])
        if not question.generate:
            return (question,)
        make, n = self.generators[question.id], question.variants
        return (variant(make(_seed(self.released.secret, question.id, i)), i) for i in range(n))

    @cached_property
    def draws(self) -> dict[str, int]:
        """Question id -> the draw from its pool: what was given out, or the first that is in order.

        If none of a thousand is, the first.
        """

        def first(question: Question) -> int:
            return next((d for d in range(1000) if not question.wrong_draw(d)), 0)

        kept = self.released.draws
        pools = [q for q in self.questions.values() if q.show]
        return {q.id: kept[q.id] if q.id in kept else first(q) for q in pools}

    @cached_property
    def key(self) -> dict[str, frozenset[str]]:
        return {q: frozenset().union(*(v.key for v in each)) for q, each in self.variants.items()}

    @property
    def points(self) -> Decimal:
        """Of each question."""
        return self.settings.points

    @property
    def most(self) -> Decimal:
        """Points for a perfect paper."""
        return self._counts(Decimal(0))[1]

    def asked(self, question: str, student: str) -> Question:
        """The variant of a question that a student has."""
        variants = self.variants[question]
        if len(variants) == 1:
            return variants[0]
        name = self.released.drawn_as.get(student, student)
        return variants[which_variant(self.released.number, name, question, len(variants))]

    def key_of(self, student: str) -> dict[str, frozenset[str]]:
        """Question id -> the correct options of those that a student has."""
        return {question: self.asked(question, student).key for question in self.questions}

    def earned(self, question: str, chosen: Set[str], student: str) -> Decimal:
        """The points of one answer of a student: for exactly the key, or what was ruled."""
        asked = self.asked(question, student)
        right = self.rulings.right(question, chosen, asked.key, asked.ids)
        return self.points if right else Decimal(0)

    def score(self, points: Iterable[Decimal]) -> Decimal:
        """What counts of the points of all questions."""
        return self._counts(sum(points, Decimal(0)))[0]

    def _counts(self, score: Decimal) -> tuple[Decimal, Decimal]:
        return self.rulings.counts(score, self.points * len(self.questions), self.points)

    def public(self, due: str = "", home: str = "") -> Questions:
        """What students may see, all variants; `due` and `home` as in `Questions`."""
        return Questions(
            name=self.settings.name,
            title=self.settings.title,
            points=str(self.points),
            due=due,
            home=home,
            note=self.settings.due_note,
            language=self.settings.language,
            number=self.released.number,
            sections={s.section: s.title for s in self.sections},
            questions=tuple(self._public(q, s.section) for s in self.sections for q in s.questions),
        )

    @cached_property
    def _everybodys(self) -> Questions:
        return self.public()

    def paper_of(self, student: str) -> Questions:
        """What a student sees."""
        return self._everybodys.drawn_for(self.released.drawn_as.get(student, student))

    def _public(self, question: Question, section: str) -> PublicQuestion:
        variants = tuple(each.public() for each in self.variants[question.id])
        (stem, options), several = (variants[0].stem, variants[0].options), variants
        if len(variants) > 1:
            stem, options = "", ()
        else:
            several = ()
        topic, see = question.topic, question.see
        return PublicQuestion(question.id, section, stem, options, topic, see, several)

    def check(self) -> list[str]:
        """What is wrong or unfair about the quiz, a line each; nothing if it is in order."""
        fixed = [q for q in self.questions.values() if q.id not in self.generators]
        return [
            *self._proportions(),
            *self._draws(),
            *fairness.given_away(fixed),
            *(line for q in self.generators for line in self._generated(q)),
        ]

    def hints(self) -> list[str]:
        """What it could do better, a line each."""
        return fairness.hints([each[0] for each in self.variants.values()])

    def _proportions(self) -> Iterator[str]:
        found = Counter({s.section: len(s.questions) for s in self.sections})
        for section in {**self.settings.sections, **found}:
            n, right = found[section], self.settings.sections.get(section)
            if right is None:
                yield f"section {section} is not among those of quiz.yaml: add `{section}: {n}`"
            elif not n:
                yield f"section {section} has 0 questions, not {right}: it is in no file"
            elif n != right:
                yield f"section {section} has {n} questions, not {right}: change it, or quiz.yaml"
        for twice in (q for q, n in Counter(self._ids).items() if n > 1):
            yield f"{twice}: the id is used twice: give one of them another"
        for each in self.sections:
            for q in each.questions:
                if not q.id.startswith(f"{each.section}-"):
                    yield f"{q.id}: its id should begin with {each.section}-"

    def _draws(self) -> Iterator[str]:
        for question, draw in self.draws.items():
            if wrong := self.questions[question].wrong_draw(draw):
                yield f"{question}: {wrong}: change `show`, or add options of that kind"

    def _generated(self, question: str) -> Iterator[str]:
        """The same of hundreds of variants of a question."""
        made = []
        for seed in range(TRIED):
            try:
                made.append(variant(self.generators[question](seed), seed))
                again = seed < TWICE and variant(self.generators[question](seed), seed)
            except BankError as error:
                yield from str(error).splitlines()
                return
            if again and again != made[-1]:
                yield f"{question}: made twice from one seed it differs: draw from the seed alone"
                return
        papers = self.variants[question]
        if len({(v.stem, *(o.text for o in v.options)) for v in papers}) < len(papers):
            yield f"{question}: two of its variants are the same: make more of the seed"
        for line in fairness.given_away(made, margin=0.15)[:1]:
            yield f"{question}, {TRIED} variants of it: {line}; are its options shuffled?"


def variant(question: Question, i: int) -> Question:
    """A generated question as variant `i`: the ids of its options are no other variant's."""
    options = tuple(o.model_copy(update={"id": f"{o.id}{i}"}) for o in question.options)
    return question.model_copy(update={"options": options})


def _seed(secret: str, question: str, i: int) -> int:
    """Of the secret, so that nobody who has generated.py can make the key from it."""
    return int.from_bytes(sha256(f"{secret}\n{question}\n{i}".encode()).digest()[:6])


def bank_of(quiz: Path) -> Bank:
    """The bank of a quiz: its own, in its folder's bank/; ours where it has none."""
    rulings, released = Rulings.read(quiz), Released.read(quiz)
    found = load(bank_folder(quiz)).ruled(rulings, released)
    for question in {*rulings.accepted, *rulings.full, *rulings.void} - found.questions.keys():
        raise BankError(f"rulings.json rules on {question}, which the bank has not: take it out")
    return found


def settled(quiz: Path) -> Bank:
    """The bank of a quiz that is about to be given out: whose paper is which stays as it is now."""
    released = Released.begun(quiz)
    bank = bank_of(quiz)
    if bank.draws != released.draws:
        replace(released, draws=bank.draws).save(quiz)
    return bank


def load(folder: Path = FOLDER) -> Bank:
    """The bank in a folder.

    Raises:
        BankError: a file is not what it should be.
    """
    files = sorted(f for f in folder.glob("*.*") if f.suffix.lower() in (".yaml", ".yml"))
    if not files:
        raise BankError(f"{folder} has no *.yaml: put the question bank there")
    if code := [folder / GENERATED] if (folder / GENERATED).exists() else []:
        files += code
    return _read(tuple((file, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=4)
def _read(files: tuple[tuple[Path, int], ...]) -> Bank:
    """The bank in these files, read again when one of them has changed."""
    parts: list[Part] = []
    wrong: list[str] = []
    folder, written = files[0][0].parent, [file for file, _ in files if file.name != GENERATED]
    for file in written:
        try:
            parts.append(read(file, Settings if file.name in SETTINGS else Section))
        except BankError as error:
            wrong += str(error).splitlines()
    if not any(file.name in SETTINGS for file in written):
        wrong.insert(0, f"{folder} has no quiz.yaml: it says name, title, points and sections")
    settings = [part for part in parts if isinstance(part, Settings)]
    sections = [part for part in parts if isinstance(part, Section)]
    if len(settings) > 1:
        wrong.append(f"{folder} has quiz.yaml and quiz.yml: take one away")
    for twice, n in Counter(s.section for s in sections).items():
        if n > 1:
            wrong.append(f"section {twice} is in {n} files: put its questions into one")
    if wrong:
        raise BankError("\n".join(wrong))
    made = [q for s in sections for q in s.questions if q.generate]
    return Bank(settings[0], sections, _generators(folder / GENERATED, made) if made else {})


def _generators(file: Path, questions: list[Question]) -> dict[str, Generator]:
    """Question id -> what makes it: the instructor's own code, run on the instructor's side."""
    if not file.exists():
        raise BankError(f"{questions[0].id}: it is generated, and {file} is not there: write it")
    spec = importlib.util.spec_from_file_location(f"{file.parent.name}_generated", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BankError(f"{file.name}: {type(error).__name__}: {error}") from None
    for q in questions:
        if not callable(getattr(module, str(q.generate), None)):
            raise BankError(f"{q.id}: {file.name} has no function {q.generate}: write it")
    return {q.id: _generator(q, getattr(module, str(q.generate))) for q in questions}


def _generator(question: Question, function: Callable[[int], dict]) -> Generator:
    fields = {"id": question.id, "topic": question.topic, "see": question.see}

    def make(seed: int) -> Question:
        where = f"{question.id}: {GENERATED}, {question.generate}({seed})"
        try:
            made = function(seed)
            lettered = [{"id": a} | dict(o) for a, o in zip(LETTERS, made["options"], strict=False)]
            raw = dict(made) | {"options": lettered} | fields
        except Exception as error:  # of whatever is wrong with it
            last = traceback.extract_tb(error.__traceback__)[-1]
            line = f", line {last.lineno}" if Path(last.filename).name == GENERATED else ""
            raise BankError(f"{where}{line}: {type(error).__name__}: {error}") from None
        return validated(Question, raw, where)

    return make
