"""What students hand in, taken apart before nbgrader touches it.

Whoever can write into the exchange can put anything there: links to files of the instructor's,
pipes that never end, 200 MB, somebody else's name, a clock set back, a notebook that is none.
`take` makes an orderly submission of it: the answers as they came, if they are a plain small file;
the *released* notebook, so that no cell and no script of a student's goes any further; the time it
arrived. What came is left where it was. Nothing is ever run.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.exchange.default import ExchangeCollect
from nbgrader.utils import parse_utc
from traitlets import Bool, Integer

from cl_helpers.answers import (
    FILE,
    LARGEST,
    MANY,
    AnswersError,
    Questions,
    Reading,
    plain_bytes,
    printable,
    read_answers,
)

from .build import ASSIGNMENT

NOTEBOOK = f"{ASSIGNMENT}.ipynb"
THEIRS = f"{NOTEBOOK}.as-submitted"
INTAKE = "intake.json"  # ours: what `take` has to say about a submission
LARGEST_NOTEBOOK = 10 * 2**20
SET_ASIDE = "set_aside"  # folders as they came, by another way than the exchange
LEFT_OUT = "left_out.txt"  # what `collect` could not take for anybody's, and why

_STUDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")
_SECRET = re.compile(rb"[0-9a-f]{16,256}")


def take(source: Path, dest: Path, released: Path, arrived: datetime | None, note="") -> None:
    """Make an orderly submission of a folder that may hold anything.

    Args:
        source: what came; only read.
        dest: must not exist yet.
        released: the notebook that was given out.
        arrived: when, in UTC without a time zone, as nbgrader keeps it; None if nobody knows.
        note: one more thing to tell the instructor.
    """
    problems, files = [note] if note else [], {NOTEBOOK: released.read_bytes()}
    try:
        files[FILE] = plain_bytes(source / FILE)
    except FileNotFoundError:
        problems.append(f"{FILE} is missing")
    except AnswersError as error:
        problems.append(f"{FILE}: {error}")
    with suppress(FileNotFoundError, AnswersError):  # nothing hangs on it
        files[THEIRS] = plain_bytes(source / NOTEBOOK, LARGEST_NOTEBOOK)
    files["submission_secret.txt"] = _secret(source)
    stamp = f"{arrived:%Y-%m-%d %H:%M:%S.%f} UTC" if arrived else ""  # nbgrader wants the file
    files["timestamp.txt"] = stamp.encode()
    files[INTAKE] = json.dumps({"problems": problems}).encode()
    part = dest.with_name(f".{dest.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, content in files.items():
        (part / name).write_bytes(content)
    part.rename(dest)


def _secret(source: Path) -> bytes:
    """By which a student finds the feedback again; another one where it is none.

    Without it `nbgrader release_feedback` gives nobody any.
    """
    try:
        secret = plain_bytes(source / "submission_secret.txt", 1024)
    except (FileNotFoundError, AnswersError):
        secret = b""
    return secret if _SECRET.fullmatch(secret) else secrets.token_hex(64).encode()


def read_submission(folder: Path, questions: Questions) -> Reading:
    """The answers in a folder, and all that is wrong with it."""
    problems = _noted(folder)
    try:
        reading = read_answers(folder / FILE, questions)
    except FileNotFoundError:
        if not any(problem.startswith(FILE) for problem in problems):
            problems.append(f"{FILE} is missing")
        return Reading(problems=tuple(problems))
    except AnswersError as error:
        return Reading(problems=(*problems, f"{FILE}: {error}"))
    problems += [f"{FILE}: {problem}" for problem in reading.problems]
    return Reading(reading.choices, tuple(problems), reading.student, reading.sheet)


def tidy(course: Path, folders: Iterable[Path] | None = None) -> list[str]:
    """Every folder in submitted/ that is not orderly, made so; the students whose they are.

    For what came by another way than `Collect`: nbgrader's zip_collect, or by hand. The folder as
    it was is kept in set_aside/.

    Args:
        folders: only these.
    """
    released = course / "release" / ASSIGNMENT / NOTEBOOK
    tidied = []
    for folder in folders or sorted(course.glob(f"submitted/*/{ASSIGNMENT}")):
        if _is_orderly(folder, released.read_bytes()):
            continue
        student = folder.parent.name
        aside = course / SET_ASIDE / f"{student}-{secrets.token_hex(4)}"
        aside.parent.mkdir(exist_ok=True)
        folder.rename(aside)
        take(aside, folder, released, _time_of(aside))
        tidied.append(student)
    return tidied


def before_grading(assignment: str, student: str, notebooks: list[str]) -> None:
    """nbgrader calls this in the course's folder, before it copies a submission."""
    if assignment == ASSIGNMENT:
        tidy(Path.cwd(), {Path(notebook).parent for notebook in notebooks})


def _noted(folder: Path) -> list[str]:
    """What `take` had to say."""
    try:
        problems = json.loads(plain_bytes(folder / INTAKE))["problems"]
        return [printable(str(problem), 300) for problem in problems[: MANY + 1]]
    except (FileNotFoundError, ValueError, TypeError, KeyError, RecursionError):
        return []


def _is_orderly(folder: Path, released: bytes) -> bool:
    """Is it as `take` leaves it: plain files of ours, the released notebook among them?"""
    names = {NOTEBOOK, THEIRS, FILE, INTAKE, "submission_secret.txt", "timestamp.txt"}
    try:
        files = {e.name: plain_bytes(e, LARGEST_NOTEBOOK) for e in folder.iterdir()}
    except (OSError, AnswersError):
        return False
    return (
        files.keys() <= names
        and INTAKE in files
        and files.get(NOTEBOOK) == released
        and len(files.get(FILE, b"")) <= LARGEST
        and (files.get("timestamp.txt") == b"" or _time_of(folder) is not None)
        and _SECRET.fullmatch(files.get("submission_secret.txt", b"")) is not None
    )


def _time_of(folder: Path) -> datetime | None:
    """What timestamp.txt says, if it says a time."""
    try:
        return _parsed(plain_bytes(folder / "timestamp.txt", 100).decode().strip())
    except (FileNotFoundError, ValueError):
        return None


def _parsed(stamp: str) -> datetime | None:
    """In UTC, without a time zone."""
    try:
        return parse_utc(stamp)
    except Exception:  # dateutil's, of many kinds, given anything at all
        return None


@dataclass(frozen=True)
class Record:
    """A folder in the exchange, of somebody's submission of something at some time."""

    path: Path
    student: str
    arrived: datetime  # UTC, without a time zone
    note: str = ""


class Collect(ExchangeCollect):
    """nbgrader's collect, for an exchange in which anybody may write anything, at any moment.

    For each student the latest submission before the deadline, extensions included; the latest of
    all if none was in time. What was collected gives way to a later one, never to an earlier one
    that suddenly is the latest. One that cannot be believed is left out and named.
    """

    trust_clock = Bool(
        False,
        help="""Believe the time in a submission's name, although its files were written at another.
        Needed after the exchange was copied or restored, which makes all files new.""",
    ).tag(config=True)
    grace = Integer(60, help="Seconds by which the two times may differ.").tag(config=True)

    def init_src(self) -> None:
        if not self.coursedir.course_id:
            self.fail("No course id specified. Re-run with --course flag.")
        self.inbound_path = str(Path(self.root) / self.coursedir.course_id / "inbound")
        if not Path(self.inbound_path).is_dir():
            self.fail(f"Course not found: {self.inbound_path}")
        if self.coursedir.assignment_id != ASSIGNMENT:
            super().init_src()
            return
        self._left_out: list[str] = []
        by_student: dict[str, list[Record]] = defaultdict(list)
        for path in sorted(Path(self.inbound_path).iterdir()):
            if record := self._record(path):
                by_student[record.student].append(record)
        wanted = self.coursedir.student_id
        self._chosen = [
            self._latest(records, self._due(student))
            for student, records in by_student.items()
            if wanted in ("", "*", student)
        ]

    def copy_files(self) -> None:
        if self.coursedir.assignment_id != ASSIGNMENT:
            super().copy_files()
            return
        released = self.coursedir.format_path(self.coursedir.release_directory, ".", ASSIGNMENT)
        for record in self._chosen:
            dest = Path(
                self.coursedir.format_path(
                    self.coursedir.submitted_directory, record.student, ASSIGNMENT
                )
            )
            collected = _time_of(dest)
            if collected and not self._replaces(record, collected):
                continue
            self.log.info("Collecting %s", record.student)
            fresh = dest.with_name(f".{dest.name}.fresh")
            shutil.rmtree(fresh, ignore_errors=True)
            take(record.path, fresh, Path(released) / NOTEBOOK, record.arrived, record.note)
            if self._record(record.path) == record:  # it was not changed meanwhile
                if dest.exists():  # put there by hand? then it is set aside
                    tidy(Path(self.coursedir.root), [dest])
                shutil.rmtree(dest, ignore_errors=True)
                fresh.rename(dest)
            else:
                shutil.rmtree(fresh)
                self._leave_out(record.path, "it was changed while it was collected")
        left_out = Path(self.coursedir.root) / LEFT_OUT
        left_out.write_text("".join(f"{line}\n" for line in self._left_out))

    def _replaces(self, record: Record, collected: datetime) -> bool:
        """Does it take the place of what was collected before, which arrived at `collected`?"""
        due = self._due(record.student)
        if due is None or collected <= due:
            return collected < record.arrived and (due is None or record.arrived <= due)
        return record.arrived != collected  # it is late; the deadline may have been moved

    def _record(self, path: Path) -> Record | None:
        """What a folder's name says, as far as it can be believed; None if it is none of ours."""
        student, assignment, stamp, *_ = [*path.name.rsplit("+", 3), "", "", ""]
        if assignment != ASSIGNMENT:
            return None
        claimed = _parsed(stamp)
        try:
            if not _STUDENT.fullmatch(student):
                raise ValueError("its name has no student in it")
            if claimed is None:
                raise ValueError("its name has no time in it")
            if path.is_symlink() or not path.is_dir():
                raise ValueError("it is no folder")
            if self.check_owner and _owner(path) != student:
                raise ValueError(f"it is owned by {_owner(path)}")
            # The folder's own time tells that it was moved here, or files into or out of it.
            changed = max(entry.lstat().st_ctime for entry in (path, *path.iterdir()))
        except (OSError, ValueError) as error:
            self._leave_out(path, str(error))
            return None
        written = datetime.fromtimestamp(changed, UTC).replace(tzinfo=None)
        if self.trust_clock or abs(written - claimed) <= timedelta(seconds=self.grace):
            return Record(path, student, claimed)
        note = (
            f"its name says that it was handed in at {claimed:%Y-%m-%d %H:%M:%S} UTC, but its "
            f"files were written at {written:%Y-%m-%d %H:%M:%S}: that counts"
        )
        return Record(path, student, written, note)

    def _leave_out(self, path: Path, why: str) -> None:
        self._left_out.append(f"{path.name!a}: {why}")
        self.log.error("Left out: %s", self._left_out[-1])

    def _latest(self, records: list[Record], due: datetime | None) -> Record:
        in_time = [r for r in records if due is None or r.arrived <= due]
        if not self.before_duedate:
            in_time = records
        return max(in_time or records, key=lambda r: (r.arrived, r.path.name))

    def _due(self, student: str) -> datetime | None:
        """The student's deadline, in UTC without a time zone."""
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            try:
                return gradebook.find_submission(ASSIGNMENT, student).duedate
            except MissingEntry:
                pass
            try:
                return gradebook.find_assignment(ASSIGNMENT).duedate
            except MissingEntry:
                return None


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return f"user {path.stat().st_uid}"
