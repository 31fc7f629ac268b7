"""How values, errors and tensors are written for people: one formatter for each kind of thing."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def format_value(value: object) -> str:
    """A setting's value: 0.0001, 1e-05, 128, adam."""
    return f"{value:g}" if isinstance(value, float) else f"{value}"


def format_setting(name: str, value: object) -> str:
    """A setting with its name: lr=0.0001."""
    return f"{name}={format_value(value)}"


def format_lam(lam: float) -> str:
    """λ on a slider and beside it: off, 0.02, 400, 10,000."""
    return "off" if not lam else f"{lam:,.0f}" if lam >= 1_000 else f"{lam:g}"


def format_knob(name: str, value: float | str) -> str:
    """The value of a method's knob: λ as `format_lam` writes it, 1,000, true."""
    if name == "lam" and not isinstance(value, str):
        return format_lam(value)
    return value if isinstance(value, str) else f"{value:,}"


def format_number(value: float) -> str:
    """Two decimals and a true minus sign; a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:.2f}".replace("-", "−")


def format_percent(share: float) -> str:
    """A share in whole per cent; a dash for NaN."""
    return "–" if math.isnan(share) else f"{share:.0%}"


def format_duration(seconds: float) -> str:
    """A duration: 45 s, 3 min."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def format_tensor(tensor: Tensor) -> str:
    """A tensor's type and shape, without its values."""
    return f"{tensor.dtype} of shape {tuple(tensor.shape)}"


def format_error(error: BaseException) -> str:
    """An exception's type and message, in one line."""
    text = type(error).__name__
    with suppress(Exception):  # an exception of anybody's may not know its own text
        text = f"{text}: {error}".removesuffix(": ")
    return " ".join(text.split())


def first_line(error: BaseException) -> str:
    """The first line of what an exception says; its type if it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def format_printable(value: object, longest: int = 64) -> str:
    """Text that is safe to show, in one line of at most `longest` characters; "" for no text."""
    text = value if isinstance(value, str) else ""
    text = "".join(c if c.isprintable() else "�" for c in text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def format_untrusted(value: object) -> str:
    """A value from anybody's file; letters that only look like ASCII are spelt out."""
    return format_printable(ascii(value), 48)
