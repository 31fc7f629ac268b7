"""Numbers as a page takes them: JSON has no NaN, and no arrays."""

from __future__ import annotations

import math
from base64 import b64encode

import numpy as np
from numpy.typing import NDArray


def number(value: float, digits: int = 4) -> float | None:
    """A number; None where there is none."""
    return round(float(value), digits) if math.isfinite(value) else None


def numbers(values: NDArray, digits: int = 4) -> list:
    """The same of an array, in lists."""
    return [numbers(v, digits) if isinstance(v, np.ndarray) else number(v, digits) for v in values]


def packed(values: NDArray) -> str:
    """An array row by row, as little-endian float32, in base64."""
    return b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()
