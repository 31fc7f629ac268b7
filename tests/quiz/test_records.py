"""Rosters, records taken away, backups; and what interrupts or doubles a grading."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from quizzes import ToyCourse, in_process

from quiz import __main__ as cli
from quiz import bank as banks
from quiz import course as courses
from quiz import records
from quiz.roster import Pupil, Roster, parsed

ROOT = Path(__file__).parents[2]
NAMES = ("ann", "ann2", "bob", "stranger")


@pytest.fixture(autouse=True)
def _in_process():
    with in_process():
        yield


@pytest.fixture
def course(tmp_path) -> ToyCourse:
    """Four papers, graded, with feedback, report and exports; the roster has three, one absent."""
    course = ToyCourse(tmp_path)
    now = datetime.now(UTC)
    courses.set_deadline(course.folder, now + timedelta(minutes=5))
    pupils = ["student_id,first_name", "ann,Ann", "ann2,Anna", "bob,Bob", "absent,"]
    (tmp_path / "roster.csv").write_text("\n".join(pupils))
    cli.roster(tmp_path / "roster.csv", course.folder)
    for i, name in enumerate(NAMES):
        course.hand_in(name, course.sheet(course.but(*list(course.key)[:i])), at=now)
    for step in (cli.collect, cli.grade):
        step(course.folder)
    courses.set_deadline(course.folder, now + timedelta(seconds=1))
    time.sleep(1)
    for step in (cli.grade, cli.feedback, cli.report, cli.export_):
        step(course.folder)
    return course


def exported(course: ToyCourse, name: str = "registrar.csv") -> dict[str, dict[str, str]]:
    text = (course.folder / "export" / name).read_text("utf-8-sig")
    return {row["student_id"]: row for row in csv.DictReader(io.StringIO(text))}


# ---- who takes the course


def test_strangers_stay_out_of_the_exports_unless_asked_for(course, capsys):
    expected = {"ann": "10", "ann2": "9.6", "bob": "9.2", "absent": ""}
    for name, column in {"registrar.csv": "points", "grades.csv": "score"}.items():
        assert {s: row[column] for s, row in exported(course, name).items()} == expected
    assert exported(course)["absent"]["status"] == "did not hand in"
    assert exported(course)["ann"]["first_name"] == "Ann"
    cli.export_(course.folder, everybody=True)
    for name in ("registrar.csv", "grades.csv"):
        assert exported(course, name).keys() == {*expected, "stranger"}
    assert exported(course)["stranger"]["points"] == "8.8"
    capsys.readouterr()
    cli.grade(course.folder)
    said = capsys.readouterr().out
    assert "not on the roster, and in no export: stranger" in said
    assert "handed in nothing: absent" in said


CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Quiz (12)
    Points Possible,,,,,10
"Lovelace, Ada",101,s1,ada,CL,
"Student, Test",102,,,CL,
"""
MOODLE = """\
First name;Last name;ID number;Username;Email address
Ada;Lovelace;7;ada;ada@example.org
"""


@pytest.mark.parametrize(
    ("text", "pupil"),
    [
        (CANVAS, Pupil("ada", "Lovelace", "Ada", lms_user_id="101")),
        (MOODLE, Pupil("ada", "Lovelace", "Ada", "ada@example.org")),
        ("\ufeffstudent_id\r\nada\r\n", Pupil("ada")),
        ("ID,Email\nada,a@b.org\n", Pupil("ada", email="a@b.org")),
    ],
)
def test_rosters_of_many_makes(text, pupil, tmp_path):
    assert parsed(text.encode(), "x.csv") == [pupil]
    Roster.of([pupil]).save(tmp_path)
    assert Roster.read(tmp_path).students == {"ada": pupil}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name\nada\n", "x.csv has no column with accounts' names: call it student_id"),
        (b"", "x.csv has no column"),
        (b"student_id\n", "x.csv has no"),
        (b"student_id\nada\nada\n", "x.csv has 'ada' twice"),
        ("student_id\nadä".encode("latin-1"), "x.csv is not UTF-8"),
    ],
)
def test_what_is_no_roster_is_one_line(content, says):
    with pytest.raises(ValueError, match=says) as error:
        parsed(content, "x.csv")
    assert "\n" not in str(error.value)


# ---- records


def everything(*tops: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for top in tops for p in sorted(top.rglob("*")) if p.is_file()}


def test_nothing_is_left_of_somebody_forgotten_and_all_of_others(course):
    (exchange := course.exchange / "cl" / "feedback").chmod(0o755)
    pages = {*exchange.iterdir()}
    mark = b"ann/"
    assert [p for p, c in everything(course.folder).items() if mark in c or "/ann/" in str(p)]
    log = course.folder / courses.REGRADES
    of = {n: json.dumps({"student": n, "reason": "ann was right"}) + "\n" for n in NAMES}
    log.write_text("".join(of.values()))
    said = records.forget(course.folder, "ann")
    assert log.read_text() == "".join(of[n] for n in NAMES[1:])
    left = everything(course.folder, course.exchange)
    for path, content in left.items():
        assert "ann" not in path.parts, path
        assert not [part for part in path.parts if part.startswith("ann+")], path
        assert mark not in content, path
    with courses.gradebook(course.folder) as book:
        assert "ann" not in {s.id for s in book.students}
    assert b"\nann," not in (course.folder / "roster.csv").read_bytes()
    assert len(pages - {*exchange.iterdir()}) == 1
    assert said[-1] == "backups and the student's own folders were not touched"

    for step in (cli.grade, cli.export_):
        step(course.folder)
    points = {s: row["points"] for s, row in exported(course).items()}
    assert points == {"ann2": "9.6", "bob": "9.2", "absent": ""}
    with pytest.raises(ValueError, match="there are no records of 'ann'"):
        records.forget(course.folder, "ann")
    with pytest.raises(ValueError, match=r"'\.\./bob' is no account's name"):
        records.forget(course.folder, "../bob")


def test_a_restored_course_grades_to_the_same_points(course, tmp_path):
    file, again = tmp_path / "cl.tar.gz", tmp_path / "again"
    assert records.backup(course.folder, file) == (4, [])
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(ValueError, match="is there already"):
        records.backup(course.folder, file)
    assert records.restore(file, again) == 4
    assert again.stat().st_mode & 0o777 == 0o700
    assert courses.totals(again) == courses.totals(course.folder)
    before = courses.scores(again)
    courses.nbgrader(again, "autograde", "quiz", "--force")
    assert courses.scores(again) == before
    with pytest.raises(ValueError, match="is there already"):
        records.restore(file, again)


def test_a_backup_that_was_changed_says_whose_points_differ(course, tmp_path):
    records.backup(course.folder, tmp_path / "cl.tar.gz")
    changed = tmp_path / "changed.tar.gz"
    with tarfile.open(tmp_path / "cl.tar.gz") as old, tarfile.open(changed, "w:gz") as new:
        for member in old.getmembers():
            content = old.extractfile(member)
            if member.name == "submitted/bob/quiz/answers.json":
                content = io.BytesIO(content.read().replace(b'"a"', b'"b"'))
            new.addfile(member, content)
    with pytest.raises(ValueError, match="bob would have other points"):
        records.restore(changed, tmp_path / "again")
    for content in (b"", b"no tar", (tmp_path / "cl.tar.gz").read_bytes()[:2_000]):
        (broken := tmp_path / f"{len(content)}.tar.gz").write_bytes(content)
        with pytest.raises(ValueError, match="is no backup of a course, or damaged"):
            records.restore(broken, tmp_path / "broken")
    content = bytearray((tmp_path / "cl.tar.gz").read_bytes())
    for place in range(100, len(content), len(content) // 20):
        flipped = bytearray(content)
        flipped[place] ^= 0xFF
        (tmp_path / "flipped.tar.gz").write_bytes(flipped)
        with pytest.raises(ValueError, match="is no backup of a course, or damaged"):
            records.restore(tmp_path / "flipped.tar.gz", tmp_path / "broken")


def test_a_backup_follows_the_bank_and_leaves_out_what_is_no_file(course, tmp_path):
    (course.folder / "bank").rename(tmp_path / "elsewhere")
    (course.folder / "bank").symlink_to(tmp_path / "elsewhere")
    aside = course.folder / "set_aside" / "ann-12345678"
    aside.mkdir(parents=True)
    os.mkfifo(aside / "pipe")
    (aside / "link").symlink_to("/etc/passwd")
    n, left_out = records.backup(course.folder, tmp_path / "cl.tar.gz")
    assert (n, sorted(left_out)) == (
        4,
        ["set_aside/ann-12345678/link", "set_aside/ann-12345678/pipe"],
    )
    assert records.restore(tmp_path / "cl.tar.gz", tmp_path / "again") == 4
    assert (tmp_path / "again" / "bank" / "ewc.yaml").is_file()
    with pytest.raises(ValueError, match="is in the course itself"):
        records.backup(course.folder, course.folder / "cl.tar.gz")


# ---- interrupted, and twice at once


def test_one_grading_at_a_time(course):
    with FileLock(course.folder / ".grading.lock"):
        for command in (cli.collect, cli.grade, cli.export_):
            with pytest.raises(ValueError, match="another command is grading in"):
                command(course.folder)
    cli.export_(course.folder)


def test_what_was_killed_while_grading_is_not_exported(course):
    for path in (course.folder / "autograded").iterdir():
        assert path.is_dir()
    key = course.folder / "bank" / "basics.yaml"
    key.write_text(key.read_text().replace("correct: false", "correct: true", 1))
    command = [sys.executable, "-m", "quiz", "grade", "--course", str(course.folder)]
    log = course.folder / "nbgrader.log"
    graded = course.folder / "autograded" / NAMES[0] / "quiz" / "quiz.ipynb"
    before = graded.stat().st_mtime_ns
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, start_new_session=True
    ) as process:
        while not (graded.exists() and graded.stat().st_mtime_ns != before):
            assert process.poll() is None, log.read_text()[-2_000:]
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    with pytest.raises(ValueError, match=r"papers have no points, or others than .* earn \("):
        cli.export_(course.folder)
    cli.grade(course.folder)
    cli.export_(course.folder)
    bank, booked = banks.bank_of(course.folder), courses.totals(course.folder)
    for paper in courses.papers(course.folder, bank):
        assert booked[paper.student] == paper.score(bank)


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out"])
def test_a_backup_leads_nowhere_else(tmp_path, name):
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as pack:
        pack.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(ValueError, match="is none of a course's files"):
        records.restore(tmp_path / "evil.tar.gz", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_link_in_a_backup_is_not_followed(tmp_path):
    with tarfile.open(tmp_path / "link.tar.gz", "w:gz") as pack:
        (link := tarfile.TarInfo("bank")).type = tarfile.SYMTYPE
        link.linkname = "/etc"
        pack.addfile(link)
    with pytest.raises(ValueError, match="bank is none of a course's files"):
        records.restore(tmp_path / "link.tar.gz", tmp_path / "again")
    assert not (tmp_path / "again").exists()
