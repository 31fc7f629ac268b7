"""An instructor's course: the commands from release to export, and what may happen in between."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import ceil
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from quizzes import SETTINGS, ToyCourse, in_process, write_bank

from quiz import __main__ as cli
from quiz import bank as banks
from quiz import course as courses
from quiz import exchange, export
from quiz.bank import Bank
from quiz.demo import make_course
from quiz.released import Released
from quiz.roster import Pupil, Roster


def now(seconds: float = 0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.fixture(scope="module", autouse=True)
def _in_process():
    with in_process():
        yield


# ---- the course to try: `make course`


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """As `python -m quiz demo` leaves it."""
    folder = tmp_path_factory.mktemp("demo") / "course"
    make_course(folder, print)
    for step in (cli.collect, cli.grade, cli.feedback, cli.report, cli.export_):
        step(folder)
    return folder


def by_hand(answers: Path, student: str, bank: banks.Bank) -> dict[str, Decimal]:
    """What a file of answers earns by the rule alone, option by option."""
    chosen, points = json.loads(answers.read_text())["answers"], {}
    for question in bank.questions:
        ticked = set(chosen.get(question, []))
        options = bank.asked(question, student).options
        right = all((o.id in ticked) == o.correct for o in options)
        points[question] = Decimal("0.4") if right else Decimal(0)
    return points


def test_everyone_has_the_points_of_the_submission_that_counts(demo):
    scores, bank = courses.scores(demo), banks.bank_of(demo)
    inbound = sorted((demo / "exchange" / "continual-learning" / "inbound").iterdir())
    alice, bob = ([f for f in inbound if f.name.startswith(name)] for name in ("alice", "bob"))
    assert [len(alice), len(bob), len(inbound)] == [2, 2, 6]
    assert scores["alice"] == by_hand(alice[1] / "answers.json", "alice", bank)  # the latest
    assert scores["bob"] == by_hand(bob[0] / "answers.json", "bob", bank)  # the other one was late
    assert sum(by_hand(bob[1] / "answers.json", "bob", bank).values()) == 10
    assert set(scores["carol"].values()) == {Decimal(0)}
    totals = {student: sum(points.values()) for student, points in scores.items()}
    assert totals == {"alice": Decimal("9.2"), "bob": Decimal("7.6"), "carol": 0}
    papers = {p.student: p for p in courses.papers(demo, bank)}
    assert {s: p.score(bank) for s, p in papers.items()} == totals
    assert "not JSON" in papers["carol"].problems[0]
    assert not papers["alice"].problems + papers["bob"].problems


def test_what_it_leaves_to_look_at(demo):
    page = (demo / "report" / "report.html").read_text()
    assert "carol" in page
    assert "not JSON" in page
    assert re.search(r"10 points\. Due \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.", page)
    papers = pd.read_csv(demo / "report" / "papers.csv", dtype=str).set_index("student")
    assert papers.score.to_dict() == {"alice": "9.2", "bob": "7.6", "carol": "0"}
    for student, told in {"alice": "9.2", "bob": "7.6", "carol": "0"}.items():
        feedback = (demo / "feedback" / student / "quiz" / "quiz.html").read_text()
        assert f'<p class="result">{told} of 10 points</p>' in feedback
    expected = {"alice": 9.2, "bob": 7.6, "carol": 0}
    registrar = pd.read_csv(demo / "export" / "registrar.csv").set_index("student_id")
    assert registrar.points.to_dict() == expected
    grades = pd.read_csv(demo / "export" / "grades.csv", dtype=str).set_index("student_id")
    assert grades.score.to_dict() == {"alice": "9.2", "bob": "7.6", "carol": "0"}
    canvas = pd.read_csv(demo / "export" / "canvas.csv").set_index("Student")[
        "Continual learning: the quiz"
    ]
    assert canvas.drop("    Points Possible").to_dict() == expected
    assert (demo / "export" / "bank-moodle.xml").read_text().count("multichoiceset") == sum(
        map(len, banks.bank_of(demo).variants.values())
    )


def told_of_points(course, bank):
    """Whose points in the gradebook are not what the answers earn."""
    papers, marks = courses.papers(course, bank), ("the gradebook has", "a grader changed")
    return {p.student: line for p in papers for line in p.problems if line.startswith(marks)}


def test_a_corrected_key_is_graded_afresh_and_logged(demo, tmp_path, monkeypatch):
    before = courses.scores(demo)
    with courses.gradebook(demo) as book:  # a grader has changed a score by hand
        grade = book.find_grade("basics-1", "quiz", "quiz", "alice")
        grade.manual_score = 0.2
        book.db.commit()
    bank = banks.bank_of(demo)
    assert told_of_points(demo, bank).keys() == {"alice"}
    folder = shutil.copytree(banks.FOLDER, demo / "bank")
    raw = yaml.safe_load((folder / "scp.yaml").read_text())
    answers = demo / "submitted" / "bob" / "quiz" / "answers.json"
    chosen = json.loads(answers.read_text())["answers"]["scp-2"]
    for option in raw["questions"][1]["options"]:  # bob was right, it turns out
        option["correct"] = option["id"] in chosen
    (folder / "scp.yaml").write_text(yaml.safe_dump(raw))
    was_right = before["bob"]["scp-2"] > 0
    corrected = banks.bank_of(demo)
    differ = told_of_points(demo, corrected)
    changes = courses.regrade(demo, "scp-2: bob was right")
    after = courses.scores(demo)
    assert after["bob"] == before["bob"] | {"scp-2": Decimal("0.4")}
    assert after["alice"]["basics-1"] == Decimal("0.2")
    changed = {c["student"]: c for c in changes}
    assert differ.keys() == changed.keys() | {"alice"}
    assert told_of_points(demo, corrected).keys() == {"alice"}  # whom a grader has changed
    assert ("bob" in changed) is not was_right
    log = [json.loads(line) for line in (demo / courses.REGRADES).read_text().splitlines()]
    assert log == changes
    for c in changes:
        assert c["reason"] == "scp-2: bob was right"
        assert c["questions"] == ["scp-2"]
        assert Decimal(c["to"]) - Decimal(c["from"]) in (Decimal("0.4"), Decimal("-0.4"))

    # Grading afresh is the same thing: another course, the same submissions, the new key.
    monkeypatch.setattr(cli.console, "print", lambda *a, **k: None)
    fresh = courses.new_course(tmp_path / "fresh", "continual-learning")
    shutil.copytree(folder, fresh / "bank")
    replace(Released.read(demo), feedback=None).save(fresh)  # whose paper is which
    cli.build(fresh)
    courses.nbgrader(fresh, "generate_assignment", "quiz")
    shutil.copytree(demo / "submitted", fresh / "submitted")
    courses.nbgrader(fresh, "autograde", "quiz")
    afresh = courses.scores(fresh)
    after["alice"]["basics-1"] = before["alice"]["basics-1"]
    assert afresh == after

    again = courses.regrade(demo, "nothing new")  # and the log only grows
    assert again == []
    assert [json.loads(line) for line in (demo / courses.REGRADES).open()] == log


# ---- what may happen in a course


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return ToyCourse(tmp_path_factory.mktemp("toy"))


def test_time_extensions_owners_and_other_ways_in(course):
    """One course, graded once: who is late, who is who, and what did not come by the exchange."""
    due = now(-10).replace(microsecond=0)
    courses.set_deadline(course.folder, due)
    nothing = course.sheet({})
    course.hand_in("extended", nothing, at=due)
    course.hand_in("extended", at=due + timedelta(seconds=5))
    with courses.gradebook(course.folder) as book:
        book.update_or_create_student("extended")
        book.add_submission("quiz", "extended")
        book.grant_extension("quiz", "extended", minutes=10)
    course.hand_in("restored", at=due - timedelta(days=1))

    # By hand, past the exchange: a renamed notebook, a link, a pipe, nothing at all.
    def by_hand(student, **files):
        folder = course.folder / "submitted" / student / "quiz"
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name.replace("__", ".")).write_text(content)
        return folder

    sheet = json.dumps(course.sheet())
    by_hand("renamed", answers__json=sheet, final__ipynb="{}")
    link = by_hand("linking", quiz__ipynb="{}") / "answers.json"
    link.symlink_to(course.folder / "submitted" / "renamed" / "quiz" / "answers.json")
    os.mkfifo(by_hand("piping", quiz__ipynb="{}") / "answers.json")
    stamp = f"{due + timedelta(seconds=1):%Y-%m-%d %H:%M:%S} UTC"
    by_hand("late-by-hand", answers__json=sheet, timestamp__txt=stamp)
    by_hand("nothing", note__txt="sorry")
    (course.folder / "submitted" / "somebody").mkdir()  # unpacked from a zip, perhaps
    other = course.folder / "submitted" / "extended" / "quiz"
    (course.folder / "submitted" / "somebody" / "quiz").symlink_to(other)

    course.run("collect", "quiz", "--ExchangeCollect.trust_clock=True")
    cli.grade(course.folder)
    papers = {p.student: p for p in courses.papers(course.folder, course.bank)}
    told = {s: (p.score(course.bank), "; ".join(p.problems)) for s, p in papers.items()}
    assert told == {
        "extended": (10, ""),
        "restored": (10, ""),  # the exchange was copied: its clock is to be trusted
        "renamed": (10, ""),
        "linking": (0, "answers.json: it is a link, not a file"),
        "piping": (0, "answers.json: it is no plain file"),
        "late-by-hand": (0, ""),
        "nothing": (0, "answers.json is missing"),
        "somebody": (0, "it is a link, not a folder; answers.json is missing"),
    }
    gradebook = courses.scores(course.folder)
    assert sum(gradebook["extended"].values()) == 10
    asides = {p.name.rsplit("-", 1)[0] for p in (course.folder / "set_aside").iterdir()}
    assert asides == {"renamed", "linking", "piping", "late-by-hand", "nothing", "somebody"}
    [kept] = (course.folder / "set_aside").glob("nothing-*")
    assert (kept / "note.txt").read_text() == "sorry"

    # Another bank than the one given out is an error, and no reason to give everybody nothing.
    other = course.bank.sections
    fewer = Bank(SETTINGS, [s.model_copy(update={"questions": s.questions[:-1]}) for s in other])
    write_bank(fewer, course.folder / "bank")
    with pytest.raises(ValueError, match=r"--student=renamed failed: .* from another bank than"):
        course.run("autograde", "quiz", "--force", "--student=renamed")
    write_bank(course.bank, course.folder / "bank")
    assert sum(courses.scores(course.folder)["renamed"].values()) == 10

    # Cells without a result earn full points in nbgrader; --no-execute must not make ours such.
    course.run("autograde", "quiz", "--force", "--no-execute", "--student=nothing")
    assert set(courses.scores(course.folder)["nothing"].values()) == {Decimal(0)}


def test_a_finished_exchange_cannot_be_rearranged(course, monkeypatch):
    """After the deadline, when the key may be known: folders moved in, moved away, written to."""
    inbound = course.exchange / "cl" / "inbound"
    aside = course.exchange / "aside"
    aside.mkdir()

    def collect():
        collector = exchange.Collect(
            coursedir=CourseDirectory(
                root=str(course.folder), course_id="cl", assignment_id="quiz"
            ),
            authenticator=Authenticator(),
            root=str(course.exchange),
            before_duedate=True,
            check_owner=False,
            grace=grace,
        )
        collector.start()

    def collected(student):
        answers = course.folder / "submitted" / student / "quiz" / "answers.json"
        return json.loads(answers.read_text())["answers"]

    some, none = course.but("ewc-1"), {}
    before = now()
    staged = course.hand_in("stager", at=before)  # all correct, in case
    staged.rename(aside / staged.name)
    course.hand_in("stager", course.sheet(none), at=before)
    course.hand_in("hider", at=before)
    hidden = course.hand_in("hider", course.sheet(some), at=before + timedelta(microseconds=1))
    course.hand_in("writer", course.sheet(none), at=before)
    linked = course.hand_in("linker", course.sheet(none), at=before)
    courses.set_deadline(course.folder, now())
    grace = ceil((now() - before).total_seconds())  # all was handed in within it
    while now() < before + timedelta(seconds=grace + 0.1):  # what is changed then is late
        time.sleep(0.05)

    def meanwhile(source, *arguments):
        """Somebody who watches the collector and is quicker."""
        if "writer" in source.name:
            (source / "answers.json").write_text(json.dumps(course.sheet()))
        if "linker" in source.name:
            source.rename(aside / "linked")
            source.symlink_to(aside / staged.name)
        take(source, *arguments)

    take = exchange.take
    monkeypatch.setattr(exchange, "take", meanwhile)
    collect()
    told = (course.folder / "left_out.txt").read_text()
    assert told.count("it was changed while it was collected") == 2
    assert not (course.folder / "submitted" / "writer" / "quiz").exists()
    assert not (course.folder / "submitted" / "linker" / "quiz").exists()
    assert linked.is_symlink()
    assert collected("stager") == none
    assert collected("hider") == some

    monkeypatch.setattr(exchange, "take", take)
    (aside / staged.name).rename(inbound / staged.name)
    hidden.rename(aside / hidden.name)
    collect()
    assert collected("stager") == none
    assert collected("hider") == some
    written = course.folder / "submitted" / "writer" / "quiz"
    assert "but its files were written at" in (written / "intake.json").read_text()  # so it is late
    linked.unlink()
    for folder in (*inbound.iterdir(), aside):
        shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files to another user")
def test_nobody_hands_in_for_somebody_else(course):
    theirs = course.hand_in("daemon", at=now())
    forged = course.hand_in("bin", at=now())
    for folder in (theirs, forged):
        shutil.chown(folder, "daemon")
    course.run("collect", "quiz", "--ExchangeCollect.check_owner=True")
    assert (course.folder / "submitted" / "daemon").exists()
    assert not (course.folder / "submitted" / "bin").exists()
    assert "it is owned by daemon" in (course.folder / "left_out.txt").read_text()
    shutil.rmtree(theirs)
    shutil.rmtree(forged)


@pytest.mark.full
def test_other_assignments_of_the_course_are_executed_as_usual(course):
    def cell(source, name, **nbgrader):
        both = {"schema_version": 3, "grade_id": name, "cell_type": "code", "task": False}
        metadata = {"nbgrader": both | nbgrader}
        return nbformat.v4.new_code_cell(source, id=name, metadata=metadata)

    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [
        cell("a = ...", "answer", grade=False, solution=True, locked=False),
        cell("assert a == 42", "test", grade=True, solution=False, locked=True, points=3),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    source = course.folder / "source" / "sums"
    source.mkdir(parents=True)
    nbformat.write(notebook, source / "sums.ipynb")
    course.run("generate_assignment", "sums")
    for student, answer in {"right": 42, "wrong": 43}.items():
        folder = course.folder / "submitted" / student / "sums"
        folder.mkdir(parents=True)
        theirs = nbformat.read(course.folder / "release" / "sums" / "sums.ipynb", as_version=4)
        theirs.cells[0].source = f"a = {answer}"
        nbformat.write(theirs, folder / "sums.ipynb")
    course.run("autograde", "sums")
    with courses.gradebook(course.folder) as book:
        scores = {s.student.id: s.score for s in book.assignment_submissions("sums")}
    assert scores == {"right": 3, "wrong": 0}


@pytest.mark.full
def test_a_second_release_breaks_nothing_that_is_out(course, monkeypatch):
    due = now(3600).replace(microsecond=0)
    courses.set_deadline(course.folder, due)
    course.hand_in("early", course.sheet(course.but("si-1")), at=now(-3600))  # a clock that is slow
    course.hand_in("twin", at=now())
    course.run("collect", "quiz")
    collected = course.folder / "submitted" / "early" / "quiz"
    old = course.released.read_bytes()
    said = []
    monkeypatch.setattr(cli.console, "print", lambda *told, **_: said.extend(told))
    cli.release(course.folder, None)
    assert course.released.read_bytes() != old
    assert f"Due {due.astimezone():%Y-%m-%d %H:%M}" in course.released.read_text()  # still known
    said.clear()
    cli.grade(course.folder)
    assert not [line for line in said if "tidied" in str(line)]
    assert [line for line in said if re.match("began as one file: .*early, .*twin", str(line))]
    [paper] = [p for p in courses.papers(course.folder, course.bank) if p.student == "early"]
    assert paper.score(course.bank) == Decimal("9.6") == courses.totals(course.folder)["early"]
    assert ["its files were written at" in problem for problem in paper.problems] == [True]
    assert (collected / "quiz.ipynb").read_bytes() == course.released.read_bytes()

    with pytest.raises(ValueError, match="feedback has the key in it: not before "):
        cli.feedback(course.folder)
    assert not list((course.exchange / "cl" / "feedback").glob("*.html"))

    file = course.folder / "bank" / "others.yaml"
    file.write_text(file.read_text().replace("others-6", "others-7"))
    with pytest.raises(ValueError, match="students may be answering"):
        cli.release(course.folder, None)
    file.unlink()
    with pytest.raises(ValueError, match="section others has 0 questions, not 6"):
        cli.release(course.folder, None)
    write_bank(course.bank, course.folder / "bank")


# ---- the command line


def test_the_bank_is_checked(tmp_path, capsys):
    cli.check()
    said = capsys.readouterr().out
    assert said.startswith("25 questions, ")
    assert said.endswith(" options, 10 points: fair\n")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda f: cli.build(f, "soon"), "due is 'soon': write it as \"2026-12-18 23:59\""),
        (lambda f: courses.papers(f, banks.load()), "gradebook.db is not there: run"),
        (lambda f: courses.new_course(f, "again"), "nbgrader_config.py is there already"),
        (cli.collect, "nbgrader collect quiz failed: Course not found: "),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_cure(tmp_path, call, says):
    folder = courses.new_course(tmp_path / "course", "cl")
    with (folder / "nbgrader_config.py").open("a") as config:
        config.write(f'c.Exchange.root = "{tmp_path}"\n')
    with pytest.raises(ValueError, match=says) as error:
        call(folder)
    assert "\n" not in str(error.value)


# ---- more time for one


def test_an_extension_before_and_after_something_was_handed_in(tmp_path):
    course = ToyCourse(tmp_path)
    due = now(-60).replace(microsecond=0)
    courses.set_deadline(course.folder, due)
    later = due + timedelta(hours=1)
    for student in ("before", "absent"):  # nbgrader's own grant_extension raises MissingEntry
        courses.extend(course.folder, student, later)
    course.hand_in("before", at=due + timedelta(seconds=5))
    course.hand_in("late", at=due + timedelta(seconds=5))
    course.run("collect", "quiz", "--ExchangeCollect.trust_clock=True")
    course.run("autograde", "quiz")
    assert courses.totals(course.folder) == {"before": 10, "absent": 0, "late": 0}
    courses.extend(course.folder, "late", later)
    course.run("autograde", "quiz", "--force")
    assert courses.totals(course.folder) == {"before": 10, "absent": 0, "late": 10}
    with pytest.raises(ValueError, match="feedback has the key in it"):
        cli.feedback(course.folder)  # somebody still has time

    with courses.gradebook(course.folder) as book:
        found = {g.student: g for g in export.grades(book, "quiz")}
    assert {s: g.status for s, g in found.items()} == {
        "before": "handed in",
        "absent": "did not hand in",
        "late": "handed in",
    }
    cli.export_(course.folder)
    for name, column in {"registrar.csv": "points", "grades.csv": "score"}.items():
        told = pd.read_csv(course.folder / "export" / name, dtype=str, keep_default_na=False)
        told = told.set_index("student_id")[column].to_dict()
        assert told == {"before": "10", "absent": "", "late": "10"}

    # The deadline moves: people's dates stay what they were told.
    was = courses.extensions(course.folder)
    assert was == dict.fromkeys(("before", "absent", "late"), later.astimezone())
    courses.set_deadline(course.folder, due - timedelta(days=1))
    assert courses.extensions(course.folder) == was
    courses.set_deadline(course.folder, later + timedelta(days=1))
    assert courses.extensions(course.folder) == {}  # everybody has longer than that


@pytest.mark.parametrize(
    ("student", "hours", "says"),
    [
        ("befor", 1, "'befor' is not among the 1 of the roster: before"),
        ("before", -1, "is no extension: the deadline is 2"),
    ],
)
def test_an_extension_that_means_nothing_is_refused(tmp_path, student, hours, says):
    course = ToyCourse(tmp_path)
    Roster.of([Pupil("before")]).save(course.folder)
    due = now()
    courses.set_deadline(course.folder, due)
    with pytest.raises(ValueError, match=says):
        courses.extend(course.folder, student, due + timedelta(hours=hours))


def test_no_extension_after_feedback(tmp_path):
    course = ToyCourse(tmp_path)
    Released().with_feedback().save(course.folder)
    with pytest.raises(ValueError, match="later counts for nothing"):
        courses.extend(course.folder, "before", now(3600))
