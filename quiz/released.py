"""What a course has promised to its students: until when they answer, and when the key came out."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .kept import keep, read_kept

FILE = "released.json"


@dataclass(frozen=True)
class Released:
    """What must be remembered of a release.

    Attributes:
        no_deadline: it was released without one: feedback, which has the key in it, stays here.
        number: with the student's name it decides which variant of a question is whose; public.
        secret: the variants of generated questions are made from it.
        draws: question -> the draw from its pool of options.
        drawn_as: student -> the name that the student's paper was drawn for, where it is another.
        feedback: when the first feedback was handed out, in UTC without a time zone as nbgrader
            keeps times. Who hands in later may have seen the key.
    """

    no_deadline: bool = False
    feedback: datetime | None = None
    number: int = 0
    secret: str = ""
    draws: dict[str, int] = field(default_factory=dict)
    drawn_as: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, course: Path) -> Released:
        """Of a course; nothing is promised where there is no file.

        Raises:
            ValueError: the file is damaged.
        """

        def made(raw: Any) -> Released:
            feedback = raw["feedback"] and datetime.fromisoformat(raw["feedback"])
            kept = {
                name: raw[name] for name in ("number", "secret", "draws", "drawn_as") if name in raw
            }
            return cls(bool(raw["no_deadline"]), feedback, **kept)

        return read_kept(course / FILE, made, cls())

    def save(self, course: Path) -> None:
        keep(course / FILE, asdict(self))

    @classmethod
    def begun(cls, quiz: Path) -> Released:
        """What is promised of a quiz that is about to be built: the draw is settled by now."""
        released = cls.read(quiz)
        if not released.secret:
            released = replace(
                released, number=secrets.randbelow(10**6), secret=secrets.token_hex(16)
            )
            released.save(quiz)
        return released

    def with_feedback(self) -> Released:
        """The same once feedback has been handed out; the first time counts."""
        now = datetime.now(UTC).replace(tzinfo=None)
        return replace(self, feedback=self.feedback or now)

    def counts_until(self, due: datetime | None) -> datetime | None:
        """The last moment at which a paper counts: its deadline, but before the key came out."""
        return min((t for t in (due, self.feedback) if t), default=None)
