"""A course to try: three students, two submissions each, one of them late and one broken.

It is made by the commands that an instructor and the students would use.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cl_helpers.answers.sheet import FILE, AnswerSheet, Questions

from . import bank as banks
from .build import build
from .course import nbgrader, new_course, set_deadline

COURSE = "continual-learning"


def make_course(folder: Path, say: Callable[[str], None]) -> None:
    """A course up to a second after its deadline. What comes next is the instructor's.

    Raises:
        ValueError: there is a course in the folder already.
    """
    exchange = folder.resolve() / "exchange"
    new_course(folder, COURSE)
    bank = banks.settled(folder)
    with (folder / "nbgrader_config.py").open("a") as config:
        config.write(f"c.Exchange.root = {str(exchange)!r}\n")
        config.write("c.ExchangeCollect.check_owner = False  # here one user plays everybody\n")
    say("The instructor releases the quiz.")
    build(bank, folder)
    nbgrader(folder, "generate_assignment", "quiz")
    set_deadline(folder, datetime.now(UTC) + timedelta(hours=1))
    nbgrader(folder, "release_assignment", "quiz")

    alice, bob, carol = (Student(name, folder / "students" / name, exchange) for name in NAMES)
    for student, known in zip((alice, bob, carol), (15, 19, 22), strict=True):
        say(f"{student.name} fetches it, answers, and hands it in.")
        student.answer(bank, known)
        student.hand_in()
    say("alice has thought again; carol's file breaks. Both hand in once more.")
    alice.answer(bank, 23)
    alice.hand_in()
    carol.answers.write_bytes(carol.answers.read_bytes()[:200])
    carol.hand_in()
    set_deadline(folder, datetime.now(UTC))
    say("That was the deadline. bob finds the last answers, and hands them in a second late.")
    time.sleep(1)
    bob.answer(bank, 25)
    bob.hand_in()


NAMES = ("alice", "bob", "carol")


class Student:
    """Somebody with a folder, who knows so many of the answers."""

    def __init__(self, name: str, folder: Path, exchange: Path):
        self.name, self.folder = name, folder
        folder.mkdir(parents=True)
        config = f"c.CourseDirectory.course_id = {COURSE!r}\nc.Exchange.root = {str(exchange)!r}\n"
        (folder / "nbgrader_config.py").write_text(f"c = get_config()\n{config}")
        self.nbgrader("fetch_assignment", "quiz")
        self.answers = folder / "quiz" / FILE

    def answer(self, bank: banks.Bank, known: int) -> None:
        """Answer everything: so many as the key has it, the others with one option wrong."""
        questions = Questions.read(self.answers.with_name("questions.json"))
        sheet, draw = AnswerSheet(self.answers, questions, self.name), random.Random(self.name)
        key = bank.key_of(self.name)
        order = draw.sample(list(key), len(key))
        for i, question in enumerate(order):
            slip = draw.choice(sheet.questions.options[question])
            wrong = key[question] ^ {slip} or set(sheet.questions.options[question])
            sheet.choose(question, key[question] if i < known else wrong)

    def hand_in(self) -> None:
        self.nbgrader("submit", "quiz", f"--student={self.name}")

    def nbgrader(self, *command: str) -> None:
        nbgrader(self.folder, *command, JUPYTER_DATA_DIR=str(self.folder / "jupyter"))
