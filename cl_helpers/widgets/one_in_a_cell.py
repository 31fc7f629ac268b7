"""A cell that is run again shows a new widget, and ends the one before."""

from __future__ import annotations

from typing import Any, ClassVar

from IPython.core.getipython import get_ipython


class OneInACell:
    """The base of what a cell shows: when the cell is run again, it is closed."""

    _in_cell: ClassVar[dict[str, tuple[str, list[OneInACell]]]] = {}

    def close(self) -> None:
        """Take it out of the page, and end what it does."""
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


def _place() -> tuple[str | None, str]:
    """The cell that is being run, if the front end tells, and which execution of it this is."""
    shell: Any = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    cell = parent.get("metadata", {}).get("cellId")
    return cell, parent.get("header", {}).get("msg_id", "")
