"""Exercises of lesson 03: right answers as students write them, and each usual mistake."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from cl_helpers.lessons.exercises import EXERCISES

# --- read: the matrix of the text ---

A = [[97], [90, 91], [85, 83, 86]]
REFERENCE = [97, 96, 95]


# --- transfer: each end by search, and with slips ---


def by_search(h, best, lam):
    """Each end by a numerical minimisation of the losses as they are written in the text."""
    ends = [best[0]]
    for t in range(1, len(h)):
        omega, anchor = sum(h[:t]), ends[-1]

        def loss(x, t=t, omega=omega, anchor=anchor):
            return 0.5 * h[t] * (x - best[t]) ** 2 + lam * 0.5 * omega * (x - anchor) ** 2

        ends.append(minimize_scalar(loss, options={"xtol": 1e-10}).x)
    return np.array(ends)


def walk(h, best, lam, *, omega=lambda h, t: sum(h[:t]), anchor="end", past=1, new=1):
    ends = [best[0]]
    for t in range(1, len(h)):
        at = {"end": ends[-1], "minimum": best[t - 1], "first": best[0]}[anchor]
        old, now = lam**past * omega(h, t), lam ** (1 - new) * h[t]
        ends.append((now * best[t] + old * at) / (now + old))
    return ends


def again_and_again(h, best, lam):
    ends, omega = [best[0]], 0
    for t in range(1, len(h)):
        omega = lam * (omega + h[t - 1])
        ends.append((h[t] * best[t] + omega * ends[-1]) / (h[t] + omega))
    return ends


def with_(**how):
    return lambda h, best, lam: walk(h, best, lam, **how)


RIGHT = [
    ("baseline-read", REFERENCE[2] - A[2][2]),
    ("baseline-read", "9"),
    ("baseline-transfer", by_search),
]

MEAN = sum(r - row[-1] for r, row in zip(REFERENCE, A, strict=True)) / 3

WRONG = [
    ("baseline-read", A[2][2] - REFERENCE[2], "sign"),
    ("baseline-read", REFERENCE[1] - A[1][1], "task 2"),
    ("baseline-read", A[0][0] - A[2][0], "forgetting"),
    ("baseline-read", A[1][1] - A[2][1], "forgetting"),
    ("baseline-read", A[0][0] - A[2][2], "97"),
    ("baseline-read", MEAN, "mean"),
    ("baseline-read", 86, "accuracy itself"),
    (
        "compromise",
        lambda a, h_a, b, h_b, lam: (h_b * b - lam * h_a * a) / (h_b + lam * h_a),
        "sign of a",
    ),
    ("baseline-transfer", with_(omega=lambda h, t: h[t - 1]), "newest task"),
    ("baseline-transfer", with_(omega=lambda h, t: h[0]), "first task is remembered"),
    ("baseline-transfer", with_(omega=lambda h, t: sum(h[: t + 1])), "own curvature"),
    ("baseline-transfer", with_(anchor="minimum"), r"training \*ended\*"),
    ("baseline-transfer", with_(anchor="first"), "anchor stays"),
    ("baseline-transfer", with_(past=0), "no difference"),
    ("baseline-transfer", with_(past=0, new=0), "on the new task"),
    ("baseline-transfer", again_and_again, "again and again"),
    ("baseline-transfer", with_(omega=lambda h, t: sum(h[:t]) / t), "mean of the curvatures"),
    ("baseline-transfer", lambda h, best, lam: best, "nothing holds"),
    ("baseline-transfer", lambda h, best, lam: walk(h, best, lam)[-1], "size is another"),
    ("baseline-transfer", lambda h, best, lam: walk(h, best, lam)[1:], "size is another"),
]


def test_at_lambda_one_the_end_is_that_of_joint_training():
    h, best = np.array([2.0, 0.5, 3.0, 1.0]), np.array([1.0, -2.0, 0.3, 4.0])
    joint = minimize_scalar(lambda x: sum(0.5 * h * (x - best) ** 2)).x
    assert EXERCISES["baseline-transfer"].solution(h, best, 1.0)[-1] == pytest.approx(joint)
