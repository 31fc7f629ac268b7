"""One training run in a thread of its own, at most one in a kernel.

A cell that trains keeps its kernel busy: sliders are answered when it has ended. A thread leaves
the kernel free. What is called from a widget only sets attributes and events; nothing here waits,
but `wait`.
"""

from __future__ import annotations

import atexit
import ctypes
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from typing import ClassVar, Literal

from IPython.core.getipython import get_ipython

from ..training.events import Event

State = Literal["running", "paused", "done", "stopped", "failed"]

_lock = threading.Lock()


class TrainingThread:
    """Drains `events` in a thread, one at a time.

    Args:
        events: makes the events, such as `lambda: cl.train_steps(method, tasks)`; called in the
            thread.
        on_event: called with every event, in the thread; between two calls steps are taken.
        on_end: called last, in the thread, however it ended.

    Attributes:
        reason: why it was stopped; "" if it was not.
        error: what ended it, if it failed.
        over: whether nothing more will come of it.
    """

    _current: ClassVar[TrainingThread | None] = None

    def __init__(
        self,
        events: Callable[[], Generator[Event, None, None]],
        on_event: Callable[[Event], None],
        on_end: Callable[[], None],
    ):
        self.events, self.on_event, self.on_end = events, on_event, on_end
        self.reason = ""
        self.error: Exception | None = None
        self.over = False
        self._go, self._stop, self._over = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="training", daemon=True)
        self._before: TrainingThread | None = None

    def start(self) -> None:
        """Stop the run before, and begin as soon as it has ended."""
        with _lock:
            self._before, TrainingThread._current = TrainingThread._current, self
        if self._before is not None:
            self._before.stop("another run was started")
        self._go.set()
        _let_go_of_processors()
        _in_the_kernels_loop(_let_go_of_processors)
        _in_the_kernels_loop(signal.signal, signal.SIGINT, _interrupted)
        self._thread.start()

    def pause(self) -> None:
        """Hold after the step in progress."""
        self._go.clear()

    def resume(self) -> None:
        self._go.set()

    def stop(self, reason: str = "stopped") -> None:
        """End after the step in progress. What was finished is kept."""
        if not self.over:
            self.reason = self.reason or reason
        self._stop.set()
        self._go.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Until it has ended; False if it has not in `timeout` seconds."""
        return self._over.wait(timeout)

    @property
    def state(self) -> State:
        if not self.over:
            return "running" if self._go.is_set() else "paused"
        return "failed" if self.error else "stopped" if self.reason else "done"

    @property
    def is_current_thread(self) -> bool:
        """Whether the calling thread is the one that trains."""
        return self._thread is threading.current_thread()

    def _work(self) -> None:
        if self._before is not None:
            self._before.wait()
            self._before = None
        try:
            if not self._stop.is_set():
                with _short_turns(), closing(self.events()) as events:
                    for event in events:
                        self._go.wait()
                        if self._stop.is_set():
                            break
                        self.on_event(event)
                    else:
                        self.reason = ""  # asked to stop when there was nothing left to do
        except Exception as error:
            self.error = error
        finally:
            self.over = True
            try:
                self.on_end()
            finally:
                with _lock:
                    if TrainingThread._current is self:
                        TrainingThread._current = None
                self._over.set()


def current() -> TrainingThread | None:
    """The run in training, if there is one."""
    return TrainingThread._current


@contextmanager
def _short_turns() -> Iterator[None]:
    """Let a thread that waits for Python have it after half a millisecond, not five.

    What a moved slider sets off takes several turns, and a step would begin before each of them.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _let_go_of_processors() -> None:
    """Give back the threads with which this thread makes its products, if it has made any.

    GNU OpenMP counts them although they have nothing to do, finds more threads than processors, and
    lets those that train sleep at every turn: a quarter of the time.
    """
    with suppress(OSError, AttributeError):  # other systems have another OpenMP
        ctypes.CDLL("libgomp.so.1").omp_pause_resource_all(1)


def _interrupted(*_: object) -> None:
    """The kernel's interrupt button, while no cell is being executed, ends the run.

    ipykernel sets its own handler around every cell and message; what its loop has set in between
    stays.
    """
    if run := current():
        run.stop("interrupted")


def _in_the_kernels_loop(act: Callable[..., object], *arguments: object) -> None:
    """Call `act` in the thread that executes the cells, as soon as it has nothing else to do."""
    loop = getattr(getattr(get_ipython(), "kernel", None), "io_loop", None)
    if loop is not None:
        loop.add_callback(act, *arguments)


@atexit.register
def _leave() -> None:
    """A thread that is in the middle of a product when Python goes away crashes it."""
    if run := current():
        run.stop()
        run.wait(10)
    for thread in threading.enumerate():
        if thread.name == "training":  # its last lines come after it has said that it is over
            thread.join(10)
