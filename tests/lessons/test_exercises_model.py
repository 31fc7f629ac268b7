"""Exercises of lesson 02: right answers as students write them, and each usual mistake."""

import numpy as np
import torch
from torch.nn import functional as F

import cl_helpers as cl
from cl_helpers.lessons.exercises.on_loop import FreezeFirst as Solution
from cl_helpers.lessons.exercises.on_loop import _stream

# --- read: the matrix of the text ---

MATRIX = [[96], [90, 88], [87, 96, 91], [84, 82, 78, 93]]
LOST = [max(row[j] for row in MATRIX[:3] if len(row) > j) - MATRIX[3][j] for j in range(3)]


def test_the_matrix_is_read_right():
    assert LOST == [12, 14, 13]


# --- write ---


def loops(a, first=0):
    lost = []
    for j in range(first, len(a) - 1):
        seen = [a[t, j] for t in range(len(a) - 1) if not np.isnan(a[t, j])]
        lost.append(max(seen) - a[-1, j])
    return sum(lost) / len(lost)


def relative(a):
    lost = 0.0
    for j in range(len(a) - 1):
        best = np.nanmax(a[:-1, j])
        lost += 1 - a[-1, j] / best
    return lost / (len(a) - 1)


# --- transfer ---


class ByCount(cl.Method):
    n = 0

    def after_backward(self, model):
        if self.n > 0:
            for p in model.fc1.parameters():
                p.grad *= 0

    def end_task(self, model, task):
        self.n += 1


class NoGradient(cl.Method):
    """Freezes by PyTorch's own switch, between two tasks."""

    def end_task(self, model, task):
        model.fc1.requires_grad_(False)


class PutBackAtOnce(cl.Method):
    """The layer is put back before the next gradient is computed."""

    kept_weights = None

    def after_step(self, model):
        if self.kept_weights:
            with torch.no_grad():
                for p, old in zip(model.fc1.parameters(), self.kept_weights, strict=True):
                    p.copy_(old)

    def end_task(self, model, task):
        self.kept_weights = [p.detach().clone() for p in model.fc1.parameters()]


def test_the_solution_freezes_the_first_layer_and_nothing_else():
    tasks, model = _stream(3), cl.MLP((6, 5, 4, 3), seed=3)
    how = {"epochs": 2, "batch_size": 16, "lr": 0.02, "device": "cpu", "progress": False}
    initial = [p.clone() for p in model.parameters()]
    after = {}
    method = Solution()
    for t, stream in enumerate((tasks[:1], tasks)):
        trained = cl.MLP((6, 5, 4, 3), seed=3)
        cl.train(method if t else Solution(), stream, trained, **how)
        after[t] = [p.clone() for p in trained.parameters()]
    moved_first = [not torch.equal(a, b) for a, b in zip(initial, after[0], strict=True)]
    moved_later = [not torch.equal(a, b) for a, b in zip(after[0], after[1], strict=True)]
    assert moved_first == 6 * [True]
    assert moved_later == [False, False, True, True, True, True]


def wrong(when, chosen):
    """Sets the gradients of the parameters `chosen` to zero in the tasks `when`, from 0."""

    class Wrong(cl.Method):
        n = 0

        def after_backward(self, model):
            if self.n in when:
                for name, p in model.named_parameters():
                    if name in chosen:
                        p.grad.zero_()

        def end_task(self, model, task):
            self.n += 1

    return Wrong


ALL = [f"fc{i}.{kind}" for i in (1, 2, 3) for kind in ("weight", "bias")]
FIRST, LATER = ALL[:2], (1, 2)


class TooLate(cl.Method):
    n = 0

    def after_step(self, model):
        if self.n:
            model.fc1.weight.grad.zero_()
            model.fc1.bias.grad.zero_()

    def end_task(self, model, task):
        self.n += 1


class PutBackAtTheEnd(cl.Method):
    before = None

    def end_task(self, model, task):
        if self.before is None:
            self.before = [p.detach().clone() for p in model.fc1.parameters()]
        with torch.no_grad():
            for p, old in zip(model.fc1.parameters(), self.before, strict=True):
                p.copy_(old)


class Broken(cl.Method):
    def after_backward(self, model):
        model.fc9.weight.grad.zero_()


RIGHT = [
    ("model-read", 1 + LOST.index(max(LOST))),
    ("forgetting", loops),
    ("model-transfer", ByCount),
    ("model-transfer", NoGradient),
    ("model-transfer", PutBackAtOnce),
]

WRONG = [
    ("model-read", 3, "lowest accuracy"),
    ("model-read", 1, "counted from 1"),
    ("model-read", 4, "last one"),
    ("model-read", 7, "not it"),
    ("forgetting", lambda a: loops(a, first=1), "counted from 1"),
    ("forgetting", lambda a: loops(a, first=1) * (len(a) - 2) / (len(a) - 1), "counted from 1"),
    (
        "forgetting",
        lambda a: np.mean([np.nanmax(a[j, :-1]) - a[-1, j] for j in range(len(a) - 1)]),
        "along a row",
    ),
    ("forgetting", relative, "divided by the best"),
    ("model-transfer", TooLate, "like the baseline"),
    ("model-transfer", wrong((), FIRST), "like the baseline"),
    ("model-transfer", wrong((0, 1, 2), FIRST), "very first step"),
    ("model-transfer", wrong(LATER, ALL), "All layers"),
    ("model-transfer", wrong(LATER, ALL[2:]), "other way round"),
    ("model-transfer", wrong(LATER, ALL[4:]), "last layer"),
    ("model-transfer", wrong(LATER, ALL[2:4]), "second layer"),
    ("model-transfer", wrong(LATER, ["fc1.weight"]), "Half of the layer"),
    ("model-transfer", wrong(LATER, ["fc1.bias"]), "Half of the layer"),
    ("model-transfer", wrong((1,), FIRST), "again in the third"),
    ("model-transfer", wrong((2,), FIRST), "one task too late"),
    ("model-transfer", PutBackAtTheEnd, "put back"),
    (
        "model-transfer",
        type("FreezeFirst", (), {"after_backward": ByCount.after_backward}),
        "cl.Method",
    ),
    ("model-transfer", Broken, "line 2 of after_backward"),
]


def test_the_tasks_differ_in_their_labels_alone():
    a, b, c = _stream(0)
    assert torch.equal(a.train.x, b.train.x)
    assert not torch.equal(a.train.y, b.train.y)
    assert not torch.equal(b.train.y, c.train.y)
    assert F.one_hot(a.train.y).sum(0).min() > 0
