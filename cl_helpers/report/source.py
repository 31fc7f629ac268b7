"""Source code in a notebook: the code that is shown is the code that runs."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

_HOME = Path(__file__).parents[2]


@dataclass(frozen=True)
class Source:
    """Source code that a notebook shows in the colours of its theme.

    Attributes:
        text: the code.
        file: relative to the project, or its name alone; "" for code of a notebook's cell.
    """

    text: str
    file: str

    def _repr_markdown_(self) -> str:
        code = f"```python\n{self.text}\n```"
        return f"{code}\n\n*{self.file}*" if self.file else code

    def __repr__(self) -> str:
        return self.text


def show(thing: Any) -> Source:
    """Show the source of a class, function, method, property or module.

    Args:
        thing: of this package, such as `cl.MAS`, or your own.

    Raises:
        ValueError: there is no Python source, as for a number, or Python cannot find it, as for a
            class written in a notebook.
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
