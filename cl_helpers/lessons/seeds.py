"""What several seeds tell: a mean with its spread, and whether a difference may be chance."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from statistics import fmean, stdev
from typing import NamedTuple


class Difference(NamedTuple):
    """How far two sets of runs with the same seeds differ.

    Attributes:
        mean: of the differences within a seed; NaN if a run has no value.
        half: half the width of its 95 % interval (Student's t).
    """

    mean: float
    half: float

    @property
    def verdict(self) -> str:
        """Whether seeds alone can explain the mean: they can if its interval contains 0."""
        if isnan(self.mean):
            return "undecided: a run has no result"
        return "beyond seeds" if abs(self.mean) > self.half else "within seeds"


def difference(a: Sequence[float], b: Sequence[float]) -> Difference:
    """Compute the mean of a − b within each seed, and half its 95 % interval.

    Args:
        a, b: a value for each of two or more seeds, in the same order. NaN, a run without a
            result, makes both numbers NaN.

    Raises:
        ValueError: there are fewer than two seeds, or a and b have not as many.
    """
    from scipy.stats import t  # takes long to import

    if len(a) != len(b) or len(a) < 2:
        raise ValueError(
            f"there are {len(a)} and {len(b)} seeds: give two or more, as many of both"
        )
    d = [x - y for x, y in zip(a, b, strict=True)]
    if isnan(mean := fmean(d)):
        return Difference(mean, mean)
    return Difference(mean, float(t.ppf(0.975, len(d) - 1)) * stdev(d) / len(d) ** 0.5)


def mean_sd(values: Sequence[float], digits: int = 1) -> str:
    """Format mean ± standard deviation of `values`, the mean alone if there is one.

    Args:
        values: one or more, of seeds. NaN, of a run that diverged or was stopped, is "no result".
        digits: after the decimal point. Default 1.
    """
    if isnan(fmean(values)):
        return "no result"
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{fmean(values):.{digits}f}{spread}"
