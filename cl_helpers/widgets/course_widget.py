"""What the widgets have in common: controls above, a chart below, and an end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets as widgets
from IPython.core.getipython import get_ipython
from IPython.display import display

if TYPE_CHECKING:
    from .canvas import Canvas


class OneInACell:
    """A cell that is run again shows a new one: the one before is closed, and what it did ends."""

    _in_cell: ClassVar[dict[str, tuple[str, list[OneInACell]]]] = {}

    def close(self) -> None:
        raise NotImplementedError

    def _replace_the_one_before(self) -> None:
        cell, execution = _place()
        if cell is None:
            return
        then, shown = self._in_cell.get(cell, ("", []))
        if then != execution:
            for other in shown:
                if other is not self:
                    other.close()
            shown = []
        self._in_cell[cell] = execution, [*shown, self]


class CourseWidget(OneInACell):
    """A widget of the course: `box` is what is displayed, `canvas` its chart if it has one."""

    box: widgets.Box
    canvas: Canvas

    def _ipython_display_(self) -> None:
        self._replace_the_one_before()
        display(self.box)
        if hasattr(self, "canvas"):
            self.canvas.show()

    def close(self) -> None:
        """Take it out of the page and of the kernel's memory."""
        if hasattr(self, "canvas"):
            self.canvas.close()
        for widget in list(_tree(self.box)):
            for part in (getattr(widget, "layout", None), getattr(widget, "style", None), widget):
                if part is not None:
                    part.close()


def _place() -> tuple[str | None, str]:
    """The cell that is being run, if the front end tells, and which execution of it this is."""
    shell: Any = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    cell = parent.get("metadata", {}).get("cellId")
    return cell, parent.get("header", {}).get("msg_id", "")


def _tree(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    for child in getattr(widget, "children", ()):
        yield from _tree(child)
    yield widget
