"""Who takes the course, as an LMS or a registrar has it: roster.csv in the course's folder.

With a roster, papers of anybody else are named and stay out of the exports, and whoever has handed
in nothing is listed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from cl_helpers.files import replacing

FILE = "roster.csv"

# Field -> the headings that mean it, in lower case: ours, Canvas's, Moodle's; the first counts.
_HEADINGS = {
    "student": ("student_id", "sis login id", "username", "login", "id number", "id"),
    "last_name": ("last_name", "last name", "surname"),
    "first_name": ("first_name", "first name"),
    "email": ("email", "email address", "e-mail"),
    "lms_user_id": ("lms_user_id", "id"),
}


@dataclass(frozen=True)
class Pupil:
    """Somebody on the roster; `student` is the account's name, by which nbgrader knows them."""

    student: str
    last_name: str = ""
    first_name: str = ""
    email: str = ""
    lms_user_id: str = ""


@dataclass(frozen=True)
class Roster:
    """All who take the course: student -> what is known of them. Empty if there is no roster."""

    students: dict[str, Pupil]

    @classmethod
    def of(cls, pupils: Iterable[Pupil]) -> Roster:
        return cls({p.student: p for p in pupils})

    @classmethod
    def read(cls, course: Path) -> Roster:
        """That of a course; empty if it has none."""
        file = course / FILE
        return cls.of(parsed(file.read_bytes(), FILE)) if file.exists() else cls({})

    def save(self, course: Path) -> None:
        """Write it; without anybody there is no roster."""
        if not self.students:
            (course / FILE).unlink(missing_ok=True)
            return
        text = io.StringIO()
        names = [field.name for field in fields(Pupil)]
        out = csv.DictWriter(text, ["student_id", *names[1:]], lineterminator="\n")
        out.writeheader()
        for pupil in self.students.values():
            row = asdict(pupil)
            out.writerow({"student_id": row.pop("student")} | row)
        with replacing(course / FILE) as file:
            file.write(text.getvalue().encode())

    def knows(self, student: str) -> bool:
        """Whether they take the course, as far as anybody has said who does."""
        return not self.students or student in self.students


def parsed(content: bytes, name: str) -> list[Pupil]:
    """The students in a CSV file: Canvas's gradebook, Moodle's participants, or our columns.

    Args:
        content: of the file; UTF-8, with commas or semicolons.
        name: of the file, for what is wrong with it.

    Raises:
        ValueError: it has no accounts' names, or one twice.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f'{name} is not UTF-8: save it as "CSV UTF-8"') from None
    first = text.partition("\n")[0]
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";" if ";" in first else ","))
    columns = {(heading or "").strip().lower(): heading for heading in (rows[0] if rows else {})}
    found = {
        field: next((columns[h] for h in headings if h in columns), None)
        for field, headings in _HEADINGS.items()
    }
    if found["student"] is None:
        raise ValueError(
            f"{name} has no column with accounts' names: call it student_id (Canvas: SIS Login ID, "
            "Moodle: Username)"
        )
    if found["lms_user_id"] == found["student"]:
        found["lms_user_id"] = None
    pupils = []
    for row in rows:
        cells = {
            field: (row.get(column) or "").strip() for field, column in found.items() if column
        }
        if "student" in columns and "last_name" not in cells:  # Canvas: "Lovelace, Ada"
            last, _, given = (row[columns["student"]] or "").partition(",")
            cells |= {"last_name": last.strip(), "first_name": given.strip()}
        if cells["student"]:  # Canvas has rows for points, and a test student
            pupils.append(Pupil(**cells))
    names = [pupil.student for pupil in pupils]
    for twice in sorted({n for n in names if names.count(n) > 1}):
        raise ValueError(f"{name} has {twice!r} twice: take one out")
    if not pupils:
        raise ValueError(f"{name} has no students")
    return pupils
