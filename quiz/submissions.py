"""What students hand in, taken apart before nbgrader touches it.

Whoever can write into the exchange can put anything there: links to files of the instructor's,
pipes that never end, 200 MB, somebody else's name, a clock set back, a notebook that is none.
`take` makes an orderly submission of it: the answers as they came, if they are a plain small file;
the *released* notebook, so that no cell and no script of a student's goes any further; the time it
arrived. What came is left where it was. Nothing is ever run.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from nbgrader.utils import parse_utc

from cl_helpers.answers.sheet import (
    FILE,
    LARGEST,
    MANY,
    AnswersError,
    Questions,
    Reading,
    plain_bytes,
    read_answers,
)
from cl_helpers.files import replacing
from cl_helpers.formats import format_printable

from .places import assignment_of, course_of, handed_in, quizzes_of

THEIRS = ".as-submitted"  # after the name of the student's own notebook
INTAKE = "intake.json"  # ours: what `take` has to say about a submission
LARGEST_NOTEBOOK = 10 * 2**20
SET_ASIDE = "set_aside"  # folders as they came, by another way than the exchange

_SECRET = re.compile(rb"[0-9a-f]{16,256}")


def take(
    source: Path,
    dest: Path,
    notebook: str,
    released: bytes,
    arrived: datetime | None,
    note: str = "",
    taken: Mapping[bytes, str] | None = None,
    by_hand: bool = False,
) -> None:
    """Make an orderly submission of a folder that may hold anything.

    Args:
        source: what came; only read.
        dest: must not exist yet.
        notebook: its name.
        released: what was given out under that name.
        arrived: when, in UTC without a time zone, as nbgrader keeps it; None if nobody knows.
        note: one more thing to tell the instructor.
        taken: the secrets of submissions that came before -> whose they are.
        by_hand: whether it came another way than the exchange, so that `arrived` is hearsay.
    """
    problems, files = [note] if note else [], {notebook: released}
    try:
        files[FILE] = plain_bytes(source / FILE)
    except FileNotFoundError:
        problems.append(f"{FILE} is missing")
    except AnswersError as error:
        problems.append(f"{FILE}: {error}")
    with suppress(FileNotFoundError, AnswersError):  # nothing hangs on it
        files[notebook + THEIRS] = plain_bytes(source / notebook, LARGEST_NOTEBOOK)
    secret, student = secret_of(source), dest.parent.name
    # Feedback is given out under the secret's name: two with the same one would get one page.
    if (owner := (taken or {}).get(secret, student)) != student:
        problems.append(f"its submission_secret.txt is {owner}'s: was the folder copied?")
        secret = _new_secret()
    files["submission_secret.txt"] = secret
    stamp = f"{arrived:%Y-%m-%d %H:%M:%S.%f} UTC" if arrived else ""  # nbgrader wants the file
    files["timestamp.txt"] = stamp.encode()
    intake = {
        "problems": problems,
        "answers": _digest(files.get(FILE, b"")),
        "by_hand": by_hand,
        "taken": datetime.now(UTC).replace(tzinfo=None).isoformat(),
    }
    seal = _seal(dest.parents[2], intake)
    files[INTAKE] = json.dumps(intake | {"seal": seal}).encode()
    part = dest.with_name(f".{dest.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for name, content in files.items():
        (part / name).write_bytes(content)
    part.rename(dest)


def secret_of(source: Path) -> bytes:
    """By which a student finds the feedback again; another one where it is none.

    Without it `nbgrader release_feedback` gives nobody any.
    """
    try:
        secret = plain_bytes(source / "submission_secret.txt", 1024)
    except (FileNotFoundError, AnswersError):
        secret = b""
    return secret if _SECRET.fullmatch(secret) else _new_secret()


def _new_secret() -> bytes:
    return secrets.token_hex(64).encode()


def secrets_of(course: Path, assignment: str) -> dict[bytes, str]:
    """Those of all submissions -> whose they are."""
    folders = course.glob(f"submitted/*/{assignment}")
    return {secret_of(folder): folder.parent.name for folder in folders if not folder.is_symlink()}


def read_submission(folder: Path, questions: Questions, key_out: datetime | None = None) -> Reading:
    """The answers in a folder, and all that is wrong with it.

    Args:
        key_out: when the first feedback was handed out, in UTC without a time zone; None if none
            was. Later answers are not read: they may be copied from it.
    """
    problems, came = _noted(folder), _came(folder)
    if key_out and came and came > key_out:
        problems.append(
            f"it came at {came:%Y-%m-%d %H:%M:%S} UTC, after feedback with the key had gone out at "
            f"{key_out:%Y-%m-%d %H:%M:%S}: it does not count"
        )
        return Reading(problems=tuple(problems), counts=False)
    try:
        reading = read_answers(folder / FILE, questions)
    except FileNotFoundError:
        if not any(problem.startswith(FILE) for problem in problems):
            problems.append(f"{FILE} is missing")
        return Reading(problems=tuple(problems))
    except AnswersError as error:
        return Reading(problems=(*problems, f"{FILE}: {error}"))
    problems += [f"{FILE}: {problem}" for problem in reading.problems]
    return Reading(reading.choices, tuple(problems), reading.student, reading.sheet)


def tidy(quiz: Path, folders: Iterable[Path] | None = None) -> list[str]:
    """Every folder in submitted/ that is not orderly, made so; the students whose they are.

    For what came by another way than the exchange: nbgrader's zip_collect, or by hand. The folder
    as it was is kept in set_aside/.

    Args:
        folders: only these.
    """
    course, name = course_of(quiz), assignment_of(quiz)
    notebook = f"{name}.ipynb"
    released = (course / "release" / name / notebook).read_bytes()
    untidy = []
    for folder in folders or handed_in(quiz):
        if not _is_orderly(folder):
            untidy.append(folder)
        elif (folder / notebook).read_bytes() != released:  # there was another release since
            (folder / notebook).write_bytes(released)
    taken = secrets_of(course, name) if untidy else {}
    for folder in untidy:
        aside = course / SET_ASIDE / f"{folder.parent.name}-{secrets.token_hex(4)}"
        aside.parent.mkdir(exist_ok=True)
        link = folder.is_symlink()  # to somebody else's, perhaps: not followed
        folder.rename(aside)
        source, note = (aside / "nothing", "it is a link, not a folder") if link else (aside, "")
        take(source, folder, notebook, released, time_of(source), note, taken, by_hand=True)
    return [folder.parent.name for folder in untidy]


def before_grading(assignment: str, student: str, notebooks: list[str]) -> None:
    """nbgrader calls this in the course's folder, before it copies a submission."""
    for name, quiz in quizzes_of(Path.cwd()).items():
        if fnmatchcase(name, assignment):  # it may be "*"
            folders = {Path(notebook).parent for notebook in notebooks}
            tidy(quiz, {folder for folder in folders if folder.name == name})


def _noted(folder: Path) -> list[str]:
    """What `take` had to say."""
    try:
        problems = _intake(folder)["problems"]
        return [format_printable(str(problem), 300) for problem in problems[: MANY + 1]]
    except (TypeError, KeyError):
        return []


def _came(folder: Path) -> datetime | None:
    """When it came, as far as we know it ourselves: by hand, when it was found."""
    try:
        intake = _intake(folder)
        return datetime.fromisoformat(intake["taken"]) if intake["by_hand"] else time_of(folder)
    except (TypeError, ValueError, KeyError):
        return time_of(folder)


def _intake(folder: Path) -> Any:
    try:
        return json.loads(plain_bytes(folder / INTAKE))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _seal(course: Path, intake: Mapping[str, Any]) -> str:
    """By which we know what we have written ourselves; no student can make it."""
    file = course / "intake.key"
    if not file.exists():
        with replacing(file) as new:
            new.write(secrets.token_bytes(32))
    content = json.dumps(intake, sort_keys=True).encode()
    return hmac.new(file.read_bytes(), content, "sha256").hexdigest()


def _is_orderly(folder: Path) -> bool:
    """Whether it is as `take` leaves it: plain files of ours, and nothing else."""
    ours = f"{folder.name}.ipynb"
    names = {ours, ours + THEIRS, FILE, INTAKE, "submission_secret.txt", "timestamp.txt"}
    if folder.is_symlink():
        return False
    try:
        files = {e.name: plain_bytes(e, LARGEST_NOTEBOOK) for e in folder.iterdir()}
    except (OSError, AnswersError):
        return False
    intake = _intake(folder)
    seal = intake.pop("seal", "") if isinstance(intake, dict) else ""
    return (
        {ours, INTAKE} <= files.keys() <= names
        and seal == _seal(folder.parents[2], intake)
        and intake["answers"] == _digest(files.get(FILE, b""))
        and len(files.get(FILE, b"")) <= LARGEST
        and (files.get("timestamp.txt") == b"" or time_of(folder) is not None)
        and _SECRET.fullmatch(files.get("submission_secret.txt", b"")) is not None
    )


def time_of(folder: Path) -> datetime | None:
    """What timestamp.txt says, if it says a time."""
    try:
        return parsed(plain_bytes(folder / "timestamp.txt", 100).decode().strip())
    except (FileNotFoundError, ValueError):
        return None


def parsed(stamp: str) -> datetime | None:
    """In UTC, without a time zone."""
    try:
        return parse_utc(stamp)
    except Exception:  # dateutil's, of many kinds, given anything at all
        return None
