"""Grade files of a real gradebook, read again by pandas, csv, and Canvas's and Moodle's rules."""

import csv
import io
import shutil
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import CsvExportPlugin
from quizzes import in_process

from quiz import course as courses
from quiz.export import Csv, Grade, canvas_csv, grades, harmless, moodle_csv, registrar_csv

N = 25
SUBMITTED = datetime(2031, 5, 4, 21, 59, 30)  # UTC, as nbgrader keeps it

FORMULAS = ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1", "  =1", "\tx", "\rx", "\nx"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Path:
    """Two assignments, of 25 questions and of one; five students.

    alice: all correct. bob: 9 of 25, late. carol: nothing handed in. dan: 3 of 25, and a grader
    gave two more by hand. eve: names and an address that a file could choke on.
    """
    file = tmp_path_factory.mktemp("book") / "gradebook.db"
    with in_process():
        book = Gradebook(f"sqlite:///{file}")
    with book:
        book.add_student("alice", last_name="A", first_name="Zoë", email="alice@example.org")
        book.add_student("bob", last_name="B", lms_user_id="4711")
        book.add_student("carol", first_name="C")
        book.add_student("dan")
        book.add_student(
            "eve", last_name='Ö, "E"; x', first_name="=HYPERLINK(1)", email="-eve@example.org"
        )
        for name, n in (("quiz", N), ("one", 1)):
            book.add_assignment(name, duedate="2031-05-05 00:00:00 UTC")
            book.add_notebook("nb", name)
            for i in range(n):
                book.add_grade_cell(f"q{i}", "nb", name, max_score=0.4, cell_type="code")
        for student, n in {"alice": N, "bob": 9, "dan": 3, "eve": N - 1}.items():
            book.add_submission("quiz", student, timestamp=SUBMITTED)
            for i in range(N):
                set_score(book, student, i, auto_score=0.4 if i < n else 0.0)
        late = book.find_submission_notebook("nb", "quiz", "bob")
        late.late_submission_penalty = 0.4 + 0.4 + 0.4  # 1.2000000000000002
        set_score(book, "dan", 7, manual_score=0.4)
        set_score(book, "dan", 8, auto_score=0.0, extra_credit=0.4)
        book.db.commit()
    return file


@pytest.fixture
def book(filled, tmp_path):
    """A copy of it, beside which files can be written."""
    copy = shutil.copy(filled, tmp_path)
    with Gradebook(f"sqlite:///{copy}") as book:
        yield book


def set_score(book, student, i, **scores):
    grade = book.find_grade(f"q{i}", "nb", "quiz", student)
    for name, score in scores.items():
        setattr(grade, name, score)


def of(found, student) -> Grade:
    (grade,) = (g for g in found if g.student == student)
    return grade


def rows(text):
    return list(csv.reader(io.StringIO(text)))


def canvas_reads(text):
    """lib/gradebook_importer.rb: the header, the row of points, then a student in each row.

    Returns the assignment, its points, and (name, number, login) -> grade.
    """
    header, points, *students = rows(text)
    assert "Student" in header[0]  # row_has_student_headers?
    assert "ID" in header[1]
    assert header[2:4] == ["SIS User ID", "SIS Login ID"]  # update_column_count
    assert "Section" in header[4]  # header?
    (assignment,) = header[5:]
    assert "Points Possible" in points[0]  # check_for_non_student_row
    assert not any("Points Possible" in row[0] for row in students)
    assert not any(row[2] for row in students)  # else that would be looked for before the login
    return assignment, points[5], {(row[0], row[1], row[3]): row[5] for row in students}


def test_scores_are_the_decimals_that_they_were(book):
    alice = of(grades(book, "quiz"), "alice")
    assert book.find_submission("quiz", "alice").score != 10  # or this test tests nothing
    assert (alice.raw, alice.penalty, alice.score, alice.most) == (10, 0, 10, 10)
    for points in (alice.raw, alice.penalty, alice.score, alice.most):
        assert isinstance(points, Decimal)
    assert str(alice.score) == str(alice.most) == "10"


def test_the_late_penalty_is_taken_off(book):
    bob = of(grades(book, "quiz"), "bob")
    assert (bob.raw, bob.penalty, bob.score) == tuple(map(Decimal, ("3.6", "1.2", "2.4")))


def test_a_penalty_leaves_nothing_less_than_0(book):
    book.find_submission_notebook("nb", "quiz", "bob").late_submission_penalty = 5.0
    book.db.commit()
    bob = of(grades(book, "quiz"), "bob")
    assert (bob.raw, bob.penalty, bob.score) == (Decimal("3.6"), 5, 0)


def test_without_a_submission_there_is_no_score(book):
    carol = of(grades(book, "quiz"), "carol")
    assert (carol.raw, carol.penalty, carol.score, carol.most) == (0, 0, 0, 10)
    assert (carol.submitted, carol.handed_in, carol.told) == (None, False, None)
    assert {g.student: g.status for g in grades(book, "quiz") if g.student in "alicebobcarol"} == {
        **{"alice": "handed in", "bob": "handed in", "carol": "did not hand in"}
    }
    assert {g.student for g in grades(book, "one")} == {"alice", "bob", "carol", "dan", "eve"}


def test_what_a_grader_changed_counts(book):
    assert of(grades(book, "quiz"), "dan").score == Decimal("2.0")  # 3 + 1 by hand + 1 extra
    set_score(book, "dan", 0, manual_score=0.1)
    book.db.commit()
    assert of(grades(book, "quiz"), "dan").score == Decimal("1.7")


def test_who_and_when(book):
    found = grades(book, "quiz")
    alice, bob, dan = (of(found, name) for name in ("alice", "bob", "dan"))
    assert (alice.last_name, alice.first_name, alice.email) == ("A", "Zoë", "alice@example.org")
    assert (bob.lms_user_id, dan.last_name, dan.email) == ("4711", None, None)
    assert alice.submitted == SUBMITTED.replace(tzinfo=UTC)
    assert of(grades(book, "one"), "alice").most == Decimal("0.4")
    with pytest.raises(MissingEntry):
        grades(book, "no such")


def test_registrar(book):
    text = registrar_csv(grades(book, "quiz"))
    assert text.encode().startswith(b"\xef\xbb\xbf")
    how = {"encoding": "utf-8-sig", "dtype": str, "index_col": 0, "keep_default_na": False}
    table = pd.read_csv(io.BytesIO(text.encode()), **how)
    assert list(table.columns) == [
        *("last_name", "first_name", "email", "points", "out_of", "percent", "submitted_utc"),
        "status",
    ]
    assert table.index.name == "student_id"
    assert dict(table["points"]) == {
        **{"alice": "10", "bob": "2.4", "carol": "", "dan": "2", "eve": "9.6"}
    }
    assert table.loc["carol", "status"] == "did not hand in"
    assert set(table["out_of"]) == {"10"}
    assert dict(table["percent"]) == {
        **{"alice": "100", "bob": "24", "carol": "", "dan": "20", "eve": "96"}
    }
    assert table.loc["alice", "submitted_utc"] == "2031-05-04T21:59:30Z"
    assert table.loc["carol", "submitted_utc"] == ""
    assert table.loc["alice", "first_name"] == "Zoë"
    assert table.loc["eve", "last_name"] == 'Ö, "E"; x'


def test_registrar_rounds_percent_and_knows_time_zones():
    submitted = SUBMITTED.replace(tzinfo=timezone(timedelta(hours=2)))
    third = made("bob", submitted=submitted, score=Decimal("0.4"), most=Decimal("1.2"))
    nothing = made("carol", score=Decimal(0), most=Decimal(0), late=True)
    _, bob, carol = rows(registrar_csv([third, nothing]))
    assert bob[4:] == ["0.4", "1.2", "33.33", "2031-05-04T19:59:30Z", "handed in"]
    assert carol[4:] == ["0", "0", "", "", "handed in late"]


def test_canvas(book):
    assignment, most, found = canvas_reads(canvas_csv(grades(book, "quiz"), "Quiz (1234)"))
    assert (assignment, most) == ("Quiz (1234)", "10")
    assert found == {
        ("A, Zoë", "", "alice"): "10",
        ("B", "4711", "bob"): "2.4",
        ("C", "", "carol"): "",  # nothing, which is not a grade of 0
        ("dan", "", "dan"): "2",
        ('Ö, "E"; x, =HYPERLINK(1)', "", "eve"): "9.6",  # the name is no formula, as it begins
    }
    # Its semicolon_delimited? tries both on the first lines: only the comma may part every one.
    lines = canvas_csv(grades(book, "quiz"), "Quiz").splitlines()[:3]
    assert {len(next(csv.reader([line]))) for line in lines} == {6}


def moodle_reads(text, users, column):
    """grade/import/csv/classes/load_data.php, prepare_import_grade_data: user -> grade.

    Raises LookupError where it stops with nothing imported: a user is not known.
    """
    header, *lines = rows(text)
    found, user = {}, None
    for line in lines:
        cells = dict(zip(header, line, strict=True))
        if cells[column]:  # else the user is still the one of the line before
            user = users[cells[column]]
        found[user] = Decimal(cells["Quiz"]) if cells["Quiz"] else None  # no grade
    return found


def test_moodle(book):
    text = moodle_csv(grades(book, "quiz"), "Quiz")
    assert rows(text)[0] == ["Username", "Email address", "Quiz"]
    scores = {"alice": "10", "bob": "2.4", "carol": None, "dan": "2", "eve": "9.6"}
    expected = {name: score and Decimal(score) for name, score in scores.items()}
    assert moodle_reads(text, {name: name for name in scores}, "Username") == expected


def test_moodle_gives_nobody_the_grade_of_a_student_without_an_address(book):
    found = grades(book, "quiz")
    users = {g.email: g.student for g in found if g.email}
    with pytest.raises(LookupError, match=r"bob|carol|dan"):
        moodle_reads(moodle_csv(found, "Quiz"), users, "Email address")
    known = [of(found, "alice")]
    text = moodle_csv(known, "Quiz")
    assert moodle_reads(text, users, "Email address") == {"alice": 10}


def made(student, **parts):
    """A grade that no gradebook is needed for."""
    names = dict.fromkeys(("last_name", "first_name", "email", "lms_user_id", "submitted"))
    points = dict.fromkeys(("raw", "penalty", "score", "most"), Decimal(1))
    handed_in = {"handed_in": True, "late": False}
    return Grade(**{"student": student, **names, **points, **handed_in, **parts})


@pytest.mark.parametrize(
    "write",
    [registrar_csv, lambda g: canvas_csv(g, "Q"), lambda g: moodle_csv(g, "Q")],
    ids=["registrar", "canvas", "moodle"],
)
@pytest.mark.parametrize("text", FORMULAS)
def test_no_name_is_a_formula(write, text):
    grade = made(text, last_name=text, first_name=text, email=text, lms_user_id=text)
    cells = [cell for row in rows(write([grade]).removeprefix("\ufeff")) for cell in row]
    assert not [
        cell for cell in cells if cell[:1] in {*"=+-@\t\r\n"} or cell.lstrip()[:1] in {*"=+-@"}
    ]
    assert f"'{text}" in cells  # and it is all there


def test_an_ordinary_text_stays_as_it_is_and_a_number_is_none():
    text = registrar_csv([made("a-b", last_name="O'N", email="a+b@c=d", score=Decimal("-1"))])
    assert rows(text)[1][:5] == ["a-b", "O'N", "", "a+b@c=d", "-1"]
    assert ",-1," in text  # numbers are not in quotes


def test_files_of_nobody():
    assert len(rows(registrar_csv([]))) == 1
    assert len(rows(canvas_csv([], "Q"))) == 2
    assert len(rows(moodle_csv([], "Q"))) == 1


# --- nbgrader export ----------------------------------------------------------------------------


def exported(plugin, book, path, **options):
    plugin(to=str(path), **options).export(book)
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_nbgraders_own_export_has_the_same(book, tmp_path):
    """Where names are harmless the two files say the same, to the last float."""
    students = ["alice", "bob", "carol", "dan"]
    theirs = exported(CsvExportPlugin, book, tmp_path / "theirs.csv", student=students)
    ours = exported(Csv, book, tmp_path / "ours.csv", student=students)
    assert len(ours) == len(theirs) == 2 * 4
    for mine, other in zip(ours, theirs, strict=True):
        assert list(mine) == list(other)
        for column in mine:
            if mine[column] == "":  # without a paper nbgrader says 0
                assert other[column] in ("", "0.0")
            elif column.endswith(("score", "penalty")):
                assert float(mine[column]) == pytest.approx(float(other[column]), abs=1e-12)
            else:
                assert mine[column] == other[column]


def test_export_is_exact_and_quoted(book, tmp_path):
    found = exported(Csv, book, tmp_path / "grades.csv", assignment=["quiz"])
    assert {row["assignment"] for row in found} == {"quiz"}
    by_name = {row["student_id"]: row for row in found}
    assert [by_name["alice"][c] for c in ("raw_score", "score", "max_score")] == ["10"] * 3
    bob = by_name["bob"]
    assert (bob["raw_score"], bob["late_submission_penalty"], bob["score"]) == ("3.6", "1.2", "2.4")
    eve = by_name["eve"]
    assert (eve["last_name"], eve["first_name"]) == ('Ö, "E"; x', "'=HYPERLINK(1)")
    table = pd.read_csv(tmp_path / "grades.csv")
    assert table["score"].sum() == pytest.approx(10 + 2.4 + 2 + 9.6)


def test_the_command(book, tmp_path):
    """`nbgrader export`, with the options that people know."""
    options = [
        *("--exporter=quiz.export.Csv", "--to=mine.csv"),
        *('--student=["bob", "carol"]', '--assignment=["quiz"]'),
    ]
    with in_process():
        courses.nbgrader(tmp_path, "export", *options)
    with (tmp_path / "mine.csv").open(encoding="utf-8", newline="") as file:
        found = [(row["student_id"], row["score"]) for row in csv.DictReader(file)]
    assert sorted(found) == [("bob", "2.4"), ("carol", "")]


def test_without_options_it_is_grades_csv(book, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Csv().export(book)
    assert len((tmp_path / "grades.csv").read_text("utf-8").splitlines()) == 1 + 2 * 5


def test_nothing_becomes_a_formula_where_cells_are_parted_at_semicolons():
    hostile = "there is no question ';=1+1+cmd|'/c calc'!A1; @x;-1'"
    [row] = csv.reader([f'"alice","{harmless(hostile)}",0.4'], delimiter=";")
    assert len(row) > 3
    assert not [cell for cell in row if cell.lstrip().startswith(("=", "+", "-", "@"))]
