"""A student's records taken away; a course packed, and unpacked with proof that it is the same."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import tarfile
import zlib
from collections.abc import Callable
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from nbgrader.api import MissingEntry
from nbgrader.utils import notebook_hash

from cl_helpers.files import replacing

from .bank import bank_of
from .course import REGRADES, gradebook, in_exchange, papers, totals
from .exchange import LEFT_OUT, STUDENT
from .places import course_of, quizzes_of
from .privacy import keep_private
from .released import FILE as RELEASED
from .released import Released
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
    course = course_of(course)
    roster, quizzes = Roster.read(course), quizzes_of(course)
    with gradebook(course) as book:
        said = [_removed(path) for path in _papers_of(student, course, list(quizzes))]
        with suppress(MissingEntry):
            book.remove_student(student)
            said.append(f"{course / 'gradebook.db'}: no row of {student}")
    if student in roster.students:
        Roster.of(p for p in roster.students.values() if p.student != student).save(course)
        said.append(f"{course / 'roster.csv'}: no row of {student}")
    if not said:
        raise ValueError(f"there are no records of {student!r}")
    with closing(sqlite3.connect(course / "gradebook.db")) as database:
        database.execute("VACUUM")  # else what was deleted stays in the file
    for quiz in quizzes.values():
        if _without_lines(quiz / REGRADES, lambda line: json.loads(line)["student"] == student):
            said.append(f"{quiz / REGRADES}: no line on {student}")
        if _without_lines(quiz / LEFT_OUT, lambda line: line.startswith(f"'{student}+")):
            said.append(f"{quiz / LEFT_OUT}: no line on {student}")
        released = Released.read(quiz)
        if released.drawn_as.pop(student, None):
            released.save(quiz)
            said.append(f"{quiz / RELEASED}: nothing of {student}")
    everybodys = [q / name for q in quizzes.values() for name in ("report", "export")]
    everybodys += [course / name for name in LOGS]
    said += [_removed(path) for path in everybodys if path.exists()]
    return [*said, "backups and the student's own folders were not touched"]


def _papers_of(student: str, course: Path, quizzes: list[str]) -> list[Path]:
    """All files and folders with nothing but a student's papers, in the course and its exchange."""
    there = in_exchange(course)
    papers_of = [
        *(course / step / student for step in ("submitted", "autograded", "feedback")),
        *(course / SET_ASIDE).glob(f"{student}-????????"),
        *(there / "inbound").glob(f"{student}+*"),
    ]
    # Feedback is given out under the hash of a submission's secret, of which each has its own.
    secrets = {secret_of(folder / name) for folder in papers_of[:3] for name in quizzes}
    secrets |= {secret_of(folder) for folder in papers_of[3:]}
    hashes = [notebook_hash(secret=s.decode(), notebook_id=q) for s in secrets for q in quizzes]
    pages = [there / "feedback" / f"{name}.html" for name in hashes]
    return [path for path in (*papers_of, *pages) if path.exists() or path.is_symlink()]


def _removed(path: Path) -> str:
    """Remove a file or a folder; a line that says so, or why it stays."""
    try:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    except OSError as error:
        return f"{path}: stays ({error.strerror}: {error.filename})"
    return f"{path}: removed"


def _without_lines(file: Path, theirs: Callable[[str], bool]) -> bool:
    """Take some lines out of a file; whether there were any."""
    if not file.exists():
        return False
    lines = file.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not theirs(line)]
    with replacing(file) as new:
        new.write("".join(kept).encode())
    return len(kept) < len(lines)


def backup(course: Path, file: Path) -> tuple[int, list[str]]:
    """Pack a course; the number of papers in it, and what was left out.

    Raises:
        ValueError: `file` is there already, or in the course.
    """
    if file.exists():
        raise ValueError(f"{file} is there already: choose another name")
    if file.resolve().is_relative_to(course.resolve()):
        raise ValueError(f"{file} is in the course itself: choose another folder")
    course = course_of(course)
    earned, left_out = _points(course), []

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        """What can be unpacked again: no pipes, and no links, which a student may have made."""
        if member.isfile() or member.isdir():
            return member
        left_out.append(member.name)
        return None

    with TemporaryDirectory(dir=file.resolve().parent) as scratch:  # 0700
        book, points, part = (Path(scratch) / name for name in ("book", "points", "part"))
        with (
            closing(sqlite3.connect(course / "gradebook.db")) as source,
            closing(sqlite3.connect(book)) as target,
        ):
            source.backup(target)  # as it is at one moment, whoever writes
        points.write_text(json.dumps(earned, indent=1), "utf-8")
        with tarfile.open(part, "x:gz") as pack:
            for path in sorted(course.iterdir()):
                if not path.name.startswith(("gradebook.db", ".grading.lock")):
                    pack.add(path.resolve(), path.name, filter=plain)  # bank/ may be a link
            pack.add(book, "gradebook.db")
            pack.add(points, POINTS)
        part.chmod(0o600)
        part.rename(file)
    return len(earned), left_out


def restore(file: Path, folder: Path) -> int:
    """Unpack a backup and read the papers again; their number.

    Raises:
        ValueError: it is no backup, `folder` exists, or somebody would have other points.
    """
    if folder.exists():
        raise ValueError(f"{folder} is there already: choose another folder")
    folder.resolve().parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.resolve().parent) as scratch:
        fresh = Path(scratch) / "course"
        fresh.mkdir(mode=0o700)
        keep_private(fresh)
        try:
            with gzip.open(file) as stream:
                while stream.read(2**20):  # to the end, where the checksum is
                    pass
            with tarfile.open(file, "r:gz") as pack:
                # Python's filter for data, which the first versions of 3.11 lack.
                pack.extraction_filter = getattr(
                    tarfile, "data_filter", lambda member, path: member
                )
                if wrong := [m.name for m in pack if not _is_ours(m)]:
                    raise ValueError(f"{wrong[0]} is none of a course's files")
                pack.extractall(fresh)
            was = json.loads((fresh / POINTS).read_text("utf-8"))
        except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
            raise ValueError(f"{file} is no backup of a course, or damaged: {error}") from None
        now = _points(fresh)
        if differ := sorted(s for s in was.keys() | now.keys() if was.get(s) != now.get(s)):
            raise ValueError(
                f"{file} is not what was packed: {', '.join(differ)} would have other points"
            )
        fresh.rename(folder)
    return len(now)


def _is_ours(member: tarfile.TarInfo) -> bool:
    """Whether it is a plain file or folder, below the folder that it is unpacked into."""
    path = Path(member.name)
    return (member.isfile() or member.isdir()) and not path.is_absolute() and ".." not in path.parts


def _points(course: Path) -> dict[str, list[str]]:
    """Student, or quiz and student -> points in the gradebook, and what the answers earn."""
    found = {}
    for quiz in quizzes_of(course).values():
        booked, bank = totals(quiz), bank_of(quiz)
        name = "" if quiz == course else f"{quiz.name}/"
        for paper in papers(quiz, bank):
            points = booked.get(paper.student, Decimal(0)), paper.score(bank)
            found[f"{name}{paper.student}"] = [*map(str, points)]
    return found
