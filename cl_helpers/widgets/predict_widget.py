"""A guess, recorded before the run and held against what came out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite
from typing import Any, SupportsFloat

import ipywidgets as widgets
from IPython.display import Markdown
from matplotlib.figure import Figure

from ..report import plots
from .accessible import Status
from .controls import buttons, choice, row, slider
from .course_widget import CourseWidget


class Predict(CourseWidget):
    """Ask for a guess: a number, one of several answers, or their order.

    Args:
        question: what is asked.
        options: the answers to choose among; None asks for a number.
        order: ask for the order of the options, best first, instead of one of them.
        least, most, unit: of the number.

    Raises:
        ValueError: an order is asked for, but not of what.

    Attributes:
        guess: what was recorded; None before.
    """

    def __init__(
        self,
        question: str,
        options: Sequence[str] | None = None,
        *,
        order: bool = False,
        least: float = 0,
        most: float = 100,
        unit: str = "%",
    ):
        if order and not options:
            raise ValueError("an order needs options: say what is to be put in order")
        self.question, self.unit, self.range = question, unit, (least, most)
        self.options = None if options is None else list(options)
        self.order = order
        self.guess: Any = None
        if self.options is None:
            name = f"Your guess ({unit})" if unit else "Your guess"
            self.inputs: list[Any] = [slider(name, least, most, (most - least) / 100, least)]
        elif order:
            places = range(len(self.options))
            self.inputs = [choice(f"{i + 1}.", ["–", *self.options], "–") for i in places]
        else:
            radio = widgets.RadioButtons(
                options=self.options, value=None, description="Your guess", layout={"width": "auto"}
            )
            self.inputs = [radio]
        (self.record_,) = buttons(("Record my guess", self.record))
        self.status = Status()
        self.box = widgets.VBox(
            [
                widgets.HTML(f"<strong>{escape(question)}</strong>"),
                row(*self.inputs),
                row(self.record_, self.status),
            ]
        )

    def record(self, *_: object) -> None:
        """What is on the page is the guess from now on, for good."""
        if self.guess is not None:
            return
        values = [control.value for control in self.inputs]
        if self.order and sorted(values) != sorted(self.options or ()):
            self.status.value = "Give each of them one place."
        elif values == [None]:
            self.status.value = "Choose one first."
        else:
            self.guess = values if self.order else values[0]
            for control in (*self.inputs, self.record_):
                control.disabled = True
            self.status.value = "Recorded. Now run on and see."

    def replay(self, outcome: Any) -> Any:
        """The guess beside the outcome: a number, an option, or the options in order.

        Raises:
            ValueError: the outcome is not an answer to the question.
        """
        self._check(outcome)
        if self.guess is None:
            return Markdown(f"You recorded no guess. What came out: **{self._describe(outcome)}**.")
        if self.options is None:
            return self._number_line(float(outcome))
        if self.order:
            right = sum(g == o for g, o in zip(self.guess, outcome, strict=True))
            rows = "\n".join(
                f"| {i + 1} | {g} | {o} |"
                for i, (g, o) in enumerate(zip(self.guess, outcome, strict=True))
            )
            return Markdown(
                f"{right} of {len(outcome)} are where you put them.\n\n"
                f"| place | your guess | what came out |\n|---|---|---|\n{rows}"
            )
        verdict = "as you guessed" if self.guess == outcome else f"you had guessed {self.guess}"
        return Markdown(f"**{outcome}**: {verdict}.")

    def _check(self, outcome: Any) -> None:
        if self.options is None:
            fits = isinstance(outcome, SupportsFloat) and isfinite(float(outcome))
        elif self.order:
            fits = isinstance(outcome, Sequence) and sorted(map(str, outcome)) == sorted(
                self.options
            )
        else:
            fits = outcome in self.options
        if not fits:
            raise ValueError(f"{outcome!r} is no answer to {self.question!r}")

    def _describe(self, outcome: Any) -> str:
        if self.options is None:
            return f"{outcome:.3g} {self.unit}".strip()
        return ", then ".join(outcome) if self.order else str(outcome)

    def _number_line(self, outcome: float) -> Figure:
        figure = plots.blank(7.0, 1.3)
        ax = figure.subplots()
        least, most = self.range
        ax.axhline(0, color="#999999", linewidth=1)
        points = (
            ("your guess", self.guess, "o", "#0072B2", 12),
            ("outcome", outcome, "D", "#A03C00", -22),
        )
        for name, value, marker, colour, off in points:
            ax.plot(value, 0, marker, color=colour, markersize=11)
            text = f"{name} {self._describe(value)}"
            plots.note(ax, text, (value, 0), (0, off), ha="center", color=colour, fontsize=11)
        least, most = min(least, outcome), max(most, outcome)
        room = 0.12 * (most - least)  # for the words at the ends
        ax.set(xlim=(least - room, most + room), ylim=(-1, 1), yticks=[])
        ax.spines[:].set_visible(False)
        off_by = abs(outcome - self.guess)
        return plots.described(
            figure,
            f"{self.question} Your guess was {self._describe(self.guess)}, the outcome is "
            f"{self._describe(outcome)}: {self._describe(off_by)} apart.",
        )
