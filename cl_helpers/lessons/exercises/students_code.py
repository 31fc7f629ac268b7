"""What a student gave, looked at without judging it: gaps, arguments, where an error came from."""

from __future__ import annotations

import ast
import contextlib
import inspect
import linecache
import sys
import textwrap
import threading
import traceback
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from ...formats import format_error

LONG_SECONDS = 20.0  # longer than any exercise takes on a slow laptop

_STILL_RUNNING = (
    "Your code has been running for {:.0f} s. If it does not end by itself, interrupt it: the ■ "
    "button, or Kernel → Interrupt Kernel in the menu. Then look at the condition of its loop."
)


@contextlib.contextmanager
def told_when_long() -> Iterator[None]:
    """Print how to interrupt the kernel if the body takes longer than `LONG_SECONDS`.

    A thread prints it. So it works on every system, and the body itself is left alone.
    """
    line = _STILL_RUNNING.format(LONG_SECONDS)
    timer = threading.Timer(LONG_SECONDS, print, [line], {"file": sys.stdout, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Heard:
    """Standard output, passed on; remembers whether anything was printed."""

    def __init__(self) -> None:
        self.stream, self.anything = sys.stdout, False

    def write(self, text: str) -> int:
        """Write `text` to the stream behind."""
        self.anything = True
        return self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def has_a_gap(answer: Any) -> bool:
    """Whether there is a `...` in the source, except in an index; False if there is no source.

    A class has a gap if one of its own functions has, if an attribute is `...`, or if nothing is
    written in it.

    Args:
        answer: what a student gave.
    """
    if inspect.isclass(answer):
        own = [value for name, value in vars(answer).items() if not name.startswith("__")]
        own += [value for value in vars(answer).values() if inspect.isfunction(value)]
        return not own or any(value is Ellipsis or has_a_gap(_unwrapped(value)) for value in own)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(answer)))
    except (OSError, TypeError, SyntaxError):
        return False
    indices = (n.slice for n in ast.walk(tree) if isinstance(n, ast.Subscript))
    in_index = {id(n) for index in indices for n in ast.walk(index)}
    return any(
        isinstance(n, ast.Constant) and n.value is Ellipsis and id(n) not in in_index
        for n in ast.walk(tree)
    )


def accepts(answer: Callable, args: tuple) -> str | None:
    """Return None if `answer` can be called with `args`; otherwise its signature.

    Args:
        answer: what a student gave.
        args: of one call.
    """
    try:
        signature = inspect.signature(answer)
    except (TypeError, ValueError):  # a function in C may have no signature
        return None
    try:
        signature.bind(*args)
    except TypeError:
        return str(signature)
    return None


def describe_failure(error: BaseException, answer: Any) -> str:
    """Describe an exception, and which line of the answer it came from.

    Args:
        error: the exception.
        answer: what a student gave.
    """
    message = format_error(error).replace("`", "'")  # which Markdown leaves alone
    described = f"`{message}`" if len(message) <= 200 else f"`{message[:200]} …`"
    codes = _codes(answer)
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        if code in codes:
            text = linecache.getline(code.co_filename, line).strip().replace("`", "'")
            described += f" in line {line - code.co_firstlineno + 1} of {code.co_name}"
            described += f", `{text}`" if text else ""
            break
    return described + "."


def _unwrapped(value: Any) -> Any:
    """The function behind a property, class method or decorator."""
    value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
    return inspect.unwrap(value) if callable(value) else value


def _codes(answer: Any) -> list[CodeType]:
    """The code of a function, or of each function of a class."""
    functions = vars(answer).values() if inspect.isclass(answer) else (answer,)
    codes = (getattr(_unwrapped(function), "__code__", None) for function in functions)
    return [code for code in codes if code]
