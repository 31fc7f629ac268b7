"""Notebooks 09, 09b and 10: answers as students write them, and what `check` says to each."""

import random
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cl_helpers.methods import LwF
from cl_helpers.methods.agem import averaged
from cl_helpers.methods.gem import projected

# --- the distillation loss, in plain loops ---


def soft(logits, tau):
    e = [float(torch.exp(v / tau)) for v in logits]
    return [v / sum(e) for v in e]


def distillation(z, z_old, temperature, *, old=None, new=None, divide=None, target=soft):
    """old, new: the temperatures of the two; divide: what the sum is divided by."""
    total = 0.0
    for row, row_old in zip(z, z_old, strict=True):
        p = target(row_old, old or temperature)
        q = soft(row, new or temperature)
        total -= sum(a * np.log(b) for a, b in zip(p, q, strict=True))
    return total / (divide or len(z))


def hard(row_old, tau):
    return [float(k == int(row_old.argmax())) for k in range(len(row_old))]


def with_kl_loss(z, z_old, temperature):
    log_p, p_old = (z / temperature).log_softmax(1), (z_old / temperature).softmax(1)
    return F.kl_div(log_p, p_old, reduction="batchmean")


def over_the_batch(z, z_old, temperature):
    return -((z_old / temperature).softmax(0) * (z / temperature).log_softmax(0)).sum(1).mean()


# --- a memory ---


def algorithm_r(memory, batch, size, seen):
    """As in textbooks: one draw, and the place that it names if there is such a place."""
    for x in batch:
        seen += 1
        if len(memory) < size:
            memory.append(x)
            continue
        j = int(torch.randint(seen, (1,)))
        if j < size:
            memory[j] = x
    return seen


def memory(p, count="each", place=lambda m: random.randrange(len(m))):
    def offer(memory, batch, size, seen):
        for k, x in enumerate(batch):
            n = seen + (k if count == "each" else len(batch) if count == "before" else 0)
            if len(memory) < size:
                memory.append(x)
            elif random.random() < p(size, n):
                memory[place(memory)] = x
        return seen + (1 if count == "batches" else len(batch))

    return offer


def the_last(memory, batch, size, seen):
    for x in batch:
        memory.append(x)
        if len(memory) > size:
            memory.pop(0)
    return seen + len(batch)


def first_in_first_out(memory, batch, size, seen):
    for x in batch:
        if len(memory) < size:
            memory.append(x)
        elif random.random() < size / (seen + 1):
            memory.pop(0)
            memory.append(x)
        seen += 1
    return seen


def without_end(memory, batch, size, seen):
    for x in batch:
        if len(memory) < size or random.random() < size / (seen + 1):
            memory.append(x)
        seen += 1
    return seen


def never_filled(memory, batch, size, seen):
    for x in batch:
        if len(memory) < size - 1:
            memory.append(x)
        elif random.random() < (size - 1) / (seen + 1):
            memory[random.randrange(size - 1)] = x
        seen += 1
    return seen


# --- a leak ---


def one_by_one(predict, x):
    together = predict(x).tolist()
    return together != [int(predict(image[None])) for image in x]


def in_random_parts(predict, x):
    for _ in range(50):
        part = torch.randperm(len(x))[:3]
        if (predict(x)[part] != predict(x[part])).any():
            return True
    return False


def flipped(predict, x):
    return bool((predict(x.flip(0)).flip(0) != predict(x)).any())


def doubled(predict, x):
    return bool((predict(torch.cat([x, x]))[: len(x)] != predict(x)).any())


def halves(predict, x):
    n = len(x) // 2
    return torch.cat([predict(x[:n]), predict(x[n:])]).tolist() != predict(x).tolist()


def how_many(predict, x):
    return sum(int(predict(x[i : i + 1]) != predict(x)[i]) for i in range(len(x)))


def usual(size, n):
    return size / (n + 1)


TAU = 1.0
RIGHT = [
    ("others-read", 60),
    ("others-read", "60"),
    ("others", distillation),
    ("others", lambda z, z_old, t: F.cross_entropy(z / t, F.softmax(z_old / t, dim=1))),
    ("others-transfer", algorithm_r),
    ("others-transfer", memory(usual)),
    ("agem-read", 2),
    ("agem-transfer", lambda: ([1, 0], [-1, 2], [3, 1])),
    ("agem-transfer", lambda: ([1, 0], [-0.1, 10], [1, 1])),  # almost at a right angle
    ("agem-transfer", lambda: (torch.tensor([0.0, 2.0]), np.array([1, -0.2]), (1.0, 4.0))),
    ("scenarios-read", 6),
    ("scenarios-transfer", one_by_one),
    ("scenarios-transfer", in_random_parts),
]
WRONG = [
    ("others-read", 50, "same share"),
    ("others-read", 150, "up to task 2"),
    ("others-read", 75, "Add up all four"),
    ("others-read", 86, "counts all"),
    ("others-read", 200, "whole memory"),
    ("others-read", 30, "percentage"),
    ("others-read", 41, "not it"),
    ("others", lambda z, z_old, t: distillation(z, z_old, TAU), "temperature is missing"),
    ("others", lambda z, z_old, t: distillation(z, z_old, t, new=TAU), "Only the old"),
    ("others", lambda z, z_old, t: distillation(z, z_old, t, old=TAU), "Only the new"),
    ("others", lambda z, z_old, t: distillation(z, z_old, 1 / t), "multiply by τ"),
    ("others", lambda z, z_old, t: distillation(z_old, z, t), "exchanged"),
    ("others", lambda z, z_old, t: distillation(z, z_old, t, target=hard), "as a label"),
    ("others", with_kl_loss, "Kullback"),
    ("others", lambda z, z_old, t: t * t * distillation(z, z_old, t), "τ²"),
    ("others", lambda z, z_old, t: t * t * with_kl_loss(z, z_old, t), "not the number"),
    (
        "others",
        lambda z, z_old, t: -((z_old / t).softmax(1) * (z / t).softmax(1)).sum(1).mean(),
        "logarithm is missing",
    ),
    ("others", lambda z, z_old, t: -((z_old / t).softmax(1) * z / t).sum(1).mean(), "raw logits"),
    ("others", over_the_batch, "over the batch. It runs"),
    (
        "others",
        lambda z, z_old, t: distillation(z, z_old, t, divide=z.numel()),
        "mean over the classes",
    ),
    ("others", lambda z, z_old, t: distillation(z, z_old, t, divide=1), "summed over the batch"),
    ("others", lambda z, z_old, t: -distillation(z, z_old, t), "The sign"),
    ("others", lambda z, z_old, t: ((z - z_old) ** 2).mean() / t**2, "squared difference"),
    (
        "others",
        lambda z, z_old, t: (((z / t).softmax(1) - (z_old / t).softmax(1)) ** 2).mean(),
        "squared difference",
    ),
    ("others-transfer", memory(usual, "batches"), "newest"),
    ("others-transfer", memory(lambda size, n: 1), "newest"),
    ("others-transfer", the_last, "newest"),
    ("others-transfer", memory(usual, "after"), "after the whole batch"),
    ("others-transfer", memory(usual, "before"), "before its examples"),
    ("others-transfer", memory(lambda size, n: 0), "hardly takes"),
    ("others-transfer", memory(lambda size, n: 1 / (n + 1)), "hardly takes"),
    ("others-transfer", memory(usual, place=lambda m: 0), "first examples .* far too often"),
    ("others-transfer", memory(lambda s, n: s / (n + 2)), "One step off.*too often"),
    ("others-transfer", memory(lambda s, n: s / n), "One step off.*too rarely"),
    ("others-transfer", first_in_first_out, "oldest makes room"),
    ("others-transfer", without_end, "grows beyond"),
    ("others-transfer", never_filled, "room for 4"),
    (
        "others-transfer",
        memory(lambda size, n: 0.7 * usual(size, n)),
        "first examples .* far too often",
    ),
    ("others-transfer", lambda memory, batch, size, seen: seen, "holds 0"),
    ("agem-read", 3, "first seen after task 3"),
    ("agem-read", 1, "kept at 98"),
    ("agem-read", 4, "damage"),
    ("agem-read", 5, "damage"),
    ("agem-transfer", lambda: ([1, 0], [2, 1], [1, 1]), "Neither old task objects"),
    ("agem-transfer", lambda: ([1, -0.8], [0.2, 1], [1, 1]), "so does the mean"),
    ("agem-transfer", lambda: ([-1, 0.2], [-0.2, 1], [2, 0.3]), "Did you take g for the step"),
    ("agem-transfer", lambda: ([1, 0], [-1, 1], [-2, 2]), "one old task"),
    ("agem-transfer", lambda: ([1, 0], [-1, 1], [-1, -1]), "Both old tasks object"),
    ("agem-transfer", lambda: ([1, 0], [-1, 1], [0, 0]), "no direction"),
    ("agem-transfer", lambda: ([1, 0, 0], [-1, 1, 0], [0, 1, 0]), "three vectors of two"),
    ("agem-transfer", lambda: [1, 0], "three vectors of two"),
    ("scenarios-read", 4, "half of the test images"),
    ("scenarios-read", 10, "all classes seen"),
    ("scenarios-read", 2, "33 %"),
    ("scenarios-read", 60, "x of the x|counts images"),
    ("scenarios-read", 0.6, "counts images"),
    ("scenarios-transfer", lambda predict, x: (predict(x) != predict(x)).any(), "no leak any"),
    ("scenarios-transfer", lambda predict, x: how_many(predict, x) == len(x), "`any`"),
    ("scenarios-transfer", lambda predict, x: True, "leak everywhere"),
    ("scenarios-transfer", lambda predict, x: not one_by_one(predict, x), "wrong way round"),
    ("scenarios-transfer", flipped, "place in the batch"),
    ("scenarios-transfer", doubled, "place in the batch"),
    ("scenarios-transfer", halves, "smallest part"),
    ("scenarios-transfer", lambda predict, x: predict(x[:1]) != predict(x)[:1], "first image"),
    ("scenarios-transfer", lambda predict, x: predict(x[0]) != predict(x)[0], "takes a batch"),
    ("scenarios-transfer", how_many, "how many labels"),
    ("scenarios-transfer", lambda p, x: how_many(p, x) / len(x), "how many labels"),
]


def test_what_is_asked_of_09_is_what_lwf_does():
    z, z_old = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(1))
    method = LwF(temperature=3.0)
    method.competed, method.teacher = ((0, 1, 2, 3, 4),), nn.Identity()
    method.task = type("Task", (), {"scenario": "task", "active": None})()
    theirs = method.distillation(z, method.soft_targets(z_old))
    assert distillation(z, z_old, 3.0) == pytest.approx(theirs.item(), rel=1e-5)


def test_a_memory_of_the_text_is_full_of_the_newest_task():
    """The faulty memory of 09 does what the text says of it: five tasks, a memory of 200."""
    faulty, of = memory(usual, "batches"), []
    seen = 0
    for task in range(5):
        for _ in range(40):
            seen = faulty(of, [task] * 25, 200, seen)
    assert Counter(of)[4] > 0.9 * len(of)


@pytest.mark.parametrize("answer", [a for name, a in RIGHT if name == "agem-transfer"])
def test_an_outweighed_task_loses_with_agem_and_not_with_gem(answer):
    g, *old = (torch.as_tensor(v, dtype=torch.double) for v in answer())
    rows = torch.stack(old)
    assert (rows @ averaged(g, rows.sum(0))).min() < 0
    kept = projected(g, rows)
    assert (rows @ kept).min() > -1e-9
    assert kept.norm() > 0
