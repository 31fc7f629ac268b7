"""What a course remembers: a small JSON file each, written completely or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cl_helpers.files import replacing

T = TypeVar("T")


def read_kept(file: Path, made: Callable[[Any], T], nothing: T) -> T:
    """Read a file and make of its content what it stands for; `nothing` if it is not there.

    Raises:
        ValueError: the file is damaged.
    """
    try:
        return made(json.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        return nothing
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{file} cannot be read ({error}): put its backup back") from None


def keep(file: Path, content: Any) -> None:
    """Write a file; times are kept as text."""
    with replacing(file) as new:
        new.write(json.dumps(content, default=str, indent=1).encode() + b"\n")
