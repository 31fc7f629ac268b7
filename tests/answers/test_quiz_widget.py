"""The quiz as a student has it: page, code way, receipt, locked cells."""

from __future__ import annotations

import itertools
import json
import re

import pytest
from nbformat import v4
from nbgrader.utils import determine_grade
from quizzes import toy_bank

import cl_helpers as cl
from cl_helpers.answers.sheet import read_answers, receipt

BANK = toy_bank()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "questions.json").write_text(BANK.public("2099-01-01 12:00").to_json(), "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def quiz(folder):
    return cl.widgets.Quiz(student="alice")


def saved(folder):
    return json.loads((folder / "answers.json").read_text())["answers"]


def test_a_user_without_a_name_has_a_quiz_too(folder, monkeypatch):
    """As in a container that is started under a number."""
    for name in ("JUPYTERHUB_USER", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)  # not in /etc/passwd
    cl.widgets.Quiz()
    assert json.loads((folder / "answers.json").read_text())["student"] == str(2**31 - 7)


def tick(quiz, question, options, n=1, **message):
    """What the page sends when a box is ticked; is it told that this tick is saved?"""
    message = {"view": "v", "question": question, "options": options, "n": n} | message
    quiz._take(quiz.page, {"again": False, "was": []} | message, [])
    return quiz.page.saved.get("v", {}).get(question, 0) >= n


def test_the_code_way_is_the_page_way(quiz, folder):
    assert repr(quiz.answer("ewc-1", "c", "a")).startswith("ewc-1: a, c · 1 of 25 answered · saved")
    assert saved(folder) == {"ewc-1": ["a", "c"]}
    assert quiz.page.chosen == {"ewc-1": ["a", "c"]}
    assert tick(quiz, "mas-1", ["b"], n=7)
    assert quiz.page.saved == {"v": {"mas-1": 7}}
    assert saved(folder) == {"ewc-1": ["a", "c"], "mas-1": ["b"]}
    assert re.fullmatch(r"2 of 25 answered · saved \d\d:\d\d:\d\d", quiz.page.line)
    assert repr(quiz.answer("ewc-1")).startswith("ewc-1: – · 1 of 25")
    assert saved(folder) == {"mas-1": ["b"]}


def test_another_quiz_object_goes_on_where_the_first_was(quiz, folder):
    quiz.answer("ewc-1", "a")
    again = cl.widgets.Quiz(student="alice")
    assert again.page.chosen == {"ewc-1": ["a"]}
    assert again.page.sections == quiz.page.sections


def test_wrong_ids_are_one_line_that_names_the_cure(quiz):
    with pytest.raises(ValueError, match="no question 'ewc1': choose basics-1"):
        quiz.answer("ewc1", "a")
    with pytest.raises(ValueError, match="ewc-1 has no option 'A': choose among a, b"):
        quiz.answer("ewc-1", "A")
    for call in (quiz.show, quiz.check):
        with pytest.raises(ValueError, match="no question 'nope'"):
            call("nope")


def test_options_are_shuffled_by_student_and_stay_so(folder):
    def order(student, name):
        quiz = cl.widgets.Quiz(student=student, answers=folder / f"{name}.json")
        return [[o["id"] for o in q["options"]] for s in quiz.page.sections for q in s["questions"]]

    alice = order("alice", "one")
    assert alice == order("alice", "two") == order("bob", "one")  # the file began as alice's
    assert alice != order("bob", "three")
    for mine, question in zip(alice, BANK.questions.values(), strict=True):
        assert sorted(mine) == [o.id for o in question.options]
    first = [mine[0] for mine in alice]
    assert len(set(first)) > 2  # not only renamed positions


def test_show_is_for_those_who_see_no_page(quiz):
    quiz.answer("basics-1", "b")
    text = repr(quiz.show("basics-1"))
    assert text.splitlines()[0] == "basics-1. Question 1 of basics?"
    assert "  [x] b  Option b of basics 1, with `code` & <signs>" in text
    assert text.count("[ ]") == len(BANK.questions["basics-1"].options) - 1


def test_the_receipt_is_that_of_the_saved_file(quiz, folder):
    quiz.answer("ewc-1", "a")
    text = repr(quiz.receipt())
    assert "1 of 25 answered" in text
    assert "Due 2099-01-01 12:00." in text
    assert "basics-1, basics-2" in text
    code = re.search(r"Receipt (\w{4}-\w{4})$", text.splitlines()[0]).group(1)
    reading = read_answers(folder / "answers.json", quiz.questions)
    assert code == receipt(quiz.questions, reading.choices)
    cl.widgets.Quiz(student="alice").answer("ewc-1", "b")  # another kernel
    assert code not in repr(quiz.receipt())
    for question in quiz.questions.options:
        quiz.answer(question, "a")
    assert "Nothing is left to answer." in repr(quiz.receipt())


def test_locked_cells_ask_for_an_answer_and_not_which(quiz):
    def validated(result):
        """nbgrader's score of a grade cell worth 0.4 that shows `result`."""
        cell = v4.new_code_cell()
        cell.metadata["nbgrader"] = {"grade": True, "points": 0.4, "solution": False}
        if result is not None:
            data = {"text/plain": repr(result), "text/html": result._repr_html_()}
            cell.outputs = [v4.new_output("execute_result", data)]
        return determine_grade(cell)[0]

    assert validated(quiz.check("ewc-1")) == 0
    for option in "abc":
        quiz.answer("ewc-1", option)
        assert validated(quiz.check("ewc-1")) == 0.4
    quiz.answer("ewc-1")
    assert quiz.check("ewc-1")._repr_html_() == "ewc-1: not answered yet"


def test_a_grader_with_other_settings_gives_nobody_anything(quiz, monkeypatch):
    quiz.answer("ewc-1", "a")
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    quiz.check("ewc-1")
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(RuntimeError, match="nbgrader_config"):
        quiz.check("ewc-1")


def test_what_was_ticked_without_a_kernel_gives_way_to_later_answers(quiz, folder):
    quiz.answer("ewc-1", "a")
    tick(quiz, "ewc-1", ["b"], again=True, was=["a"])  # nobody else has changed it
    assert saved(folder) == {"ewc-1": ["b"]}
    forget = tick(quiz, "ewc-1", ["c"], n=2, again=True, was=["a"])  # somebody has
    assert saved(folder) == {"ewc-1": ["b"]}
    assert forget  # the browser need not keep it any longer
    assert quiz.page.chosen == {"ewc-1": ["b"]}


def test_ticks_may_come_in_any_order(quiz, folder):
    """JupyterLab hands comm messages to several threads of the kernel; some overtake others."""
    ticks = [["a"], ["a", "b"], ["b"], ["b", "c"], ["c"]]
    for order in itertools.permutations(range(1, 6)):
        quiz.page.saved = {}
        for n in order:
            tick(quiz, "ewc-1", ticks[n - 1], n=n)
            tick(quiz, "ewc-2", ["a"], n=n, view="another")
        assert saved(folder)["ewc-1"] == ["c"] == quiz.page.chosen["ewc-1"]


def test_what_cannot_be_saved_is_said(quiz, folder, monkeypatch):
    quiz.answer("ewc-1", "a")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert not tick(quiz, "ewc-1", ["b"])
    assert "NOT SAVED: ewc-1." in quiz.page.trouble
    assert "No space left on device" in quiz.page.trouble
    assert quiz.page.chosen == {"ewc-1": ["a"]} == saved(folder)
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert tick(quiz, "ewc-1", ["b"], n=2)
    assert quiz.page.trouble == ""


def test_a_damaged_file_is_set_aside_and_said_so(folder):
    (folder / "answers.json").write_text("{")
    quiz = cl.widgets.Quiz()
    assert "answers.aside-" in quiz.page.trouble
    quiz.answer("ewc-1", "a")
    assert saved(folder) == {"ewc-1": ["a"]}


def test_no_questions_no_quiz(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"questions\.json is not there: fetch"):
        cl.widgets.Quiz()
    assert list(tmp_path.iterdir()) == []


def test_a_deadline_that_was_moved_is_seen_on_the_page(folder, tmp_path_factory):
    home = tmp_path_factory.mktemp("exchange") / "questions.json"
    (folder / "questions.json").write_text(BANK.public("Monday", str(home)).to_json(), "utf-8")
    assert cl.widgets.Quiz(student="alice").page.due == "Due Monday. "  # nothing to be read there
    home.write_text(BANK.public("Monday").to_json(), "utf-8")
    quiz = cl.widgets.Quiz(student="alice")
    assert quiz.page.due == "Due Monday. "
    home.write_text(BANK.public("Friday").to_json(), "utf-8")
    quiz.answer("ewc-1", "a")
    assert quiz.page.due == "Due Friday (moved; it was Monday). "
    assert "Due Friday (moved; it was Monday)." in repr(quiz.receipt())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"due": 3}', b"{}", b"\xff", None])
def test_whatever_lies_there_the_deadline_that_was_fetched_is_shown(folder, tmp_path, content):
    home = tmp_path / "home.json"
    home.mkdir() if content is None else home.write_bytes(content)
    (folder / "questions.json").write_text(BANK.public("Monday", str(home)).to_json(), "utf-8")
    assert cl.widgets.Quiz(student="alice").page.due == "Due Monday. "
