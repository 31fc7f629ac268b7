"""nbgrader's exchange, with stricter rules for the quiz: what counts, and when feedback goes out.

Anybody may write anything into the exchange, at any moment; what goes out has the key in it.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from glob import glob
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.exchange.default import (
    ExchangeCollect,
    ExchangeReleaseAssignment,
    ExchangeReleaseFeedback,
)
from traitlets import Bool, Integer

from .bank import bank_of
from .course import remember_key
from .doctor import faults, warnings
from .places import quizzes_of
from .privacy import keep_private, owner
from .questions import BankError
from .released import Released
from .submissions import parsed, secret_of, secrets_of, take, tidy, time_of

LEFT_OUT = "left_out.txt"  # what `collect` could not take for anybody's, and why

STUDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")


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
        _one_assignment(self)
        quiz = _quiz(self)
        if not quiz:
            super().init_src()
            return
        self._quiz, self._released = quiz, _opened(self, quiz)
        self._left_out: list[str] = []
        by_student: dict[str, list[Record]] = defaultdict(list)
        for path in sorted(Path(self.inbound_path).iterdir()):
            if record := self._record(path):
                by_student[record.student].append(record)
        asked = self.coursedir.student_id
        self._chosen = [
            self._latest(records, self._due(student))
            for student, records in by_student.items()
            if asked in ("", "*", student)
        ]

    def copy_files(self) -> None:
        name = self.coursedir.assignment_id
        if not _quiz(self):
            super().copy_files()
            return
        release = self.coursedir.format_path(self.coursedir.release_directory, ".", name)
        notebook = f"{name}.ipynb"
        released = (Path(release) / notebook).read_bytes()
        taken = secrets_of(Path(self.coursedir.root), name)
        for record in sorted(self._chosen, key=lambda r: r.arrived):
            submitted = self.coursedir.submitted_directory
            dest = Path(self.coursedir.format_path(submitted, record.student, name))
            collected = time_of(dest)
            if collected and not self._replaces(record, collected):
                continue
            self.log.info("Collecting %s", record.student)
            fresh = dest.with_name(f".{dest.name}.fresh")
            shutil.rmtree(fresh, ignore_errors=True)
            take(record.path, fresh, notebook, released, record.arrived, record.note, taken)
            if self._record(record.path) == record:  # it was not changed meanwhile
                if dest.exists():  # put there by hand? then it is set aside
                    tidy(self._quiz, [dest])
                shutil.rmtree(dest, ignore_errors=True)
                fresh.rename(dest)
                taken[secret_of(dest)] = record.student
            else:
                shutil.rmtree(fresh)
                self._leave_out(record.path, "it was changed while it was collected")
        (self._quiz / LEFT_OUT).write_text("".join(f"{line}\n" for line in self._left_out))

    def _replaces(self, record: Record, collected: datetime) -> bool:
        """Whether it replaces what was collected before, which arrived at `collected`."""
        due = self._due(record.student)
        if due is None or collected <= due:
            return collected < record.arrived and (due is None or record.arrived <= due)
        return record.arrived != collected  # it is late; the deadline may have been moved

    def _record(self, path: Path) -> Record | None:
        """What a folder's name says, as far as it can be believed; None if it is none of ours."""
        student, assignment, stamp, *_ = [*path.name.rsplit("+", 3), "", "", ""]
        if assignment != self.coursedir.assignment_id:
            return None
        claimed = parsed(stamp)
        try:
            if not STUDENT.fullmatch(student):
                raise ValueError("its name has no student in it")
            if claimed is None:
                raise ValueError("its name has no time in it")
            if path.is_symlink() or not path.is_dir():
                raise ValueError("it is no folder")
            if self.check_owner and owner(path) != student:
                raise ValueError(f"it is owned by {owner(path)}")
            # The folder's own time tells that it was moved here, or files into or out of it.
            changed = max(entry.lstat().st_ctime for entry in (path, *path.iterdir()))
        except (OSError, ValueError) as error:
            self._leave_out(path, str(error))
            return None
        written = datetime.fromtimestamp(changed, UTC).replace(tzinfo=None)
        key_out = self._released.feedback
        in_time = abs(written - claimed) <= timedelta(seconds=self.grace)
        if self.trust_clock or (in_time and not (key_out and written > key_out)):
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
        """Until when the student's papers count, in UTC without a time zone."""
        due = None
        with Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            with suppress(MissingEntry):
                due = gradebook.find_assignment(self.coursedir.assignment_id).duedate
            with suppress(MissingEntry):
                due = gradebook.find_submission(self.coursedir.assignment_id, student).duedate
        return self._released.counts_until(due)


class ReleaseAssignment(ExchangeReleaseAssignment):
    """nbgrader's release_assignment; of the quiz, if bank, deadline and folders are in order."""

    def ensure_root(self) -> None:
        """Everybody may write to the root, as nbgrader wants, but remove only what is their own."""
        super().ensure_root()
        root = Path(self.root)
        if root.stat().st_uid == os.geteuid():
            root.chmod(root.stat().st_mode | stat.S_ISVTX)

    def init_src(self) -> None:
        _one_assignment(self)
        super().init_src()
        quiz = _quiz(self)
        if not quiz:
            return
        released = _opened(self, quiz)
        if not (_deadlines(self) or released.no_deadline):
            self.fail(
                'the quiz needs a deadline: `python -m quiz release --due "2026-12-18 23:59"`, '
                "or --no-deadline, and then feedback is never handed out"
            )
        try:
            wrong = bank_of(quiz).check()
        except BankError as error:
            wrong = str(error).splitlines()
        for line in warnings(Path(self.root)):
            self.log.warning(line)
        for line in [*wrong, *faults(quiz, self.config, Path(self.root))]:
            self.fail(line)
        remember_key(quiz, bank_of(quiz))


class ReleaseFeedback(ExchangeReleaseFeedback):
    """nbgrader's release_feedback; of the quiz, not before everybody's deadline."""

    def init_src(self) -> None:
        _one_assignment(self)
        super().init_src()
        quiz = _quiz(self)
        if not quiz:
            return
        released = _opened(self, quiz)
        if wrong := too_early(_deadlines(self), released):
            self.fail(wrong)
        if glob(f"{self.src_path}/*.html"):  # before the first page is there to be read
            released.with_feedback().save(quiz)

    def copy_files(self) -> None:
        super().copy_files()
        for page in Path(self.dest_path).glob("*.html"):
            if page.stat().st_uid == os.geteuid():
                page.chmod(0o644)  # those find it who know its name, a hash of their secret


def too_early(dues: list[datetime], released: Released) -> str | None:
    """Why feedback, which has the key in it, must not go out yet; None if it may.

    Args:
        dues: all deadlines, extensions included, in UTC without a time zone.
    """
    if not dues:
        return (
            "feedback has the key in it, and without a deadline answers still count: "
            "`python -m quiz release --due …` first"
        )
    if max(dues) > datetime.now(UTC).replace(tzinfo=None) and not released.feedback:
        return f"feedback has the key in it: not before {max(dues):%Y-%m-%d %H:%M} UTC"
    return None


def deadlines(gradebook: Gradebook, assignment: str) -> list[datetime]:
    """That of a quiz and those of students who have another, in UTC without a time zone."""
    of_all = [a.duedate for a in gradebook.assignments if a.name == assignment and a.duedate]
    own = [s.duedate for s in gradebook.assignment_submissions(assignment)] if of_all else []
    return of_all + own


def _deadlines(exchange: Any) -> list[datetime]:
    with Gradebook(exchange.coursedir.db_url, exchange.coursedir.course_id) as gradebook:
        return deadlines(gradebook, exchange.coursedir.assignment_id)


def _one_assignment(exchange: Any) -> None:
    """Refuse a pattern, "*", by which a quiz would go past its rules."""
    name = exchange.coursedir.assignment_id
    for quiz in quizzes_of(Path(exchange.coursedir.root)):
        if name != quiz and fnmatchcase(quiz, name):
            exchange.fail(f"{name!r} stands for several assignments: name one, such as {quiz!r}")


def _quiz(exchange: Any) -> Path | None:
    """The folder of the quiz that this is about; None for another assignment of the course."""
    return quizzes_of(Path(exchange.coursedir.root)).get(exchange.coursedir.assignment_id)


def _opened(exchange: Any, quiz: Path) -> Released:
    """What is promised of a quiz; refused if others can open the course."""
    try:
        keep_private(Path(exchange.coursedir.root))
        return Released.read(quiz)
    except ValueError as error:
        exchange.fail(str(error))
        raise  # `fail` has raised already
