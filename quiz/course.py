"""A course on disk: nbgrader's folders and its gradebook, and what has been handed in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path

from filelock import FileLock, Timeout
from nbgrader.api import Gradebook, SubmittedAssignment
from nbgrader.apps.baseapp import NbGrader
from nbgrader.exchange.default import Exchange
from traitlets.config import Config

from cl_helpers.answers.sheet import receipt

from .bank import Bank, bank_of
from .export import grades, marks_of
from .grading import Paper, exact
from .places import HOME, assignment_of, course_of, handed_in
from .privacy import keep_private
from .released import Released
from .roster import Pupil, Roster
from .rulings import Rulings
from .submissions import read_submission

REGRADES = "regrades.jsonl"
KEYS = "keys.jsonl"  # each key that was graded by, a line each

_CONFIG = """\
# The quiz's settings; your own below. Your own questions go into bank/, beside this file.
load_subconfig({path!r})
c = get_config()
c.CourseDirectory.course_id = {name!r}
# c.Exchange.root = "/path/to/the/exchange"
"""


def new_course(folder: Path, name: str) -> Path:
    """A folder that nbgrader's commands work in.

    Raises:
        ValueError: there is an nbgrader_config.py already, or others can open the folder.
    """
    config = folder / "nbgrader_config.py"
    if config.exists():
        raise ValueError(f"{config} is there already: choose another folder")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    keep_private(folder)
    config.write_text(_CONFIG.format(path=str(HOME / "nbgrader_config.py"), name=name))
    return folder


def nbgrader(folder: Path, *arguments: str, **env: str) -> None:
    """Run an nbgrader command in the course of `folder`, as one would in a shell.

    Raises:
        ValueError: it failed; what it said is in the message.
    """
    folder = course_of(folder)
    venv = Path(sys.executable).parent  # where `alembic` is, which nbgrader calls
    env = os.environ | {"PATH": f"{venv}{os.pathsep}{os.environ.get('PATH', '')}"} | env
    command = [sys.executable, "-m", "nbgrader", *arguments]
    done = subprocess.run(command, check=False, cwd=folder, env=env, capture_output=True, text=True)
    with (folder / "nbgrader.log").open("a") as log:
        log.write(done.stdout + done.stderr)
    if done.returncode:
        # What nbgrader gives up on, or a traceback's last line, says more than that it failed.
        pattern = r"(?:\| CRITICAL\] |^\s*(?=[\w.]*Error: ))(.*)"
        lines = re.findall(pattern, done.stderr, re.M) or done.stderr.splitlines()
        reason = lines[-1] if lines else "no reason given"
        raise ValueError(
            f"nbgrader {' '.join(arguments)} failed: {reason} (all of it: {folder}/nbgrader.log)"
        )


@contextmanager
def gradebook(folder: Path) -> Iterator[Gradebook]:
    """The course's gradebook.

    Raises:
        ValueError: there is none.
    """
    file = course_of(folder) / "gradebook.db"
    if not file.exists():
        raise ValueError(f"{file} is not there: run `python -m quiz release` first")
    with Gradebook(f"sqlite:///{file.resolve()}") as book:
        yield book


def set_deadline(folder: Path, due: datetime | None) -> None:
    """Until when submissions count; None is for ever, and then feedback stays here.

    Raises:
        ValueError: feedback has gone out: whoever hands in later may have seen the key.
    """
    released = Released.read(folder)
    utc = due and due.astimezone(UTC).replace(tzinfo=None)
    if released.feedback and (utc is None or utc > released.feedback):
        raise ValueError(
            f"feedback with the key went out at {released.feedback:%Y-%m-%d %H:%M} UTC: what is "
            "handed in later counts for nothing, whatever the deadline"
        )
    with gradebook(folder) as book:
        name = assignment_of(folder)
        own = {s.student.id: s.duedate for s in _extended(book, name)}
        book.update_or_create_assignment(name, duedate=utc)
        for student, until in own.items():  # nbgrader keeps the difference, people a date
            _set_extension(book, name, student, until)
    replace(released, no_deadline=due is None).save(folder)


def extend(folder: Path, student: str, until: datetime) -> None:
    """Give one student until later; also before anything was handed in.

    Raises:
        ValueError: it would count for nothing, or the roster has nobody of that name.
    """
    released, utc = Released.read(folder), until.astimezone(UTC).replace(tzinfo=None)
    if released.feedback:
        raise ValueError(
            f"feedback with the key went out at {released.feedback:%Y-%m-%d %H:%M} UTC: what "
            f"{student} hands in later counts for nothing"
        )
    with gradebook(folder) as book:
        known, name = Roster.read(course_of(folder)).students, assignment_of(folder)
        if known and student not in known:
            near = ", ".join(get_close_matches(student, known)) or "nobody is called like it"
            raise ValueError(f"{student!r} is not among the {len(known)} of the roster: {near}")
        due = book.find_assignment(name).duedate
        if due is None or utc < due:
            raise ValueError(
                f"{until:%Y-%m-%d %H:%M} is no extension: the deadline is "
                + (f"{due:%Y-%m-%d %H:%M} UTC" if due else "not set")
            )
        book.update_or_create_student(student)
        _set_extension(book, name, student, utc)


def drawn_as(folder: Path, student: str, name: str) -> None:
    """Grade a student's answers as those to the paper that was drawn for `name`."""
    released = Released.read(folder)
    drawn = {**released.drawn_as, student: name}
    if name == student:
        del drawn[student]
    replace(released, drawn_as=drawn).save(folder)


def extensions(folder: Path) -> dict[str, datetime]:
    """Student -> a deadline of one's own, in this machine's zone."""
    with gradebook(folder) as book:
        found = {s.student.id: s.duedate for s in _extended(book, assignment_of(folder))}
    return {student: due.replace(tzinfo=UTC).astimezone() for student, due in found.items()}


def _extended(book: Gradebook, assignment: str) -> list[SubmittedAssignment]:
    """Submissions with an extension, which means something if there is a deadline."""
    submissions = book.assignment_submissions(assignment)
    return [s for s in submissions if s.extension and s.assignment.duedate]


def _set_extension(book: Gradebook, assignment: str, student: str, until: datetime) -> None:
    due = book.find_assignment(assignment).duedate
    submission = book.update_or_create_submission(assignment, student)
    submission.extension = until - due if due and until > due else None
    book.db.commit()


def last_deadline(folder: Path) -> datetime | None:
    """What was set last, in this machine's zone."""
    if not (course_of(folder) / "gradebook.db").exists():
        return None
    with gradebook(folder) as book:
        name = assignment_of(folder)
        due = next((a.duedate for a in book.assignments if a.name == name), None)
    return due and due.replace(tzinfo=UTC).astimezone()


def has_deadline(folder: Path) -> bool:
    """Whether it is settled until when answers count, be it for ever."""
    return last_deadline(folder) is not None or Released.read(folder).no_deadline


def settings(folder: Path) -> tuple[Config, Path]:
    """nbgrader's settings as its commands see them in `folder`, and the exchange's root.

    Raises:
        ValueError: `folder` is no course.
    """
    folder = course_of(folder)
    if not (folder / "nbgrader_config.py").exists():
        raise ValueError(f"{folder} is no course: begin one with `python -m quiz course FOLDER`")
    app = NbGrader()
    with chdir(folder):
        app.load_config_file()
    usual = Exchange.class_traits()["root"].default_value
    return app.config, Path(app.config.Exchange.get("root", usual))


def in_exchange(folder: Path) -> Path:
    """The course's folder in the exchange."""
    config, exchange = settings(folder)
    return exchange / str(config.CourseDirectory.get("course_id", ""))


def papers(folder: Path, bank: Bank) -> list[Paper]:
    """What has been collected, one paper a student, graded yet or not.

    Where the gradebook has other points than the answers earn, the problems say so.
    """
    key_out, name = Released.read(folder).feedback, bank.settings.assignment
    with gradebook(folder) as book:
        known = {s.student.id: s for s in book.assignment_submissions(name)}
        booked = {g.student: g.score for g in grades(book, name, bank)}
        found = []
        for each in handed_in(folder):
            student = each.parent.name
            questions = bank.paper_of(student)
            reading = read_submission(each, questions, key_out)
            submission = known.get(student)
            paper = Paper(
                student=student,
                choices=reading.choices,
                problems=reading.problems,
                submitted=submission.timestamp if submission else None,
                late=bool(submission and submission.total_seconds_late > 0),
                receipt=receipt(questions, reading.choices),
                sheet=reading.sheet,
                counts=reading.counts,
            )
            wrong, stale = [], False
            if not submission:
                wrong, stale = ["not graded: run `python -m quiz grade`"], True
            elif booked[student] != (expected := _expected(paper, submission, bank)):
                differ = f"the gradebook has {booked[student]} points and not {expected}"
                wrong, stale = [f"{differ}: run `python -m quiz regrade`"], True
            elif expected != (earns := paper.score(bank)):
                wrong = [f"a grader changed its points: {expected}, where the answers earn {earns}"]
            found.append(replace(paper, problems=(*paper.problems, *wrong), stale=stale))
        return found


def _expected(paper: Paper, submission: SubmittedAssignment, bank: Bank) -> Decimal:
    """The points that a paper should have in the gradebook, with what a grader gave by hand."""
    points = paper.points(bank)
    for mark in marks_of(submission):
        if mark.name in bank.rulings.void:
            continue
        if mark.manual_score is not None:
            points[mark.name] = exact(mark.manual_score)
        points[mark.name] = points.get(mark.name, Decimal(0)) + exact(mark.extra_credit or 0)
    return Decimal(0) if paper.late else exact(bank.score(points.values()))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One command at a time that writes grades, or reads them all.

    Raises:
        ValueError: another is at work.
    """
    try:
        with FileLock(course_of(folder) / ".grading.lock", timeout=0):
            yield
    except Timeout:
        raise ValueError(
            f"another command is grading in {course_of(folder)}: wait until it has ended"
        ) from None


def take_roster(folder: Path, pupils: Sequence[Pupil]) -> None:
    """Make `pupils` those who take the course."""
    Roster.of(pupils).save(course_of(folder))
    if (course_of(folder) / "gradebook.db").exists():
        book_roster(folder)


def book_roster(folder: Path) -> None:
    """Make all of the roster known to the gradebook, by their names."""
    with gradebook(folder) as book:
        for pupil in Roster.read(course_of(folder)).students.values():
            known = {k: v for k, v in asdict(pupil).items() if k != "student" and v}
            book.update_or_create_student(pupil.student, **known)


def strangers(folder: Path) -> list[str]:
    """Who has handed in and is not on the roster."""
    roster = Roster.read(course_of(folder))
    students = [path.parent.name for path in handed_in(folder)]
    return [student for student in students if not roster.knows(student)]


def missing(folder: Path) -> list[str]:
    """Who is on the roster and has handed in nothing."""
    there = {path.parent.name for path in handed_in(folder)}
    students = Roster.read(course_of(folder)).students
    return [student for student in students if student not in there]


def scores(folder: Path) -> dict[str, dict[str, Decimal]]:
    """Student -> question -> points in the gradebook, a grader's changes included."""
    with gradebook(folder) as book:
        return {
            s.student.id: {g.name: exact(g.score) for n in s.notebooks for g in n.grades}
            for s in book.assignment_submissions(assignment_of(folder))
        }


def totals(folder: Path) -> dict[str, Decimal]:
    """Student -> points that count: after the late policy, a grader's changes included."""
    bank = bank_of(folder)
    with gradebook(folder) as book:
        return {g.student: g.score for g in grades(book, bank.settings.assignment, bank)}


def remember_key(folder: Path, bank: Bank) -> None:
    """Note a key by which papers are graded from now on, if it is another one."""
    now = {q: sorted(key) for q, key in bank.key.items()}
    if [now] != _keys(folder)[-1:]:
        with (folder / KEYS).open("a") as file:
            file.write(json.dumps(now) + "\n")


def _keys(folder: Path) -> list[dict[str, list[str]]]:
    """All keys that were graded by, the oldest first."""
    file = folder / KEYS
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return [json.loads(line) for line in lines]


def earlier_keys(folder: Path, question: str) -> set[frozenset[str]]:
    """What the key of a question has been."""
    return {frozenset(key[question]) for key in _keys(folder) if question in key}


def preview(folder: Path, bank: Bank) -> list[dict]:
    """Say who would have other points by `bank` and its rulings, and how many; change nothing."""
    was = totals(folder)
    with gradebook(folder) as book:
        submissions = book.assignment_submissions(bank.settings.assignment)
        known = {s.student.id: s for s in submissions}
        new = {
            paper.student: _expected(paper, known[paper.student], bank)
            for paper in papers(folder, bank)
            if paper.student in known
        }
    return [
        {"student": student, "from": str(was[student]), "to": str(points)}
        for student, points in new.items()
        if points != was[student]
    ]


def regrade(folder: Path, reason: str, rulings: Rulings | None = None) -> list[dict]:
    """Grade everyone afresh, from the answers that were collected, by the key as it now is.

    The changes are returned, and appended to regrades.jsonl, one line a student.

    Args:
        rulings: that hold from now on. None, the default, leaves them as they are.
    """
    before, old = scores(folder), totals(folder)
    if rulings is not None:
        rulings.save(folder)
    remember_key(folder, bank_of(folder))
    changes = []
    try:
        nbgrader(folder, "autograde", assignment_of(folder), "--force")
    finally:  # if one fails, the others have changed all the same
        after, new = scores(folder), totals(folder)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for student, points in after.items():
            changed = [q for q in points if before.get(student, {}).get(q) != points[q]]
            was = old.get(student, Decimal(0))
            if changed or was != new[student]:
                change = {"student": student, "from": str(was), "to": str(new[student])}
                changes.append({"time": now, "reason": reason} | change | {"questions": changed})
        with (folder / REGRADES).open("a") as log:
            log.writelines(json.dumps(change) + "\n" for change in changes)
    return changes
