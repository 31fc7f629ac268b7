"""A guess, recorded before the run and held against what came out."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, SupportsFloat

import traitlets

from .guesses import Damaged, Place
from .view import View


class Predict(View):
    """Ask for a guess: a number, one of several answers, or their order.

    A guess stays: it is kept in `guesses.json` beside the notebook. Once the outcome has been on
    screen, no guess can be recorded, before both are forgotten by "Guess again".

    Args:
        question: what is asked.
        options: the answers to choose among; None asks for a number.
        order: ask for the order of the options, best first, instead of one of them.
        least, most, unit: of the number.

    Raises:
        ValueError: an order is asked for, but not of what.

    Attributes:
        answer: what is chosen on the page; None before it is touched.
        guess: what was recorded; None before.
        outcome: what came out; None before `replay`.
        note: what stands in the way.
        seen: whether a page has shown it.
    """

    view = traitlets.Unicode("predict").tag(sync=True)
    question = traitlets.Unicode().tag(sync=True)
    options: traitlets.List = traitlets.List(allow_none=True).tag(sync=True)
    order = traitlets.Bool().tag(sync=True)
    least = traitlets.Float().tag(sync=True)
    most = traitlets.Float().tag(sync=True)
    unit = traitlets.Unicode().tag(sync=True)
    answer = traitlets.Any().tag(sync=True)
    guess = traitlets.Any().tag(sync=True)
    outcome = traitlets.Any().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)
    seen = traitlets.Bool().tag(sync=True)
    _recorded: Any = None

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
        super().__init__(
            question=question,
            options=None if options is None else list(options),
            order=order,
            least=least,
            most=most,
            unit=unit,
        )
        # With other options it is another question.
        self._place = Place.here(" / ".join([question, *(self.options or ())]))
        self._recall()
        self.words = self._sentence()
        self.observe(self._keep, ["guess", "outcome", "seen"])
        self.observe(lambda _: self._renew(), "words")

    def record(self) -> None:
        """What is on the page is the guess from now on, for good."""
        if self.guess is None and self.outcome is None and not self._fits(self.answer):
            self.note = _MISSING[self._kind]
        else:
            self.guess = self.answer

    def replay(self, outcome: Any) -> Predict:
        """Show the outcome beside the guess: a number, an option, or the options in order.

        From now on no guess can be recorded.

        Raises:
            ValueError: the outcome is not an answer to the question.
        """
        if self._kind == "order" and isinstance(outcome, Sequence):
            outcome = list(outcome)
        if self._kind == "number" and isinstance(outcome, SupportsFloat) and outcome is not True:
            outcome = float(outcome)
        if not self._fits(outcome):
            raise ValueError(f"{outcome!r} is no answer to {self.question!r}")
        self.outcome = outcome
        self.words = self._sentence()
        return self

    @property
    def _kind(self) -> str:
        return "number" if self.options is None else "order" if self.order else "option"

    def _fits(self, value: Any) -> bool:
        """Whether it is an answer to the question."""
        if self.options is None:
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            return number and isfinite(value)
        if self.order:
            return isinstance(value, list) and sorted(map(str, value)) == sorted(self.options)
        return value in self.options

    @traitlets.validate("guess")
    def _refuse_a_second(self, proposal: Any) -> Any:
        """It is recorded once, before its outcome; None forgets it."""
        new, open_ = proposal["value"], self._recorded is None and self.outcome is None
        if new is None or (open_ and self._fits(new)):
            return float(new) if isinstance(new, int) else new  # the page sends 100 for 100.0
        if self._recorded is None and self.outcome is not None:
            self.note = "Not recorded: the outcome has been on screen."
        return self._recorded

    def _recall(self) -> None:
        """Take what was kept in an earlier kernel."""
        try:
            entry = self._place.read()
        except Damaged as error:
            self.note = f"{error}."
            return
        guess, outcome = entry.get("guess"), entry.get("outcome")
        if all(value is None or self._fits(value) for value in (guess, outcome)):
            self.guess = self._recorded = guess
            self.outcome = outcome

    def _keep(self, change: Any) -> None:
        """Keep both on disk. A run without a page and without a guess leaves nothing there."""
        self._recorded = self.guess
        entry = {"guess": self.guess, "outcome": self.outcome}
        if self.guess is None and (self.outcome is None or not self.seen):
            if change["new"] is not None:
                return
            entry = {}
        try:
            if change["new"] is not None or self._place.read():
                self.note = self._place.write(entry)
        except (Damaged, OSError) as error:
            self.note = f"NOT SAVED: {error}"

    @property
    def alt(self) -> str:
        return f"{self.question} {self.words}"

    def _sentence(self) -> str:
        """What is seen, for readers without a page; front/views/predict.js says the same."""
        if self.outcome is None:
            return "Guess before you read on."
        told = f"What came out: {self._written(self.outcome)}."
        if self.guess is None:
            return f"{told} No guess was recorded."
        told = f"{told} Your guess: {self._written(self.guess)}."
        if self.options is None:
            apart = self._written(abs(self.outcome - self.guess))
            return f"{told} They are {apart.replace('%', 'percentage points')} apart."
        if self.order:
            right = sum(g == o for g, o in zip(self.guess, self.outcome, strict=True))
            return f"{told} {right} of {len(self.outcome)} are in their place."
        return f"{told} You were right." if self.guess == self.outcome else told

    def _written(self, value: Any) -> str:
        if self.options is None:
            return f"{float(f'{value:.3g}'):.10g} {self.unit}".strip()
        return ", then ".join(value) if self.order else str(value)


_MISSING = {
    "number": "Move the slider first.",
    "option": "Choose one first.",
    "order": "Give each of them one place.",
}
