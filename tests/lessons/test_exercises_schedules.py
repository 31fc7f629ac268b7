"""Notebook 12: answers as students write them, right and wrong, and what `check` says."""

import torch

from cl_helpers.lessons.exercises import check


class ByScheduler:
    """PyTorch's own."""

    def __init__(self, optimizer, n):
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda i: min(1.0, (i + 1) / (n + 1))
        )

    def step(self):
        self.scheduler.step()


def warm_up(*, first=True, add=1, below=1, top=1.0, base="own", groups=None, again=False):
    """A class as a student writes it, with what may go wrong in it."""

    class WarmUp:
        def __init__(self, optimizer, n):
            self.optimizer, self.n, self.i = optimizer, n, 0
            own = [g["lr"] for g in optimizer.param_groups]
            same = {"first": own[0], "default": optimizer.defaults["lr"]}
            self.base = own if base == "own" else [same[base]] * len(own)
            if first:
                self.set()

        def step(self):
            self.i += 1
            self.set()

        def set(self):
            for k, g in enumerate(self.optimizer.param_groups[:groups]):
                part = min(top, (self.i + add) / (self.n + below))
                g["lr"] = (g["lr"] if again else self.base[k]) * part

    return WarmUp


class WithAList:
    def __init__(self, optimizer, n):
        self.groups = optimizer.param_groups
        self.waiting = [[g["lr"] * k / (n + 1) for k in range(1, n + 2)] for g in self.groups]
        self.step()

    def step(self):
        for group, rates in zip(self.groups, self.waiting, strict=True):
            if rates:
                group["lr"] = rates.pop(0)


class StopsShort:
    def __init__(self, optimizer, n):
        self.optimizer, self.n, self.i = optimizer, n, 0
        self.full = [g["lr"] for g in optimizer.param_groups]
        self.set()

    def step(self):
        self.i += 1
        if self.i < self.n:
            self.set()

    def set(self):
        for g, full in zip(self.optimizer.param_groups, self.full, strict=True):
            g["lr"] = full * (self.i + 1) / (self.n + 1)


class StepsAtOnce(WithAList):
    def __init__(self, optimizer, n):
        super().__init__(optimizer, n)
        self.step()


class DoesNothing:
    def __init__(self, optimizer, n):
        pass

    def step(self):
        pass


class Breaks:
    def __init__(self, optimizer, n):
        self.full = optimizer.lr

    def step(self):
        pass


class Untouched:
    def __init__(self, optimizer, n):
        self.optimizer = optimizer
        ...

    def step(self):
        pass


RIGHT = [
    ("schedules-read", 25),
    ("schedules-read", torch.tensor(25.0)),
    ("schedules-transfer", warm_up()),
    ("schedules-transfer", ByScheduler),
    ("schedules-transfer", WithAList),
]

WRONG = [
    ("schedules-read", 20, "median of the five runs"),
    ("schedules-read", 22, "mean of the five"),
    ("schedules-read", 30, "the fourth"),
    ("schedules-read", 60, "nobody knows"),
    ("schedules-transfer", warm_up(first=False, again=True), "Both bugs"),
    ("schedules-transfer", StepsAtOnce, "counts one step too many"),
    ("schedules-transfer", warm_up(again=True), "again and again"),
    ("schedules-transfer", warm_up(first=False), "first step still has the full rate"),
    ("schedules-transfer", warm_up(add=0), "rate of 0"),
    ("schedules-transfer", warm_up(add=0, below=0), "rate of 0"),
    ("schedules-transfer", warm_up(below=0), "one step too soon"),
    ("schedules-transfer", warm_up(top=9.0), "goes on rising"),
    ("schedules-transfer", StopsShort, r"stays at n / \(n \+ 1\)"),
    ("schedules-transfer", warm_up(groups=1), "Only the first group"),
    ("schedules-transfer", warm_up(base="first"), "rate of the first"),
    ("schedules-transfer", warm_up(base="default"), "default rate"),
    ("schedules-transfer", DoesNothing, "no warm-up left"),
    ("schedules-transfer", Breaks, "AttributeError"),
    (
        "schedules-transfer",
        warm_up()(torch.optim.SGD([torch.zeros(1)], 1.0), 3),
        "class itself",
    ),
]


def test_as_it_stands_in_the_notebook():
    assert check("schedules-transfer", Untouched).status == "not yet"
