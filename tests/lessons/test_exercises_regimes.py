"""Notebook 11: answers as students write them, right and wrong, and what `check` says."""

import math

import torch

from cl_helpers.lessons.exercises import EXERCISES


def bisected(h, *, low=0.0, high=1e3):
    """The limit found by trying, without an eigenvalue."""
    for _ in range(40):
        rate, x = math.sqrt(max(low, 1e-9) * high), torch.ones(len(h), dtype=h.dtype)
        for _ in range(400):
            x = x - rate * h @ x
        low, high = (rate, high) if x.norm() < 1 else (low, rate)
    return low


def by_power_iteration(h):
    v = torch.ones(len(h), dtype=h.dtype)
    for _ in range(2_000):
        v = h @ v / (h @ v).norm()
    return (2 / (v @ h @ v)).item()


RIGHT = [
    ("regimes-read", " a"),
    ("regimes-transfer", bisected),
    ("regimes-transfer", by_power_iteration),
    ("regimes-transfer", lambda h: 2.0 / max(torch.linalg.eigh(h).eigenvalues)),
    ("regimes-transfer", lambda h: 2 / torch.linalg.svdvals(h)[:1]),
]


def mu(h, which=-1):
    return torch.linalg.eigvalsh(h)[which].item()


WRONG = [
    ("regimes-read", "C", "smallest sharpness"),
    ("regimes-read", "D", "shortest distance"),
    ("regimes-read", "b", "highest"),
    ("regimes-transfer", lambda h: 1 / mu(h), "single step"),
    ("regimes-transfer", lambda h: 2 / mu(h, 0), "smallest"),
    ("regimes-transfer", lambda h: 2 / sum(h.diag()).item(), "trace"),
    ("regimes-transfer", lambda h: 2 / h.diag().mean(), "average"),
    ("regimes-transfer", lambda h: 2 / torch.linalg.norm(h), "Frobenius"),
    ("regimes-transfer", lambda h: 2 / h.max(), "largest entry"),
    ("regimes-transfer", lambda h: mu(h) / 2, "Upside down"),
    ("regimes-transfer", lambda h: -2 / mu(h), "sign"),
    ("regimes-transfer", lambda h: 2 / mu(h) ** 2, "squared"),
    ("regimes-transfer", lambda h: 1.8 / mu(h), r"still converges.* 0\.86 times"),
    ("regimes-transfer", lambda h: 3 / mu(h), r"makes x 2 times as long"),
    ("regimes-transfer", torch.linalg.eigvalsh, "learning rate above which"),
]


def test_the_bounds_that_are_read():
    bounds = {
        letter: sharpness * distance**2 / 2
        for letter, (sharpness, distance) in {
            "A": (12, 2), "B": (3, 5), "C": (0.7, 9), "D": (30, 1.4),
        }.items()
    }  # fmt: skip
    assert min(bounds, key=bounds.get) == EXERCISES["regimes-read"].right
