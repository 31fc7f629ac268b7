"""A course is its instructor's alone: nobody else reads the key, the papers and the secrets in it.

What a command makes is private, whatever the umask, and a course that others can open is refused:
its folder's mode protects all that is in it. A folder with the set-group-ID bit is shared with its
group on purpose (nbgrader's `CourseDirectory.groupshared`).
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from shlex import quote

OTHERS, GROUP = 0o007, 0o070
# What a course holds that nobody else may read, wherever a link of that name leads.
SECRET = (
    "bank",
    "quizzes",
    "submitted",
    "autograded",
    "feedback",
    "gradebook.db",
    "set_aside",
    "report",
    "export",
)


def keep_private(course: Path) -> None:
    """Make private what this process writes from now on, and refuse a course that is not.

    Raises:
        ValueError: others can open it; the line says how to close it.
    """
    os.umask(OTHERS if is_shared(course) else OTHERS | GROUP)
    if wrong := openings(course):
        raise ValueError(wrong[0])


def settings_keep_private(course: Path) -> None:
    """The same, called by nbgrader's settings: ends the command, but not a Jupyter server.

    The server's own actions are refused one by one, where they would write.
    """
    if not (course / "nbgrader_config.py").exists():  # run from elsewhere, with --course-dir
        os.umask(OTHERS | GROUP)
        return
    try:
        keep_private(course)
    except ValueError as error:
        server = sys.modules.get("jupyter_server.serverapp")
        if not (server and server.ServerApp.initialized()):
            sys.exit(f"error: {error}")  # an Exception would only make nbgrader drop its settings
        print(f"nbgrader: {error}", file=sys.stderr)


def openings(course: Path) -> list[str]:
    """What lets others into a course, a line each, with what closes it."""
    if not hasattr(os, "geteuid") or not course.is_dir():  # Windows has no exchange
        return []
    course, mine = course.resolve(), os.geteuid()
    status, wrong = course.stat(), []
    for who, bits in {"others": OTHERS, "its group": 0 if is_shared(course) else GROUP}.items():
        if status.st_mode & bits:
            wrong.append(
                f"{course} is open to {who} (mode {stat.S_IMODE(status.st_mode):o}), with the key "
                f"and all papers in it: chmod -R go-rwX {quote(str(course))}"
            )
            break
    if mine and status.st_uid != mine and not is_shared(course):
        wrong.append(f"{course} belongs to {owner(course)}: use a folder of your own")
    for link in (course / name for name in SECRET):
        if link.is_symlink() and can_be_reached(target := link.resolve()):
            closed = f"chmod -R go-rwX {quote(str(target))}"
            wrong.append(f"{link} leads to {target}, which others can read: {closed}")
    return wrong


def can_be_reached(path: Path) -> bool:
    """Whether modes let somebody else read `path`, or what is in it."""
    if not path.exists():
        return False
    listed, entered = stat.S_IRGRP | stat.S_IROTH, stat.S_IXGRP | stat.S_IXOTH
    if not path.stat().st_mode & (listed | entered if path.is_dir() else listed):
        return False
    return all(folder.stat().st_mode & entered for folder in path.parents)


def owner(path: Path) -> str:
    """The name of the account that owns `path`; its number if it has none."""
    try:
        return path.owner()
    except KeyError:
        return f"user {path.stat().st_uid}"


def is_shared(course: Path) -> bool:
    """Whether a course belongs to a group of instructors on purpose."""
    return course.is_dir() and bool(course.stat().st_mode & stat.S_ISGID)
