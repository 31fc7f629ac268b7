"""One server, real accounts: an instructor and two students who try what they can.

They are made for these tests, which only root can; elsewhere they are skipped, but where
$CL_ACCOUNTS is "required", as in .ci/run, that is a failure.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from quiz import bank as banks

ROOT = Path(__file__).parents[2]
SECRET = "the reason that nobody may see"
pytestmark = pytest.mark.full

# What somebody can open below some folders, and whether the key is in it.
LOOK = """
import json, os, sys
seen, key = [], []
for top in sys.argv[2:]:
    for folder, _, files in os.walk(top):
        for path in (os.path.join(folder, name) for name in files):
            try:
                with open(path, "rb") as file:
                    content = file.read()
            except OSError:
                continue
            seen.append(path)
            if sys.argv[1].encode() in content or b"correct: true" in content:
                key.append(path)
print(json.dumps([seen, key]))
"""

ANSWER = """
import json, os, sys
from cl_helpers.answers.sheet import AnswerSheet, Questions
questions = Questions.read("quiz/questions.json")
sheet = AnswerSheet("quiz/answers.json", questions, os.environ["USER"])
for question, options in json.loads(sys.argv[1]).items():
    sheet.choose(question, options)
"""


# Begun as one student's paper, and saying that it is another's; what fits of some answers.
AS_ANOTHER = """
import json, os, sys
from cl_helpers.answers.sheet import AnswerSheet, Questions
if os.path.exists("quiz/answers.json"):
    os.remove("quiz/answers.json")
begins, says, answers = sys.argv[1:]
sheet = AnswerSheet("quiz/answers.json", Questions.read("quiz/questions.json"), begins)
for question, options in json.loads(answers).items():
    if set(options) <= set(sheet.questions.options[question]):
        sheet.choose(question, options)
raw = json.load(open("quiz/answers.json"))
json.dump(raw | {"student": says}, open("quiz/answers.json", "w"))
"""


@dataclass
class Account:
    """A user of this machine, with a home that others may enter, as is usual."""

    name: str
    home: Path
    python: str
    env: dict[str, str]

    def run(self, *arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess:
        """`python …`, as this user, with the usual umask."""
        user = pwd.getpwnam(self.name)
        return subprocess.run(
            [self.python, *map(str, arguments)],
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            umask=0o022,
            cwd=cwd or self.home,
            env={"HOME": str(self.home), "USER": self.name, "COLUMNS": "200"} | self.env,
            capture_output=True,
            text=True,
            check=False,
        )

    def does(self, *arguments: object, **how) -> str:
        """The same, which must succeed; what it says."""
        process = self.run(*arguments, **how)
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout + process.stderr

    def fails(self, *arguments: object, **how) -> str:
        """The same, which must not."""
        process = self.run(*arguments, **how)
        assert process.returncode != 0, process.stdout
        return process.stderr

    def sees(self, *tops: Path) -> tuple[list[str], list[str]]:
        """The files that this user can read below `tops`, and those of them with the key."""
        return json.loads(self.does("-c", LOOK, SECRET, *tops))


@pytest.fixture(scope="module")
def accounts() -> Iterator[dict[str, Account]]:
    why = "" if hasattr(os, "geteuid") and os.geteuid() == 0 else "making accounts needs root"
    why = why or ("" if shutil.which("useradd") else "there is no useradd")
    if why:
        assert os.environ.get("CL_ACCOUNTS") != "required", why
        pytest.skip(why)
    umask = os.umask(0o022)  # the usual one, whatever a test before has set
    server = Path(tempfile.mkdtemp(prefix="server-", dir="/var/tmp"))
    server.chmod(0o755)
    made = []
    try:
        python, env = everybodys_python(server)
        for name in ("teacher", "ann", "bob"):
            account, home = f"cl-{name}-{os.getpid()}", server / name
            subprocess.run(["useradd", "--no-create-home", "-d", home, account], check=True)
            made.append(account)
            home.mkdir(mode=0o755)
            shutil.chown(home, account, account)
        (server / "exchange").mkdir()
        (server / "exchange").chmod(0o1777)
        yield {n.split("-")[1]: Account(n, server / n.split("-")[1], python, env) for n in made}
    finally:
        for account in made:
            subprocess.run(["userdel", account], check=True)
        shutil.rmtree(server)
        os.umask(umask)


def everybodys_python(server: Path) -> tuple[str, dict[str, str]]:
    """A Python that every account can run, and the environment in which it finds the course.

    Ours may lie in a home that nobody else can enter: then it is linked to where they can.
    """
    places = {
        "python": Path(sys.base_prefix),
        "site": Path(pytest.__file__).parents[1],
        "course": ROOT,
        "share": Path(sys.prefix) / "share",
    }
    for name, source in places.items():
        if not all(folder.stat().st_mode & 0o001 for folder in (source, *source.parents)):
            places[name] = server / name
            places[name].mkdir()
            kept = [p for p in source.iterdir() if p.name not in (".venv", ".git", "build")]
            link = "-al" if source.stat().st_dev == server.stat().st_dev else "-a"
            subprocess.run(["cp", link, *kept, places[name]], check=True)
    home, version = places["python"], sys.version_info
    python = home / "bin" / f"python{version[0]}.{version[1]}"
    (server / "bin").mkdir()
    alembic = server / "bin" / "alembic"  # which nbgrader calls by its name
    alembic.write_text(
        f'#!/bin/sh\nexec {python} -c "from alembic.config import main; main()" "$@"\n'
    )
    alembic.chmod(0o755)
    return str(python), {
        "PATH": f"{server / 'bin'}:/usr/bin:/bin",
        "PYTHONHOME": str(home),
        "LD_LIBRARY_PATH": str(home / "lib"),
        "PYTHONPATH": f"{places['course']}{os.pathsep}{places['site']}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "JUPYTER_PATH": str(places["share"] / "jupyter"),
    }


@dataclass
class School:
    """A course of the teacher's that was released, and two who take it."""

    teacher: Account
    ann: Account
    bob: Account
    course: Path
    exchange: Path

    def quiz(self, command: str, *arguments: object) -> str:
        return self.teacher.does("-m", "quiz", command, "--course", self.course, *arguments)

    def submit(self, student: Account, wrong: int) -> None:
        """Answer all questions as the key has it but `wrong` of them, and hand in."""
        found = banks.bank_of(self.course).key_of(student.name)
        key = {q: sorted(options) for q, options in found.items()}
        answers = dict(list(key.items())[wrong:])
        student.does("-c", ANSWER, json.dumps(answers))
        student.does("-m", "nbgrader", "submit", "quiz")

    def is_closed(self) -> None:
        """Whatever a student may open has no key in it and no other student's paper."""
        seen, key = self.bob.sees(self.teacher.home, self.exchange)
        assert not [path for path in seen if path.startswith(str(self.course))]
        assert not key
        bank, settings = self.course / "bank", self.course / "nbgrader_config.py"
        written = [
            p for p in self.course.rglob("*") if not p.is_relative_to(bank) and p != settings
        ]
        assert len(written) > 5
        assert not [path for path in (self.course, *written) if path.stat().st_mode & 0o077]

    def points(self) -> dict[str, float]:
        """Student -> points that count, read by root."""
        self.quiz("export")
        rows = (self.course / "export" / "registrar.csv").read_text("utf-8-sig").splitlines()[1:]
        cells = [row.split(",") for row in rows]
        return {row[0].strip('"'): float(row[4]) for row in cells}


@pytest.fixture(scope="module")
def school(accounts) -> School:
    """A course that was released, taken by two and graded; looked into by one of them all along."""
    teacher = accounts["teacher"]
    exchange = teacher.home.parent / "exchange"
    school = School(**accounts, course=teacher.home / "cl", exchange=exchange)
    settings = f"c.Exchange.root = {str(exchange)!r}\nc.CourseDirectory.course_id = 'cl'\n"
    teacher.does("-m", "quiz", "course", school.course, "--name", "cl")
    with (school.course / "nbgrader_config.py").open("a") as config:
        config.write(settings)
    for student in (school.ann, school.bob):
        file = student.home / "nbgrader_config.py"
        file.write_text(f"c = get_config()\n{settings}")
        shutil.chown(file, student.name)
    (school.course / "bank").mkdir()
    for file in banks.FOLDER.glob("*.yaml"):  # as README says, but each reason with our mark in it
        raw = yaml.safe_load(file.read_text("utf-8"))
        asked = raw.get("questions", [])
        for option in (o for question in asked for o in question.get("options", [])):
            option["why"] = f"That is {SECRET}. {option['why']}"[:600].replace("`", "")
        (school.course / "bank" / file.name).write_text(yaml.safe_dump(raw), "utf-8")
    code = (banks.FOLDER / "generated.py").read_text("utf-8")
    (school.course / "bank" / "generated.py").write_text(f"# {SECRET}\n{code}", "utf-8")
    subprocess.run(["chown", "-R", teacher.name, school.course], check=True)
    school.quiz("release", "--due", "2099-01-01 12:00")
    school.is_closed()
    for student, wrong in ((school.ann, 5), (school.bob, 22)):
        student.does("-m", "nbgrader", "fetch_assignment", "quiz")
        school.submit(student, wrong)
    school.quiz("collect")
    school.quiz("grade")
    school.is_closed()
    assert school.points() == {school.ann.name: 8, school.bob.name: 1.2}
    return school


def test_before_the_deadline_no_page_with_the_key_is_made(school):
    school.quiz("report")
    school.is_closed()
    pages = sorted(school.course.glob("feedback/**/*"))
    if not pages:  # else another test has been through the deadline
        early = school.teacher.fails("-m", "quiz", "feedback", "--course", school.course)
        assert early == "error: feedback has the key in it: not before 2099-01-01 12:00 UTC\n"
        assert not (school.course / "feedback").exists()
        assert "nobody else can" in school.quiz("doctor")


def test_what_students_try_in_the_exchange_fails(school):
    """They list, read, replace, rename and forge; and nothing comes of it."""
    ann, bob, there = school.ann, school.bob, school.exchange / "cl"
    tries = {
        "list what came in": f"os.listdir({str(there / 'inbound')!r})",
        "rename the course": f"os.rename({str(there)!r}, {str(school.exchange / 'mine')!r})",
        "remove the course": f"os.rmdir({str(there / 'outbound')!r})",
        "change the assignment": f"open({str(there / 'outbound/quiz/questions.json')!r}, 'a')",
        "add to the assignment": f"open({str(there / 'outbound/quiz/key.txt')!r}, 'x')",
        "look into the course": f"os.listdir({str(school.course)!r})",
        "open the gradebook": f"open({str(school.course / 'gradebook.db')!r})",
        "write into the course": f"open({str(school.course / 'bank' / 'x.yaml')!r}, 'x')",
        "put another course there": f"os.rename({str(school.course)!r}, '/var/tmp/mine')",
    }
    script = """
import os, sys
for code in sys.argv[1:]:
    try:
        eval(code)
    except PermissionError:
        print("no")
    else:
        print("yes:", code)
"""
    assert bob.does("-c", script, *tries.values()).split() == ["no"] * len(tries)
    bob.does("-m", "nbgrader", "submit", "quiz", f"--student={ann.name}")  # with his answers
    school.quiz("collect")
    left_out = (school.course / "left_out.txt").read_text()
    assert left_out.count(f"it is owned by {bob.name}") == 1
    school.quiz("grade")
    assert school.points()[ann.name] == 8


def test_another_students_paper_is_worth_nothing(school):
    """Bob hands in ann's answers as they are, then says that they are his, then asks for her paper.

    Each comes before his own last paper, which counts in the end.
    """
    ann, bob = school.ann, school.bob
    theirs = banks.bank_of(school.course).key_of(ann.name)
    perfect = json.dumps({q: sorted(options) for q, options in theirs.items()})
    earned = []
    for begins, says in ((ann.name, ann.name), (ann.name, bob.name), (bob.name, bob.name)):
        bob.does("-c", AS_ANOTHER, begins, says, perfect)
        bob.does("-m", "nbgrader", "submit", "quiz")
        school.quiz("collect")
        said = school.quiz("grade")
        earned.append(school.points()[bob.name])
        if begins != bob.name:
            assert f"it answers the paper of '{ann.name}'" in said or "it answers version" in said
    assert earned[:2] == [0, 0]
    assert earned[2] < 10  # what everybody is asked is known to him now; his own questions are not
    bob.does("-c", "import os; os.remove('quiz/answers.json')")
    school.submit(bob, 22)
    school.quiz("collect")
    school.quiz("grade")
    assert school.points() == {ann.name: 8, bob.name: 1.2}


def test_a_course_that_was_opened_is_refused_by_every_command(school):
    teacher, course = school.teacher, school.course
    closed = f"chmod -R go-rwX {course}"
    before = sorted(course.rglob("*"))
    course.chmod(0o755)
    try:
        for command in ("build", "release", "collect", "grade", "feedback", "report", "export"):
            said = teacher.fails("-m", "quiz", command, "--course", course)
            assert said.count("\n") == 1, said
            assert said.endswith(f"{closed}\n")
        for command in ("generate_assignment", "autograde", "generate_feedback", "collect"):
            assert closed in teacher.fails("-m", "nbgrader", command, "quiz", cwd=course)
        assert closed in teacher.fails("-m", "quiz", "doctor", "--course", course)
        assert {*course.rglob("*")} - {*before} <= {course / "nbgrader.log"}
    finally:
        subprocess.run(closed.split(), check=True)
    assert "nobody else can" in school.quiz("doctor")


def test_what_comes_after_feedback_never_counts(school):
    """Bob fails, reads ann's feedback, is given more time, and hands in a perfect paper."""
    teacher, ann, bob = school.teacher, school.ann, school.bob
    move = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC; "
        "from quiz import course; course.set_deadline(Path(sys.argv[1]), datetime.now(UTC))"
    )
    teacher.does("-c", move, school.course)
    school.quiz("feedback")
    ann.does("-m", "nbgrader", "fetch_feedback", "quiz")
    [page] = (ann.home / "quiz" / "feedback").glob("*/quiz.html")
    assert SECRET in page.read_text()  # that is what it is for
    _, key = bob.sees(school.exchange, teacher.home)
    assert not key  # a page is found by those alone who know its name

    school.submit(bob, wrong=0)
    extend = (
        "import sys; from nbgrader.api import Gradebook\n"
        "with Gradebook(f'sqlite:///{sys.argv[1]}/gradebook.db') as book:\n"
        "    book.grant_extension('quiz', sys.argv[2], days=30)"
    )
    teacher.does("-c", extend, school.course, bob.name)
    again = ("release", "--course", school.course, "--due", "2099-02-01 12:00")
    assert "went out at" in teacher.fails("-m", "quiz", *again)
    school.quiz("collect")
    school.quiz("grade")
    assert school.points() == {ann.name: 8, bob.name: 1.2}

    # Put there by hand, past `collect`, it does not count either, and is named; whatever else of
    # an earlier paper still lies beside it.
    *_, perfect = [f for f in inbound(school, bob) if len(answers(f)) == 25]  # the latest
    by_hand = school.course / "submitted" / bob.name / "quiz"
    shutil.copy(perfect / "answers.json", by_hand / "answers.json")
    said = school.quiz("grade")
    assert "after feedback with the key had gone out" in said
    assert school.points()[bob.name] == 0


def inbound(school: School, student: Account) -> list[Path]:
    return sorted((school.exchange / "cl" / "inbound").glob(f"{student.name}+*"))


def answers(folder: Path) -> dict:
    return json.loads((folder / "answers.json").read_text())["answers"]
