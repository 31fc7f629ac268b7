"""The pages of the API reference, one a room: `python site/api.py FOLDER [ROOM …]` writes them."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module
from inspect import ismodule
from pathlib import Path

import cl_helpers as cl

# In the order of the imports: each room may import those before it.
ROOMS = (
    *("data", "models", "methods", "speed", "training", "scale", "analysis"),
    *("report", "lessons", "widgets", "answers"),
)


def room_page(room: str) -> str:
    """What the room is for, then file by file its public classes and functions."""
    package = import_module(f"cl_helpers.{room}")
    inside = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    parts = [_title(room, "="), _documented(package.__name__)]
    for file in inside:
        path = file.name.removeprefix("cl_helpers.").replace(".", "/")
        parts.append(_title(path + ("/" if file.ispkg else ".py"), "-"))
        parts.append(_documented(file.name))
    return "\n".join(parts)


def index_page(rooms: Sequence[str]) -> str:
    """Every public name with the first line of its docstring, room by room."""
    parts = [
        _title("API reference", "="),
        "What ``import cl_helpers as cl`` gives: ``cl.EWC``, ``cl.train``, …\n",
        ".. toctree::\n   :hidden:\n",
        *(f"   {room}" for room in rooms),
        "",
    ]
    homes = {name: _home(name) for name in cl.__all__}
    for room in rooms:
        names = [home for home in homes.values() if home.startswith(f"cl_helpers.{room}.")]
        if names:
            parts += [_title(f":doc:`{room}`", "-"), ".. autosummary::\n   :nosignatures:\n"]
            parts += [f"   ~{name}" for name in names] + [""]
    return "\n".join(parts)


def _home(name: str) -> str:
    """The full name of `cl.name` where it is defined."""
    public = getattr(cl, name)
    if ismodule(public):
        return public.__name__
    return f"{public.__module__}.{name}" if hasattr(public, "__module__") else name


def _documented(module: str) -> str:
    options = "\n   ".join((":members:", ":ignore-module-all:", ":exclude-members: set"))
    return f".. automodule:: {module}\n   {options}\n"


def _title(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def write_pages(folder: Path, rooms: Sequence[str] = ROOMS) -> None:
    """Write index.rst and a page for each of `rooms` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.rst").write_text(index_page(rooms), "utf-8")
    for room in rooms:
        (folder / f"{room}.rst").write_text(room_page(room), "utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]), sys.argv[2:] or ROOMS)
