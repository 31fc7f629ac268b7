"""What a course has promised to its students: until when they answer, and when the key came out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
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
        feedback: when the first feedback was handed out, in UTC without a time zone as nbgrader
            keeps times. Who hands in later may have seen the key.
    """

    no_deadline: bool = False
    feedback: datetime | None = None

    @classmethod
    def read(cls, course: Path) -> Released:
        """Of a course; nothing is promised where there is no file.

        Raises:
            ValueError: the file is damaged.
        """

        def made(raw: Any) -> Released:
            feedback = raw["feedback"] and datetime.fromisoformat(raw["feedback"])
            return cls(bool(raw["no_deadline"]), feedback)

        return read_kept(course / FILE, made, cls())

    def save(self, course: Path) -> None:
        keep(course / FILE, asdict(self))

    def with_feedback(self) -> Released:
        """The same once feedback has been handed out; the first time counts."""
        now = datetime.now(UTC).replace(tzinfo=None)
        return replace(self, feedback=self.feedback or now)

    def counts_until(self, due: datetime | None) -> datetime | None:
        """The last moment at which a paper counts: its deadline, but before the key came out."""
        return min((t for t in (due, self.feedback) if t), default=None)
