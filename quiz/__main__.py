"""The instructor's command line: `python -m quiz check`, `release`, `collect`, `grade`, …

Each step is nbgrader's own command, with the settings of course/nbgrader_config.py; formgrader and
`nbgrader …` in the course's folder do the same.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cl_helpers.shell import run

from . import bank as banks
from . import course as courses
from . import export, lms
from .build import ASSIGNMENT
from .build import build as build_source
from .course import HOME, gradebook, last_deadline, nbgrader, papers
from .demo import make_course
from .exchange import LEFT_OUT
from .grading import copies, exact
from .submissions import tidy

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(highlight=False)

Course = Annotated[Path, typer.Option(help="The course's folder.")]
Due = Annotated[str | None, typer.Option(help='When answers must be in: "2026-12-18 23:59".')]


@app.command()
def check(course: Course = HOME) -> None:
    """Check that the question bank is in order and fair: the course's bank/, or else ours."""
    found = banks.bank_of(course)
    if wrong := found.check():
        raise ValueError("\n".join(wrong))
    options = sum(len(q.options) for q in found.questions.values())
    most = exact(found.most)
    console.print(f"{len(found.questions)} questions, {options} options, {most} points: fair")


@app.command()
def course(folder: Path, name: str = "continual-learning") -> None:
    """Begin a course in FOLDER: there nbgrader's commands know the quiz."""
    console.print(f"{courses.new_course(folder, name)}: run nbgrader and `jupyter lab` there")


@app.command()
def build(course: Course = HOME, due: Due = None) -> None:
    """Write the assignment's notebook and questions.json, with no key in them."""
    ends = deadline(due) if due else last_deadline(course)
    due_text = f"{ends:%Y-%m-%d %H:%M %Z}" if ends else ""
    console.print(build_source(banks.bank_of(course), course, due_text))


@app.command()
def release(course: Course = HOME, due: Due = None) -> None:
    """Build, generate and put the assignment into the exchange; again with a corrected one."""
    build(course, due)
    nbgrader(course, "generate_assignment", ASSIGNMENT, "--force")
    if due:
        courses.set_deadline(course, deadline(due))
    nbgrader(course, "release_assignment", ASSIGNMENT, "--force")
    console.print(f"released: {course / 'release' / ASSIGNMENT}")


@app.command()
def collect(course: Course = HOME) -> None:
    """Fetch the submissions that count from the exchange."""
    nbgrader(course, "collect", ASSIGNMENT)
    for line in (course / LEFT_OUT).read_text().splitlines():
        console.print(f"left out: {line}", markup=False)
    console.print(f"{len(list(course.glob(f'submitted/*/{ASSIGNMENT}')))} submissions")


@app.command()
def grade(course: Course = HOME) -> None:
    """Grade all that was collected, by the key and the deadline as they are now."""
    for student in tidy(course):
        console.print(f"{student}: tidied; as it came it is in set_aside/", markup=False)
    console.print(f"grading {len(list(course.glob(f'submitted/*/{ASSIGNMENT}')))} submissions")
    nbgrader(course, "autograde", ASSIGNMENT, "--force")
    table, points = Table("student", "points", "receipt", ""), courses.totals(course)
    graded = papers(course, banks.bank_of(course))
    remarks = {p.student: "; ".join(["late"] * p.late + list(p.problems)) for p in graded}
    for paper in sorted(graded, key=lambda p: bool(remarks[p.student])):  # to be looked at: last
        total = str(points.get(paper.student, "–"))
        table.add_row(paper.student, total, paper.receipt, remarks[paper.student])
    console.print(table, markup=False)
    for students in copies(graded):
        console.print(f"began as one file: {', '.join(students)}", markup=False)


@app.command()
def feedback(course: Course = HOME) -> None:
    """Make everyone's feedback, the explanations included, and hand it out: after the deadline."""
    nbgrader(course, "generate_feedback", ASSIGNMENT, "--force")
    nbgrader(course, "release_feedback", ASSIGNMENT)
    console.print(f"{len(list(course.glob(f'feedback/*/{ASSIGNMENT}/*.html')))} pages of feedback")


@app.command()
def report(course: Course = HOME) -> None:
    """What the answers say about the questions: report/report.html."""
    from .report import write  # draws: no other command needs Matplotlib and pandas

    bank = banks.bank_of(course)
    folder = course / "report"
    due = last_deadline(course)
    write(bank, papers(course, bank), folder, title=banks.TITLE, due=due)
    console.print(folder / "report.html")


@app.command("export")
def export_(course: Course = HOME) -> None:
    """Grades for the registrar, Canvas and Moodle; the bank for Moodle and for QTI: export/."""
    bank, folder = banks.bank_of(course), course / "export"
    folder.mkdir(exist_ok=True)
    with gradebook(course) as book:
        grades = export.grades(book, ASSIGNMENT)
    nbgrader(course, "export", "--to", str(folder.resolve() / "grades.csv"))
    files: dict[str, str | bytes] = {
        "registrar.csv": export.registrar_csv(grades),
        "canvas.csv": export.canvas_csv(grades, banks.TITLE),
        "moodle.csv": export.moodle_csv(grades, banks.TITLE),
        "bank-moodle.xml": lms.moodle_xml(bank),
        "bank-qti.zip": lms.qti(bank),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    console.print(f"{folder}: grades.csv, {', '.join(files)}")


@app.command("regrade")
def regrade_(reason: str, course: Course = HOME) -> None:
    """Grade everyone afresh after the key was corrected. REASON goes into the log."""
    changes = courses.regrade(course, reason)
    for c in changes:
        console.print(f"{c['student']}: {c['from']} → {c['to']} ({', '.join(c['questions'])})")
    console.print(f"{len(changes)} changed; the log is {course / 'regrades.jsonl'}")


@app.command()
def demo(folder: Path) -> None:
    """Make a course to try in FOLDER, with three students, and grade it."""
    make_course(folder, console.print)
    for step in (collect, grade, feedback, report, export_):
        step(folder)


def deadline(text: str) -> datetime:
    """A time; of this machine's zone where it names none."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise ValueError(f'due is {text!r}: write it as "2026-12-18 23:59"') from None


if __name__ == "__main__":
    run(app)
