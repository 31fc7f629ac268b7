"""What grading a thousand submissions costs, beside nbgrader's own way with the same quiz.

nbgrader's way is to run every submission in a kernel of its own, with tests hidden in the grade
cells. Here they compare `answers.json` with the key, which takes them no time: what is measured is
what running a notebook costs. Twice: with nothing but `json` imported, the least there can be, and
with the notebook that students have, which imports the course's package.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from timing import timed

sys.path.insert(0, str(Path(__file__).parents[1]))

from cl_helpers.answers.sheet import receipt
from quiz import bank as banks
from quiz.build import build, source_notebook
from quiz.course import nbgrader, new_course
from quiz.grading import Paper
from quiz.submissions import read_submission, take

ASSIGNMENT, NOTEBOOK = "quiz", "quiz.ipynb"
SUBMISSIONS, SAMPLE = 1_000, 16


def per_submission() -> dict[str, float]:
    """Seconds a submission, and for 1,000 of them what is the grader's own."""
    bank, folder = banks.load(), Path(tempfile.mkdtemp(prefix="grading-"))
    ours = _released(folder / "ours", bank)
    _hand_in(ours, bank, SUBMISSIONS)
    figures = {}
    for name, imports in {
        "nbgrader's Execute, the quiz as it is": "import cl_helpers as cl, json",
        "nbgrader's Execute, only json imported": "import json",
    }.items():
        stock = _stock(folder / str(len(figures)), bank, imports)
        _hand_in(stock, bank, SAMPLE)
        # What a command costs before its first submission does not count.
        first = timed(lambda c=stock: nbgrader(c, "autograde", ASSIGNMENT, "--student=s0000"))
        rest = timed(lambda c=stock: nbgrader(c, "autograde", ASSIGNMENT))
        figures[name] = (rest - first) / (SAMPLE - 2) if rest > first else rest / (SAMPLE - 1)
    figures["ours"] = timed(lambda: nbgrader(ours, "autograde", ASSIGNMENT)) / SUBMISSIONS
    began = time.perf_counter()
    for each in sorted(ours.glob(f"submitted/*/{ASSIGNMENT}")):
        student = each.parent.name
        questions = bank.paper_of(student)
        reading = read_submission(each, questions)
        receipt(questions, reading.choices)
        Paper(student, reading.choices).score(bank)
    figures["reading and scoring all 1,000"] = time.perf_counter() - began
    return figures


def _released(folder: Path, bank: banks.Bank) -> Path:
    new_course(folder, "bench")
    build(bank, folder)
    nbgrader(folder, "generate_assignment", ASSIGNMENT)
    return folder


def _stock(folder: Path, bank: banks.Bank, imports: str) -> Path:
    """A course with nbgrader's own settings, and the same quiz with hidden tests."""
    notebook = source_notebook(bank)
    for cell in notebook.cells:
        name = cell.metadata.nbgrader.grade_id
        if name == "quiz":
            cell.source = f"{imports}\nanswers = json.load(open('answers.json'))['answers']"
        elif name == "receipt":
            cell.source = "len(answers)"
        elif name in bank.key:
            cell.source = (
                f"### BEGIN HIDDEN TESTS\nassert set(answers.get({name!r}, [])) == "
                f"{set(bank.key[name])!r}\n### END HIDDEN TESTS"
            )
    (folder / "source" / ASSIGNMENT).mkdir(parents=True)
    nbformat.write(notebook, folder / "source" / ASSIGNMENT / NOTEBOOK)
    nbgrader(folder, "generate_assignment", ASSIGNMENT)
    return folder


def _hand_in(course: Path, bank: banks.Bank, n: int) -> None:
    """n papers in submitted/, each right about half the time."""
    draw = random.Random(0)
    released = (course / "release" / ASSIGNMENT / NOTEBOOK).read_bytes()
    came = course / "came"
    came.mkdir()
    for i in range(n):
        student = f"s{i:04}"
        public = bank.paper_of(student)
        answers = {
            q: sorted(key if draw.random() < 0.5 else draw.sample(public.options[q], 2))
            for q, key in bank.key_of(student).items()
        }
        sheet = {"schema": 1, "quiz": public.name, "version": public.version, "student": student}
        sheet |= {"answers": answers}
        (came / "answers.json").write_text(json.dumps(sheet))
        dest = course / "submitted" / student / ASSIGNMENT
        take(came, dest, NOTEBOOK, released, datetime.now(UTC).replace(tzinfo=None))
