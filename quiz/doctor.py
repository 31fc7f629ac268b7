"""A course and its exchange as an attacker would look at them: `python -m quiz doctor`.

Each finding says what somebody else on this machine could do, and what ends it.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from tempfile import TemporaryFile
from typing import Any

from .autograde import GradeAnswers
from .places import FOLDER, assignment_of, bank_folder, course_of
from .privacy import can_be_reached, is_shared, openings, owner

LARGEST_SKEW = 5  # seconds between this machine's clock and that of the exchange's disk


def faults(quiz: Path, config: Any, exchange: Path) -> list[str]:
    """What lets others read, replace or forge something, a line each; the worst first.

    Args:
        quiz: its folder.
        config: nbgrader's settings as its commands see them there.
        exchange: the folder that nbgrader exchanges files in.
    """
    course = course_of(quiz)
    there = exchange / str(config.CourseDirectory.get("course_id", ""))
    return [
        *openings(course),
        *_ways_to(course),
        *_settings(course, config),
        *_places(there, assignment_of(quiz), is_shared(course)),
        *_clock(exchange),
    ]


def warnings(exchange: Path) -> list[str]:
    """What is wrong with the exchange itself, which may be another's to mend."""
    return [*_root(exchange)]


def notes(quiz: Path, config: Any) -> list[str]:
    """What somebody has chosen and should know of."""
    told, status = [], course_of(quiz).stat()
    if bank_folder(quiz) == FOLDER:
        told.append(f"the questions are those of {FOLDER}: public, with their key")
    if status.st_mode & stat.S_ISGID:
        group = grp.getgrgid(status.st_gid)
        primary = [a.pw_name for a in pwd.getpwall() if a.pw_gid == status.st_gid]
        members = ", ".join(sorted({*group.gr_mem, *primary})) or "nobody else"
        told.append(f"the course is shared with the group {group.gr_name}: {members}")
    if config.ExchangeCollect.get("check_owner", True) is False:
        told.append("anybody may hand in for anybody: ExchangeCollect.check_owner is False")
    return told


def changed(quiz: Path, there: Path) -> list[str]:
    """What is not what was released, of what students fetch; `there` is the course's exchange."""
    name = assignment_of(quiz)
    out, ours = there / "outbound" / name, course_of(quiz) / "release" / name
    here, given = _files(ours), _files(out)
    return [
        f"{out / name} is not what was released: `python -m quiz release` again"
        for name in sorted(here | given if given else {})
        if name not in here
        or name not in given
        or not can_be_reached(given[name])
        or given[name].read_bytes() != here[name].read_bytes()
    ]


def _files(folder: Path) -> dict[str, Path]:
    """Those that nbgrader copies: no folders, such as Jupyter's checkpoints."""
    return {f.name: f for f in folder.iterdir() if f.is_file()} if folder.is_dir() else {}


def _ways_to(place: Path) -> Iterator[str]:
    """Folders above a place in which somebody else could put another one where it is."""
    for folder in place.resolve().parents:
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            yield (
                f"in {folder} others could put something else in the place of {place}: "
                f"chmod o-w {quote(str(folder))}"
            )


def _settings(course: Path, config: Any) -> Iterator[str]:
    mend = f"let {course / 'nbgrader_config.py'} begin as `python -m quiz course` writes it"
    steps = config.Autograde.get("autograde_preprocessors") or []
    if GradeAnswers not in steps:
        yield f"autograding would run students' notebooks: {mend}"
    if config.ExchangeFactory.get("collect") != "quiz.exchange.Collect":
        yield f"collecting would believe what the exchange says: {mend}"


def _root(exchange: Path) -> Iterator[str]:
    """The folder that nbgrader wants everybody to write to."""
    if not exchange.is_dir():
        yield (
            f"the exchange {exchange} is not there: sudo mkdir -p -m 1777 {quote(str(exchange))}, "
            "or set c.Exchange.root"
        )
        return
    status = exchange.stat()
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        yield (
            f"anybody may rename or remove a whole course in {exchange}: "
            f"chmod 1777 {quote(str(exchange))} (its owner, {owner(exchange)}, can)"
        )
    yield from _ways_to(exchange)


def _places(there: Path, name: str, shared: bool) -> Iterator[str]:
    """The course's folders in the exchange, once it is released."""
    if not there.is_dir():
        return
    mine, writers = os.geteuid(), stat.S_IWOTH if shared else stat.S_IWGRP | stat.S_IWOTH
    if mine and there.stat().st_uid != mine and not shared:
        yield f"{there} belongs to {owner(there)}: choose another course_id"
    for folder in (there, there / "outbound", there / "outbound" / name, there / "feedback"):
        if folder.is_dir() and folder.stat().st_mode & writers:
            yield f"others can change {folder}: chmod go-w {quote(str(folder))}"
    for folder in (there / "inbound", there / "feedback"):
        if folder.is_dir() and folder.stat().st_mode & stat.S_IROTH:
            yield (
                f"others can list {folder}, and so find what is another student's: "
                f"chmod o-r {quote(str(folder))}"
            )


def _clock(exchange: Path) -> Iterator[str]:
    """Whether the disk's clock is this machine's: it says when a paper came."""
    if not exchange.is_dir():
        return
    try:
        with TemporaryFile(dir=exchange) as probe:
            ahead = os.fstat(probe.fileno()).st_ctime - time.time()
    except OSError:
        yield f"{exchange} cannot be written to: chmod 1777 {quote(str(exchange))}"
        return
    if abs(ahead) > LARGEST_SKEW:
        yield (
            f"the clock of {exchange} is {ahead:+.0f} s off this machine's, and says when a paper "
            "came: set both by NTP"
        )
