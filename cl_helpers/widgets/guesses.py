"""Guesses on disk, beside the notebooks: one file a folder, by notebook and question."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from IPython.core.getipython import get_ipython

from ..files import replacing

FILE = "guesses.json"

Entry = dict[str, Any]  # {"guess": …, "outcome": …}


class Damaged(ValueError):
    """The file cannot be read; the message says why."""


@dataclass(frozen=True)
class Place:
    """Where a guess is kept.

    Attributes:
        path: of the file.
        notebook: its name; empty if nobody tells.
        question: what was asked.
    """

    path: Path
    notebook: str
    question: str

    @classmethod
    def here(cls, question: str) -> Place:
        """The place for a question of the notebook that is being run."""
        shell: Any = get_ipython()
        told = os.environ.get("JPY_SESSION_NAME")  # by Jupyter's server, and by VS Code:
        told = told or getattr(shell, "user_ns", {}).get("__vsc_ipynb_file__")
        folder, notebook = Path.cwd(), Path(told or "")
        # A program that a notebook started inherits what was told to the notebook.
        known = bool(told) and notebook.parent.resolve() == folder.resolve()
        return cls(folder / FILE, notebook.name if known else "", question)

    def read(self) -> Entry:
        """What was kept; empty if nothing was.

        Raises:
            Damaged: the file cannot be read.
        """
        entry = _read(self.path).get(self.notebook, {}).get(self.question, {})
        return entry if isinstance(entry, dict) else {}

    def write(self, entry: Entry) -> str:
        """Keep `entry`, or forget what was kept if it is empty.

        Returns:
            One line about a damaged file that was set aside; empty if there was none.

        Raises:
            OSError: it cannot be written.
        """
        notice = ""
        try:
            with FileLock(self.path.with_name(f".{FILE}.lock"), timeout=10):
                try:
                    every = _read(self.path)
                except Damaged as error:
                    every, notice = {}, f"{error}. It is kept as {_set_aside(self.path).name}."
                mine = every.setdefault(self.notebook, {})
                mine.pop(self.question, None)
                if entry:
                    mine[self.question] = entry
                with replacing(self.path) as file:
                    file.write((json.dumps(every, indent=1, ensure_ascii=False) + "\n").encode())
        except Timeout:
            raise OSError(f"another program has been writing {self.path} for 10 s") from None
        return notice


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        every = json.loads(path.read_bytes())
        if not isinstance(every, dict) or not all(isinstance(v, dict) for v in every.values()):
            raise ValueError
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is damaged"
        raise Damaged(f"{path.name} could not be read: {reason}") from None
    return every


def _set_aside(path: Path) -> Path:
    now = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    aside = path.with_name(f"{path.stem}.aside-{now}{path.suffix}")
    os.replace(path, aside)
    return aside
