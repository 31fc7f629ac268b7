"""What is light stays light: no PyTorch, Matplotlib, SciPy or pandas before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from quizzes import ToyCourse, toy_bank

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "matplotlib", "scipy", "pandas")

# Says at its end, however it ends, which heavy packages it has loaded.
_WATCHED = f"""
import atexit, runpy, sys
atexit.register(lambda: print("loaded:", [name for name in {HEAVY} if name in sys.modules]))
"""


def run(code: str, folder: Path) -> str:
    """What a new Python that runs it in that folder says."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _WATCHED + code]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import cl_helpers",
        "import cl_helpers.answers.sheet",
        "import cl_helpers as cl; cl.widgets.Quiz(student='alice').answer('ewc-1', 'a')",
        "sys.argv = ['quiz', '--help']; runpy.run_module('quiz', run_name='__main__')",
    ],
    ids=["package", "sheet", "widget", "commands"],
)
def test_the_quizs_path_is_light(code, tmp_path):
    (tmp_path / "questions.json").write_text(toy_bank().public().to_json(), "utf-8")
    assert run(code, tmp_path).endswith("loaded: []\n")


def test_nbgrader_grades_without_what_trains_and_draws(tmp_path):
    course = ToyCourse(tmp_path)
    inbound = course.hand_in("alice", at=datetime.now(UTC))
    (course.folder / "submitted" / "alice").mkdir(parents=True)
    inbound.rename(course.folder / "submitted" / "alice" / "quiz")
    told = run(
        "sys.argv = ['nbgrader', 'autograde', 'quiz']\n"
        "runpy.run_module('nbgrader', run_name='__main__')\n"
        "import quiz.exchange, quiz.export\n",
        course.folder,
    )
    assert told.endswith("loaded: []\n")
    assert (course.folder / "autograded" / "alice" / "quiz" / "quiz.ipynb").exists()


def test_what_is_loaded_is_seen(tmp_path):
    """Or the tests above would test nothing."""
    assert run("import pandas", tmp_path).endswith("loaded: ['pandas']\n")
