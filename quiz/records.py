"""A student's records taken away; a course packed, and unpacked with proof that it is the same."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from nbgrader.api import MissingEntry
from nbgrader.utils import notebook_hash

from .bank import ASSIGNMENT, bank_of
from .course import REGRADES, gradebook, in_exchange, papers, totals
from .exchange import LEFT_OUT, STUDENT
from .privacy import keep_private
from .roster import Roster
from .submissions import SET_ASIDE, secret_of

POINTS = "points.json"  # in a backup: what everybody had
LOGS = ("nbgrader.log", ".nbgrader.log")


def forget(course: Path, student: str) -> list[str]:
    """Remove all records of a student; what was removed and what stays, a line each.

    Raises:
        ValueError: there are no records of anybody of that name.
    """
    if not STUDENT.fullmatch(student):
        raise ValueError(f"{student!r} is no account's name")
    said = [_removed(path) for path in _papers_of(student, course)]
    roster = Roster.read(course)
    if student in roster.students:
        Roster.of(p for p in roster.students.values() if p.student != student).save(course)
        said.append(f"{course / 'roster.csv'}: no row of {student}")
    with gradebook(course) as book, suppress(MissingEntry):
        book.remove_student(student)
        said.append(f"{course / 'gradebook.db'}: no row of {student}")
    if not said:
        raise ValueError(f"there are no records of {student!r}")
    for made in (course / "report", course / "export"):  # everybody is in them
        if made.exists():
            said.append(f"{_removed(made)} whole: `python -m quiz {made.name}` makes it again")
    for file in (course / name for name in (REGRADES, LEFT_OUT, *LOGS)):
        if _without_lines_on(file, student):
            said.append(f"{file}: no line on {student}")
    return [*said, "backups and the student's own folders were not touched"]


def _papers_of(student: str, course: Path) -> list[Path]:
    """All files and folders with nothing but a student's papers, in the course and its exchange."""
    there = in_exchange(course)
    secret = secret_of(course / "submitted" / student / ASSIGNMENT).decode()
    paths = [
        *(course / step / student for step in ("submitted", "autograded", "feedback")),
        *(course / SET_ASIDE).glob(f"{student}-????????"),
        *(there / "inbound").glob(f"{student}+*"),
        there / "feedback" / f"{notebook_hash(secret=secret, notebook_id=ASSIGNMENT)}.html",
    ]
    return [path for path in paths if path.exists() or path.is_symlink()]


def _removed(path: Path) -> str:
    """Remove a file or a folder; a line that says so, or why it stays."""
    try:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    except OSError as error:
        return f"{path}: stays ({error.strerror}: {error.filename})"
    return f"{path}: removed"


def _without_lines_on(file: Path, student: str) -> bool:
    """Take the lines with a name out of a file; whether there were any."""
    if not file.exists():
        return False
    lines = file.read_text("utf-8", "replace").splitlines(keepends=True)
    kept = [line for line in lines if student not in _words(line)]
    file.write_text("".join(kept), "utf-8")
    return len(kept) < len(lines)


def _words(line: str) -> set[str]:
    """The names in a line of a log, a path's parts among them."""
    for mark in "/\"'+,:;()[]{}=":
        line = line.replace(mark, " ")
    return set(line.split())


def backup(course: Path, file: Path) -> int:
    """Pack a course; the number of papers in it.

    Raises:
        ValueError: `file` is there already.
    """
    if file.exists():
        raise ValueError(f"{file} is there already: choose another name")
    earned = _points(course)
    with TemporaryDirectory(dir=course) as scratch:
        copy = Path(scratch) / "gradebook.db"
        with (
            closing(sqlite3.connect(course / "gradebook.db")) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)  # as it is at one moment, whoever writes
        points = Path(scratch) / POINTS
        points.write_text(json.dumps(earned, indent=1), "utf-8")
        with tarfile.open(file, "x:gz") as pack:
            for path in _packed(course, Path(scratch)):
                pack.add(path, path.relative_to(course), recursive=False)
            pack.add(copy, "gradebook.db")
            pack.add(points, POINTS)
    return len(earned)


def _packed(course: Path, scratch: Path) -> Iterator[Path]:
    """All of a course but the gradebook, which is packed apart, and locks."""
    for path in sorted(course.rglob("*")):
        parts = path.relative_to(course).parts
        mine = path.is_relative_to(scratch)
        if not (mine or parts[0].startswith("gradebook.db") or path.name == ".grading.lock"):
            yield path


def restore(file: Path, folder: Path) -> int:
    """Unpack a backup and read the papers again; their number.

    Raises:
        ValueError: it is no backup, `folder` exists, or somebody would have other points.
    """
    if folder.exists():
        raise ValueError(f"{folder} is there already: choose another folder")
    try:
        with tarfile.open(file, "r:gz") as pack:
            if POINTS not in pack.getnames():
                raise ValueError(f"{file} is no backup of a course: it has no {POINTS}")
            folder.mkdir(mode=0o700, parents=True)
            keep_private(folder)
            pack.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"{file} cannot be unpacked: {error}") from None
    was = json.loads((folder / POINTS).read_text("utf-8"))
    now = _points(folder)
    if differ := sorted(s for s in was.keys() | now.keys() if was.get(s) != now.get(s)):
        raise ValueError(
            f"{folder} is not what was packed: {', '.join(differ)} would have other points"
        )
    return len(now)


def _points(course: Path) -> dict[str, list[str]]:
    """Student -> points in the gradebook, and those that the answers earn by the key."""
    booked, bank = totals(course), bank_of(course)
    earned = {p.student: p.score(bank) for p in papers(course, bank)}
    return {s: [str(booked.get(s, Decimal(0))), str(points)] for s, points in earned.items()}
