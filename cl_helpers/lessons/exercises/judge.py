"""Judging an answer: its numbers are compared with the oracle's and those of usual mistakes."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...formats import format_error
from .outcome import Numbers
from .students_code import Heard, accepts, describe_failure, has_a_gap, told_when_long

Args = tuple[Any, ...]
Answer = Callable[..., Any]


@dataclass(frozen=True)
class Verdict:
    """The result of `cl.check`.

    Attributes:
        status: "right", "not yet" (nothing is written so far) or "wrong".
        message: what to know or to do, in one to three sentences.
        tried: whether an answer of the kind that is asked for was judged.
    """

    status: Literal["right", "not yet", "wrong"]
    message: str
    tried: bool = True

    def __str__(self) -> str:
        return f"{ {'right': '✓', 'not yet': '·', 'wrong': '✗'}[self.status] } {self.message}"

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        mark, message = str(self).split(" ", 1)
        return f"**{mark}** {message}"


class Mistake(Exception):
    """Raised by an exercise's own code (`made`, say) with the message of a mistake it has seen."""


@dataclass(frozen=True)
class Exercise:
    """An exercise: the function that is asked for, its oracle, and the usual mistakes.

    Args:
        signature: of what is asked for: "fisher(model, x, y)", a class as "ReplayedEWC(EWC)", or a
            name such as "lam" of something that is not called.
        ask: what it returns, as one sentence.
        problems: makes the arguments of a few calls, new objects each time.
        right: the oracle.
        mistakes: message -> the functions (one, or variants) that make this mistake.
        moral: message when the answer is right.
        look: (arguments, outcome or error) -> message, or None. It recognises mistakes that have no
            function in `mistakes`; the outcome has the right shape.
        unstable: message when the same call returns different numbers.
        hints: shown one after the other by `cl.hint`.
        solution: a right answer; `cl.solution` shows its source, under the name asked for.
        made: turns what the student gives into the function that is judged: of a class, say, one
            that trains a few steps with it and returns the weights. Both may raise `Mistake`.
    """

    signature: str
    ask: str
    problems: Callable[[], list[Args]]
    right: Answer
    mistakes: dict[str, tuple[Answer, ...]]
    moral: str
    look: Callable[[Args, Tensor | BaseException], str | None] = lambda args, outcome: None
    unstable: str = (
        "The same call twice gave two answers: something is drawn at random, or kept from the call "
        "before."
    )
    hints: tuple[str, ...] = ()
    solution: Any = None
    made: Callable[[Any], Answer] | None = None

    @property
    def name(self) -> str:
        """Name of the function that is asked for."""
        return self.signature.partition("(")[0]

    @property
    def arguments(self) -> list[str]:
        """Names of its arguments."""
        return self.signature.partition("(")[2].rstrip(")").split(", ")

    def calls(self) -> list[Args]:
        """Make the problems, and the first one again: random or remembered numbers then differ."""
        return [*self.problems(), self.problems()[0]]

    def not_yet(self) -> Verdict:
        """Make the verdict on an exercise that was not attempted."""
        form = "class " * self.of_a_class + self.signature
        return Verdict("not yet", f"not attempted yet: write `{form}`, {self.ask}")

    @property
    def of_a_class(self) -> bool:
        """Whether a class is asked for."""
        return self.signature[0].isupper()

    def judge(self, answer: Any) -> Verdict:
        """Judge what a student gave."""
        if "(" in self.signature and not (
            inspect.isclass(answer) if self.of_a_class else callable(answer)
        ):
            it = "class itself, not an object of it" if self.of_a_class else _FUNCTION_ITSELF
            came = type(answer).__name__
            return Verdict("wrong", f"Give the {it}: `{self.name}`. A {came} came.", tried=False)
        if has_a_gap(answer):
            return self.not_yet()
        with torch.random.fork_rng(devices=[]), torch.enable_grad(), told_when_long():
            return _judge(self, answer)


_FUNCTION_ITSELF = "function itself, not what it returns"


def _judge(asked: Exercise, answer: Any) -> Verdict:
    calls = asked.calls()
    model = next((a for a in calls[0][:1] if isinstance(a, nn.Module)), None)
    names = [n for n, _ in model.named_parameters()] if model else []
    came = []
    for args in calls:
        outcome = _outcome(asked, answer, args, names)
        if isinstance(outcome, Verdict):
            return outcome
        came.append(outcome)

    right = [Numbers.of(asked.right(*args)) for args in asked.calls()]
    changed = _changed_argument(asked, calls)
    if not all(map(Numbers.equal, came, right)):
        known = _known_mistake(asked, came, right)
        return Verdict("wrong", known or changed or _help(asked, came, right, bool(model)))
    if changed:
        return Verdict("wrong", changed)
    if not model and came[0].shape != right[0].shape and len(right[0].values) > 1:
        message = f"The numbers are right, but {came[0]} came and {right[0]} is asked for."
        return Verdict("wrong", message)
    return Verdict("right", f"Right. {asked.moral}")


def _outcome(asked: Exercise, answer: Any, args: Args, names: list[str]) -> Numbers | Verdict:
    """The numbers that one call returned, or the verdict if there are none."""
    if not asked.made and (theirs := accepts(answer, args)):
        message = f"The arguments are others: `{asked.signature}` is asked for, `{theirs}` came."
        return Verdict("wrong", message, tried=False)
    try:
        with contextlib.redirect_stdout(Heard()) as printed:
            outcome = (asked.made(answer) if asked.made else answer)(*args)
            if isinstance(outcome, Iterator):
                outcome = list(outcome)
    except Mistake as mistake:
        return Verdict("wrong", str(mistake))
    except (Exception, SystemExit) as error:
        text = format_error(error)
        # Torch raises NotImplementedError too, for a dtype: "max" of complex numbers, say.
        stub = isinstance(error, NotImplementedError) and "not implemented for" not in text
        if stub or "ellipsis" in text:  # a `...` in a sum, say, of a function without source
            return asked.not_yet()
        cure = asked.look(args, error) or f"Asked for is {asked.ask}"
        return Verdict("wrong", f"{describe_failure(error, answer)} {cure}")
    if outcome is None and printed.anything:
        return Verdict("wrong", _PRINTED)
    if outcome is None or outcome is Ellipsis:
        return asked.not_yet()
    try:
        return Numbers.of(outcome, names)
    except (TypeError, ValueError, RuntimeError):
        kind = type(outcome).__name__
        message = f"What came, of type {kind}, cannot be read as numbers. Asked for is {asked.ask}"
        return Verdict("wrong", message)


_PRINTED = (
    "Your function prints the number and returns None, so its caller gets nothing. Write `return` "
    "in place of `print`."
)


def _known_mistake(asked: Exercise, came: list[Numbers], right: list[Numbers]) -> str | None:
    """The message of the mistake that has these numbers; None if there is none."""
    for message, functions in asked.mistakes.items():
        for function in functions:
            theirs = [Numbers.of(function(*args)) for args in asked.problems()]
            if all(map(Numbers.equal, came, theirs)):
                return message
    for args, c, r in zip(asked.problems(), came, right, strict=False):
        if r.shape is None or len(c.values) != len(r.values):
            continue
        if seen := asked.look(args, c.values.view(r.shape)):
            return seen
    return None if came[0].equal(came[-1]) else asked.unstable


def _changed_argument(asked: Exercise, calls: list[Args]) -> str | None:
    """The message if a call has changed an argument; None if not."""

    if asked.made:  # the arguments are not the student's
        return None

    def contents(argument: Any) -> Numbers:
        is_model = isinstance(argument, nn.Module)
        return Numbers.of(list(argument.parameters()) if is_model else argument)

    for now, before in zip(calls, asked.calls(), strict=True):
        for name, a, b in zip(asked.arguments, now, before, strict=True):
            if not isinstance(a, str) and not contents(a).equal(contents(b)):
                return (
                    f"Your function changes `{name}` itself, and its caller still needs it as it "
                    f"was. Work on a copy, or make something new."
                )
    return None


def _help(asked: Exercise, came: list[Numbers], right: list[Numbers], of_model: bool) -> str:
    """The message on numbers that are wrong and match no known mistake."""
    c, r = next((c, r) for c, r in zip(came, right, strict=True) if not c.equal(r))
    size = len(r.values)
    if len(c.values) != size:
        form = f"{size} numbers, a tensor like each parameter," if of_model else r
        return f"The size is another: {c} came, {form} is asked for. Return {asked.ask}"
    if not c.values.isfinite().all():
        which = "The number" if size == 1 else f"{(~c.values.isfinite()).sum()} of {size} numbers"
        return f"{which} came out as NaN or infinite. Look for a division by zero or a log of zero."
    if not c.values.any():
        return f"Everything came out as zero. Asked for is {asked.ask}"
    if factors := _factors(came[:-1], right[:-1]):
        if len(set(factors)) == 1:
            return f"Right up to a factor: what came is {factors[0]} times what is asked for."
        return (
            f"Right up to a factor, which is another for each problem: {', '.join(factors)} times "
            f"what is asked for. A sum in place of a mean, or the other way round?"
        )
    if any(map(Numbers.equal, came, right)):
        return (
            "Right for one problem, wrong for another: is there a number in your code that should "
            "be read from the arguments?"
        )
    worst = int((c.values - r.values).abs().argmax())
    these, yours = "These are not the numbers", "One of yours is"
    if size == 1:
        these, yours = "This is not the number", "Yours is"
    return (
        f"{these} asked for: {asked.ask} {yours} {c.values[worst]:.4g} where {r.values[worst]:.4g} "
        f"is right."
    )


def _factors(came: list[Numbers], right: list[Numbers]) -> list[str]:
    """The factor by which each is too large, in words; [] if they are not multiples."""
    pairs = [(c.values, r.values) for c, r in zip(came, right, strict=True)]
    if any(len(c) != len(r) for c, r in pairs):
        return []
    factors = [(c @ r / (r @ r)).item() for c, r in pairs]
    one = all(math.isclose(f, factors[0], rel_tol=1e-3) for f in factors)
    alone = all(len(r) == 1 for _, r in pairs)  # a single number is a multiple of any other
    if not all(map(Numbers.equal, came, right, factors)) or (alone and not one):
        return []
    return [_as_fraction(f) for f in factors]


def _as_fraction(x: float) -> str:
    near = Fraction(x).limit_denominator(20)
    return str(near).replace("-", "−") if math.isclose(near, x, rel_tol=1e-3) else f"{x:.4g}"
