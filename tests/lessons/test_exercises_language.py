"""Notebook 13: answers as students write them, right and wrong, and what `check` says."""

import numpy as np
import pytest
import torch

from cl_helpers.lessons.exercises import check


def adapted(*, scale=lambda alpha, r, w: alpha / r, sign=1, turn=False, old=True, all_of_it=False):
    def answer(W, A, B, alpha):
        change = torch.zeros_like(W)
        for i in range(len(B)):
            for j in range(A.shape[1]):
                for k in range(len(A)):
                    change[j if turn else i, i if turn else j] += B[i, k] * A[k, j]
        factor = sign * scale(alpha, len(A), len(W))
        return factor * (W + change) if all_of_it else old * W + factor * change

    return answer


def in_place(W, A, B, alpha):
    W += alpha / len(A) * B @ A
    return W


def how_far(*, of=lambda old, new: (old + new) / 2, losses=False, pick=min, back=False, n=11):
    def answer(before, after, loss_old, loss_new):
        found = []
        for k in range(n):
            w = k / (n - 1)
            if losses:
                both = [(1 - w) * f(before) + w * f(after) for f in (loss_old, loss_new)]
            else:
                start, end = (after, before) if back else (before, after)
                both = [f((1 - w) * start + w * end) for f in (loss_old, loss_new)]
            found.append((of(*both), w))
        return pick(found)[1]

    return answer


RIGHT = [
    ("language-read", "C"),
    ("language-read", " c "),
    ("language", adapted()),
    ("language", lambda W, A, B, alpha: W + (B * (alpha / A.shape[0])) @ A),
    ("language-transfer", how_far()),
    ("language-transfer", lambda a, b, f, g: np.float64(how_far()(a, b, f, g))),
]
WRONG = [
    ("language-read", "A", "forgot least of all four"),
    ("language-read", "b", "compromise between A and D"),
    ("language-read", "D", "also learned most"),
    ("language", adapted(scale=lambda alpha, r, w: 1), "factor α/r is missing"),
    ("language", adapted(scale=lambda alpha, r, w: alpha), "not divided by the rank"),
    ("language", adapted(scale=lambda alpha, r, w: alpha / w), "width of W"),
    ("language", adapted(scale=lambda alpha, r, w: alpha * r), "you multiplied by r"),
    ("language", adapted(scale=lambda alpha, r, w: r / alpha), "upside down"),
    ("language", adapted(scale=lambda alpha, r, w: alpha / r**0.5), "√r"),
    ("language", adapted(scale=lambda alpha, r, w: alpha / 8), "The lesson's rank 8"),
    ("language", adapted(sign=-1), "added to W, not subtracted"),
    ("language", adapted(old=False), "the change alone"),
    ("language", adapted(turn=True), "transposed"),
    ("language", adapted(all_of_it=True), "W itself is not scaled"),
    ("language", in_place, "changes `W` itself"),
    ("language-transfer", how_far(of=lambda old, new: new), "Only the new loss"),
    ("language-transfer", how_far(of=lambda old, new: old), "Only the old loss"),
    ("language-transfer", how_far(losses=True), "average the .losses. of both ends"),
    ("language-transfer", how_far(pick=max), "`min`, not `max`"),
    ("language-transfer", how_far(back=True), "other way round"),
    ("language-transfer", how_far(of=max), "larger of the two"),
    ("language-transfer", how_far(of=lambda old, new: abs(old - new)), "difference of the two"),
    ("language-transfer", lambda before, after, f, g: 0.5, "Always the middle"),
    ("language-transfer", lambda *args: 10 * how_far()(*args), "place of w in the list"),
    ("language-transfer", how_far(n=101), "other values of w"),
    ("language-transfer", lambda *args: min(how_far()(*args), 0.9), "other values of w"),
]


@pytest.mark.parametrize("exercise", ["language", "language-transfer"])
def test_not_yet(exercise):
    assert check(exercise, lambda *args: ...).status == "not yet"
