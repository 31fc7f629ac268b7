"""The instructor's command line: `python -m quiz check`, `release`, `collect`, `grade`, …

Each step is nbgrader's own command, with the settings of course/nbgrader_config.py; formgrader and
`nbgrader …` in the course's folder do the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

import quiz
from cl_helpers.shell import run

from . import bank as banks
from .grading import copies, exact
from .places import HOME, assignment_of, bank_folder, course_of, handed_in, the_quiz
from .privacy import keep_private
from .released import Released

if TYPE_CHECKING:  # when it runs, `quiz` imports them when they are first used
    import quiz.build
    import quiz.course
    import quiz.demo
    import quiz.doctor
    import quiz.exchange
    import quiz.export
    import quiz.imports
    import quiz.lms
    import quiz.records
    import quiz.roster
    import quiz.submissions

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
console = Console(highlight=False)


def _private(folder: Path) -> Path:
    keep_private(course_of(folder))
    return the_quiz(folder)


WHICH = "The course's folder; of several quizzes that of one, COURSE/quizzes/NAME."
Course = Annotated[Path, typer.Option(help=WHICH, callback=_private)]
Unguarded = Annotated[Path, typer.Option(help=WHICH, callback=the_quiz)]
NONE: list[str] = []  # typer makes a new one of it


def Ruling(effect: str) -> Any:
    """An option that names a question, and may come several times."""
    return typer.Option(help=f"A question for which {effect}.", metavar="QUESTION")


def _note(lines: Iterable[str]) -> None:
    for line in lines:
        console.print(f"note: {line}", markup=False)


Due = Annotated[str | None, typer.Option(help='When answers must be in: "2026-12-18 23:59".')]


@app.command()
def check(course: Unguarded = HOME) -> None:
    """Check that the question bank is in order and fair: the course's bank/, or else ours."""
    if bank_folder(course).is_relative_to(course):
        keep_private(course_of(course))
    found = banks.bank_of(course)
    if wrong := found.check():
        raise ValueError("\n".join(wrong))
    _note(found.hints())
    options = sum(len(each[0].options) for each in found.variants.values())  # of one paper
    several = sum(len(each) > 1 for each in found.variants.values())
    own = f"{several} of them each student's own, " if several else ""
    n, most = len(found.questions), exact(found.most)
    console.print(f"{n} questions, {own}{options} options, {most} points: fair")


@app.command("import")
def import_(file: Path, folder: Path) -> None:
    """Make a bank in FOLDER, which must not exist, of FILE: Moodle XML, or QTI 1.2."""
    if folder.exists():
        raise ValueError(f"{folder} exists: name a folder that does not")
    with file.open("rb") as opened:
        files, lines = quiz.imports.read_bank(opened.read(quiz.imports.LARGEST + 1), file.name)
    folder.mkdir(mode=0o700, parents=True)
    keep_private(folder)
    for name, content in files.items():
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=100)
        (folder / name).write_text(text, "utf-8")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
    bank = banks.load(folder)
    _note([*bank.check(), *bank.hints()])
    console.print(f"{folder}: {len(bank.questions)} questions")


@app.command()
def course(folder: Path, name: str = "continual-learning") -> None:
    """Begin a course in FOLDER: there nbgrader's commands know the quiz."""
    console.print(f"{quiz.course.new_course(folder, name)}: run nbgrader and `jupyter lab` there")


@app.command()
def build(course: Course = HOME, due: Due = None) -> None:
    """Write the assignment's notebook and questions.json, with no key in them."""
    ends = deadline(due) if due else quiz.course.last_deadline(course)
    due_text = f"{ends:%Y-%m-%d %H:%M %Z}" if ends else ""
    out = quiz.course.in_exchange(course) / "outbound" / assignment_of(course)
    home = out / "questions.json"
    console.print(quiz.build.build(banks.settled(course), course, due_text, str(home)))


@app.command()
def release(course: Course = HOME, due: Due = None, no_deadline: bool = False) -> None:
    """Build, generate and put the assignment into the exchange; again with a corrected one.

    It needs a deadline; with --no-deadline answers count for ever, and feedback stays here.
    """
    if due and no_deadline:
        raise ValueError("--due and --no-deadline: choose one")
    if not due and not no_deadline and not quiz.course.has_deadline(course):
        raise ValueError(
            'a deadline is needed: --due "2026-12-18 23:59", or --no-deadline, and then feedback '
            "is never handed out"
        )
    check(course)
    config, exchange = quiz.course.settings(course)
    _note([*quiz.doctor.notes(course, config), *quiz.doctor.warnings(exchange)])
    if wrong := quiz.doctor.faults(course, config, exchange):
        raise ValueError("\n".join(wrong))
    build(course, due)
    name = assignment_of(course)
    quiz.course.nbgrader(course, "generate_assignment", name, "--force")
    if due or no_deadline:
        quiz.course.set_deadline(course, deadline(due) if due else None)
    quiz.course.book_roster(course)
    quiz.course.nbgrader(course, "release_assignment", name, "--force")
    ends = quiz.course.last_deadline(course)
    until = f"until {ends:%Y-%m-%d %H:%M %Z}" if ends else "without a deadline"
    console.print(f"released: {course_of(course) / 'release' / name}, {until}")


@app.command()
def extend(student: str, until: str, course: Course = HOME) -> None:
    """Give STUDENT UNTIL a later time, "2026-12-20 23:59"; also before anything was handed in."""
    quiz.course.extend(course, student, deadline(until, "until"))
    for name, due in sorted(quiz.course.extensions(course).items()):
        console.print(f"{name} has until {due:%Y-%m-%d %H:%M %Z}", markup=False)


@app.command("drawn-as")
def drawn_as(student: str, name: str, course: Course = HOME) -> None:
    """Grade STUDENT's answers as those to NAME's paper: who answered under another account."""
    quiz.course.drawn_as(course, student, name)
    console.print(f"{student} is graded on {name}'s paper: `python -m quiz grade`", markup=False)


@app.command()
def roster(file: Path, course: Course = HOME) -> None:
    """Say who takes the course: a CSV file from Canvas, Moodle, or with a column student_id."""
    pupils = quiz.roster.parsed(file.read_bytes(), file.name)
    quiz.course.take_roster(course, pupils)
    console.print(f"{len(pupils)} students take the course")
    _say_who(course)


def _say_who(course: Path) -> None:
    """Name strangers, and those who have handed in nothing."""
    for student in quiz.course.strangers(course):
        console.print(f"not on the roster, and in no export: {student}", markup=False)
    if missing := quiz.course.missing(course):
        console.print(f"handed in nothing: {', '.join(missing)}", markup=False)


@app.command()
def collect(course: Course = HOME) -> None:
    """Fetch the submissions that count from the exchange."""
    with quiz.course.alone(course):
        quiz.course.nbgrader(course, "collect", assignment_of(course))
    for line in (course / quiz.exchange.LEFT_OUT).read_text().splitlines():
        console.print(f"left out: {line}", markup=False)
    console.print(f"{len(handed_in(course))} submissions")


@app.command()
def grade(course: Course = HOME) -> None:
    """Grade all that was collected, by the key and the deadline as they are now."""
    with quiz.course.alone(course):
        for student in quiz.submissions.tidy(course):
            console.print(f"{student}: tidied; as it came it is in set_aside/", markup=False)
        console.print(f"grading {len(handed_in(course))} submissions")
        quiz.course.remember_key(course, banks.bank_of(course))
        quiz.course.book_roster(course)
        quiz.course.nbgrader(course, "autograde", assignment_of(course), "--force")
    table, points = Table("student", "points", "receipt", ""), quiz.course.totals(course)
    graded = quiz.course.papers(course, banks.bank_of(course))
    remarks = {p.student: "; ".join(["late"] * p.late + list(p.problems)) for p in graded}
    for paper in sorted(graded, key=lambda p: bool(remarks[p.student])):  # to be looked at: last
        total = str(points.get(paper.student, "–"))
        table.add_row(paper.student, total, paper.receipt, remarks[paper.student])
    console.print(table, markup=False)
    for students in copies(graded):
        console.print(f"began as one file: {', '.join(students)}", markup=False)
    _say_who(course)


@app.command()
def feedback(course: Course = HOME) -> None:
    """Make everyone's feedback, the explanations included, and hand it out: after the deadline."""
    with quiz.course.gradebook(course) as book:
        name = assignment_of(course)
        dues = quiz.exchange.deadlines(book, name)
        if wrong := quiz.exchange.too_early(dues, Released.read(course)):
            raise ValueError(wrong)
    with quiz.course.alone(course):
        _all_are_graded(course)
        quiz.course.nbgrader(course, "generate_feedback", name, "--force")
        quiz.course.nbgrader(course, "release_feedback", name)
    pages = list(course_of(course).glob(f"feedback/*/{name}/*.html"))
    console.print(f"{len(pages)} pages of feedback")


def _all_are_graded(course: Path) -> None:
    """Refuse to give out points that are not by the key as it is."""
    stale = [p.student for p in quiz.course.papers(course, banks.bank_of(course)) if p.stale]
    if stale:
        some = ", ".join(stale[:5]) + (", …" if len(stale) > 5 else "")
        raise ValueError(
            f"{len(stale)} papers have no points, or others than their answers earn ({some}): "
            "`python -m quiz grade` first"
        )


@app.command()
def doctor(course: Unguarded = HOME) -> None:
    """Look at a course and its exchange as an attacker would; say what is wrong, and the cure."""
    config, exchange = quiz.course.settings(course)
    _note(quiz.doctor.notes(course, config))
    if wrong := [
        *quiz.doctor.faults(course, config, exchange),
        *quiz.doctor.warnings(exchange),
        *quiz.doctor.changed(course, quiz.course.in_exchange(course)),
    ]:
        raise ValueError("\n".join(wrong))
    console.print("nobody else can read, replace or forge anything, as far as modes and owners say")


@app.command()
def report(course: Course = HOME) -> None:
    """What the answers say about the questions: report/report.html."""
    from .report import write  # draws: no other command needs Matplotlib and pandas

    bank = banks.bank_of(course)
    folder = course / "report"
    due = quiz.course.last_deadline(course)
    write(
        bank,
        quiz.course.papers(course, bank),
        folder,
        title=bank.settings.title,
        due=due,
        extensions=quiz.course.extensions(course),
        missing=quiz.course.missing(course),
    )
    console.print(folder / "report.html")


@app.command("export")
def export_(course: Course = HOME, everybody: bool = False) -> None:
    """Grades for the registrar, Canvas and Moodle; the bank for Moodle and for QTI: export/.

    Who is not on the roster is left out, but with --everybody.
    """
    bank, folder, name = banks.bank_of(course), course / "export", assignment_of(course)
    with quiz.course.alone(course):
        _all_are_graded(course)
        everyone = quiz.roster.Roster({})
        known = everyone if everybody else quiz.roster.Roster.read(course_of(course))
        with quiz.course.gradebook(course) as book:
            every = quiz.export.grades(book, name, bank)
        grades = [g for g in every if known.knows(g.student)]
        folder.mkdir(exist_ok=True)
        to = ("--to", str(folder.resolve() / "grades.csv"), f"--Csv.everybody={everybody}")
        quiz.course.nbgrader(course, "export", *to)
    title = bank.settings.title
    files: dict[str, str | bytes] = {
        "registrar.csv": quiz.export.registrar_csv(grades),
        "canvas.csv": quiz.export.canvas_csv(grades, title),
        "moodle.csv": quiz.export.moodle_csv(grades, title),
        "bank-moodle.xml": quiz.lms.moodle_xml(bank),
        "bank-qti.zip": quiz.lms.qti(bank),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    console.print(f"{folder}: grades.csv, {', '.join(files)}")


@app.command("regrade")
def regrade_(
    reason: str,
    course: Course = HOME,
    accept_both: Annotated[list[str], Ruling("the earlier key earns the points too")] = NONE,
    full_credit: Annotated[list[str], Ruling("everybody has the points")] = NONE,
    void: Annotated[list[str], Ruling("nobody's points depend on it")] = NONE,
    strict: Annotated[list[str], Ruling("the key alone counts again")] = NONE,
    rescale: Annotated[
        bool | None, typer.Option(help="Without what is void, still as many points to be had.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Say who would change, and do nothing.")] = False,
) -> None:
    """Grade everyone afresh, by a corrected key or a ruling. REASON goes into the log."""
    with quiz.course.alone(course):
        bank = banks.bank_of(course)
        _note(bank.check())  # by a corrected key a draw may have no correct option
        for question in {*accept_both, *full_credit, *void, *strict} - bank.questions.keys():
            raise ValueError(
                f"there is no question {question!r}: choose {', '.join(bank.questions)}"
            )
        ruled = bank.rulings
        for question in accept_both:
            earlier = quiz.course.earlier_keys(course, question) - {bank.key[question]}
            if not earlier:
                raise ValueError(
                    f"the key of {question} was never another one: correct it in the bank first"
                )
            ruled = ruled.accepting(question, earlier)
        for question in full_credit:
            ruled = ruled.giving(question)
        for question in void:
            ruled = ruled.without(question)
        for question in strict:
            ruled = ruled.strict(question)
        if rescale is not None:
            ruled = replace(ruled, rescaled=rescale)
        if dry_run:
            changes = quiz.course.preview(course, bank.ruled(ruled))
        else:
            changes = quiz.course.regrade(course, reason, ruled)
    for c in changes:
        which = f" ({', '.join(c['questions'])})" if c.get("questions") else ""
        console.print(f"{c['student']}: {c['from']} → {c['to']}{which}", markup=False)
    log = "nothing was done" if dry_run else f"the log is {course / 'regrades.jsonl'}"
    console.print(f"{len(changes)} {'would change' if dry_run else 'changed'}; {log}")


@app.command()
def forget(student: str, course: Course = HOME) -> None:
    """Remove all records of STUDENT; say what could not be reached."""
    with quiz.course.alone(course):
        for line in quiz.records.forget(course, student):
            console.print(line, markup=False)


@app.command()
def backup(file: Path, course: Course = HOME) -> None:
    """Pack a course into FILE, "cl.tar.gz": the bank, the papers and the gradebook."""
    with quiz.course.alone(course):
        n, left_out = quiz.records.backup(course, file)
    for name in left_out:
        console.print(f"left out, since it is no plain file: {name}", markup=False)
    console.print(f"{file}: {n} papers with their points")


@app.command()
def restore(file: Path, folder: Path) -> None:
    """Unpack a backup into FOLDER, which must not exist, and check that all have their points."""
    n = quiz.records.restore(file, folder)
    console.print(f"{folder}: {n} papers earn what they did; the exchange is not in a backup")


@app.command()
def demo(folder: Path) -> None:
    """Make a course to try in FOLDER, with three students, and grade it."""
    quiz.demo.make_course(folder, console.print)
    for step in (collect, grade, feedback, report, export_):
        step(folder)


def deadline(text: str, name: str = "due") -> datetime:
    """A time; of this machine's zone where it names none."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise ValueError(f'{name} is {text!r}: write it as "2026-12-18 23:59"') from None


if __name__ == "__main__":
    run(app)
