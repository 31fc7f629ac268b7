"""A small bank with a known key, papers to go with it, and a course on disk to grade them in."""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from nbgrader.apps import nbgraderapp

from quiz import autograde, course, exchange  # noqa: F401 (what nbgrader's settings name)
from quiz.bank import PROPORTIONS, Bank, Option, Question, Section
from quiz.build import build

TITLES = {section: f"Section {section}" for section in PROPORTIONS}


def toy_bank(seed: int = 0, see: str = "04_ewc") -> Bank:
    """25 questions in the homework's proportions; `seed` decides what is correct."""
    draw, sections = random.Random(seed), []
    for section, n in PROPORTIONS.items():
        questions = []
        for i in range(1, n + 1):
            letters = "abcdef"[: 4 + i % 3]
            key = draw.sample(letters, draw.randint(1, len(letters)))
            options = tuple(
                Option(
                    id=o,
                    text=f"Option {o} of {section} {i}, with `code` & <signs>",
                    correct=o in key,
                    why=f"Because {draw.random()} is a secret of {seed}.",
                )
                for o in letters
            )
            questions.append(
                Question(
                    id=f"{section}-{i}",
                    stem=f"Question {i} of {section}?",
                    topic="a topic",
                    see=see,
                    options=options,
                )
            )
        sections.append(Section(section=section, title=TITLES[section], questions=tuple(questions)))
    return Bank(sections)


def write_bank(bank: Bank, folder: Path) -> Path:
    """As YAML files; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for section in bank.sections:
        text = yaml.safe_dump(section.model_dump(mode="json"), allow_unicode=True)
        (folder / f"{section.section}.yaml").write_text(text, "utf-8")
    return folder


class ToyCourse:
    """A course with its exchange below `folder`, released with the toy bank of `seed`."""

    def __init__(self, folder: Path, seed: int = 0):
        self.bank = toy_bank(seed)
        self.exchange = folder / "exchange"
        self.folder = course.new_course(folder / "course", "cl")
        write_bank(self.bank, self.folder / "bank")
        self.settings = f'c.Exchange.root = "{self.exchange}"\nc.CourseDirectory.course_id = "cl"\n'
        with (self.folder / "nbgrader_config.py").open("a") as config:
            config.write(f"{self.settings}c.ExchangeCollect.check_owner = False\n")
        build(self.bank, self.folder)
        self.run("generate_assignment", "quiz", "--force")
        self.run("release_assignment", "quiz", "--force")
        self.released = self.folder / "release" / "quiz" / "quiz.ipynb"

    def run(self, *command: str) -> str:
        """An nbgrader command in the course's folder; what it logged."""
        log = self.folder / "nbgrader.log"
        before = log.stat().st_size if log.exists() else 0
        course.nbgrader(self.folder, *command)
        return log.read_text()[before:]

    @property
    def key(self) -> dict[str, list[str]]:
        return {q: sorted(key) for q, key in self.bank.key.items()}

    def sheet(self, answers: dict | None = None, **changes) -> dict:
        """What answers.json holds; all correct unless others are given."""
        public = self.bank.public()
        answers = self.key if answers is None else answers
        return {
            "schema": 1,
            "quiz": public.name,
            "version": public.version,
            "student": "somebody",
            "sheet": "0a1b2c3d",
            "saved": "2026-01-01T12:00:00+00:00",
            "answers": answers,
        } | changes

    def hand_in(self, student: str, answers=None, *, at: datetime, notebook=None) -> Path:
        """A submission in the exchange, as `nbgrader submit` leaves it; its folder.

        Args:
            answers: a sheet, the bytes of the file, or None for all correct.
            notebook: its text or a notebook; the released one when None.
        """
        name = f"{student}+quiz+{at:%Y-%m-%d %H:%M:%S.%f} UTC+{secrets.token_urlsafe(9)}"
        folder = self.exchange / "cl" / "inbound" / name
        folder.mkdir()
        answers = self.sheet() if answers is None else answers
        if not isinstance(answers, bytes):
            answers = json.dumps(answers).encode()
        (folder / "answers.json").write_bytes(answers)
        if notebook is None:
            notebook = self.released.read_text()
        elif not isinstance(notebook, str):
            notebook = nbformat.writes(notebook)
        (folder / "quiz.ipynb").write_text(notebook)
        (folder / "timestamp.txt").write_text(f"{at:%Y-%m-%d %H:%M:%S.%f} UTC")
        (folder / "submission_secret.txt").write_text(secrets.token_hex(64))
        return folder

    def but(self, *wrong: str) -> dict[str, list[str]]:
        """All correct, except that these are not answered."""
        return {q: options for q, options in self.key.items() if q not in wrong}


@contextmanager
def forking() -> Iterator[None]:
    """Within, nbgrader's commands are run by copies of this process, which have all imported.

    Each in a Python of its own would be 3 s of imports, PyTorch's among them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course, "subprocess", SimpleNamespace(run=_fork))
        yield


def _fork(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], **_
) -> subprocess.CompletedProcess:
    """What `subprocess.run` gives of `python -m nbgrader …`."""
    assert command[:3] == [sys.executable, "-m", "nbgrader"]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        if not (child := os.fork()):
            code: object = 1
            try:
                sys.stdout, sys.stderr, sys.argv = out, err, [*command[2:]]
                os.dup2(out.fileno(), 1), os.dup2(err.fileno(), 2)
                os.environ.clear(), os.environ.update(env)
                os.chdir(cwd)
                sys.path.insert(0, str(cwd))
                code = nbgraderapp.main()
            except SystemExit as end:
                code = end.code
            except BaseException:
                traceback.print_exc()
            finally:  # not as pytest, which would go on
                out.flush(), err.flush()
                os._exit(code if isinstance(code, int) else bool(code))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        told = [file.read() for file in (out, err) if not file.seek(0)]
    return subprocess.CompletedProcess(command, code, *told)
