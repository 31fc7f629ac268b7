"""Lesson 14: right and wrong answers as students write them, and what `check` says to each."""

import numpy as np
import torch
from torch.nn import functional as F

# --- the running mean, in loops ---


def running_mean(mean, n, phi, *, old=None, new=None, divide=None):
    """old, new: what the old mean and each new feature are multiplied by."""
    total = mean * (n if old is None else old(n, len(phi)))
    for row in phi:
        total = total + row * (1 if new is None else new(n, len(phi)))
    return total / (n + len(phi) if divide is None else divide(n, len(phi)))


def weighed(**how):
    return lambda mean, n, phi: running_mean(mean, n, phi, **how)


def two_means(mean, n, phi):
    return np.mean([mean.numpy(), phi.mean(0).numpy()], 0)


def one_after_the_other(mean, n, phi):
    for row in phi:
        n += 1
        mean = mean + (row - mean) / n
    return mean


def as_numpy(mean, n, phi):
    return (n * mean.numpy() + phi.numpy().sum(0)) / (n + phi.shape[0])


def moving(mean, n, phi):
    for row in phi[-1:]:
        mean = (mean + row) / 2
    return mean


# --- the two sums ---


def collect(G, C, phi, y, *, add=True, weight=None, centre=False):
    """In loops over the examples."""
    if centre:
        phi = phi - phi.mean(0)
    G, C = (G.clone(), C.clone()) if add else (torch.zeros_like(G), torch.zeros_like(C))
    for row, label in zip(phi, y, strict=True):
        w = 1 if weight is None else weight(len(y))
        G += w * torch.outer(row, row)
        C[:, label] += w * row
    return G, C


def with_einsum(G, C, phi, y):
    targets = torch.nn.functional.one_hot(y, C.shape[1]).float()
    return G + torch.einsum("bi,bj->ij", phi, phi), C + torch.einsum("bi,bk->ik", phi, targets)


def only_the_diagonal(G, C, phi, y):
    return G + torch.diag(phi.pow(2).sum(0)), collect(G, C, phi, y)[1]


def g_of_the_newest(G, C, phi, y):
    return collect(torch.zeros_like(G), C, phi, y)


def c_of_the_newest(G, C, phi, y):
    return collect(G, torch.zeros_like(C), phi, y)


def averaged(G, C, phi, y):
    new = collect(G, C, phi, y)
    return new[0] / 2, new[1] / 2


def outer_of_the_sum(G, C, phi, y):
    s = phi.sum(0)
    return G + s[:, None] * s[None], C + phi.T @ F.one_hot(y, C.shape[1]).float()


RIGHT = [
    ("pretrained-read", 2.5),
    ("pretrained-read", "2.5"),
    ("pretrained", running_mean),
    ("pretrained", one_after_the_other),
    ("pretrained", as_numpy),
    ("pretrained-transfer", collect),
    ("pretrained-transfer", with_einsum),
]

WRONG = [
    ("pretrained-read", 82 - 21.5, "gives to everybody"),
    ("pretrained-read", 82 - 12.1, "It forgets"),
    ("pretrained-read", 91.2 - 82, "the upper bound"),
    ("pretrained-read", 82, "accuracy itself"),
    ("pretrained-read", 79.5, "the trivial baseline itself"),
    ("pretrained-read", -2.5, "counts as positive"),
    ("pretrained", two_means, "new one count the same"),
    ("pretrained", weighed(old=lambda n, b: b, new=lambda n, b: n / b), "exchanged"),
    ("pretrained", lambda m, n, phi: running_mean(0 * m, 0, phi), "forgot the old mean"),
    ("pretrained", weighed(divide=lambda n, b: n + 1), "one more example"),
    ("pretrained", weighed(divide=lambda n, b: b), "divided by B alone"),
    ("pretrained", weighed(old=lambda n, b: 1), "The old mean counts once"),
    ("pretrained", weighed(divide=lambda n, b: 1), "That is a sum"),
    ("pretrained", weighed(new=lambda n, b: 1 / b), "where its sum belongs"),
    ("pretrained", moving, "moving average"),
    ("pretrained-transfer", lambda *a: collect(*a, add=False), "replaces all"),
    ("pretrained-transfer", g_of_the_newest, "G is replaced"),
    ("pretrained-transfer", c_of_the_newest, "C is replaced"),
    ("pretrained-transfer", lambda *a: collect(*a, weight=lambda b: 1 / b), "means of batches"),
    ("pretrained-transfer", only_the_diagonal, "diagonal alone"),
    ("pretrained-transfer", lambda *a: collect(*a, centre=True), "subtract the mean"),
    ("pretrained-transfer", averaged, "averaged with the old"),
    ("pretrained-transfer", outer_of_the_sum, "outer product of the sum"),
]  # fmt: skip
