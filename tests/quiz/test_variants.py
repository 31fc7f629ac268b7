"""Pools and generated questions: a paper a student, worth something to that student alone."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import comb

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from quizzes import in_process

from cl_helpers.answers.sheet import AnswersError, AnswerSheet, Questions, read_answers
from quiz import __main__ as cli
from quiz import bank as banks
from quiz import course as courses
from quiz import lms, report
from quiz.grading import Paper
from quiz.questions import BankError, Question
from quiz.released import Released
from quiz.rulings import Rulings

GENERATED = """
import random

def product(seed):
    draw = random.Random(seed)
    a, b = draw.randint(2, 9), draw.randint(12, 99)
    wrong = [a * b + 10, a * b + 1, a * b - 1]
    options = [{"text": f"It is {a * b}.", "correct": True, "why": f"{a} times {b} is {a * b}."}]
    options += [
        {"text": f"It is {n}.", "correct": False, "why": f"{a} times {b} is {a * b}, not {n}."}
        for n in wrong
    ]
    draw.shuffle(options)
    return {"stem": f"What is {a} times {b}?", "options": options}
"""


def option(letter, correct, text=""):
    text = text or f"Statement {letter}, {'so' if correct else 'no'}."
    return {"id": letter, "text": text, "correct": correct, "why": f"As {letter} is, at length."}


def pool(n=9, right="bdfh", **more):
    return [option(o, o in right) for o in "abcdefghijklmnop"[:n]]


def write(folder, assignment="quiz", **sections):
    """A bank with these sections: id -> questions."""
    folder.mkdir(parents=True)
    about = {"name": f"toy-{assignment.lower()}", "assignment": assignment, "title": "A toy quiz"}
    about |= {"points": 0.5, "sections": {s: len(q) for s, q in sections.items()}}
    (folder / "quiz.yaml").write_text(yaml.safe_dump(about, sort_keys=False))
    for name, questions in sections.items():
        raw = {"section": name, "title": f"Section {name}", "questions": questions}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    (folder / "generated.py").write_text(GENERATED)
    return folder


def question(name, options, **more):
    asked = {"id": name, "topic": "a topic", "stem": f"What is true of {name}?"}
    return asked | {"options": options} | more


def varied(folder, assignment="quiz"):
    """A fixed question, two pools, and two that are generated."""
    product = {"topic": "products", "generate": "product"}
    return write(
        folder,
        assignment,
        one=[
            question("one-1", [option("a", True), option("b", False)]),
            question("one-2", pool(), show=5, variants=12),
            question("one-3", pool(10, "abcdef"), show={"right": 3, "wrong": 2}),
        ],
        two=[{"id": "two-1", **product}, {"id": "two-2", **product, "variants": 5}],
    )


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    found = banks.load(varied(tmp_path_factory.mktemp("varied") / "bank"))
    return found.ruled(Rulings(), Released(number=4711, secret="not told"))


names = st.text("abcdefghijklmnopqrstuvwxyz0123456789._-", min_size=1, max_size=12)


@given(names)
def test_the_page_and_the_grader_draw_the_same(bank, student):
    """The page from what was released, the grader from the bank."""
    released = Questions(**vars(bank.public()))
    for seen in released.drawn_for(student).questions:
        asked = bank.asked(seen.id, student)
        assert seen.stem == asked.stem
        assert {o.id: o.text for o in seen.options} == {o.id: o.text for o in asked.options}


def test_what_is_released_comes_back_from_its_file(bank, tmp_path):
    (tmp_path / "questions.json").write_text(bank.public().to_json())
    assert Questions.read(tmp_path / "questions.json") == bank.public()


@given(names, names)
def test_a_paper_is_worth_something_to_its_own_student_alone(bank, student, other):
    public, key = bank.public(), bank.key_of(student)
    own = Paper(student, key)
    assert own.score(bank) == bank.most == Decimal("2.5")
    same = public.drawn_for(student).version == public.drawn_for(other).version
    if not same:  # else they have the same paper, word for word
        shown = {q.id: {o.id for o in q.options} for q in public.drawn_for(other).questions}
        assert any(
            shown[q.id] != {o.id for o in q.options} for q in public.drawn_for(student).questions
        )


def test_neighbours_have_different_papers(bank):
    papers = {bank.public().drawn_for(f"student{i}").version for i in range(100)}
    assert len(papers) > 90


@given(names, st.data())
def test_an_answer_earns_by_the_options_shown_whatever_their_order(bank, student, data):
    """Against the rule said differently: every option that is shown, decided as the key does."""
    for question in bank.questions:
        shown = bank.asked(question, student).options
        chosen = data.draw(
            st.lists(st.sampled_from([o.id for o in shown]), unique=True, min_size=1)
        )
        right = all((o.id in chosen) == o.correct for o in shown)
        assert bank.earned(question, frozenset(chosen), student) == (bank.points if right else 0)
        assert bank.earned(question, frozenset(chosen[::-1]), student) == bank.points * right


@given(names, st.sets(st.sampled_from("abcdefghi"), min_size=1, max_size=8))
@settings(max_examples=40)
def test_to_accept_another_key_is_to_grade_by_it_too(bank, student, other):
    ruled = bank.ruled(Rulings().accepting("one-2", [frozenset(other)]))
    shown = bank.asked("one-2", student).ids
    chosen = frozenset(other) & shown
    expected = bank.points if chosen else 0
    assert ruled.earned("one-2", chosen, student) == expected
    assert ruled.earned("one-2", bank.asked("one-2", student).key, student) == bank.points
    assert ruled.earned("one-2", frozenset(), student) == 0


def with_key(asked: Question, right: str) -> Question:
    options = tuple(o.model_copy(update={"correct": o.id in right}) for o in asked.options)
    return Question.model_validate(asked.model_dump() | {"options": options})


@pytest.mark.parametrize("name", ["one-2", "one-3"])
def test_the_draws_do_not_hang_on_the_key(bank, name):
    asked = bank.questions[name]
    other = with_key(asked, "acegi")
    assert [v.ids for v in other.drawn(7)] == [v.ids for v in asked.drawn(7)]


def test_what_all_draws_have_in_common_does_not_tell_the_key(bank):
    """All are released: whoever reads them all knows no more than whoever sees one, but for a bit.

    Of one paper one knows that some option is correct and some is not. Counted by brute force: how
    many of the keys that a student thinks possible are ruled out by the other draws.
    """
    draws = [v.ids for v in bank.variants["one-2"]]
    letters = "abcdefghi"

    def fits(key, draw):
        return 0 < len(draw & key) < len(draw)

    keys = [frozenset(c) for n in range(10) for c in itertools.combinations(letters, n)]
    for mine in draws:
        alone = {key & mine for key in keys if fits(key, mine)}
        after = {key & mine for key in keys if all(fits(key, draw) for draw in draws)}
        assert len(alone) == 2**5 - 2
        assert after == alone  # every answer to one's own paper stays possible


def test_draws_of_exact_numbers_share_no_option(bank):
    """Else how two draws differ would tell which options are of one kind."""
    first, second = bank.variants["one-3"]
    assert first.ids | second.ids == set("abcdefghij")
    assert not first.ids & second.ids
    assert [len(v.key) for v in (first, second)] == [3, 3]


def test_overlapping_draws_of_exact_numbers_would_tell_the_key():
    """Why they share none: of twelve random draws with two of five correct, the key follows."""
    import random

    draw, letters, key = random.Random(0), "abcdefghij", frozenset("acfi")
    draws = []
    while len(draws) < 12:
        each = frozenset(draw.sample(letters, 5))
        if len(each & key) == 2:
            draws.append(each)
    possible = [
        k
        for k in map(frozenset, itertools.combinations(letters, 4))
        if all(len(k & each) == 2 for each in draws)
    ]
    assert comb(10, 4) == 210
    assert possible == [key]


def test_generated_variants_hang_on_the_secret_alone(bank):
    again = bank.ruled(Rulings(), replace(bank.released, number=1))
    assert again.variants["two-1"] == bank.variants["two-1"]
    other = bank.ruled(Rulings(), replace(bank.released, secret="another"))
    assert other.variants["two-1"] != bank.variants["two-1"]


def test_every_key_of_a_generated_question_is_its_product(bank):
    """By the words of the stem, read anew."""
    for variant in [*bank.variants["two-1"], *bank.variants["two-2"]]:
        _, _, a, _, b = variant.stem.rstrip("?").split()
        (right,) = [o.text for o in variant.options if o.correct]
        assert right == f"It is {int(a) * int(b)}."


def test_a_bank_with_variants_is_in_order(bank):
    assert bank.check() == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda q: q["one"][1].update(options=pool(16, "b")), "has no correct option"),
        (lambda q: q["one"][1].update(show=9), "it shows 9 of 9 options"),
        (
            lambda q: q["one"][2].update(options=pool(11, "abcdef")),
            "nobody would see|correct options",
        ),
        (lambda q: q["two"][0].update(generate="gone"), "two-1: generated.py has no function gone"),
        (lambda q: q["two"][0].update(stem="What?"), "question two-1: it is generated: take stem"),
        (lambda q: q["two"][0].update(variants=1), "variants: 1 is too small: at least 2"),
    ],
)
def test_what_is_wrong_with_variants_is_named(tmp_path, change, says):
    folder = varied(tmp_path / "bank")
    raw = {s: yaml.safe_load((folder / f"{s}.yaml").read_text()) for s in ("one", "two")}
    change({s: r["questions"] for s, r in raw.items()})
    for name, section in raw.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(section))
    with pytest.raises((BankError, AssertionError), match=says):
        raise AssertionError("\n".join(banks.load(folder).check()))


def test_a_corrected_key_changes_nobodys_paper(tmp_path):
    """Also where, of a bank that was never given out, other draws would be in order."""
    folder = varied(tmp_path / "bank")
    before = banks.settled(tmp_path)
    file = folder / "one.yaml"
    raw = yaml.safe_load(file.read_text())
    for each in raw["questions"][2]["options"]:
        each["correct"] = each["id"] in "acegij"
    file.write_text(yaml.safe_dump(raw))
    for after in (banks.bank_of(tmp_path), banks.settled(tmp_path)):
        assert after.public() == before.public()
    assert banks.load(folder).draws != before.draws  # it would be another draw, begun today


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def product(seed): return 1 / 0", "ZeroDivisionError: division by zero"),
        (
            "def product(seed): return {'stem': 'What?', 'options': []}",
            "it has 0 options and needs",
        ),
        ("def product(seed)", "generated.py: SyntaxError"),
        (GENERATED.replace("Random(seed)", "Random()"), "draw from the seed alone"),
        (GENERATED.replace("Random(seed)", "Random(0)"), "two of its variants are the same"),
        (GENERATED.replace("draw.shuffle(options)", ""), "options 'a' are correct"),
        (GENERATED.replace('"why": f"{a} times', '"wy": f"{a} times'), "did you mean `why`?"),
    ],
)
def test_a_generator_is_tried_with_hundreds_of_seeds(tmp_path, code, says):
    folder = varied(tmp_path / "bank")
    (folder / "generated.py").write_text(code)
    try:
        wrong = banks.load(folder).check()
    except BankError as error:
        wrong = str(error).splitlines()
    assert any(says in line for line in wrong), wrong


# ---- the student's side


def sheet_of(bank, folder, student, **how):
    return AnswerSheet(folder / "answers.json", bank.public(), student, **how)


def test_whoever_began_the_file_has_the_paper(bank, tmp_path):
    """On another machine, under another account, the paper is still the same."""
    sheet = sheet_of(bank, tmp_path, "alice")
    key = bank.key_of("alice")
    sheet.choose("one-2", key["one-2"])
    again = sheet_of(bank, tmp_path, "a.liddell")
    assert again.questions == sheet.questions == bank.paper_of("alice")
    assert again.choices == {"one-2": key["one-2"]}
    assert not again.notice


def test_the_paper_of_another_is_read_by_nobody(bank, tmp_path):
    sheet = sheet_of(bank, tmp_path, "alice")
    for name, options in bank.key_of("alice").items():
        sheet.choose(name, options)
    assert len(read_answers(sheet.path, bank.paper_of("alice")).choices) == 5
    with pytest.raises(AnswersError, match="it answers the paper of 'alice', not that of 'bob'"):
        read_answers(sheet.path, bank.paper_of("bob"))
    raw = json.loads(sheet.path.read_text()) | {"student": "bob"}  # it says that it is bob's
    sheet.path.write_text(json.dumps(raw))
    with pytest.raises(AnswersError, match="it answers version"):
        read_answers(sheet.path, bank.paper_of("bob"))


def test_ones_own_paper_can_be_asked_for_and_nothing_is_lost(bank, tmp_path):
    sheet = sheet_of(bank, tmp_path, "alice")
    for name, options in bank.key_of("alice").items():
        sheet.choose(name, options)
    mine = sheet_of(bank, tmp_path, "bob", insist=True)
    assert mine.questions == bank.paper_of("bob")
    assert mine.choices["one-1"] == frozenset("a")  # everybody's question
    assert "it answers the paper of 'alice'" in mine.notice
    (aside,) = tmp_path.glob("answers.aside-*.json")
    assert len(json.loads(aside.read_text())["answers"]) == 5
    assert sheet_of(bank, tmp_path, "carol").questions == bank.paper_of("bob")


# ---- a course with two quizzes


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A course with two quizzes, of which one has variants; released, answered and graded."""
    top = tmp_path_factory.mktemp("two")
    folder = courses.new_course(top / "course", "cl")
    with (folder / "nbgrader_config.py").open("a") as config:
        config.write(f'c.Exchange.root = "{top / "exchange"}"\nc.Collect.check_owner = False\n')
    first = write(
        folder / "quizzes" / "one" / "bank",
        "Week1",
        a=[
            question(f"a-{i}", [option("a", i % 2 > 0), option("b", i % 2 == 0)]) for i in (1, 2, 3)
        ],
    ).parent
    second = varied(folder / "quizzes" / "two" / "bank", "week2").parent
    due = f"{datetime.now().astimezone() + timedelta(hours=1):%Y-%m-%d %H:%M}"
    with in_process():
        for each in (first, second):
            cli.release(each, due=due)
            bank, name = banks.bank_of(each), banks.bank_of(each).settings.assignment
            hand_in(top / "exchange", name, bank, "alice", bank.key_of("alice"))
            hand_in(top / "exchange", name, bank, "bob", bank.key_of("alice"), "alice")
            cli.collect(each)
            cli.grade(each)
    return folder, first, second


def hand_in(exchange, name, bank, student, answers, paper=""):
    """As `nbgrader submit` leaves it; of somebody else's paper, if `paper` says whose."""
    now = datetime.now(UTC)
    folder = exchange / "cl" / "inbound" / f"{student}+{name}+{now:%Y-%m-%d %H:%M:%S.%f} UTC+x"
    folder.mkdir()
    sheet = AnswerSheet(folder / "answers.json", bank.public(), paper or student)
    for asked, options in answers.items():
        sheet.choose(asked, options)
    for file in (exchange / "cl" / "outbound" / name).iterdir():
        if file.suffix == ".ipynb":
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / "timestamp.txt").write_text(f"{now:%Y-%m-%d %H:%M:%S.%f} UTC")
    (folder / "submission_secret.txt").write_text(student.encode().hex() * 8)


def test_each_quiz_has_its_points(two):
    _, first, second = two
    assert courses.totals(first) == {"alice": Decimal("1.5"), "bob": Decimal("1.5")}
    assert courses.totals(second) == {"alice": Decimal("2.5"), "bob": 0}


def test_answers_to_somebody_elses_paper_are_worth_nothing_and_are_named(two):
    _, _, second = two
    papers = {p.student: p for p in courses.papers(second, banks.bank_of(second))}
    assert papers["bob"].problems == (
        "answers.json: it answers the paper of 'alice', not that of 'bob'",
    )
    assert not papers["alice"].problems


def test_one_of_several_has_to_be_named(two):
    folder, _, _ = two
    several = r"has several quizzes: --course .*one or --course .*two"
    with pytest.raises(ValueError, match=several):
        cli.the_quiz(folder)
    with pytest.raises(ValueError, match="three has no bank/"):
        cli.the_quiz(folder / "quizzes" / "three")


def test_what_a_quiz_keeps_is_its_own(two):
    _, first, second = two
    for each in (first, second):
        assert {"bank", "released.json", "keys.jsonl", "left_out.txt"} <= {
            p.name for p in each.iterdir()
        }
    assert Released.read(first) != Released.read(second)


@pytest.mark.parametrize("step", ["report", "export"])
def test_a_report_and_exports_of_each(two, step):
    _, first, second = two
    with in_process():
        for each in (first, second):
            {"report": cli.report, "export": cli.export_}[step](each)
    if step == "report":
        page = (second / "report" / "report.html").read_text()
        assert "Its variants: each student has one" in page
        assert "What is true of one-2?" in page
    else:
        both = (first / "export" / "grades.csv").read_text()
        assert both.count("Week1") == both.count("week2") == 2


def test_every_variant_goes_to_the_lms_and_one_is_asked(bank):
    import io
    import zipfile
    from xml.etree import ElementTree as ET

    n = sum(map(len, bank.variants.values()))
    moodle = ET.fromstring(lms.moodle_xml(bank))
    assert len(moodle.findall("question[@type='multichoiceset']")) == n
    package = zipfile.ZipFile(io.BytesIO(lms.qti(bank)))
    text = package.read(lms.ASSESSMENT).decode()
    assert text.count("<item ") == n
    assert text.count("<selection_number>1<") == 4


def test_a_name_that_somebody_answered_under_can_be_allowed(two):
    """The instructor's to say, and it can be taken back."""
    _, _, second = two
    with in_process():
        cli.drawn_as("bob", "alice", second)
        cli.grade(second)
        assert courses.totals(second)["bob"] == Decimal("2.5")
        cli.drawn_as("bob", "bob", second)
        cli.grade(second)
        assert courses.totals(second)["bob"] == 0


def test_a_corrected_key_that_leaves_a_draw_without_a_correct_option_is_said(two, capsys):
    _, _, second = two
    file = second / "bank" / "one.yaml"
    before = file.read_text()
    raw = yaml.safe_load(before)
    for each in raw["questions"][1]["options"]:
        each["correct"] = each["id"] == "b"
    file.write_text(yaml.safe_dump(raw))
    try:
        with in_process():
            cli.regrade_("only b", second, dry_run=True)
    finally:
        file.write_text(before)
    assert re.search(r"note: one-2: draw \d+ has no correct option", capsys.readouterr().out)


def test_a_report_on_generated_questions_alone(tmp_path):
    folder = write(
        tmp_path / "bank", two=[{"id": "two-1", "topic": "products", "generate": "product"}]
    )
    bank = banks.load(folder)
    papers = [Paper(name, bank.key_of(name)) for name in ("ann", "bob")]
    page = report.write(bank, papers, tmp_path / "report", title="Generated").read_text()
    variants = report.variants(bank, papers)["two-1"]
    assert sum(row["papers"] for row in variants) == 2
    assert {row["earned"] for row in variants if row["papers"]} == {1}
    assert all(row["variant"].stem in page for row in variants)
