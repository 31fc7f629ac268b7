"""The bank's schema, and the checks that a key cannot be guessed from the form of its options."""

from __future__ import annotations

import copy
import json
import random
from unittest import mock

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from nbgrader.utils import determine_grade, is_grade
from quizzes import SETTINGS, toy_bank, write_bank
from scipy.stats import binom

from quiz import bank as banks
from quiz.autograde import GradeAnswers
from quiz.bank import Bank
from quiz.build import source_notebook
from quiz.fairness import unlikely
from quiz.grading import Paper, exact
from quiz.questions import BankError
from quiz.rulings import Rulings
from quiz.submissions import INTAKE


@pytest.fixture
def folder(tmp_path):
    return write_bank(toy_bank(), tmp_path)


def changed(folder, change, section="ewc"):
    """The folder, after `change` was made to a section's raw content."""
    file = folder / f"{section}.yaml"
    raw = yaml.safe_load(file.read_text())
    change(raw)
    file.write_text(yaml.safe_dump(raw))
    return folder


def test_the_bank_of_the_course_is_in_order():
    bank = banks.load()
    assert bank.check() == []
    assert len(bank.questions) == 25
    assert bank.most == 10
    assert bank.hints() == []
    assert list(bank.settings.sections.values()) == [4, 3, 3, 3, 3, 3, 6]
    variants = [variant for each in bank.variants.values() for variant in each]
    assert all(4 <= len(v.options) <= 6 for v in variants)
    assert all(len(option.why) >= 20 for v in variants for option in v.options)
    assert sum(len(each) > 1 for each in bank.variants.values()) >= 8


def test_a_bank_comes_back_from_its_files(folder):
    assert banks.load(folder).questions == toy_bank().questions


WRONG = {
    "a field that is not there": (
        lambda r: r["questions"][1]["options"][2].pop("why"),
        "ewc.yaml, question ewc-2, option c, why: is missing",
    ),
    "a field that nobody knows": (
        lambda r: r["questions"][0].update(points=4),
        "ewc.yaml, question ewc-1, points: is no field here",
    ),
    "yes for true": (
        lambda r: r["questions"][0]["options"][0].update(correct="yes"),
        "ewc.yaml, question ewc-1, option a, correct: 'yes' is neither true nor false",
    ),
    "an empty reason": (
        lambda r: r["questions"][0]["options"][0].update(why="  "),
        "ewc.yaml, question ewc-1, option a, why: has 0 characters and needs at least 2",
    ),
    "nothing correct": (
        lambda r: [o.update(correct=False) for o in r["questions"][0]["options"]],
        "ewc.yaml, question ewc-1: no option is correct",
    ),
    "ids out of order": (
        lambda r: r["questions"][0]["options"].reverse(),
        "ewc.yaml, question ewc-1: its options are .*: name them a, b, c",
    ),
    "an option twice": (
        lambda r: r["questions"][0]["options"][0].update(
            text=r["questions"][0]["options"][1]["text"]
        ),
        "ewc.yaml, question ewc-1: two of its options say the same: a, b",
    ),
    "half a code": (
        lambda r: r["questions"][0].update(stem="What does `x do?"),
        "ewc.yaml, question ewc-1, stem: a backtick has no partner",
    ),
    "one option": (
        lambda r: r["questions"][0].update(options=r["questions"][0]["options"][:1]),
        "ewc.yaml, question ewc-1: it has 1 options and needs at least 2",
    ),
    "no such notebook": (
        lambda r: r["questions"][2].update(see="44_ewc"),
        "ewc.yaml, question ewc-3, see: there is no notebook '44_ewc'",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_with_a_file_is_named(folder, kind):
    change, message = WRONG[kind]
    with pytest.raises(BankError, match=message):
        banks.load(changed(folder, change))


def test_no_yaml_and_no_bank(folder, tmp_path):
    (folder / "ewc.yaml").write_text("questions: [")
    with pytest.raises(BankError, match=r"ewc\.yaml, line 1: is no YAML"):
        banks.load(folder)
    with pytest.raises(BankError, match=r"nowhere has no \*\.yaml"):
        banks.load(tmp_path / "nowhere")


def test_proportions_and_ids_are_checked(folder):
    changed(folder, lambda r: r["questions"].pop(), "mas")
    changed(folder, lambda r: r["questions"][0].update(id="ewc-1"), "si")
    wrong = "\n".join(banks.load(folder).check())
    assert "section mas has 2 questions, not 3" in wrong
    assert "ewc-1: the id is used twice" in wrong
    assert "ewc-1: its id should begin with si-" in wrong


def reworded(bank, pick):
    """The bank with `pick(question, option, draw)` for the fields of each option."""
    draw = random.Random(0)
    sections = [
        s.model_copy(
            update={
                "questions": tuple(
                    q.model_copy(
                        update={
                            "options": tuple(
                                o.model_copy(update=pick(q, o, draw)) for o in q.options
                            )
                        }
                    )
                    for q in s.questions
                )
            }
        )
        for s in bank.sections
    ]
    return Bank(SETTINGS, [type(s).model_validate(s.model_dump()) for s in sections])


def said(bank, words):
    return any(words in line for line in [*bank.check(), *bank.hints()])


def test_a_favourite_letter_is_found():
    bank = reworded(toy_bank(), lambda q, o, draw: {"correct": o.id == "c" or draw.random() < 0.3})
    assert said(bank, "options 'c' are correct")
    assert not said(reworded(toy_bank(), lambda q, o, draw: {}), "options 'c' are correct")


@pytest.mark.parametrize("rule", ["longest", "shortest"])
def test_a_tell_tale_length_is_found(rule):
    def lengths(q, o, draw):
        more = o.correct == (rule == "longest")
        return {"text": o.text + "x" * (draw.randint(30, 60) if more else draw.randint(0, 20))}

    assert said(reworded(toy_bank(), lengths), f"the {rule} option is correct in")
    random_ = reworded(toy_bank(), lambda q, o, d: {"text": o.text + "x" * d.randint(0, 60)})
    assert not said(random_, "option is correct in")


def test_a_favourite_number_of_correct_options_is_found():
    bank = reworded(toy_bank(), lambda q, o, draw: {"correct": o.id in "ab"})
    assert said(bank, "25 of 25 questions have 2 correct options")


@given(st.integers(1, 60), st.floats(0.05, 0.95), st.data())
def test_what_is_unlikely_is_so_by_the_binomial_distribution(of, chance, data):
    """Against SciPy."""
    hits = data.draw(st.integers(0, of))
    law = binom(of, chance)
    assert unlikely(hits, of, chance) == (min(law.cdf(hits), law.sf(hits - 1)) < 0.005)


# ---- the rule

letters = st.sets(st.sampled_from("abcdef"))


@given(chosen=letters, key=letters.filter(bool))
def test_the_rule_pays_for_exactly_the_key(chosen, key):
    """Against the rule said differently: every option decided as the key decides it."""
    right = all((option in chosen) == (option in key) for option in "abcdef")
    assert Rulings().right("q", frozenset(chosen), frozenset(key), frozenset("abcdef")) == right


@given(st.integers(0, 25))
def test_points_are_exact_wherever_floats_have_been(n):
    floats = sum([0.4] * n)
    assert str(exact(floats)) == ("0" if n == 0 else f"{4 * n / 10:g}")
    assert exact(floats) == n * SETTINGS.points


@given(st.dictionaries(st.sampled_from(list(toy_bank().questions)), letters.filter(bool)))
def test_a_paper_is_the_sum_of_its_questions_whatever_their_order(choices):
    bank = toy_bank()
    paper = Paper("alice", {q: frozenset(c) for q, c in choices.items()})
    backwards = Paper("alice", {q: frozenset(sorted(c)) for q, c in [*choices.items()][::-1]})
    right = sum(choices.get(q) == key for q, key in bank.key.items())
    assert paper.score(bank) == backwards.score(bank) == right * SETTINGS.points
    assert Paper("alice", paper.choices, late=True).score(bank) == 0


seeds = st.integers(0, 9)


@given(st.dictionaries(st.sampled_from(list(toy_bank().questions)), letters), seeds, seeds)
@settings(max_examples=30, deadline=None)
def test_to_grade_again_by_another_key_is_to_grade_afresh(
    tmp_path_factory, choices, before, corrected
):
    """By what nbgrader reads from the cells."""
    folder, public = tmp_path_factory.mktemp("paper"), toy_bank().public()
    for question, options in choices.items():
        options &= set(public.options[question])
    sheet = {"schema": 1, "quiz": public.name, "version": public.version}
    answers = {q: sorted(options) for q, options in choices.items()}
    (folder / "answers.json").write_text(json.dumps(sheet | {"answers": answers}))
    (folder / "questions.json").write_text(public.to_json())
    (folder / INTAKE).write_text('{"problems": []}')

    def graded(notebook, seed):
        about = {"assignment": "quiz", "student": "somebody"}
        resources = {"metadata": {"path": folder}, "nbgrader": about}
        with mock.patch("quiz.autograde.bank_of", return_value=toy_bank(seed)):
            return GradeAnswers().grade(folder, copy.deepcopy(notebook), resources)[0]

    fresh = source_notebook(toy_bank())
    afresh = graded(fresh, corrected)
    assert graded(graded(fresh, before), corrected) == afresh
    points = [determine_grade(cell)[0] for cell in afresh.cells if is_grade(cell)]
    right = sum(choices.get(q) == set(key) for q, key in toy_bank(corrected).key.items())
    assert exact(sum(points)) == right * SETTINGS.points
