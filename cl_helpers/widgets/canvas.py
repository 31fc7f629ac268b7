"""A matplotlib figure that stays alive in a notebook.

All drawing of a kernel is done here, in one thread: matplotlib is not made for several, and what
trains should not wait for it. Whoever has news says `canvas.ask()`; the thread draws when it may.
"""

from __future__ import annotations

import atexit
import threading
import time
import traceback
from collections.abc import Callable
from html import escape

import ipywidgets as widgets
from IPython.display import DisplayHandle, display

from ..formats import format_error
from ..report import plots
from .accessible import Image

AT_MOST = 3.0  # frames a second
AT_LEAST = 1.2  # and no fewer, while there is news
SHARE = 0.04  # of the time that may go into drawing, as long as AT_LEAST is kept

_drawing = threading.RLock()
atexit.register(_drawing.acquire)  # a thread that draws while Python goes away crashes it

# While a widget lives it shows its own image; the copy for readers without a kernel is hidden.
_HIDE_COPY = "<style>.jp-OutputArea:has(.cl-live) .cl-copy { display: none }</style>"


class Canvas:
    """A figure in an `Image`, redrawn when asked to, with a copy that stays in the saved notebook.

    Args:
        figure: what is shown.
        update: called before each drawing, in the drawing thread: brings the figure up to date and
            describes it (`plots.described`).
    """

    def __init__(self, figure: plots.Chart, update: Callable[[], None]):
        self.figure, self.update = figure, update
        figure.of_a_widget = True
        self.image = Image()
        self.trouble = widgets.HTML(_HIDE_COPY)
        self.box = widgets.VBox([self.image, self.trouble])
        self.copies: list[DisplayHandle] = []
        self.copying = True  # False while a copy would soon be out of date
        self.drawn = 0  # frames so far
        self.failed = False  # the latest of them

    def ask(self) -> None:
        """There is news. Returns at once."""
        _artist.ask(self)

    def draw(self) -> None:
        """Draw now, in this thread."""
        with _drawing:
            try:
                self.update()
                with self.image.hold_sync():
                    self.image.png = plots.png(self.figure, compress_level=1)
                    self.image.alt = plots.alt_text(self.figure)
                for copy in self.copies if self.copying else ():
                    copy.update(self.figure)
            except Exception as error:
                self.failed = True
                self.say(error)
                return
            self.drawn += 1
            if self.failed:
                self.failed = False
                self.say(None)

    def say(self, error: BaseException | None) -> None:
        """Show what went wrong, with its cause; None takes it away again."""
        self.trouble.value = _HIDE_COPY + (_error_html(error) if error else "")

    def show(self) -> None:
        """In the output of a cell: a copy for readers without a kernel, and for `make site`."""
        with _drawing:
            self.draw()
            self.copies.append(display(self.figure, display_id=True))

    def close(self) -> None:
        _artist.forget(self)
        self.copies = []


class _Artist:
    """The drawing thread: begun when first asked, asleep while there is nothing to draw."""

    def __init__(self) -> None:
        self.waiting: dict[Canvas, None] = {}
        self.news = threading.Condition()
        self.thread: threading.Thread | None = None

    def ask(self, canvas: Canvas) -> None:
        with self.news:
            self.waiting[canvas] = None
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self.work, name="drawing", daemon=True)
                self.thread.start()
            self.news.notify()

    def forget(self, canvas: Canvas) -> None:
        with self.news:
            self.waiting.pop(canvas, None)

    def work(self) -> None:
        while True:
            with self.news:
                while not self.waiting:
                    self.news.wait()
                canvases, self.waiting = self.waiting, {}
            began = time.perf_counter()
            for canvas in canvases:
                canvas.draw()
            del canvas, canvases  # a closed one may go while this thread sleeps
            spent = time.perf_counter() - began
            a_frame = min(max(1 / AT_MOST, spent / SHARE), 1 / AT_LEAST)
            time.sleep(max(0.0, a_frame - spent))


_artist = _Artist()


def _error_html(error: BaseException) -> str:
    """The error in a line, its cause in another, the rest on click."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
        chain.append(cause)
    lines = [format_error(e) for e in chain]
    where = "".join(traceback.format_exception(error))
    return (
        f'<div role="alert"><strong>{escape(lines[0])}</strong>'
        + "".join(f"<br>because of {escape(line)}" for line in lines[1:])
        + f"<details><summary>where</summary><pre>{escape(where)}</pre></details></div>"
    )
