"""Who has what by a ruling on a question: by its words said differently, and by nbgrader."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quizzes import SETTINGS, ToyCourse, in_process, toy_bank, write_bank

from quiz import __main__ as cli
from quiz import bank as banks
from quiz import course as courses
from quiz.bank import Bank
from quiz.grading import Paper
from quiz.rulings import Rulings

QUESTIONS = list(toy_bank().key)
sets = st.frozensets(st.sampled_from("abcdef"))
some = st.frozensets(st.sampled_from(QUESTIONS), max_size=4)
papers = st.dictionaries(st.sampled_from(QUESTIONS), sets, max_size=25)


@given(papers, papers, some, some, st.booleans())
def test_each_ruling_is_what_its_words_say(choices, accepted, full, void, rescaled):
    ruled = Rulings(rescaled=rescaled)
    for question, one in accepted.items():
        ruled = ruled.accepting(question, [one])
    for question in full:
        ruled = ruled.giving(question)
    for question in void:
        ruled = ruled.without(question)
    bank = toy_bank().ruled(ruled)
    tenths = 0  # of a point
    for question, key in bank.key.items():
        chosen = choices.get(question, frozenset())
        if question in void:
            continue
        shown = {option.id for option in bank.questions[question].options}
        also = accepted.get(question, key) & shown  # what nobody saw nobody could choose
        if question in full or (chosen and chosen in {key, also}):
            tenths += 4
    score, most = Decimal(tenths) / 10, Decimal(25 - len(void)) * 4 / 10
    if rescaled:
        assert bank.most == 10
        assert abs(Paper("x", choices).score(bank) - score * 10 / most) <= Decimal("0.005")
    else:
        assert (Paper("x", choices).score(bank), bank.most) == (score, most)
    for question in {*accepted, *full, *void}:
        ruled = ruled.strict(question)
    assert ruled == Rulings(rescaled=rescaled)


@given(papers, some, some, st.booleans())
def test_rulings_are_read_as_they_were_saved(tmp_path_factory, accepted, full, void, rescaled):
    folder = tmp_path_factory.mktemp("rulings")
    sets = {question: frozenset([one]) for question, one in accepted.items()}
    ruled = Rulings(sets, full, void, rescaled)
    ruled.save(folder)
    assert Rulings.read(folder) == ruled


def test_a_damaged_file_of_rulings_stops_everything(tmp_path):
    assert Rulings.read(tmp_path) == Rulings()
    for content in ("", "[]", '{"void": 3}'):
        (tmp_path / "rulings.json").write_text(content)
        with pytest.raises(ValueError, match="cannot be read"):
            Rulings.read(tmp_path)


@pytest.fixture
def course(tmp_path):
    """One right in all, one as the first key of ewc-1 has it and one as the corrected key has."""
    course = ToyCourse(tmp_path)
    with in_process():
        courses.remember_key(course.folder, course.bank)
        old = course.bank.key["ewc-1"]
        options = {o.id for o in course.bank.questions["ewc-1"].options}
        new = frozenset(options - old or {"a"})
        course.old, course.new = old, new
        answers = {"old": course.key, "new": course.key | {"ewc-1": sorted(new)}, "none": {}}
        for student, chosen in answers.items():
            course.hand_in(student, course.sheet(chosen), at=datetime.now(UTC))
        cli.collect(course.folder)
        cli.grade(course.folder)
        with courses.gradebook(course.folder) as book:  # a grader was kind
            book.find_grade("mas-1", "quiz", "quiz", "none").manual_score = 0.2
            book.db.commit()
        cli.grade(course.folder)
        sections = [
            s.model_copy(update={"questions": tuple(map(corrected(new), s.questions))})
            for s in course.bank.sections
        ]
        write_bank(Bank(SETTINGS, sections), course.folder / "bank")
        yield course


def corrected(key):
    def of(question):
        if question.id != "ewc-1":
            return question
        options = [o.model_copy(update={"correct": o.id in key}) for o in question.options]
        return question.model_copy(update={"options": tuple(options)})

    return of


BEFORE = {"old": "10", "new": "9.6", "none": "0.2"}


@pytest.mark.parametrize(
    ("how", "after", "most"),
    [
        ({}, {"old": "9.6", "new": "10", "none": "0.2"}, "10"),
        ({"accept_both": ["ewc-1"]}, {"old": "10", "new": "10", "none": "0.2"}, "10"),
        ({"full_credit": ["ewc-1"]}, {"old": "10", "new": "10", "none": "0.6"}, "10"),
        ({"void": ["ewc-1"]}, {"old": "9.6", "new": "9.6", "none": "0.2"}, "9.6"),
        ({"void": ["ewc-1"], "rescale": True}, {"old": "10", "new": "10", "none": "0.21"}, "10"),
    ],
)
def test_a_preview_is_what_then_happens(course, capsys, how, after, most):
    totals = {s: str(points) for s, points in courses.totals(course.folder).items()}
    assert totals == BEFORE
    files = {p: p.read_bytes() for p in course.folder.rglob("*") if p.is_file()}
    capsys.readouterr()
    cli.regrade_("why", course.folder, dry_run=True, **how)
    told = capsys.readouterr().out
    assert {p: p.read_bytes() for p in course.folder.rglob("*") if p.is_file()} == files
    cli.regrade_("why", course.folder, **how)
    said = capsys.readouterr().out
    expected = sorted(f"{s}: {BEFORE[s]} → {after[s]}" for s in after if after[s] != BEFORE[s])
    assert sorted(line for line in told.splitlines() if "→" in line) == expected
    moved = [line.removesuffix(" (ewc-1)") for line in said.splitlines() if "→" in line]
    assert sorted(line for line in moved if line != "old: 10 → 10") == expected
    assert {s: str(p) for s, p in courses.totals(course.folder).items()} == after
    log = [json.loads(line) for line in (course.folder / courses.REGRADES).read_text().splitlines()]
    assert {c["student"]: (c["from"], c["to"]) for c in log if c["from"] != c["to"]} == {
        s: (BEFORE[s], after[s]) for s in after if after[s] != BEFORE[s]
    }
    cli.export_(course.folder)
    registrar = (course.folder / "export" / "registrar.csv").read_text()
    for student, points in after.items():
        assert f'"{student}","","","",{points},{most},' in registrar

    # To grade once more changes nothing; to take the ruling back is to grade by the key alone.
    cli.grade(course.folder)
    assert {s: str(p) for s, p in courses.totals(course.folder).items()} == after
    cli.regrade_("back", course.folder, strict=["ewc-1"], rescale=False)
    strictly = {"old": "9.6", "new": "10", "none": "0.2"}
    assert {s: str(p) for s, p in courses.totals(course.folder).items()} == strictly


def test_a_ruling_on_nothing_is_refused(course):
    with pytest.raises(ValueError, match="there is no question 'ewc-9'"):
        cli.regrade_("why", course.folder, void=["ewc-9"])
    with pytest.raises(ValueError, match="the key of si-1 was never another one"):
        cli.regrade_("why", course.folder, accept_both=["si-1"])


def test_a_question_that_is_void_has_no_points_whoever_gave_them(course):
    with courses.gradebook(course.folder) as book:
        for student, name in (("old", "ewc-1"), ("none", "ewc-1")):
            mark = book.find_grade(name, "quiz", "quiz", student)
            mark.manual_score, mark.extra_credit = 0.3, 0.1
        book.db.commit()
    ruled = Rulings().without("ewc-1")
    previewed = courses.preview(course.folder, banks.bank_of(course.folder).ruled(ruled))
    cli.regrade_("why", course.folder, void=["ewc-1"])
    totals = {s: str(points) for s, points in courses.totals(course.folder).items()}
    assert totals == {"old": "9.6", "new": "9.6", "none": "0.2"}
    assert {c["student"]: c["to"] for c in previewed} == {"old": "9.6", "none": "0.2"}


def test_rulings_of_another_bank_are_refused(course):
    Rulings().without("gone-1").save(course.folder)
    with pytest.raises(ValueError, match="rules on gone-1, which the bank has not"):
        banks.bank_of(course.folder)
