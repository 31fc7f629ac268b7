"""What holds for every exercise, and how help comes: print, classes, readings, hints, solutions.

Here every answer in the `RIGHT` and `WRONG` of `test_exercises*.py` is judged, once.
"""

import itertools
import re
import runpy
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import cl_helpers as cl
from cl_helpers.lessons import exercises
from cl_helpers.lessons.exercises import (
    EXERCISES,
    Exercise,
    Mistake,
    Reading,
    check,
    staged,
    students_code,
)

FILES = [runpy.run_path(str(p)) for p in Path(__file__).parent.glob("test_exercises*.py")]
RIGHT = [one for file in FILES for one in file["RIGHT"]]
WRONG = [one for file in FILES for one in file["WRONG"]]
WRITTEN = [name for name, asked in EXERCISES.items() if isinstance(asked, Exercise)]
READ = [name for name, asked in EXERCISES.items() if isinstance(asked, Reading)]
STAGES = ["first ask", "then look"]


@pytest.fixture(autouse=True)
def _new_kernel(monkeypatch):
    monkeypatch.setattr(staged, "_progress", {})


def lost(a):
    return a[0] - a[-1]


class Slow:
    """A learner with a slip: its rate is 0.5 where 0.1 is asked for."""

    rate = 0.5

    def step(self, x):
        return x - self.rate * 2 * x


def descend(kind, start):
    x = start
    learner = kind()
    for _ in range(3):
        x = learner.step(x)
    if not 0 < x < start:
        raise Mistake("It does not come down.")
    return x


class Right(Slow):
    rate = 0.1


@pytest.fixture
def made_up(monkeypatch):
    """Three exercises of the three kinds, in place of the course's own."""
    mine = {
        "write": Exercise(
            "lost(a)",
            "the first number less the last.",
            lambda: [([3.0, 2.0, 1.0],), ([5.0, 1.0],)],
            right=lambda a: a[0] - a[-1],
            mistakes={"The sign is the other way round.": (lambda a: a[-1] - a[0],)},
            moral="Well read.",
            hints=STAGES,
            solution=lost,
        ),
        "transfer": Exercise(
            "Mended(Slow)",
            "a learner that takes steps of 0.1.",
            lambda: [(1.0,), (4.0,)],
            right=lambda start: start * 0.8**3,
            mistakes={"The sum, not the step.": (lambda start: start * 0.4**3,)},
            moral="Mended.",
            made=lambda kind: lambda start: descend(kind, start),
            solution=Right,
        ),
        "read": Reading(
            "the number of the task, counted from 1.",
            right=3,
            mistakes={"That counts from 0.": 2, "Those never fall.": (4, 5)},
            moral="Down the column.",
            hints=("Look at task 3.",),
            solution="Task 3, since it falls most.",
        ),
        "word": Reading("`up` or `down`.", "down", {"It falls.": "up"}, "It falls."),
        "share": Reading("a number", 0.25, {"Upside down.": 4}, "A quarter.", tolerance=0.01),
    }
    monkeypatch.setattr(exercises, "EXERCISES", mine)
    return mine


# --- every exercise of the course ---


def judged(name, answer):
    """The verdict, and the seconds of work that it took."""
    began = time.process_time()
    return check(name, answer), time.process_time() - began


def named(name, said):
    """The exercise's own messages that a pattern fits; none where the message is a general one."""
    return [message for message in EXERCISES[name].mistakes if re.search(said, message)]


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_right_answers(name, answer):
    """What is read or written is judged within half a second; a transfer may train."""
    verdict, seconds = judged(name, answer)
    assert verdict.status == "right", verdict
    assert EXERCISES[name].moral in verdict.message
    if not name.endswith("-transfer"):  # beside a busy neighbour the same work takes longer
        quick = seconds < 0.5 or any(judged(name, answer)[1] < 0.5 for _ in range(2))
        assert quick, f"{seconds:.1f} s"


@pytest.mark.parametrize(("name", "answer", "said"), WRONG)
@pytest.mark.filterwarnings("ignore:importance_of of Both")
def test_wrong_answers_and_their_diagnosis(name, answer, said):
    verdict = check(name, answer)
    assert verdict.status == "wrong", verdict
    assert re.search(said, verdict.message), verdict
    assert verdict.message.startswith(tuple(named(name, said)) or ""), verdict


@pytest.mark.parametrize("name", EXERCISES)
def test_a_right_answer_and_every_mistake_have_been_tried(name):
    """An answer has met a mistake if its pattern fits that message and no other of the exercise.

    That this message then comes is what the test above asserts.
    """
    met = [named(name, said) for e, _, said in WRONG if e == name]
    assert [message for message in EXERCISES[name].mistakes if [message] not in met] == []
    assert name in {e for e, _ in RIGHT}


@pytest.mark.parametrize("name", WRITTEN)
def test_no_two_candidates_come_near_each_other(name):
    """Or one mistake would be taken for another, or for the right answer."""
    exercise = EXERCISES[name]

    def numbers(function):
        return torch.cat(
            [torch.as_tensor(function(*args)).double().flatten() for args in exercise.problems()]
        ).nan_to_num(9.0)

    functions = [f for variants in exercise.mistakes.values() for f in variants]
    outcomes = [numbers(f) for f in (exercise.right, *functions)]
    apart = 0.0003 if exercise.made else 0.03  # weights after training all begin at the same place
    for a, b in itertools.combinations(outcomes, 2):
        if len(a) == len(b):
            assert (a - b).abs().max() > apart * torch.maximum(a.abs().max(), b.abs().max())


@pytest.mark.parametrize("name", READ)
def test_no_answer_to_read_is_told_twice(name):
    asked = EXERCISES[name]
    assert check(name, asked.right).status == "right"
    for message, theirs in asked.mistakes.items():
        for answer in theirs if isinstance(theirs, tuple) else (theirs,):
            verdict = check(name, answer)
            assert verdict.status == "wrong"
            assert verdict.message.startswith(message)


@pytest.mark.parametrize("name", WRITTEN)
def test_the_solution_that_is_shown_is_right_in_a_notebook(name):
    asked = EXERCISES[name]
    assert check(name, asked.solution).status == "right"
    cell = {"cl": cl, "torch": torch, "nn": nn, "np": np, "F": F}
    exec(cl.solution(name).text, cell)
    assert check(name, cell[asked.name]).status == "right"


# --- printing is not returning ---


def test_a_number_that_is_printed_is_not_returned(made_up, capsys):
    def lost(a):
        print(a[0] - a[-1])

    message = check("write", lost).message
    assert "prints the number and returns None" in message
    assert "`return`" in message
    assert capsys.readouterr().out == "2.0\n"


def test_printing_beside_returning_does_no_harm(made_up, capsys):
    def lost(a):
        print("now", a)
        return a[0] - a[-1]

    assert check("write", lost).status == "right"
    assert capsys.readouterr().out.startswith("now [3.0")


# --- a loop that does not end ---


def test_a_long_run_is_told_how_to_interrupt(made_up, capsys, monkeypatch):
    monkeypatch.setattr(students_code, "LONG_SECONDS", 0.05)

    def slow(a):
        time.sleep(0.3)
        return a[0] - a[-1]

    assert check("write", slow).status == "right"
    assert "Interrupt Kernel" in capsys.readouterr().out


def test_a_short_run_is_told_nothing(made_up, capsys):
    threads = threading.active_count()
    assert check("write", lost).status == "right"
    time.sleep(0.05)
    assert threading.active_count() <= threads
    assert capsys.readouterr().out == ""


# --- what the student gives is made into what is judged ---


def test_a_class_is_judged_by_what_it_does(made_up):
    class Mended(Slow):
        def step(self, x):
            return x - 0.2 * x

    assert check("transfer", Mended).status == "right"


def test_a_class_that_never_falls_is_told_its_mistake(made_up):
    class Mended(Slow):
        def step(self, x):
            return x + 1

    verdict = check("transfer", Mended)
    assert verdict.status == "wrong"
    assert verdict.message.startswith("It does not come down.")


def test_an_error_in_a_class_is_told_with_its_line(made_up):
    class Mended(Slow):
        def step(self, x):
            y = x
            return y / 0

    assert "in line 3 of step, `return y / 0`" in check("transfer", Mended).message


def test_known_mistakes_of_a_class(made_up):
    class Mended(Slow):
        rate = 0.3

    assert check("transfer", Mended).message.startswith("The sum, not the step.")


def test_an_object_is_not_its_class(made_up):
    assert "class itself, not an object" in check("transfer", Right()).message
    assert "class itself, not an object" in check("transfer", lost).message


def class_untouched():
    class Mended(Slow): ...

    return Mended


def class_with_an_open_value():
    class Mended(Slow):
        rate = ...

    return Mended


def class_with_an_open_method():
    class Mended(Slow):
        rate = 0.2

        def step(self, x):
            return ...

    return Mended


def class_with_an_open_initializer():
    class Mended(Slow):
        def __init__(self):
            self.rate = ...

    return Mended


def class_with_an_open_property():
    class Mended(Slow):
        @property
        def rate(self):
            return ...

    return Mended


@pytest.mark.parametrize(
    "make",
    [
        class_untouched,
        class_with_an_open_value,
        class_with_an_open_method,
        class_with_an_open_initializer,
        class_with_an_open_property,
    ],
)
def test_a_class_with_a_gap_is_not_attempted_yet(make, made_up):
    verdict = check("transfer", make())
    assert verdict.status == "not yet"
    assert "write `class Mended(Slow)`" in verdict.message


# --- to read ---


@pytest.mark.parametrize("answer", [3, 3.0, "3", " 3 ", np.int64(3), torch.tensor([3.0])])
def test_a_number_is_read_in_every_form(answer, made_up):
    assert check("read", answer).status == "right"


@pytest.mark.parametrize("answer", ["down", " Down", "DOWN "])
def test_case_and_spaces_of_a_word_do_not_matter(answer, made_up):
    assert check("word", answer).status == "right"


@pytest.mark.parametrize(
    ("exercise", "answer", "said"),
    [
        ("read", 2, "^That counts from 0"),
        ("read", 5, "^Those never fall"),
        ("read", 7, "^That is not it. Asked for is the number of the task, counted from 1."),
        ("read", "the third", "^One number is asked for.*'the third'"),
        ("read", lost, "^One number"),
        ("read", torch.ones(2), "^One number"),
        ("word", "up", "^It falls"),
        ("word", "both", "^That is not it"),
        ("word", 3, "^One word"),
        ("share", 4.005, "^Upside down"),
        ("share", "25 %", "^That is in per cent"),
        ("share", 0.0025, "^That is a fraction"),
    ],
)
def test_what_is_said_to_a_wrong_reading(exercise, answer, said, made_up):
    verdict = check(exercise, answer)
    assert verdict.status == "wrong"
    assert re.search(said, verdict.message), verdict


@pytest.mark.parametrize("answer", [0.241, 0.259])
def test_a_number_is_right_within_the_tolerance(answer, made_up):
    assert check("share", answer).status == "right"
    assert check("share", answer + 0.02).status == "wrong"


@pytest.mark.parametrize("answer", [..., None])
def test_a_reading_that_is_not_attempted_yet(answer, made_up):
    verdict = check("read", answer)
    assert verdict.status == "not yet"
    assert "not attempted yet" in verdict.message
    assert "number of the task, counted from 1" in verdict.message


# --- hints and solutions ---


def test_hints_come_one_after_the_other(made_up):
    assert cl.hint("write") == "**Hint 1 of 2.** first ask"
    assert cl.hint("write")._repr_markdown_() == "**Hint 2 of 2.** then look"
    assert all(hint in cl.hint("write") for hint in STAGES)
    assert cl.hint("read") == "**Hint 1 of 1.** Look at task 3."
    assert "no hint" in cl.hint("word")


@pytest.mark.parametrize("answer", [..., None, 3.0, lambda: 3.0, lambda a: ...])
def test_a_solution_stays_closed_before_an_honest_try(answer, made_up):
    check("write", answer)
    assert "Try it first" in cl.solution("write")
    assert 'cl.hint("write")' in cl.solution("write")


@pytest.mark.parametrize("answer", [lambda a: a[-1] - a[0], lambda a: 1 / 0, lost, print])
def test_a_solution_opens_after_a_try(answer, made_up):
    check("write", answer)
    shown = cl.solution("write")
    assert shown._repr_markdown_() == "```python\ndef lost(a):\n    return a[0] - a[-1]\n```"
    assert "Try it first" in cl.solution("read")


def test_a_solution_has_the_name_that_is_asked_for(made_up):
    check("transfer", Slow)
    assert cl.solution("transfer").text == "class Mended(Slow):\n    rate = 0.1"


def test_the_solution_of_a_reading_is_a_sentence(made_up):
    check("read", "third")
    assert "Try it first" in cl.solution("read")
    check("read", 2)
    assert cl.solution("read") == "Task 3, since it falls most."


def test_a_wrong_verdict_says_where_help_is(made_up):
    wrong = check("write", lambda a: 7.0).message
    assert wrong.endswith(
        'A hint is in `cl.hint("write")`, the solution is in `cl.solution("write")`.'
    )
    cl.hint("write")
    cl.hint("write")
    wrong = check("write", lambda a: 7.0).message
    assert wrong.endswith('right. The solution is in `cl.solution("write")`.')
    assert "cl." not in check("write", lost).message
    assert "cl." not in check("word", "up").message
    assert "solution" not in check("read", "third").message


def test_exercises_that_have_no_help(made_up):
    check("word", "up")
    assert "no solution" in cl.solution("word")


@pytest.mark.parametrize("ask", [cl.hint, cl.solution, lambda name: cl.check(name, 3)])
def test_an_exercise_that_is_not_there(ask):
    with pytest.raises(ValueError, match=r"'gem': choose start-read, .*rwalk"):
        ask("gem")
