"""What students answer in the first two lessons: to read a matrix, to fill one, to move pixels."""

import numpy as np
import torch

from cl_helpers.lessons.exercises import on_metrics


def matrix(learn, test, n, *, first=0, last=True, later=True, scale=1):
    rows = []
    for t in range(first, n + first):
        learn(t)
        rows.append([scale * test(j) if later or j <= t else 0 for j in range(n)])
    return rows if last else rows[:-1]


def columns_first(learn, test, n):
    a = np.empty((n, n))
    for t in range(n):
        learn(t)
        a[:, t] = [test(j) for j in range(n)]
    return a


def diagonal(learn, test, n):
    a = torch.zeros(n, n)
    for t in range(n):
        learn(t)
        a[t, t] = test(t)
    return a


def newest(learn, test, n):
    out = []
    for t in range(n):
        learn(t)
        out.append(test(t))
    return out


def gaps_above(learn, test, n):
    a = np.full((n, n), np.nan)
    for t in range(n):
        learn(t)
        for j in range(t + 1):
            a[t, j] = test(j)
    return a


def all_first(learn, test, n):
    for t in range(n):
        learn(t)
    return [[test(j) for j in range(n)] for _ in range(n)]


def early(learn, test, n):
    a = np.zeros((n, n))
    for t in range(n):
        for j in range(n):
            a[t, j] = test(j)
        learn(t)
    return a


def again(learn, test, n):
    a = np.zeros((n, n))
    for t in range(n):
        for j in range(n):
            learn(j)
            a[t, j] = test(j)
    return a


def learned_in_the_inner_loop(learn, test, n):
    a = np.zeros((n, n))
    for t in range(n):
        for j in range(n):
            learn(t)
            a[t, j] = test(j)
    return a


def from_image(change):
    return lambda side: np.ascontiguousarray(change(np.arange(side * side).reshape(side, side)))


def turned(side):
    return [(side - 1 - c) * side + r for r in range(side) for c in range(side)]


def shuffled(side):
    return torch.randperm(side * side, generator=torch.Generator().manual_seed(3))


def upper_part_left(a):
    return np.vstack([a[:-3], a[-3:, ::-1]])


def rows_shuffled(a):
    return a[np.random.default_rng(0).permutation(len(a))]


RIGHT = [
    ("start-read", 55),
    ("start-read", "55 %"),
    ("start-transfer", matrix),
    ("start-transfer", lambda learn, test, n: np.array(matrix(learn, test, n))),
    ("start-transfer", learned_in_the_inner_loop),
    ("permutation-read", 4),
    ("permutation-transfer", turned),
    ("permutation-transfer", from_image(np.fliplr)),
    ("permutation-transfer", from_image(np.flipud)),
    ("permutation-transfer", from_image(np.transpose)),
    ("permutation-transfer", lambda side: torch.arange(side * side).flip(0)),
]

WRONG = [
    ("start-read", 35, "oldest task"),
    ("start-read", 32, "never better than 70"),
    ("start-read", 42, "what is left"),
    ("start-read", 34, "a row too early"),
    ("start-read", -55, "sign"),
    ("start-read", 96 - 38, "along the last row"),
    ("start-read", 0.55, "a fraction"),
    ("start-read", 50, "That is not it"),
    ("start-transfer", columns_first, "exchanged"),
    ("start-transfer", diagonal, "Only the newest"),
    ("start-transfer", newest, "Only the newest"),
    ("start-transfer", lambda *args: matrix(*args, later=False), "come later"),
    ("start-transfer", gaps_above, "come later"),
    ("start-transfer", all_first, "All rows are alike"),
    ("start-transfer", early, "too early"),
    ("start-transfer", again, "learns the task again"),
    ("start-transfer", lambda *args: matrix(*args, scale=100), "per cent"),
    ("start-transfer", lambda *args: matrix(*args)[-1], "last row alone"),
    ("start-transfer", lambda *args: matrix(*args, first=1), "Task 3 was asked for. Python counts"),
    ("start-transfer", lambda *args: matrix(*args, last=False), "size is another"),
    ("start-transfer", lambda learn, test: test(0), "TypeError"),
    ("permutation-read", 3, "counted from 0"),
    ("permutation-read", 1, "earlier of the two"),
    ("permutation-read", 2, "then learned, so it is new"),
    ("permutation-transfer", shuffled, "% of the neighbouring pairs"),
    ("permutation-transfer", lambda side: range(side * side), "No pixel has moved"),
    ("permutation-transfer", from_image(rows_shuffled), "Whole rows.*was above"),
    ("permutation-transfer", from_image(lambda a: rows_shuffled(a).T), "Whole columns.*was beside"),
    ("permutation-transfer", from_image(lambda a: np.roll(a, 1, 1)), "side = 8, 93 %.*one edge"),
    ("permutation-transfer", lambda side: np.array(turned(side)) + 1, "counts from 1"),
    ("permutation-transfer", lambda side: [0] * side**2, "no permutation"),
    ("permutation-transfer", range, "784 numbers are asked for.*28 came"),
    ("permutation-transfer", lambda side: turned(28), "64 numbers are asked for.*784 came"),
    ("permutation-transfer", from_image(upper_part_left), "of 784 pixels have not moved"),
]


def test_the_calculator_forgets_what_can_be_worked_out_by_hand():
    """d + 1 on all digits, then d + 2 on 0 to 4, then 2d on 1 to 7, then 9 − d on 3 to 9."""
    answers = dict.fromkeys(range(10), 0)
    rules = [
        {d: (d + 1) % 10 for d in range(10)},
        {d: d + 2 for d in range(5)},
        {d: 2 * d % 10 for d in range(1, 8)},
        {d: 9 - d for d in range(3, 10)},
    ]
    expected = []
    for rule in rules:
        answers |= rule
        expected.append([np.mean([answers[d] == r[d] for d in r]) for r in rules])
    np.testing.assert_allclose(matrix(*on_metrics._calculator(4)), expected)
