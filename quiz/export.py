"""Grades as files: for a registrar, for Canvas, for Moodle, and as `nbgrader export` writes them.

They come from the gradebook, so that what a grader changed by hand in formgrader counts. Points are
decimals: 25 × 0.4 is 10. A text that a spreadsheet would run as a formula gets an apostrophe before
it, as OWASP recommends ("CSV Injection").

The functions give text with plain line ends: write it as UTF-8.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from nbgrader.api import Gradebook, Student, SubmittedAssignment
from nbgrader.plugins import CsvExportPlugin
from traitlets import Bool

from .bank import Bank, bank_of
from .grading import exact
from .places import quizzes_of
from .roster import Roster

Cell = str | Decimal | None
T = TypeVar("T")

_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n\0]")
# Where a spreadsheet that parts cells at semicolons would begin another cell.
_INNER = re.compile(r"(;\s*)(?=[=+\-@＝＋－＠])")
_BYTE_ORDER_MARK = "\ufeff"  # Excel takes a file without it for the system's own encoding


@dataclass(frozen=True)
class Grade:
    """What one student got for an assignment.

    Attributes:
        student: nbgrader's id.
        lms_user_id: the LMS's number for this student, if nbgrader was told.
        handed_in: whether there is a paper at all: if not, 0 is no result.
        late: whether the paper came after the student's deadline.
        submitted: when, with its time zone; None if nothing was handed in, or nobody knows when.
        raw: points before the late policy.
        penalty: points that it takes away.
        score: what counts: raw − penalty, and never below 0.
        most: points for a perfect paper.
    """

    student: str
    last_name: str | None
    first_name: str | None
    email: str | None
    lms_user_id: str | None
    handed_in: bool
    late: bool
    submitted: datetime | None
    raw: Decimal
    penalty: Decimal
    score: Decimal
    most: Decimal

    @property
    def status(self) -> str:
        """What became of the paper, in words."""
        if not self.handed_in:
            return "did not hand in"
        return "handed in late" if self.late else "handed in"

    @property
    def told(self) -> Decimal | None:
        """The score in a file: none where nothing was handed in, which is not a score of 0."""
        return self.score if self.handed_in else None


def grades(gradebook: Gradebook, assignment: str, bank: Bank | None = None) -> list[Grade]:
    """One of each student of the course, in the gradebook's order.

    Args:
        bank: of the assignment, by whose rulings questions may not count; None if it is no quiz of
            ours.

    Raises:
        nbgrader.api.MissingEntry: there is no such assignment.
    """
    most = exact(gradebook.find_assignment(assignment).max_score)
    submissions = {s.student_id: s for s in gradebook.assignment_submissions(assignment)}
    found = []
    for student in gradebook.students:
        submission = submissions.get(student.id)
        grade = _grade(student, submission, most)
        if bank and (void := bank.rulings.void):
            marks = marks_of(submission) if submission else ()
            off = sum((exact(g.score or 0) for g in marks if g.name in void), Decimal(0))
            grade = _ruled(grade, off, bank)
        found.append(grade)
    return found


def _ruled(grade: Grade, off: Decimal, bank: Bank) -> Grade:
    """The same by points that count: without the `off` that questions gave which are void."""
    rulings, each = bank.rulings, bank.points
    raw, most = map(exact, rulings.counts(grade.raw - off, grade.most, each))
    lost = max(grade.penalty - off, Decimal(0))
    left = max(grade.raw - off - lost, Decimal(0))
    score = exact(rulings.counts(left, grade.most, each)[0])
    return replace(grade, raw=raw, penalty=raw - score, score=score, most=most)


def registrar_csv(grades: Iterable[Grade]) -> str:
    """A row for each student; times in UTC. It begins with a byte-order mark, for Excel."""
    header = "student_id last_name first_name email points out_of percent submitted_utc status"
    rows: list[Iterable[Cell]] = [header.split()]
    for g in grades:
        percent = exact(round(100 * g.score / g.most, 2)) if g.most and g.handed_in else None
        time = f"{g.submitted.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if g.submitted else None
        who = (g.student, g.last_name, g.first_name, g.email)
        rows.append((*who, g.told, g.most, percent, time, g.status))
    return _BYTE_ORDER_MARK + _csv(rows)


def canvas_csv(grades: Iterable[Grade], title: str) -> str:
    """For *Gradebook → Import* in Canvas.

    Canvas knows a student by its own number (`lms_user_id`), else by the login: then nbgrader's ids
    have to be the logins. Whom it does not know it asks about.

    Args:
        title: of the assignment there, with its number as Canvas exports it: "Quiz (1234)". Canvas
            makes a new assignment of a title that it does not have.
    """
    grades = list(grades)
    most = grades[0].most if grades else None
    rows: list[Iterable[Cell]] = [
        ("Student", "ID", "SIS User ID", "SIS Login ID", "Section", title),
        ("    Points Possible", None, None, None, None, most),
    ]
    for g in grades:
        name = ", ".join(part for part in (g.last_name, g.first_name) if part) or g.student
        rows.append((name, g.lms_user_id, None, g.student, None, g.told))
    return _csv(rows)


def moodle_csv(grades: Iterable[Grade], title: str) -> str:
    """For *Grades → Import → CSV file* in Moodle.

    There map "Username" to username, or "Email address" to useremail, and `title` to the grade
    item. Moodle imports nothing if it does not know one of the students. As a new item it would be
    out of 100: make one out of the quiz's points before.
    """
    rows: list[Iterable[Cell]] = [("Username", "Email address", title)]
    # Never an empty address: Moodle would give the grade to the student of the row before. So it
    # stops, and names the student.
    rows += [(g.student, g.email or g.student, g.told) for g in grades]
    return _csv(rows)


class Csv(CsvExportPlugin):
    """What nbgrader's own exporter writes, with names quoted and scores exact.

    For nbgrader_config.py: `c.ExportApp.plugin_class = "quiz.export.Csv"`. The options --to,
    --assignment and --student are nbgrader's.
    """

    everybody = Bool(False, help="Also who is not on the course's roster.").tag(config=True)

    def export(self, gradebook: Gradebook) -> None:
        chosen = {str(name) for name in self.assignment}
        students = {str(student) for student in self.student}
        course = Path(str(gradebook.db.get_bind().url.database)).parent
        roster = Roster({}) if self.everybody else Roster.read(course)
        ours = {name: bank_of(quiz) for name, quiz in quizzes_of(course).items()}
        header = (
            "assignment duedate timestamp student_id last_name first_name email "
            "raw_score late_submission_penalty score max_score"
        )
        rows: list[Iterable[Cell]] = [header.split()]
        for assignment in gradebook.assignments:
            if chosen and assignment.name not in chosen:
                continue
            for g in grades(gradebook, assignment.name, ours.get(assignment.name)):
                if (students and g.student not in students) or not roster.knows(g.student):
                    continue
                times = [assignment.duedate, g.submitted and g.submitted.replace(tzinfo=None)]
                who = [g.student, g.last_name, g.first_name, g.email]
                points = [*([g.raw, g.penalty, g.score] if g.handed_in else [None] * 3), g.most]
                rows.append([assignment.name, *(str(t or "") for t in times), *who, *points])
        to = self.to or "grades.csv"
        self.log.info("Exporting grades to %s", to)
        Path(to).write_text(_csv(rows), "utf-8")


def _grade(student: Student, submission: SubmittedAssignment | None, most: Decimal) -> Grade:
    raw = penalty = Decimal(0)
    submitted, handed_in, late = None, False, False
    if submission:
        # An extension before anything came is a row of the gradebook without a paper.
        handed_in = submission.timestamp is not None or _is_graded(submission)
        late = submission.total_seconds_late > 0
        raw, penalty = exact(submission.score), exact(submission.late_submission_penalty)
        submitted = submission.timestamp and submission.timestamp.replace(tzinfo=UTC)
    return Grade(
        student=student.id,
        last_name=student.last_name,
        first_name=student.first_name,
        email=student.email,
        lms_user_id=student.lms_user_id,
        handed_in=handed_in,
        late=late,
        submitted=submitted,
        raw=raw,
        penalty=penalty,
        score=exact(max(raw - penalty, Decimal(0))),
        most=most,
    )


def marks_of(submission: SubmittedAssignment) -> Iterable[Any]:
    """nbgrader's grades of all questions of a submission."""
    return (grade for notebook in submission.notebooks for grade in notebook.grades)


def _is_graded(submission: SubmittedAssignment) -> bool:
    marks = marks_of(submission)
    return any(g.auto_score is not None or g.manual_score is not None for g in marks)


def _csv(rows: Iterable[Iterable[Cell]]) -> str:
    text = io.StringIO()
    # In quotes, a cell may hold commas, quotes and line ends.
    out = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    out.writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def harmless(cell: T) -> T | str:
    """The cell, with an apostrophe before what a spreadsheet would compute."""
    if not isinstance(cell, str):
        return cell
    text = _INNER.sub(r"\1'", cell)
    return f"'{text}" if _FORMULA.match(text) else text
