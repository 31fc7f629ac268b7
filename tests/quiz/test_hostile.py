"""Submissions that are broken, or mean it: each earns exactly what its answers earn, and is named.

They all lie in one exchange and are collected by nbgrader's own command. Every one of them must
come out as the table says, and the honest ones among them too. All are graded by what stands in
nbgrader where it would run a notebook; some, one of each family, by nbgrader's commands to the end;
in make test-full all are.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import nbformat
import pytest
from nbgrader.utils import determine_grade, is_grade
from quizzes import ToyCourse, in_process

from quiz import __main__ as cli
from quiz import course as courses
from quiz.autograde import GradeAnswers
from quiz.grading import exact
from quiz.submissions import read_submission, time_of

ALL = Decimal(10)
KINDS: dict[str, tuple] = {}  # student -> (how it is handed in, points, what is said of it)


def kind(points, said=""):
    """A kind of submission; the function's name is the student's."""

    def register(hand_in):
        KINDS[hand_in.__name__.replace("_", "-")] = (hand_in, Decimal(points), said)
        return hand_in

    return register


class Attack:
    """What a kind needs to hand itself in."""

    def __init__(self, course: ToyCourse, due: datetime, canary):
        self.course, self.due, self.canary = course, due, canary
        self.in_time = due - timedelta(seconds=5)
        self.student = ""

    def __call__(self, answers=None, at=None, **more):
        return self.course.hand_in(self.student, answers, at=at or self.in_time, **more)

    def notebook(self):
        return nbformat.read(self.course.released, as_version=4)

    def with_code(self, code):
        """Its own answers are all correct but three; the code runs first, last and in between."""
        notebook = self.notebook()
        source = f"{self.song()}\n{code}"
        for i in (len(notebook.cells), 6, 1):
            notebook.cells.insert(i, nbformat.v4.new_code_cell(source))
        self(self.sheet_but(3), notebook=notebook)

    def song(self):
        """Code that leaves a trace where it is run."""
        return f"open({str(self.canary)!r}, 'a').write('ran ')"

    def sheet_but(self, n):
        """The first n questions are not answered."""
        return self.course.sheet(self.course.but(*list(self.course.key)[:n]))

    def replace_answers(self, make):
        """Something else where answers.json should be."""
        path = self() / "answers.json"
        path.unlink()
        make(path)


# ---- honest ones among them


@kind("10")
def honest(a):
    a()


@kind("8.8")
def honest_but_three(a):
    a(a.sheet_but(3))


@kind("0")
def honest_and_empty(a):
    a(a.course.sheet({}))


@kind("10")
def latest_counts(a):
    a(a.course.sheet({}), at=a.in_time - timedelta(seconds=2))
    a()


@kind("0")
def latest_counts_if_worse(a):
    a(at=a.in_time - timedelta(seconds=2))
    a(a.course.sheet({}))


# ---- code in the notebook


@kind("8.8")
def patches_the_grader(a):
    a.with_code(
        "import nbgrader.utils, quiz.grading\n"
        "nbgrader.utils.determine_grade = lambda *_: (0.4, 0.4)\n"
        "quiz.grading.earned = lambda *_: 0.4"
    )


@kind("8.8")
def writes_files(a):
    a.with_code("open('answers.json', 'w').write('{}'); open('../../../x', 'w')")


@kind("8.8")
def reads_the_key(a):
    a.with_code("from quiz.bank import load; print(load().key)")


@kind("8.8")
def loops_forever(a):
    a.with_code("while True: pass")


@kind("8.8")
def exits(a):
    a.with_code("import os; os._exit(0)")


@kind("8.8")
def prints_a_score(a):
    notebook = a.notebook()
    for cell in notebook.cells[-25:]:
        cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "0.4"})]
        cell.execution_count = 1
    a(a.sheet_but(3), notebook=notebook)


@kind("8.8")
def edits_a_grade_cell(a):
    notebook = a.notebook()
    for cell in notebook.cells[-25:]:
        cell.source = "0.4"
    a(a.sheet_but(3), notebook=notebook)


@kind("8.8")
def copies_a_grade_cell(a):
    notebook = a.notebook()
    notebook.cells += [dict(notebook.cells[-1], id=f"copy{i}") for i in range(9)]
    a(a.sheet_but(3), notebook=nbformat.from_dict(notebook))


@kind("8.8")
def deletes_grade_cells(a):
    notebook = a.notebook()
    del notebook.cells[-25:]
    a(a.sheet_but(3), notebook=notebook)


@kind("8.8")
def reorders_grade_cells(a):
    notebook = a.notebook()
    notebook.cells.reverse()
    a(a.sheet_but(3), notebook=notebook)


@kind("8.8")
def changes_points(a):
    notebook = a.notebook()
    for cell in notebook.cells[-25:]:
        cell.metadata.nbgrader.points = 4000
    a(a.sheet_but(3), notebook=notebook)


@kind("8.8")
def breaks_metadata(a):
    notebook = a.notebook()
    for cell in notebook.cells:
        cell.metadata.nbgrader = {"grade": "yes", "grade_id": None, "schema_version": 99}
    a(a.sheet_but(3), notebook=notebook)


@kind("8.8")
def makes_answers_of_markdown(a):
    notebook = a.notebook()
    for i, cell in enumerate(notebook.cells[-25:], len(notebook.cells) - 25):
        notebook.cells[i] = nbformat.v4.new_markdown_cell("yes", metadata=cell.metadata)
    a(a.sheet_but(3), notebook=notebook)


@kind("8.8")
def writes_a_script(a):
    notebook = a.notebook()
    for cell in notebook.cells:
        cell.source = "<script>steal('the gradebook')</script>"
    a(a.sheet_but(3), notebook=notebook)


@kind("8.8")
def asks_for_another_kernel(a):
    notebook = a.notebook()
    notebook.metadata.kernelspec = {"name": "bash", "display_name": "Bash", "language": "bash"}
    a(a.sheet_but(3), notebook=notebook)


@kind("8.8")
def corrupt_notebook(a):
    a(a.sheet_but(3), notebook='{"cells": [')


@kind("8.8")
def deep_notebook(a):
    a(a.sheet_but(3), notebook='{"cells": ' + "[" * 50_000)


@kind("8.8")
def old_notebook(a):
    a(a.sheet_but(3), notebook='{"nbformat": 2, "nbformat_minor": 0, "worksheets": []}')


@kind("8.8")
def renamed_notebook(a):
    folder = a(a.sheet_but(3))
    (folder / "quiz.ipynb").rename(folder / "quiz final (2).ipynb")


@kind("8.8")
def no_notebook(a):
    (a(a.sheet_but(3)) / "quiz.ipynb").unlink()


@kind("8.8")
def notebook_is_a_pipe(a):
    path = a(a.sheet_but(3)) / "quiz.ipynb"
    path.unlink()
    os.mkfifo(path)


# ---- what is in answers.json


def broken(name, make, said):
    """A kind whose file of answers is no such thing: nothing of it counts."""

    def hand_in(a):
        a(make(a))

    hand_in.__name__ = name
    kind("0", said)(hand_in)


def whole(a):
    return json.dumps(a.course.sheet()).encode()


broken("empty", lambda a: b"", "answers.json: it is empty")
broken("truncated", lambda a: whole(a)[:-30], "not JSON")
broken("no_json", lambda a: b"all correct", "not JSON")
broken("nested", lambda a: b"[" * 30_000 + b"]" * 30_000, "nested too deeply")
broken("nan", lambda a: json.dumps(a.course.sheet(schema=float("nan"))).encode(), "NaN")
broken("huge_number", lambda a: b'{"schema": ' + b"1" * 9_000 + b"}", "not JSON")
broken("utf16", lambda a: whole(a).decode().encode("utf-16"), "not UTF-8")
broken("nul", lambda a: b"\0" * 1000, "not JSON")
broken("another_quiz", lambda a: a.course.sheet(quiz="x"), "answers the quiz 'x'")
broken("another_version", lambda a: a.course.sheet(version="y"), "answers version 'y'")
broken("twice", lambda a: whole(a).replace(b'"ewc-2"', b'"ewc-1"'), "'ewc-1' twice")
broken("a_list", lambda a: json.dumps([a.course.sheet()]).encode(), "no JSON object")
broken("markup", lambda a: a.course.sheet(quiz="[/bold][link=x]"), "answers the quiz")
broken("half_a_letter", lambda a: a.course.sheet(quiz="\ud800", student="\ud800"), "the quiz")
broken("script", lambda a: a.course.sheet(quiz="<script>steal()</script>"), "answers the quiz")


@kind("0", r"answers\.json is missing")
def no_answers(a):
    a.replace_answers(lambda path: None)


@kind("0", "larger than 64 KB")
def two_hundred_megabytes(a):
    a.replace_answers(lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 200 << 20))


@kind("0", "a folder")
def a_folder(a):
    a.replace_answers(lambda path: (path / "answers.json").mkdir(parents=True))


@kind("0", "a link")
def a_link_to_somebody_elses(a):
    theirs = a.course.hand_in("honest-victim", at=a.in_time) / "answers.json"
    a.replace_answers(lambda path: path.symlink_to(theirs))


@kind("0", "a link")
def a_link_without_end(a):
    a.replace_answers(lambda path: path.symlink_to("/dev/zero"))


@kind("0", "no plain file")
def a_pipe(a):
    a.replace_answers(os.mkfifo)


@kind("0", "cannot be read|no plain file")
def a_socket(a):
    def listen(path):
        here = os.open(path.parent, os.O_RDONLY)
        socket.socket(socket.AF_UNIX).bind(f"/proc/self/fd/{here}/{path.name}")

    a.replace_answers(listen)


@kind("10", "no question 'ewc-9'")
def unknown_questions(a):
    a(a.course.sheet(a.course.key | {"ewc-9": ["a"], "__class__": ["a"]}))


@kind("9.6", "ewc-1: there is no option 'z'")
def an_unknown_option(a):
    a(a.course.sheet(a.course.key | {"ewc-1": [*a.course.key["ewc-1"], "z"]}))


@kind("9.6", r"ewc-1: there is no option '\\u0430'")
def a_look_alike(a):
    a(a.course.sheet(a.course.key | {"ewc-1": ["а"]}))


@kind("10")
def options_twice(a):
    a(a.course.sheet({q: [*key, *key[::-1]] for q, key in a.course.key.items()}))


@kind("9.6", "ewc-1: .* is no list")
def not_a_list(a):
    a(a.course.sheet(a.course.key | {"ewc-1": {"all": "correct"}}))


@kind("10")
def a_byte_order_mark(a):
    a(b"\xef\xbb\xbf" + whole(a))


@kind("0")
def claims_a_score(a):
    a(a.course.sheet({}, score=10, points=10, late=False))


@kind("2.8")  # seven questions of the toy bank have only correct options
def ticks_everything(a):
    a(a.course.sheet({q.id: [o.id for o in q.options] for q in a.course.bank.questions.values()}))


# ---- when it came, whose it is, what else is there


@kind("0")
def late_by_a_second(a):
    a(at=a.due + timedelta(seconds=1))


@kind("10")
def on_the_second(a):
    a(at=a.due)


@kind("8.8")
def late_after_on_time(a):
    a(a.sheet_but(3))
    a(at=a.due + timedelta(seconds=3))


@kind("0", "handed in at .* but its files were written at")
def clock_set_back(a):
    a(at=a.due - timedelta(hours=2))


@kind("8.8")
def clock_set_back_after_on_time(a):
    a(a.sheet_but(3))
    a(at=a.due - timedelta(hours=2))


@kind("0")
def forges_its_timestamp(a):
    (a(at=a.due + timedelta(seconds=9)) / "timestamp.txt").write_text("2020-01-01 00:00:00 UTC")


@kind("10")
def garbles_its_timestamp(a):
    (a() / "timestamp.txt").write_bytes(b"\xff\xfe soon")


@kind("10")
def two_at_once(a):
    a()
    a()


@kind("10")
def no_secret(a):
    (a() / "submission_secret.txt").unlink()


@kind("10")
def garbles_its_secret(a):
    (a() / "submission_secret.txt").write_bytes(b"\xff\xfe\x00")


@kind("8.8", "its submission_secret.txt is honest's: was the folder copied")
def takes_a_secret(a):
    """Under which the feedback is given out: honest would get theirs."""
    [theirs] = a.course.exchange.glob("cl/inbound/honest+*")
    folder = a(a.sheet_but(3), at=a.in_time + timedelta(seconds=1))
    secret = (theirs / "submission_secret.txt").read_text()
    (folder / "submission_secret.txt").write_text(secret)


@kind("8.8")
def brings_its_own_intake(a):
    (a(a.sheet_but(3)) / "intake.json").write_text('{"problems": ["<script>steal()</script>"]}')


@kind("8.8")
def brings_much_else(a):
    folder = a(a.sheet_but(3))
    (folder / "quiz_files" / "deep").mkdir(parents=True)
    (folder / "quiz_files" / "loop").symlink_to("..")
    (folder / "questions.json").write_text("{}")
    (folder / "conftest.py").write_text(a.song())
    (folder / "nbgrader_config.py").write_text(a.song())
    (folder / "sitecustomize.py").write_text(a.song())
    (folder / "Untitled.ipynb").write_text("{")
    with (folder / "movie.bin").open("wb") as file:
        file.truncate(300 << 20)


LEFT_OUT = {  # names in the exchange that are nobody's -> why
    "mallory+quiz+whenever+x": "no time",
    "mallory+quiz": "no time",
    "../mallory+quiz".replace("/", "%2f"): "no student",
    "+quiz+2020-01-01 00:00:00 UTC+x": "no student",
    "=cmd()+quiz+2020-01-01 00:00:00 UTC+x": "no student",
    "<script>+quiz+2020-01-01 00:00:00 UTC+x": "no student",
    "a*+quiz+2020-01-01 00:00:00 UTC+x": "no student",
    "linked+quiz+2020-01-01 00:00:00 UTC+x": "no folder",
    "plain+quiz+2020-01-01 00:00:00 UTC+x": "no folder",
}


SOME = {  # that go through all of nbgrader in the fast suite too
    *("honest", "honest-but-three", "patches-the-grader", "loops-forever", "breaks-metadata"),
    *("writes-a-script", "script", "a-pipe", "an-unknown-option", "late-by-a-second"),
    *("clock-set-back", "takes-a-secret", "brings-much-else"),
}


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """All of them handed in and collected."""
    folder = tmp_path_factory.mktemp("hostile")
    course = ToyCourse(folder)
    due = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=10)
    courses.set_deadline(course.folder, due)
    attack = Attack(course, due, folder / "canary")
    for student, (hand_in, _, _) in KINDS.items():
        attack.student = student
        hand_in(attack)
    inbound = course.exchange / "cl" / "inbound"
    for name in LEFT_OUT:
        if name.startswith("linked"):
            (inbound / name).symlink_to(next(inbound.glob("honest+*")))
        elif name.startswith("plain"):
            (inbound / name).write_text("no folder")
        else:
            (inbound / name).mkdir()
    with in_process():
        cli.collect(course.folder)
    course.attack = attack
    course.submitted = shutil.copytree(course.folder / "submitted", folder / "as_collected")
    return course


@pytest.fixture(scope="module", params=["some", pytest.param("all", marks=pytest.mark.full)])
def graded(request, collected):
    """Some of them, or all, graded and given their feedback by nbgrader's commands."""
    course = copy.copy(collected)
    shutil.rmtree(course.folder / "submitted")
    for folder in course.submitted.iterdir():
        if request.param == "all" or folder.name in SOME:
            shutil.copytree(folder, course.folder / "submitted" / folder.name)
    with in_process():
        for step in (cli.grade, cli.feedback, cli.export_):
            step(course.folder)
    course.papers = {p.student: p for p in courses.papers(course.folder, course.bank)}
    with courses.gradebook(course.folder) as book:
        course.points = {
            s.student.id: {g.name: exact(g.score) for n in s.notebooks for g in n.grades}
            for s in book.assignment_submissions("quiz")
        }
        course.totals = {
            s.student.id: exact(s.score - (s.late_submission_penalty or 0))
            for s in book.assignment_submissions("quiz")
        }
    return course


def test_there_are_enough_kinds():
    assert len(KINDS) >= 30


@pytest.mark.parametrize("student", KINDS)
def test_it_earns_what_its_answers_earn_and_is_named(collected, student, tmp_path, monkeypatch):
    """By what nbgrader reads from the cells, and the deadline."""
    _, points, said = KINDS[student]
    folder = shutil.copytree(collected.submitted / student / "quiz", tmp_path / "quiz")
    shutil.copy(collected.released.with_name("questions.json"), folder)  # as autograde does
    assert (folder / "quiz.ipynb").read_bytes() == collected.released.read_bytes()
    monkeypatch.chdir(collected.folder)
    notebook = nbformat.read(folder / "quiz.ipynb", as_version=4)
    resources = {"metadata": {"path": folder}, "nbgrader": {"assignment": "quiz"}}
    notebook, _ = GradeAnswers()(notebook, resources)
    earned = exact(sum(determine_grade(cell)[0] for cell in notebook.cells if is_grade(cell)))
    late = time_of(folder) > collected.attack.due.replace(tzinfo=None)
    assert (0 if late else earned) == points
    problems = "\n".join(read_submission(folder, collected.bank.public()).problems)
    assert re.search(said, problems) if said else problems == ""
    assert "<script>" not in json.dumps(notebook)


def test_nbgrader_says_the_same_to_the_end(graded):
    for student in graded.papers.keys() - {"honest-victim"}:
        _, points, said = KINDS[student]
        assert graded.totals[student] == points, student
        paper = graded.papers[student]
        assert paper.score(graded.bank) == points, student
        problems = "\n".join(paper.problems)
        assert re.search(said, problems) if said else problems == "", student
        feedback = (graded.folder / "feedback" / student / "quiz" / "quiz.html").read_text()
        assert "steal" not in feedback or "&lt;script&gt;" in feedback, student
        assert "<script>steal" not in feedback, student


def test_the_points_are_the_right_ones(graded):
    lost = {q for q, points in graded.points["honest-but-three"].items() if points == 0}
    assert lost == set(list(graded.key)[:3])
    assert graded.points["an-unknown-option"]["ewc-1"] == 0
    assert sum(graded.points["an-unknown-option"].values()) == Decimal("9.6")
    assert set(graded.points["honest"].values()) == {Decimal("0.4")}


def test_late_ones_are_late_and_no_other(graded):
    late = {s for s, paper in graded.papers.items() if paper.late}
    are_late = {"late-by-a-second", "clock-set-back", "forges-its-timestamp"}
    assert late == are_late & graded.papers.keys() > {"late-by-a-second"}
    if "honest-victim" in graded.papers:
        assert graded.totals["honest-victim"] == ALL  # whose answers were linked to


def test_nothing_of_theirs_was_ever_run(graded):
    canary = graded.attack.canary
    assert not canary.exists()
    subprocess.run([sys.executable, "-c", graded.attack.song()], check=True)
    assert canary.exists()  # it would have been
    canary.unlink()


def test_what_is_nobodys_is_left_out_and_named(collected):
    told = (collected.folder / "left_out.txt").read_text().splitlines()
    assert len(told) == len(LEFT_OUT)
    for name, why in LEFT_OUT.items():
        [line] = [line for line in told if line.startswith(ascii(name))]
        assert why in line
    assert {f.name for f in collected.submitted.iterdir()} == {*KINDS, "honest-victim"}


def test_everybody_gets_feedback(graded):
    assert graded.papers.keys() in (SOME, {*KINDS, "honest-victim"})
    pages = list((graded.exchange / "cl" / "feedback").glob("*.html"))
    assert len(pages) == len(graded.papers) >= len(SOME)


def test_what_came_is_still_where_it_was(graded):
    [folder] = (graded.exchange / "cl" / "inbound").glob("brings-much-else+*")
    assert (folder / "movie.bin").stat().st_size == 300 << 20
    kept = graded.folder / "submitted" / "writes-a-script" / "quiz" / "quiz.ipynb.as-submitted"
    assert "<script>" in kept.read_text()
