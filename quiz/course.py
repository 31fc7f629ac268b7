"""A course on disk: nbgrader's folders and its gradebook, and what has been handed in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.apps.baseapp import NbGrader
from nbgrader.exchange.default import Exchange
from traitlets.config import Config

from cl_helpers.answers.sheet import receipt

from .bank import ASSIGNMENT, HOME, Bank
from .export import grades
from .grading import Paper, exact
from .privacy import keep_private
from .released import Released
from .submissions import read_submission

REGRADES = "regrades.jsonl"

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
    """Run an nbgrader command in `folder`, as one would in a shell.

    Raises:
        ValueError: it failed; what it said is in the message.
    """
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
    file = folder / "gradebook.db"
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
        book.update_or_create_assignment(ASSIGNMENT, duedate=utc)
    replace(released, no_deadline=due is None).save(folder)


def last_deadline(folder: Path) -> datetime | None:
    """What was set last, in this machine's zone."""
    if not (folder / "gradebook.db").exists():
        return None
    with gradebook(folder) as book:
        due = next((a.duedate for a in book.assignments if a.name == ASSIGNMENT), None)
    return due and due.replace(tzinfo=UTC).astimezone()


def has_deadline(folder: Path) -> bool:
    """Whether it is settled until when answers count, be it for ever."""
    return last_deadline(folder) is not None or Released.read(folder).no_deadline


def settings(folder: Path) -> tuple[Config, Path]:
    """nbgrader's settings as its commands see them in `folder`, and the exchange's root.

    Raises:
        ValueError: `folder` is no course.
    """
    if not (folder / "nbgrader_config.py").exists():
        raise ValueError(f"{folder} is no course: begin one with `python -m quiz course FOLDER`")
    app = NbGrader()
    with chdir(folder):
        app.load_config_file()
    usual = Exchange.class_traits()["root"].default_value
    return app.config, Path(app.config.Exchange.get("root", usual))


def papers(folder: Path, bank: Bank) -> list[Paper]:
    """What has been collected, one paper a student, graded yet or not.

    Where the gradebook has other points than the answers earn, the problems say so.
    """
    questions, key_out = bank.public(), Released.read(folder).feedback
    with gradebook(folder) as book:
        known = {s.student.id: s for s in book.assignment_submissions(ASSIGNMENT)}
        booked = {g.student: g.score for g in grades(book, ASSIGNMENT)} if known else {}
        found = []
        for each in sorted(folder.glob(f"submitted/*/{ASSIGNMENT}")):
            student, reading = each.parent.name, read_submission(each, questions, key_out)
            submission = known.get(student)
            paper = Paper(
                student=student,
                choices=reading.choices,
                problems=reading.problems,
                submitted=submission.timestamp if submission else None,
                late=bool(submission and submission.total_seconds_late > 0),
                receipt=receipt(questions, reading.choices),
                sheet=reading.sheet,
            )
            wrong = []
            if not submission:
                wrong = ["not graded: run `python -m quiz grade`"]
            elif booked[student] != (earns := paper.score(bank)):
                differ = f"the gradebook has {booked[student]} points and the answers earn {earns}"
                wrong = [f"{differ}: run `python -m quiz regrade`, unless a grader changed it"]
            found.append(replace(paper, problems=(*paper.problems, *wrong)))
        return found


def scores(folder: Path) -> dict[str, dict[str, Decimal]]:
    """Student -> question -> points in the gradebook, a grader's changes included."""
    with gradebook(folder) as book:
        return {
            s.student.id: {g.name: exact(g.score) for n in s.notebooks for g in n.grades}
            for s in book.assignment_submissions(ASSIGNMENT)
        }


def totals(folder: Path) -> dict[str, Decimal]:
    """Student -> points that count: after the late policy, a grader's changes included."""
    with gradebook(folder) as book:
        return {g.student: g.score for g in grades(book, ASSIGNMENT)}


def regrade(folder: Path, reason: str) -> list[dict]:
    """Grade everyone afresh, from the answers that were collected, by the key as it now is.

    The changes are returned, and appended to regrades.jsonl, one line a student.
    """
    before, old = scores(folder), totals(folder)
    changes = []
    try:
        nbgrader(folder, "autograde", ASSIGNMENT, "--force")
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
