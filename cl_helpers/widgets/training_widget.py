"""The base of widgets that train: they begin a run, know whether it is the latest, and end it."""

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
        """Whether a run is going on, or is paused."""
        return self.training is not None and not self.training.over

    @property
    def is_latest(self) -> bool:
        """Asked in a training thread: whether its run is still the one that was begun last."""
        return self.training is not None and self.training.is_current_thread

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
        """Train; each event that `events` makes goes to `_take_event`."""
        self.canvas.say(None)
        self.canvas.copying = False
        self.training = TrainingThread(events, self._take_event, self._ended)
        self.training.start()
        self.canvas.ask()

    # ---- in the training thread ----

    def _take_event(self, event: Event) -> None:
        raise NotImplementedError

    def _ended(self) -> None:
        training = self.training
        if training is not None and training.is_current_thread:  # else the next has begun
            self.canvas.copying = True
            self.canvas.say(training.error)
            self.canvas.ask()
