"""The instructor's and the student's real commands, each a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from quizzes import in_process, toy_bank, write_bank

from cl_helpers.answers.sheet import AnswerSheet, Questions
from quiz import course as courses

ROOT = Path(__file__).parents[2]


def quiz(*arguments: str | Path) -> subprocess.CompletedProcess:
    """`python -m quiz …` in a shell."""
    return subprocess.run(
        [sys.executable, "-m", "quiz", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )


def done(*arguments: str | Path) -> str:
    """What a command that succeeds says."""
    process = quiz(*arguments)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_from_release_to_the_gradebook(tmp_path):
    folder, exchange = tmp_path / "course", tmp_path / "exchange"
    done("course", folder, "--name", "cl")
    bank = toy_bank()
    write_bank(bank, folder / "bank")
    settings = f'c.Exchange.root = "{exchange}"\nc.CourseDirectory.course_id = "cl"\n'
    with (folder / "nbgrader_config.py").open("a") as config:
        config.write(settings)
    assert "released: " in done("release", "--course", folder, "--due", "2099-01-01 12:00")

    student = tmp_path / "student"
    student.mkdir()
    (student / "nbgrader_config.py").write_text(f"c = get_config()\n{settings}")
    own = {"JUPYTER_DATA_DIR": str(student / "jupyter")}
    with in_process():  # the student's commands are processes in tests/browser/test_quiz.py
        courses.nbgrader(student, "fetch_assignment", "quiz", **own)
    questions = Questions.read(student / "quiz" / "questions.json")
    assert questions.due.startswith("2099-01-01 12:00")
    sheet = AnswerSheet(student / "quiz" / "answers.json", questions, "somebody")
    for question in list(bank.key)[1:]:
        sheet.choose(question, bank.key[question])
    with in_process():
        courses.nbgrader(student, "submit", "quiz", **own)

    assert "1 submissions" in done("collect", "--course", folder)
    assert "9.6" in done("grade", "--course", folder)
    [[_, points]] = courses.totals(folder).items()
    assert points == Decimal("9.6")


def test_a_mistake_is_one_line_and_exit_status_2(tmp_path):
    write_bank(toy_bank(), tmp_path / "bank")
    section = "section: ewc\ntitle: EWC\nquestions: []\nmore: 1\n"
    (tmp_path / "bank" / "ewc.yaml").write_text(section)
    process = quiz("check", "--course", tmp_path)
    assert process.returncode == 2
    assert process.stderr == "error: ewc.yaml, more: is no field here\n"


@pytest.mark.full
def test_the_course_to_try(tmp_path):
    """`make course`: every command, one after the other."""
    folder = tmp_path / "course"
    assert "pages of feedback" in done("demo", folder)
    registrar = pd.read_csv(folder / "export" / "registrar.csv").set_index("student_id")
    assert registrar.points.to_dict() == {"alice": 9.2, "bob": 7.6, "carol": 0}
    assert "carol" in (folder / "report" / "report.html").read_text()


@pytest.mark.full
def test_the_bank_is_fair_says_the_shell():
    assert done("check").endswith(" options, 10 points: fair\n")
