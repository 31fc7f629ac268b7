"""What the widgets that train have in common: one run in the background, and its end."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from ..training.events import Event
from .course_widget import CourseWidget
from .training_thread import TrainingThread


class TrainingWidget(CourseWidget):
    """A widget that trains; a run that is begun replaces the one before.

    Attributes:
        training: what goes on in the background, or went on last; None before the first run.
    """

    training: TrainingThread | None = None

    @property
    def trains(self) -> bool:
        """Is a run going on, or held?"""
        return self.training is not None and not self.training.over

    @property
    def wanted(self) -> bool:
        """Asked in a training thread: is its run still the one that was begun last?"""
        return self.training is not None and self.training.here

    def stop(self, *_: object) -> None:
        """End after the step in progress; what was finished stays."""
        if self.training:
            self.training.stop()
        self.canvas.ask()

    def wait(self, timeout: float | None = None) -> Any:
        """Until training has ended, for scripts and front ends without widgets; what it gave."""
        if self.training:
            try:
                self.training.wait(timeout)
            except KeyboardInterrupt:
                self.training.stop("interrupted")
                self.training.wait(timeout)
        self.canvas.draw()

    def close(self) -> None:
        if self.training:
            self.training.stop("its cell was run again")
        super().close()

    def _begin(self, events: Callable[[], Generator[Event, None, None]]) -> None:
        """Train: of what `events` makes, each goes to `_each`."""
        self.canvas.say(None)
        self.canvas.copying = False
        self.training = TrainingThread(events, self._each, self._ended)
        self.training.start()
        self.canvas.ask()

    # ---- in the training thread ----

    def _each(self, event: Event) -> None:
        raise NotImplementedError

    def _ended(self) -> None:
        training = self.training
        if training is not None and training.here:  # else the next has begun
            self.canvas.copying = True
            self.canvas.say(training.error)
            self.canvas.ask()
