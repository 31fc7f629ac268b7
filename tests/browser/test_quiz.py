"""The quiz from release to grade, answered in a real JupyterLab in a real browser."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

sys.path.append(str(Path(__file__).parents[1]))
from quizzes import ToyCourse, in_process

from cl_helpers.answers.sheet import read_answers
from quiz import course as courses


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return ToyCourse(tmp_path_factory.mktemp("quiz"))


class Student:
    """Somebody's folder, with what was released in it."""

    def __init__(self, name: str, course: ToyCourse, folder: Path):
        self.name, self.course, self.folder = name, course, folder
        shutil.copytree(course.released.parent, folder / "quiz")
        (folder / "nbgrader_config.py").write_text(f"c = get_config()\n{course.settings}")
        self.path = folder / "quiz" / "quiz.ipynb"

    def nbgrader(self, *command: str) -> None:
        courses.nbgrader(self.folder, *command, JUPYTER_DATA_DIR=str(self.folder / "data"))

    def saved(self) -> dict[str, list[str]]:
        """What is on disk; reading it fails if it is not valid."""
        questions = self.course.bank.public()
        choices = read_answers(self.path.with_name("answers.json"), questions).choices
        return {q: sorted(options) for q, options in choices.items()}


@pytest.fixture
def student(course, server, request):
    name = re.sub(r"\W", "-", request.node.name)[:30]
    return Student(name, course, server.root / name)


def box(notebook, course, question, option):
    """The checkbox of an option, found by what its label says."""
    text = next(o.text for o in course.bank.questions[question].options if o.id == option)
    label = text.replace("`", "")
    return notebook.page.get_by_role("checkbox", name=label, exact=True)


def tick(notebook, course, answers):
    for question, options in answers.items():
        for option in options:
            box(notebook, course, question, option).click()


# Who earns what, by hand: basics, EWC, MAS, SI, RWalk, SCP, others, and in all.
EARNED = {
    "the student": ("1111 101 111 111 111 111 111111", "9.6"),  # ewc-2 wrong
    "ann": ("0000 111 111 111 111 000 111111", "7.2"),  # left two sections open
    "ben": ("1111 011 111 111 111 111 111110", "9.2"),  # one tick off in two questions
}


def test_from_release_to_export(notebook, student, course):
    """Ticked, reloaded, restarted, ticked again, handed in twice; graded; what came back."""
    key = course.key
    first, wrong = "basics-1", "ewc-2"
    shutil.rmtree(student.path.parent)
    student.nbgrader("fetch_assignment", "quiz")
    quiz = notebook(student.path)
    quiz.run_all()
    assert quiz.errors() == []
    assert quiz.page.get_by_role("checkbox").count() == sum(
        len(q.options) for q in course.bank.questions.values()
    )

    def says(text):
        return lambda: text in quiz.page.locator(".cl-quiz-line").inner_text()

    tick(quiz, course, {first: key[first], "mas-1": key["mas-1"]})
    quiz.wait_until(lambda: student.saved() == {first: key[first], "mas-1": key["mas-1"]})
    quiz.wait_until(says("2 of 25 answered · saved "))
    quiz.screenshot("quiz-ticked")
    quiz.save()

    quiz.reload()  # the kernel lives: the widget is as it was
    quiz.wait_until(says("2 of 25 answered"))
    assert all(box(quiz, course, first, o).is_checked() for o in key[first])
    tick(quiz, course, {"si-1": key["si-1"]})
    quiz.wait_until(lambda: student.saved().get("si-1") == key["si-1"])

    quiz.restart_kernel()  # the kernel is new: old widgets reach nothing
    tick(quiz, course, {"scp-1": key["scp-1"]})
    alarm = quiz.page.get_by_role("alert").filter(has_text=re.compile("NOT SAVED: .*scp-1"))
    quiz.wait_until(alarm.is_visible)
    assert "run this cell again" in alarm.inner_text()
    assert "scp-1" not in student.saved()
    quiz.screenshot("quiz-no-kernel")
    quiz.run_cell(1)
    quiz.wait_until(says("4 of 25 answered"))
    assert student.saved()["scp-1"] == key["scp-1"]  # what was ticked meanwhile, too
    assert not quiz.page.get_by_role("alert").filter(has_text="NOT SAVED").is_visible()

    student.nbgrader("submit", "quiz", f"--student={student.name}")  # with four answers

    rest = {q: options for q, options in key.items() if q not in student.saved()}
    rest[wrong] = ["a"] if key[wrong] != ["a"] else ["b"]
    tick(quiz, course, rest)
    quiz.wait_until(says("25 of 25 answered"))
    quiz.run_cell(3)
    [receipt] = quiz.outputs(3)
    code = re.search(r"Receipt (\w{4}-\w{4})", receipt["data"]["text/plain"]).group(1)
    quiz.save()
    student.nbgrader("validate", str(student.path))  # all are answered: nbgrader is content
    assert "Success!" in (student.folder / "nbgrader.log").read_text()
    student.nbgrader("submit", "quiz", f"--student={student.name}")

    now = datetime.now(UTC)
    few = {q: options for q, options in key.items() if not q.startswith(("basics", "scp"))}
    off = {q: sorted({*key[q]} ^ {"a"}) for q in ("ewc-1", "others-6")}
    course.hand_in("ann", course.sheet(few), at=now)
    course.hand_in("ben", course.sheet(key | off), at=now)
    courses.set_deadline(course.folder, now)
    late = course.hand_in(student.name, at=now + timedelta(seconds=5))
    with in_process():
        for command in ("collect", "autograde", "generate_feedback", "release_feedback"):
            course.run(command, "quiz")
        course.run("export")
    points = courses.scores(course.folder)
    exported = pd.read_csv(course.folder / "grades.csv", dtype=str).set_index("student_id").score
    for who, (earned, total) in zip((student.name, "ann", "ben"), EARNED.values(), strict=True):
        row = zip(key, earned.replace(" ", ""), strict=True)
        assert points[who] == {q: Decimal("0.4") * int(one) for q, one in row}
        assert exported[who] == total
    [paper] = [p for p in courses.papers(course.folder, course.bank) if p.student == student.name]
    assert (paper.receipt, paper.late, paper.problems) == (code, False, ())
    assert paper.score(course.bank) == Decimal("9.6")
    assert late.exists()

    student.nbgrader("fetch_feedback", "quiz")
    pages = sorted((student.folder / "quiz" / "feedback").rglob("quiz.html"))
    [page] = [p for p in pages if "9.6" in p.read_text()]
    feedback = quiz.page.context.new_page()
    feedback.goto(page.as_uri())
    assert feedback.get_by_text("9.6 of 10 points").count() == 1
    assert code in feedback.inner_text("body")
    for option in course.bank.questions[wrong].options:
        assert feedback.get_by_text(option.why).count() == 1
    assert feedback.get_by_text("0.4 of 0.4 points").count() == 24
    feedback.screenshot(path=quiz.screenshot("quiz-feedback"))
    feedback.close()


@pytest.mark.full
def test_the_same_answers_on_another_machine(notebook, student, course, server):
    quiz = notebook(student.path)
    quiz.run_all()
    tick(quiz, course, {"basics-1": ["a"], "ewc-1": ["b"]})
    quiz.wait_until(lambda: student.saved() == {"basics-1": ["a"], "ewc-1": ["b"]})
    order = quiz.page.locator(".cl-quiz label").all_inner_texts()
    elsewhere = server.root / f"{student.name}-elsewhere"
    os.rename(student.path.parent, elsewhere)
    there = notebook(elsewhere / "quiz.ipynb")
    there.run_all()
    assert there.errors() == []
    assert box(there, course, "basics-1", "a").is_checked()
    assert box(there, course, "ewc-1", "b").is_checked()
    assert there.page.locator(".cl-quiz label").all_inner_texts() == order


@pytest.mark.full
def test_by_keyboard_and_by_name(notebook, student, course):
    quiz = notebook(student.path)
    quiz.run_all()
    first = quiz.page.get_by_role("checkbox").first
    first.focus()
    for key in ("Space", "Tab", "Tab", "Space", "d", "d", "b"):  # d d deletes a cell elsewhere
        quiz.page.keyboard.press(key)
    quiz.wait_until(lambda: len(student.saved().get("basics-1", [])) == 2)
    assert quiz.page.get_by_role("checkbox").nth(2).is_checked()
    groups = quiz.page.get_by_role("group")
    names = [f"{i}. {q.stem}" for i, q in enumerate(course.bank.questions.values(), 1)]
    for name in names:
        assert quiz.page.get_by_role("group", name=name, exact=True).count() == 1
    assert groups.count() >= 25
    chip = quiz.page.get_by_role("button", name="Section scp 0/3", exact=True)
    chip.press("Enter")
    assert quiz.page.get_by_role("heading", name="Section scp").is_visible()
    assert len(quiz.save().cells) == 30  # nothing was deleted


@pytest.mark.full
def test_two_tabs_and_two_hundred_fast_clicks(notebook, student, course):
    quiz = notebook(student.path)
    quiz.run_all()
    quiz.save()
    one = quiz.page
    quiz.open(one.context.new_page())  # the same notebook, the same kernel
    draw, expected = random.Random(0), {}
    questions = list(course.bank.questions.values())
    quiz.wait_until(lambda: quiz.page.get_by_role("checkbox").count() > 100)

    clicks: dict = {one: [], quiz.page: []}
    for _ in range(100):
        for half, page in enumerate(clicks):
            question = draw.choice(questions[half::2])
            option = draw.choice(question.options)
            clicks[page].append((questions.index(question), option.text.replace("`", "")))
            expected[question.id] = expected.get(question.id, set()) ^ {option.id}
    click_them = """
        async clicks => {
            const cards = document.querySelectorAll(".cl-quiz fieldset");
            for (const [i, text] of clicks) {
                [...cards[i].querySelectorAll("label")].find(l => l.innerText === text).click();
                await new Promise(done => setTimeout(done, 5));
            }
        }
    """
    for page in clicks:
        page.evaluate(f"clicks => {{ window.clicking = ({click_them})(clicks) }}", clicks[page])
    for page in clicks:
        page.evaluate("window.clicking")
    expected = {q: sorted(options) for q, options in expected.items() if options}
    quiz.wait_until(lambda: student.saved() == expected)
    for page in clicks:  # each tab shows what the other did, too
        told = f"{len(expected)} of 25 answered"
        quiz.wait_until(lambda p=page, t=told: t in p.locator(".cl-quiz-line").inner_text())
        quiz.wait_until(
            lambda p=page: p.locator("input:checked").count() == sum(map(len, expected.values()))
        )
    one.close()


@pytest.mark.full
def test_killed_at_random_moments_the_file_is_whole_and_one_click_at_most_is_gone(
    notebook, student, course
):
    quiz = notebook(student.path)
    quiz.run_all()
    draw, shown = random.Random(1), {}
    questions = list(course.bank.questions.values())
    for _ in range(4):
        pid = int(quiz.ask("import os; print(os.getpid())").text)
        for _ in range(draw.randint(3, 12)):
            question = draw.choice(questions)
            option = draw.choice(question.options).id
            box(quiz, course, question.id, option).click()
            shown[question.id] = shown.get(question.id, set()) ^ {option}
            student.saved()  # it can be read at every moment
        os.kill(pid, signal.SIGKILL)
        saved = student.saved()
        now = {q: sorted(options) for q, options in shown.items() if options}
        differ = {q for q in {*saved, *now} if saved.get(q) != now.get(q)}
        assert differ <= {question.id}  # the last one, if any
        quiz.restart_kernel()
        quiz.run_cell(1)  # and that one comes back from the browser
        quiz.wait_until(lambda now=now: student.saved() == now)


@pytest.mark.full
def test_without_a_kernel_the_page_says_what_to_do(notebook, student, course):
    quiz = notebook(student.path)
    quiz.run_all()
    tick(quiz, course, {"basics-1": ["a"]})
    quiz.wait_until(lambda: student.saved() == {"basics-1": ["a"]})
    quiz.save()
    quiz.shut_down_kernel()
    quiz.reload()
    advice = quiz.page.get_by_text("The questions are here once this cell has been run")
    quiz.wait_until(advice.is_visible)
    quiz.screenshot("quiz-unopened")
    quiz.run_cell(1)
    quiz.wait_until(lambda: not advice.is_visible())
    assert box(quiz, course, "basics-1", "a").is_checked()
    assert json.loads(student.path.with_name("answers.json").read_text())["answers"]
