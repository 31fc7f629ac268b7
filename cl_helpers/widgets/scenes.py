"""Scenes for the Lab's stage: a few lines of YAML each, as scenes.yaml explains."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..data.tasks import SCENARIOS
from ..methods import METHODS, pick_method
from ..training.presets import PRESETS, STREAMS

OUTCOMES = ("average", "first", "forgetting", "best")
KEYS = ("title", "say", "ask", "outcome", "set", "runs", "lam", "moves", "then")
SETTINGS: dict[str, Any] = {
    "preset": list(PRESETS),
    "stream": list(STREAMS),
    "scenario": list(SCENARIOS),
    "seed": int,
    "epochs": int,
    "lr": float,
    "optimizer": ["adam", "sgd"],
    "dropout": float,
}


@dataclass(frozen=True)
class Scene:
    """What is played on the stage, as scenes.yaml explains.

    Attributes:
        methods: trained one after the other.
        settings: of the Lab, for all of them.
        lam: of the first one; None is the tuned one.
        moves: (place in tasks, λ), in order.
        then: what to take along, shown when it has been played.
    """

    title: str
    say: str
    ask: str
    outcome: str
    methods: tuple[str, ...]
    settings: Mapping[str, Any]
    lam: float | None
    moves: tuple[tuple[float, float], ...]
    then: str

    @property
    def shown(self) -> dict[str, Any]:
        """What the page needs of it."""
        names = [METHODS[name].label for name in self.methods]
        return {
            "title": self.title,
            "say": self.say,
            "ask": self.ask,
            "outcome": self.outcome,
            "options": names if self.outcome == "best" else [],
            "then": self.then,
        }


def read_scenes(path: str | Path | None = None) -> list[Scene]:
    """Read scenes from a YAML file; None takes those that ship.

    Raises:
        ValueError: the file, or a scene in it, makes no sense; the message names it and the cure.
    """
    file = Path(path) if path is not None else Path(__file__).parent / "scenes.yaml"
    try:
        entries = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{file} cannot be read as YAML ({error}): see scenes.yaml") from error
    if not (isinstance(entries, list) and entries):
        raise ValueError(f"{file} has no scenes: give a list, each begins with '- title: …'")
    return [_scene(entry, f"{file}, scene {i}") for i, entry in enumerate(entries, 1)]


def _scene(entry: Any, where: str) -> Scene:
    if not isinstance(entry, dict):
        raise ValueError(f"{where} is {entry!r}: give title, say and runs")
    for key in entry:
        _one_of(key, KEYS, f"{where}: the key")
    for key in ("title", "runs"):
        if not entry.get(key):
            raise ValueError(f"{where} has no {key}: give one")
    settings, moves, lam = entry.get("set") or {}, entry.get("moves") or {}, entry.get("lam")
    for name, value in settings.items():
        _check_setting(name, value, where)
    for number in (*moves, *moves.values(), *([] if lam is None else [lam])):
        if not (isinstance(number, int | float) and 0 <= number < math.inf):
            raise ValueError(f"{where}: λ or its place is {number!r}: give a number, 0 or larger")
    runs = entry["runs"] if isinstance(entry["runs"], list) else [entry["runs"]]
    for name in runs:
        try:
            pick_method(name, settings.get("scenario", "domain"))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    return Scene(
        title=str(entry["title"]),
        say=str(entry.get("say", "")),
        ask=str(entry.get("ask", "")),
        outcome=_one_of(entry.get("outcome", "average"), OUTCOMES, f"{where}: outcome"),
        methods=tuple(runs),
        settings=settings,
        lam=lam,
        moves=tuple(sorted(moves.items())),
        then=str(entry.get("then", "")),
    )


def _check_setting(name: Any, value: Any, where: str) -> None:
    kind = SETTINGS[_one_of(name, SETTINGS, f"{where}: the setting")]
    if isinstance(kind, list):
        _one_of(value, kind, f"{where}: {name}")
    elif not isinstance(value, int | kind) or isinstance(value, bool) or not value >= 0:
        raise ValueError(f"{where}: {name} is {value!r}: give a number, 0 or larger")


def _one_of(value: Any, known: Any, what: str) -> Any:
    if value not in known:
        raise ValueError(f"{what} is {value!r}: choose {', '.join(known)}")
    return value
