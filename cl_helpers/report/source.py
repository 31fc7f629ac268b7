"""The package's own source, in a notebook: what is shown is what runs."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

_HOME = Path(__file__).parent.parent


@dataclass(frozen=True)
class Source:
    """Code that a notebook shows in the colours of its theme.

    Attributes:
        file: relative to the project, or its name alone; empty for the code of a notebook's cell.
    """

    text: str
    file: str

    def _repr_markdown_(self) -> str:
        code = f"```python\n{self.text}\n```"
        return f"{code}\n\n*{self.file}*" if self.file else code

    def __repr__(self) -> str:
        return self.text


def show(thing: Any) -> Source:
    """The source of a class, function, method, property or module of this course, or of your own.

    Raises:
        ValueError: there is no Python source to show, as for a number. Nor does Python find that of
            a class written in a notebook.
    """
    if isinstance(thing, property):
        thing = thing.fget
    elif isinstance(thing, cached_property):
        thing = thing.func
    try:
        text, path = inspect.getsource(thing), Path(inspect.getsourcefile(thing) or "")
    except (TypeError, OSError):
        cure = "a method of it" if inspect.isclass(thing) else "a class or a function"
        raise ValueError(f"{thing!r} has no source that can be found: give {cure}") from None
    file = path.relative_to(_HOME).as_posix() if path.is_relative_to(_HOME) else path.name
    return Source(textwrap.dedent(text).strip(), file if path.is_file() else "")
