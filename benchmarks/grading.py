"""What grading a thousand submissions costs, beside nbgrader's own way with the same quiz.

nbgrader's way is to run every submission in a kernel of its own, with tests hidden in the grade
cells. Here they compare `answers.json` with the key, which takes them no time: what is measured is
what running a notebook costs. Twice: with nothing but `json` imported, the least there can be, and
with the notebook that students have, which imports the course's package.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from subprocess import PIPE

import nbformat
from timing import in_turns, timed

sys.path.insert(0, str(Path(__file__).parents[1]))

from cl_helpers.answers.sheet import receipt
from quiz import bank as banks
from quiz.build import build, source_notebook
from quiz.course import nbgrader, new_course
from quiz.grading import Paper
from quiz.submissions import read_submission, take

ASSIGNMENT, NOTEBOOK = "quiz", "quiz.ipynb"
SUBMISSIONS, SAMPLE, REPEATS = 1_000, 16, 5


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


MEASURE = """
import resource, subprocess, sys, time
began = time.perf_counter()
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
subprocess.run([sys.executable, *sys.argv[1:]], check=True, **quiet)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def starting() -> dict[str, float]:
    """Seconds until a command of a course has ended, and the megabytes it takes."""
    folder = Path(tempfile.mkdtemp(prefix="starting-"))
    ours, bare = new_course(folder / "ours", "bench"), folder / "bare"
    bare.mkdir()
    (bare / "nbgrader_config.py").write_text("c = get_config()\n")
    commands = {
        "nbgrader, bare": ("nbgrader", "--version", bare),
        "nbgrader's settings read, bare": ("nbgrader", "db student list", bare),
        "nbgrader's settings read, in a course": ("nbgrader", "db student list", ours),
        "python -m quiz check": ("quiz", "check", Path(__file__).parents[1]),
    }
    megabytes: dict[str, float] = {}

    def run(name: str, module: str, arguments: str, where: Path) -> float:
        # By a small process: a child begins with all the memory of what started it.
        command = [sys.executable, "-c", MEASURE, "-m", module, *arguments.split()]
        said = subprocess.run(command, cwd=where, check=True, stdout=PIPE, text=True).stdout
        seconds, kilobytes = map(float, said.split())
        megabytes[f"{name}, MB"] = kilobytes / 1024
        return seconds

    seconds = in_turns({n: partial(run, n, *how) for n, how in commands.items()}, REPEATS)
    return seconds | megabytes


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
