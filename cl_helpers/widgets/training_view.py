"""The base of views that train: the page asks, a thread trains, numbers go back."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Generator
from typing import Any, ClassVar

import traitlets

from ..formats import format_error
from ..training.events import Event
from .training_thread import TrainingThread
from .view import View


class TrainingView(View):
    """A view that trains; a run that is begun replaces the one before.

    What the training thread has to say goes into *one* trait of the subclass, whole: it is set from
    another thread, and the page is told once.

    Attributes:
        training: what goes on in the background, or went on last; None before the first run.
        doing: "idle", "running", "stopping", "paused", "done", "stopped" or "failed".
        reason: why it was stopped.
        trouble: what went wrong: the error and its causes, a line each, then where it was raised.
    """

    # What the page may ask for, `model.send({ do: "start" })`: methods without arguments.
    ACTIONS: ClassVar[tuple[str, ...]] = ("start", "stop")
    # Traits that come with it: as state they may still be on their way, and be overtaken.
    SETTINGS: ClassVar[tuple[str, ...]] = ()

    training: TrainingThread | None = None

    doing = traitlets.Unicode("idle").tag(sync=True)
    reason = traitlets.Unicode().tag(sync=True)
    trouble: traitlets.List = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, **state: Any):
        self._saying = threading.RLock()
        super().__init__(**state)
        self.on_msg(lambda _view, message, _buffers: self._take_message(message))

    @property
    def trains(self) -> bool:
        """Whether a run is going on, or is paused."""
        return self.training is not None and not self.training.over

    @property
    def is_latest(self) -> bool:
        """Asked in a training thread: whether its run is still the one that was begun last."""
        return self.training is not None and self.training.is_current_thread

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """End after the step in progress; what was finished stays."""
        if self.training:
            self.training.stop()
            self._say_what_it_does()

    def wait(self, timeout: float | None = None) -> Any:
        """Until training has ended, for scripts and front ends without widgets; what it gave."""
        if self.training:
            try:
                self.training.wait(timeout)
            except KeyboardInterrupt:
                self.training.stop("interrupted")
                self.training.wait(timeout)

    def close(self) -> None:
        if self.training:
            self.training.stop("its cell was run again")
        super().close()

    def _take_message(self, message: Any) -> None:
        """Do what the page asks for; what cannot be done is said there."""
        if message.get("do") in self.ACTIONS:
            try:
                for name in self.SETTINGS:
                    if name in message.get("with", {}):
                        setattr(self, name, message["with"][name])
                getattr(self, message["do"])()
            except Exception as error:
                self.trouble = _lines(error)

    def _begin(self, events: Callable[[], Generator[Event, None, None]]) -> None:
        """Train; each event that `events` makes goes to `_take_event`."""
        self.trouble = []
        self.training = TrainingThread(events, self._take_event, self._ended)
        self.training.start()
        self._say_what_it_does()

    def _say_what_it_does(self) -> None:
        training = self.training
        if training is not None:
            with self._saying:  # else what was true before it ended could be said after
                stopping = training.state == "running" and training.reason
                self.reason = training.reason
                self.doing = "stopping" if stopping else training.state

    # ---- in the training thread ----

    def _take_event(self, event: Event) -> None:
        raise NotImplementedError

    def _ended(self) -> None:
        training = self.training
        if training is not None and training.is_current_thread:  # else the next has begun
            if training.error is not None:
                self.trouble = _lines(training.error)
            self._say_what_it_does()


def _lines(error: BaseException) -> list[str]:
    """The error, what it was caused by, and the whole traceback."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
        chain.append(cause)
    return [*map(format_error, chain), "".join(traceback.format_exception(error))]
