"""A picture that the page draws: Python holds its numbers, front/ the drawing."""

from __future__ import annotations

import json
from base64 import b64encode
from html import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

import anywidget
import traitlets
from IPython.display import HTML, DisplayHandle, display

from .one_in_a_cell import OneInACell

_BUNDLE = Path(__file__).parent / "front" / "views.js"


class View(anywidget.AnyWidget, OneInACell):
    """A view of front/views, drawn in the page from its synchronised traits alone.

    In the output of its cell stands a still copy too, for readers without a kernel. It holds the
    picture as it was last seen, and the state from which front/host.js makes it live on the site. A
    view that lives hides it.

    Attributes:
        view: which of front/views it is.
        words: what is seen, in a sentence, written by the page.
    """

    _esm = f"{_BUNDLE.read_text('utf-8')}\nexport default clViews.default;"
    view = traitlets.Unicode().tag(sync=True)
    name = traitlets.Unicode().tag(sync=True)
    still = traitlets.Unicode().tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)

    def __init__(self, **state: Any):
        super().__init__(name=uuid4().hex[:12], **state)
        self._copies: list[DisplayHandle] = []
        self.observe(lambda _: self._renew(), "still")

    @property
    def state(self) -> dict[str, Any]:
        """What the view is drawn from, as it goes to the page."""
        whole = self.get_state()
        return {k: v for k, v in whole.items() if not k.startswith("_") and k not in _NOT_DRAWN}

    @property
    def alt(self) -> str:
        """What the still copy says."""
        return self.words or "This picture is drawn in the page."

    def copy(self) -> HTML:
        """The still copy as it is now."""
        alt = escape(self.alt)
        source = f"data:image/svg+xml;base64,{b64encode(self.still.encode()).decode()}"
        inside = f'<img alt="{alt}" src="{source}">' if self.still else f"<p>{alt}</p>"
        stored = escape(json.dumps(self.state, ensure_ascii=False))
        classes = f"cl-still cl-still-{self.name}"
        return HTML(f'<div class="{classes}" data-state="{stored}">{inside}</div>')

    def close(self) -> None:
        """Take it out of the page and of the kernel's memory."""
        self._copies = []
        if self.comm is not None:
            self.layout.close()
        super().close()

    def _ipython_display_(self) -> None:
        self._replace_the_one_before()
        data, metadata = self._repr_mimebundle_() or ({}, {})
        # Pages of nbconvert show the text where there is no model; the copy says more.
        display(data | {"text/plain": ""}, metadata=metadata, raw=True)
        self._copies.append(display(self.copy(), display_id=True))

    def _renew(self) -> None:
        for copy in self._copies:
            copy.update(self.copy())


_NOT_DRAWN = {"layout", "tabbable", "tooltip", "still"}
