"""What others could do to a course is found, and the cure that is named cures it."""

from __future__ import annotations

import grp
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from quizzes import ToyCourse, in_process

from quiz import __main__ as cli
from quiz import course as courses
from quiz import doctor
from quiz.privacy import can_be_reached, keep_private, openings

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no modes and owners here")


@pytest.fixture(autouse=True)
def _umask():
    before = os.umask(0o022)
    with in_process():
        yield
    os.umask(before)


@pytest.fixture
def public():
    """A folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def cure(line: str) -> None:
    """Run the command that a line ends with."""
    command = re.search(r"(?:chmod|mkdir) .*?(?=, or | \(|$)", line)
    assert command, line
    subprocess.run(command[0], shell=True, check=True)


# ---- the course


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o710, 0o701, 0o702, 0o2775, 0o2771])
def test_a_course_that_others_can_open_is_refused_until_it_is_closed(tmp_path, mode):
    course = tmp_path / "my course"
    course.mkdir()
    course.chmod(mode)
    with pytest.raises(ValueError, match=r"is open to (others|its group)") as error:
        keep_private(course)
    assert "\n" not in str(error.value)
    cure(str(error.value))
    keep_private(course)


def test_what_is_written_is_private_or_the_groups(tmp_path):
    for mode, file_mode in {0o700: 0o600, 0o2770: 0o660}.items():
        course = tmp_path / f"{mode:o}"
        course.mkdir()
        course.chmod(mode)
        keep_private(course)
        (course / "key").touch()
        assert (course / "key").stat().st_mode & 0o777 == file_mode


def test_a_link_out_of_a_course_is_followed(tmp_path, public):
    (bank := public / "bank").mkdir()
    (tmp_path / "bank").symlink_to(bank)
    tmp_path.chmod(0o700)
    [line] = openings(tmp_path)
    assert str(bank) in line
    cure(line)
    assert openings(tmp_path) == []


def test_a_folder_that_cannot_be_listed_can_be_read_by_who_knows_a_name(public):
    (bank := public / "bank").mkdir()
    bank.chmod(0o711)
    assert can_be_reached(bank)


def test_a_link_to_what_is_everybodys_is_nobodys_business(tmp_path, public):
    (tmp_path / "exchange").symlink_to(public)
    tmp_path.chmod(0o700)
    assert openings(tmp_path) == []


def test_what_lies_in_a_closed_folder_cannot_be_reached(public):
    (inner := public / "a" / "b").mkdir(parents=True)
    assert can_be_reached(inner)
    inner.parent.chmod(0o700)
    assert not can_be_reached(inner)
    assert not can_be_reached(public / "nothing")


def test_a_new_course_is_private_and_no_open_folder_becomes_one(tmp_path):
    course = courses.new_course(tmp_path / "new", "cl")
    assert course.stat().st_mode & 0o777 == 0o700
    assert (course / "nbgrader_config.py").stat().st_mode & 0o777 == 0o600
    (there := tmp_path / "there").mkdir()
    there.chmod(0o755)
    with pytest.raises(ValueError, match="is open to others"):
        courses.new_course(there, "cl")
    assert not [*there.iterdir()]


# ---- the exchange


@pytest.fixture
def toy(tmp_path_factory, public):
    """A released course, in a place that everybody can get to."""
    toy = ToyCourse(public)
    toy.exchange.chmod(0o1777)
    return toy


def found(toy: ToyCourse) -> list[str]:
    config, exchange = courses.settings(toy.folder)
    there = exchange / "cl"
    return [
        *doctor.faults(toy.folder, config, exchange),
        *doctor.warnings(exchange),
        *doctor.changed(toy.folder, there),
    ]


def test_a_course_in_order_has_nothing_to_say(toy, capsys):
    assert found(toy) == []
    cli.doctor(toy.folder)
    said = capsys.readouterr().out
    assert "check_owner is False" in said  # as these tests have it: one user plays all
    assert "nobody else can" in said


@pytest.mark.parametrize(
    ("place", "mode", "says"),
    [
        ("exchange", 0o777, "rename or remove a whole course"),
        ("exchange/cl", 0o777, "others can change"),
        ("exchange/cl/outbound", 0o775, "others can change"),
        ("exchange/cl/outbound/quiz", 0o777, "others can change"),
        ("exchange/cl/inbound", 0o777, "others can list"),
        (".", 0o777, "could put something else in the place of"),
    ],
)
def test_each_open_door_is_found_and_closed_by_its_cure(toy, place, mode, says):
    folder = toy.exchange.parent / place
    folder.chmod(mode)
    lines = found(toy)
    assert any(says in line for line in lines), lines
    for line in lines:
        cure(line)
    assert found(toy) == []


def test_what_students_fetch_is_what_was_released(toy):
    out = toy.exchange / "cl" / "outbound" / "quiz"
    (out / "questions.json").write_text("{}")
    (out / "more.txt").write_text("a key")
    (out / "quiz.ipynb").chmod(0o600)
    lines = found(toy)
    for name in ("questions.json", "more.txt", "quiz.ipynb"):
        assert [name in line for line in lines].count(True) == 1
    toy.run("release_assignment", "quiz", "--force")
    assert found(toy) == []


def test_settings_without_ours_would_run_students_notebooks(toy):
    file = toy.folder / "nbgrader_config.py"
    file.write_text(f"c = get_config()\n{toy.settings}")
    assert "autograding would run students' notebooks" in found(toy)[0]


def test_a_clock_that_is_off_is_said_to_be(toy, monkeypatch):
    monkeypatch.setattr(doctor.time, "time", lambda: clock() + 60)
    assert [line for line in found(toy) if "-60 s off" in line]


clock = time.time


def test_a_pattern_does_not_go_past_the_rules(toy):
    for command in ("release_feedback", "collect", "release_assignment"):
        for pattern in ("*", "q*", "[q]uiz"):
            with pytest.raises(ValueError, match="stands for several assignments"):
                toy.run(command, pattern)


def test_a_course_shared_with_a_group_is_in_order_and_says_with_whom(toy):
    for folder, _, _ in os.walk(toy.folder):
        os.chmod(folder, 0o2770)
    for folder in (".", "outbound", "outbound/quiz"):  # as nbgrader's groupshared has them
        (toy.exchange / "cl" / folder).chmod(0o2775)
    assert found(toy) == []
    config, _ = courses.settings(toy.folder)
    group = grp.getgrgid(toy.folder.stat().st_gid).gr_name
    assert [n for n in doctor.notes(toy.folder, config) if f"group {group}: root" in n]


def test_no_exchange_is_one_line(toy):
    shutil.rmtree(toy.exchange)
    [line] = found(toy)
    assert "is not there: sudo mkdir -p -m 1777" in line


# ---- the deadline


def test_a_release_needs_a_deadline_or_none_on_purpose(toy):
    with pytest.raises(ValueError, match=r"--due and --no-deadline: choose one"):
        cli.release(toy.folder, "2099-01-01", no_deadline=True)
    courses.set_deadline(toy.folder, None)
    assert courses.has_deadline(toy.folder)
    (toy.folder / "released.json").unlink()
    with pytest.raises(ValueError, match="a deadline is needed"):
        cli.release(toy.folder)
    with pytest.raises(ValueError, match="the quiz needs a deadline"):  # nbgrader's own command
        toy.run("release_assignment", "quiz", "--force")


def test_without_a_deadline_feedback_stays_here(toy):
    courses.set_deadline(toy.folder, None)
    with pytest.raises(ValueError, match="without a deadline answers still count"):
        cli.feedback(toy.folder)
    assert not (toy.folder / "feedback").exists()
    with pytest.raises(ValueError, match="without a deadline answers still count"):
        toy.run("release_feedback", "quiz")
