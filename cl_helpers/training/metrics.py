"""The metrics of continual learning, from the accuracy matrix. NumPy only.

Everywhere a[t, j] is the accuracy on task j after training on task t, in [0, 1]; NaN where it was
not evaluated. In the formulas tasks are counted from 1 to T, in the arrays from 0. A run that was
stopped has only its first rows; the metrics are then those after the last complete row, or NaN if
later rows are there in part (`looks_back`). Forgetting starts from the best of what was evaluated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def average_accuracy(a: ArrayLike) -> float:
    """Compute the mean accuracy on all tasks seen so far, 1/T Σ_j a[T, j]; NaN if there is none.

    `a` is (T, T).
    """
    rows = _finished(a)
    return float(rows[-1, : len(rows)].mean()) if len(rows) else float("nan")


def average_accuracies(a: ArrayLike) -> NDArray:
    """Compute the average accuracy after each task t, 1/t Σ_{j≤t} a[t, j]: (T,) from `a` (T, T)."""
    a = np.asarray(a, dtype=float)
    return np.array([row[: t + 1].mean() for t, row in enumerate(a)])


def forgettings(a: ArrayLike) -> NDArray:
    """Compute how much accuracy each task lost, max_{t<T} a[t, j] − a[T, j]: (T − 1,).

    `a` is (T, T); the last task is left out. A negative number is a gain.
    """
    rows = _finished(a)
    last = len(rows) - 1
    if last < 1:
        return np.empty(0)
    return np.fmax.reduce(rows[:last, :last]) - rows[last, :last]  # fmax passes over NaN


def forgetting(a: ArrayLike) -> float:
    """Compute the mean of `forgettings` over the tasks before the last; NaN if there is none.

    `a` is (T, T). Chaudhry et al. 2018, arXiv:1801.10112.
    """
    return _mean(forgettings(a))


def backward_transfer(a: ArrayLike) -> float:
    """Compute the mean over j < T of a[T, j] − a[j, j]; NaN if there is one task alone.

    Negative: later tasks have lowered the accuracy on earlier ones. `a` is (T, T).
    Lopez-Paz & Ranzato 2017, arXiv:1706.08840, eq. 3.
    """
    rows = _finished(a)
    last = len(rows) - 1
    return _mean(rows[last, j] - rows[j, j] for j in range(last))


def forward_transfer(a: ArrayLike, initial: ArrayLike) -> float:
    """Compute the mean over j > 1 of a[j−1, j] − initial[j]; NaN if there is one task alone.

    Positive: earlier tasks help with a task before it is trained on. `a` is (T, T), `initial` (T,)
    the accuracy before any training. Lopez-Paz & Ranzato 2017, arXiv:1706.08840, eq. 4.
    """
    a, initial = np.asarray(a, dtype=float), np.asarray(initial, dtype=float)
    seen = len(_finished(a))
    return _mean(a[j - 1, j] - initial[j] for j in range(1, min(seen + 1, len(a))))


def intransigence(a: ArrayLike, reference: ArrayLike) -> float:
    """Compute the mean over j of reference[j] − a[j, j]: what was not learned in its turn.

    Positive: old tasks, or what protects them, kept the model from learning new ones as well as the
    reference did. Negative: old tasks helped. NaN if the diagonal was not evaluated.

    With one number R as the reference, the average accuracy is R − intransigence + (T − 1)/T ·
    backward transfer: what is missing was either not learned, or lost later.

    Args:
        a: (T, T).
        reference: (T,), or one number for all tasks: the accuracy on task j of a model that learns
            without a past. Chaudhry et al. 2018, arXiv:1801.10112, take joint training on the
            tasks 1 to j; a model trained on task j alone is cheaper. Say which.

    Raises:
        ValueError: `reference` has another number of tasks.
    """
    diagonal = np.diagonal(_finished(a))
    reference = np.asarray(reference, dtype=float)
    if reference.shape not in ((), (len(np.asarray(a)),)):
        raise ValueError(f"reference is {reference.shape}: give one number, or one for each task")
    return _mean(np.broadcast_to(reference, len(np.asarray(a)))[: len(diagonal)] - diagonal)


def bits(nats: float) -> float:
    """Convert a cross-entropy from `nats` to bits: divide by ln 2.

    Of a text, read character by character, it is the number of bits per character that the model
    would need to store it; a model that finds K characters equally likely needs log₂ K.
    """
    return nats / math.log(2)


def steps_to(target: float, steps: ArrayLike, accuracy: ArrayLike) -> float:
    """Find the first of `steps` (N,) at which `accuracy` (N,) is `target` or more; ∞ if none is.

    ∞ means "not within these steps". A median over runs counts it as later than any step; without
    such runs the slowest setting would look fast.
    """
    reached = np.flatnonzero(np.asarray(accuracy) >= target)
    return float(np.asarray(steps)[reached[0]]) if len(reached) else float("inf")


def _finished(a: ArrayLike) -> NDArray:
    """The rows up to the last complete one; raises ValueError unless `a` is square."""
    a = np.asarray(a, dtype=float)
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(f"an accuracy matrix is square, this is {a.shape}")
    complete = [t for t in range(len(a)) if not np.isnan(a[t, : t + 1]).any()]
    last = complete[-1] + 1 if complete else 0
    if not np.isnan(np.diagonal(a)[last:]).all():
        return a[:0]  # a run that looked back on few tasks, stopped: its last row is not complete
    return a[:last]


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return float(np.mean(values)) if values else float("nan")
