"""Lessons 08 and 08b: right and wrong answers as students write them, and what `check` says."""

import math

import numpy as np
import pandas as pd
import torch

# --- 08 ---


def mirrored(logits, y):
    middle = logits.mean(dim=0, keepdim=True)
    return middle - (logits - middle)


def in_another_place(logits, y):
    """Each image gets the logits of the first image left whose label is another."""
    left, out = list(range(len(y))), []
    for label in y.tolist():
        taken = max((i for i in left if y[i] != label), key=lambda i: int(y[i] == y[left[-1]]))
        left.remove(taken)
        out.append(logits[taken])
    return torch.stack(out)


def by_half_a_turn(logits, y):
    """The labels come in order, and no class has half of the images."""
    return np.roll(logits.numpy(), len(y) // 2, axis=0)


DRAWN = torch.Generator().manual_seed(1)


def shuffled(logits, y):
    """Another order at each call."""
    return logits[torch.randperm(len(y), generator=DRAWN)]


def lowered(logits, y, give_back=False):
    out = logits.clone()
    for n, label in enumerate(y):
        out[n, label] -= 30
    return out


# --- 08b ---


def intransigence(a, reference, *, at=None, tasks=slice(None), sign=1):
    total = []
    for j in range(len(a))[tasks]:
        after = a[j, j] if at is None else at(a, j)
        total.append(sign * (reference[j] - after))
    return sum(total) / len(total)


def choose(runs, *, column="held_out", diverged="drop"):
    table = pd.DataFrame(runs)
    if diverged == "drop":
        bad = table[table.held_out.isna()].lam.unique()
        table = table[~table.lam.isin(bad)]
    return table.groupby("lam")[column].mean().idxmax()


def choose_in_loops(runs):
    best, best_mean = None, -1.0
    for lam in {run["lam"] for run in runs}:
        accuracies = [run["held_out"] for run in runs if run["lam"] == lam]
        mean = sum(accuracies) / len(accuracies)
        if mean > best_mean:  # never so of NaN
            best, best_mean = lam, mean
    return best


def best_run(runs):
    return max((r for r in runs if not math.isnan(r["held_out"])), key=lambda r: r["held_out"])


def median_of(runs):
    return pd.DataFrame(runs).groupby("lam").held_out.median(), pd.DataFrame(runs)


def by_median(runs):
    table = pd.DataFrame(runs)
    bad = set(table[table.held_out.isna()].lam)
    return table[~table.lam.isin(bad)].groupby("lam").held_out.median().idxmax()


def first_in_max(runs):
    lams = list(dict.fromkeys(r["lam"] for r in runs))
    return max(lams, key=lambda lam: np.mean([r["held_out"] for r in runs if r["lam"] == lam]))


RIGHT = [
    ("scp-read", 12.5),
    ("scp-read", "12.5"),
    ("scp-transfer", mirrored),
    ("scp-transfer", by_half_a_turn),
    ("scp-transfer", lambda logits, y: mirrored(logits.float(), y)),
    ("compared-read", 4 / 3),
    ("compared-read", 1.3),
    ("compared", intransigence),
    ("compared", lambda a, reference: np.mean(reference - a.diagonal())),
    ("compared-transfer", choose),
    ("compared-transfer", choose_in_loops),
]

WRONG = [
    ("scp-read", 25, r"mean of u uᵀ is the identity divided by K"),
    ("scp-read", 22.5, r"image by image"),
    ("scp-read", 0, r"averaged the slices"),
    ("scp-read", 50, r"sum over the two images"),
    ("scp-read", 5, r"Not squared"),
    ("scp-transfer", lambda logits, y: -logits, r"Mirror the logits at their mean"),
    (
        "scp-transfer",
        lambda logits, y: (
            logits[:, [1, 2, 3, 0][: logits.shape[1]]]
            if logits.shape[1] == 4
            else logits[:, [1, 2, 0]]
        ),
        r"from one class to another",
    ),
    ("scp-transfer", lambda logits, y: logits, r"all are still right"),
    ("scp-transfer", lambda logits, y: 3 * logits - 2 * logits.mean(0), r"Stretching the cloud"),
    ("scp-transfer", lambda logits, y: logits.mean(0).repeat(len(y), 1), r"same logits"),
    ("scp-transfer", lambda logits, y: torch.zeros_like(logits), r"shrank towards 0"),
    ("scp-transfer", lambda logits, y: torch.cat([logits[-1:], logits[:-1]]), r"changed places"),
    (
        "scp-transfer",
        lambda logits, y: logits.scatter_add(1, y[:, None], torch.full((len(y), 1), -9.0).double()),
        r"lowered the logit of the label",
    ),
    ("scp-transfer", lowered, r"SCP sees this: an entry of the mean logits moved by -1"),
    ("scp-transfer", lambda logits, y: logits - logits.mean(1, keepdim=True), r"SCP sees this"),
    (
        "scp-transfer",
        lambda logits, y: logits.flip(0)[[1, 0, *range(2, len(y))]],
        r"SCP sees nothing. But \d+% of",
    ),
    ("scp-transfer", lambda logits, y: y, r"return new logits, a row an image"),
    ("scp-transfer", shuffled, r"But \d+% of the images are still right"),
    ("compared-read", 2, r"mean over two tasks"),
    ("compared-read", 4.67, r"intransigence"),
    ("compared-read", 6, r"all that is missing"),
    ("compared-read", 4, r"sum over the tasks"),
    ("compared-read", 3, r"task 1 alone"),
    ("compared-read", -1.33, r"counts as positive"),
    ("compared", lambda a, r: intransigence(a, r, at=lambda a, j: a[-1, j]), r"last row"),
    ("compared", lambda a, r: intransigence(a, r, sign=-1), r"sign is the other way"),
    ("compared", lambda a, r: len(a) * intransigence(a, r), r"That is a sum"),
    ("compared", lambda a, r: intransigence(a, r, tasks=slice(1, None)), r"first task counts"),
    ("compared", lambda a, r: intransigence(a, r, tasks=slice(0, -1)), r"last task counts"),
    ("compared", lambda a, r: len(a) / (len(a) - 1) * intransigence(a, r), r"last task counts"),
    (
        "compared",
        lambda a, r: sum(max(0, r[j] - a[j, j]) for j in range(len(a))) / len(a),
        r"cut off",
    ),
    (
        "compared",
        lambda a, r: sum(abs(r[j] - a[j, j]) for j in range(len(a))) / len(a),
        r"absolute",
    ),
    (
        "compared",
        lambda a, r: intransigence(a, r, at=lambda a, j: np.nanmax(a[:, j])),
        r"best accuracy",
    ),
    ("compared", lambda a, r: np.mean((r - np.diag(a)) / r), r"divided by the reference"),
    ("compared", lambda a, r: 100 * intransigence(a, r), r"per cent"),
    ("compared", lambda a, r: a[0, 0] - np.diag(a).mean(), r"is an argument"),
    ("compared", lambda a, r: np.mean(r - a.max(0)), r"above its diagonal"),
    (
        "compared",
        lambda a, r: np.mean([r[j] - a[j - 1, j] for j in range(1, len(a))]),
        r"above the diag",
    ),
    ("compared-transfer", lambda runs: choose(runs, column="test"), r"no longer test anything"),
    (
        "compared-transfer",
        lambda runs: choose([r | {"held_out": (r["held_out"] + r["test"]) / 2} for r in runs]),
        r"have a part in",
    ),
    ("compared-transfer", lambda runs: best_run(runs)["lam"], r"luckiest run"),
    ("compared-transfer", lambda runs: choose(runs, diverged="skip"), r"a seed diverged"),
    ("compared-transfer", first_in_max, r"a seed diverged"),
    (
        "compared-transfer",
        lambda runs: (
            pd.DataFrame(runs).groupby("lam").held_out.apply(lambda v: v.sum(skipna=False)).idxmax()
        ),
        r"added up",
    ),
    ("compared-transfer", by_median, r"median"),
    ("compared-transfer", lambda runs: choose([r for r in runs if r["seed"] == 0]), r"One seed"),
    (
        "compared-transfer",
        lambda runs: max(
            pd.DataFrame(runs)
            .groupby("lam")
            .held_out.apply(lambda v: v.mean(skipna=False))
            .dropna()
        ),
        r"That is the accuracy",
    ),
    (
        "compared-transfer",
        lambda runs: list(dict.fromkeys(r["lam"] for r in runs)).index(choose(runs)),
        r"place in a list",
    ),
    (
        "compared-transfer",
        lambda runs: (
            pd.DataFrame(runs)
            .groupby("lam")
            .held_out.apply(lambda v: v.mean(skipna=False))
            .idxmin()
        ),
        r"worst λ",
    ),
]
