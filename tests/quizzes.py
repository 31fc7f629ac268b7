"""A small bank with a known key, papers to go with it, and a course on disk to grade them in."""

from __future__ import annotations

import io
import json
import os
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import nbformat
import pytest
import yaml
from alembic.script import ScriptDirectory
from jupyter_core.application import NoStart
from nbgrader import api
from nbgrader.apps.nbgraderapp import NbGraderApp
from nbgrader.dbutil import ALEMBIC_DIR

from quiz import autograde, course, exchange  # noqa: F401 (what nbgrader's settings name)
from quiz.bank import Bank
from quiz.build import build
from quiz.questions import Option, Question, Section, Settings

PROPORTIONS = {"basics": 4, "ewc": 3, "mas": 3, "si": 3, "rwalk": 3, "scp": 3, "others": 6}
SETTINGS = Settings(
    name="continual-learning", title="A toy quiz", points="0.4", sections=PROPORTIONS
)
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
    return Bank(SETTINGS, sections)


def write_bank(bank: Bank, folder: Path) -> Path:
    """As YAML files; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = bank.settings.model_dump(mode="json")
    (folder / "quiz.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    for section in bank.sections:
        text = yaml.safe_dump(section.model_dump(mode="json"), allow_unicode=True)
        (folder / f"{section.section}.yaml").write_text(text, "utf-8")
    return folder


_KEPT = tempfile.TemporaryDirectory()


@lru_cache
def _released(seed: int) -> Path:
    """A folder with a toy course that was released, made once, to be copied."""
    folder = Path(_KEPT.name) / str(seed)
    made = ToyCourse.new(folder, seed)
    build(made.bank, made.folder)
    with in_process():
        made.run("generate_assignment", "quiz", "--force")
        course.set_deadline(made.folder, datetime.now(UTC) + timedelta(days=1))
        made.run("release_assignment", "quiz", "--force")
    return folder


class ToyCourse:
    """A course with its exchange below `folder`, released with the toy bank of `seed`."""

    def __init__(self, folder: Path, seed: int = 0):
        self.bank = toy_bank(seed)
        self.exchange = folder / "exchange"
        self.folder = folder / "course"
        shutil.copytree(_released(seed), folder, dirs_exist_ok=True)
        self._configure()
        self.released = self.folder / "release" / "quiz" / "quiz.ipynb"

    @classmethod
    def new(cls, folder: Path, seed: int) -> ToyCourse:
        """Not yet released."""
        self = cls.__new__(cls)
        self.bank = toy_bank(seed)
        self.exchange = folder / "exchange"
        self.folder = folder / "course"
        self._configure()
        write_bank(self.bank, self.folder / "bank")
        return self

    def _configure(self) -> None:
        (self.folder / "nbgrader_config.py").unlink(missing_ok=True)
        course.new_course(self.folder, "cl")
        with (self.folder / "nbgrader_config.py").open("a") as config:
            config.write(
                f"{self.settings}c.ExchangeCollect.check_owner = False\n"
                "c.Collect.grace = 600  # a busy machine hands in slowly\n"
            )

    @property
    def settings(self) -> str:
        """What a student's configuration needs to find the course."""
        return f'c.Exchange.root = "{self.exchange}"\nc.CourseDirectory.course_id = "cl"\n'

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
def in_process() -> Iterator[None]:
    """Within, nbgrader's commands are run by this process, which has all imported.

    Each in a Python of its own would be more than a second of imports, and what names the version
    of a new gradebook's tables, `alembic heads`, another.
    """
    umask = os.umask(0o022)  # which the course's settings change
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(course, "subprocess", SimpleNamespace(run=_run))
            patch.setattr(api, "get_alembic_version", ScriptDirectory(ALEMBIC_DIR).get_current_head)
            yield
    finally:
        os.umask(umask)


def _run(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], **_
) -> subprocess.CompletedProcess:
    """What `subprocess.run` gives of `python -m nbgrader …`."""
    assert command[:3] == [sys.executable, "-m", "nbgrader"]
    out, err, code = io.StringIO(), io.StringIO(), None
    with (
        chdir(cwd),
        mock.patch.dict(os.environ, env, clear=True),
        mock.patch.object(sys, "path", [str(cwd), *sys.path]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        app = NbGraderApp.instance()
        try:
            app.initialize([*command[3:]])
            app.start()
        except NoStart:
            pass
        except SystemExit as end:
            code = end.code
            if isinstance(code, str):
                print(code, file=sys.stderr)
        except Exception:
            traceback.print_exc()
            code = 1
        finally:
            app.reset()
    status = code if isinstance(code, int) else int(bool(code))
    return subprocess.CompletedProcess(command, status, out.getvalue(), err.getvalue())
