"""One-line checks of arguments: each raises a ValueError that names the value and the cure."""

from __future__ import annotations

import math
import numbers
import sys
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


def at_least_one(name: str, value: object) -> None:
    """Raise unless `value` is a whole number, 1 or more."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is {value!r}: choose a whole number, 1 or more")


def whole(name: str, value: object) -> None:
    """Raise unless `value` is a whole number, 0 or more."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is {value!r}: choose a whole number, 0 or more")


def whole_or_none(name: str, value: object) -> None:
    """Raise unless `value` is None, or a whole number, 0 or more."""
    if value is not None:
        whole(name, value)


def above_zero(name: str, value: float) -> None:
    """Raise unless `value` is a finite number above 0."""
    if not (isinstance(value, numbers.Real) and 0 < value < math.inf):
        raise ValueError(f"{name} is {value!r}: choose a number above 0")


def zero_or_more(name: str, value: float) -> None:
    """Raise unless `value` is a finite number, 0 or more."""
    if not (isinstance(value, numbers.Real) and 0 <= value < math.inf):
        raise ValueError(f"{name} is {value!r}: choose a number, 0 or larger")


def below_one(name: str, value: float) -> None:
    """Raise unless `value` is 0 or more, and below 1."""
    if not (isinstance(value, numbers.Real) and 0 <= value < 1):
        raise ValueError(f"{name} is {value!r}: choose 0 ≤ {name} < 1")


def up_to_one(name: str, value: float) -> None:
    """Raise unless `value` is a number from 0 to 1."""
    if not (isinstance(value, numbers.Real) and 0 <= value <= 1):
        raise ValueError(f"{name} is {value!r}: choose 0 to 1")


def one_of(name: str, value: object, *choices: str) -> None:
    """Raise unless `value` is among `choices`."""
    if value not in choices:
        listed = ", ".join(f'"{choice}"' for choice in choices[:-1])
        raise ValueError(f'{name} is {shortened(value)}: choose {listed} or "{choices[-1]}"')


def true_or_false(name: str, value: object) -> None:
    """Raise unless `value` is True or False."""
    if value not in (True, False):
        raise ValueError(f"{name} is {value!r}: choose True or False")


def seeded(seed: object) -> torch.Generator:
    """Make a torch generator that starts at `seed`.

    Raises:
        ValueError: `seed` is not a whole number between −2⁶³ and 2⁶³.
    """
    if not isinstance(seed, numbers.Integral) or isinstance(seed, bool) or abs(int(seed)) >= 2**63:
        raise ValueError(f"seed is {seed!r}: choose a whole number below 2⁶³")
    import torch  # here: the quiz does without

    return torch.Generator().manual_seed(int(seed))


def plain(value: Any) -> Any:
    """Turn any number into a Python number, as JSON needs it; leave all else unchanged."""
    if isinstance(value, numbers.Real) and not isinstance(value, int | float | np.generic):
        return float(value)  # a fraction
    return value.item() if isinstance(value, np.generic) else value


def shortened(value: object) -> str:
    """What `repr` writes, in a line of at most 60 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}…"


def warn(text: str) -> None:
    """Warn with `text`, at the line outside of this package that has called it."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals["__name__"].startswith(f"{__package__}."):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, stacklevel=level)
