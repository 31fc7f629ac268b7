"""Files that are written completely or not at all, and folders that can hold them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open a binary file that takes the place of `path` when it is complete, and not before."""
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def set_aside(path: Path) -> Path:
    """Rename the file `path` to a name that is free, with another ending, and return that one.

    Raises:
        OSError: it cannot be renamed.
    """
    now = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    aside = path.with_name(f"{path.name}.aside-{now}")
    os.replace(path, aside)
    return aside


def writable(folder: Path) -> Path:
    """Make `folder` if it does not exist, and return it.

    Raises:
        ValueError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ValueError(
            f"{folder} cannot be written to ({error.strerror}): choose another folder"
        ) from None
    return folder
