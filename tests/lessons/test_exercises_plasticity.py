"""Lesson 15: right and wrong answers as students write them, and what `check` says."""

import numpy as np
import torch

import cl_helpers as cl


def utility(u, h, w, eta, *, of_h=lambda h: abs(h).mean(0), of_w=lambda w: abs(w).sum(0)):
    return eta * u + (1 - eta) * of_h(h) * of_w(w)


def one_by_one(u, h, w, eta):
    new = []
    for i in range(len(u)):
        size = np.mean([abs(float(row[i])) for row in h])
        new.append(eta * float(u[i]) + (1 - eta) * size * sum(abs(float(k)) for k in w[:, i]))
    return new


class L2Init(cl.Method):
    half, anchor, power = 0.5, "first", 2

    def copy(self, p):
        return p.detach().clone()

    def begin_task(self, model, task):
        super().begin_task(model, task)
        if self.anchor == "each" or not hasattr(self, "start"):
            self.start = {n: self.copy(p) for n, p in model.named_parameters()}

    def penalty(self, model):
        total = 0.0
        for name, p in model.named_parameters():
            to = 0.0 if self.anchor == "zero" else self.start[name]
            total = total + ((p - to).abs() ** self.power).sum()
        return self.half * total


def but(**changes):
    return type("L2Init", (L2Init,), changes)


class AfterTheFirst(L2Init):
    def begin_task(self, model, task):
        cl.Method.begin_task(self, model, task)

    def penalty(self, model):
        return super().penalty(model) if hasattr(self, "start") else torch.zeros(())

    def end_task(self, model, task):
        if not hasattr(self, "start"):
            self.start = {n: p.detach().clone() for n, p in model.named_parameters()}


class TwiceLam(L2Init):
    def penalty(self, model):
        return self.lam * super().penalty(model)


class AMean(L2Init):
    def penalty(self, model):
        return super().penalty(model) / sum(p.numel() for p in model.parameters())


RIGHT = [
    ("plasticity-read", 10),
    ("plasticity-read", "10"),
    ("plasticity", utility),
    ("plasticity", one_by_one),
    ("plasticity-transfer", L2Init),
]

WRONG = [
    ("plasticity-read", 39, "That is forgetting"),
    ("plasticity-read", 50, "lost later"),
    ("plasticity-read", 4.5, "what each task lacks"),
    ("plasticity-read", 4, "neighbours on the diagonal"),
    ("plasticity-read", 6, "Take 1 and 4"),
    ("plasticity-read", -10, "counts as positive"),
    ("plasticity-read", 40, "entries of the last row"),
    ("plasticity-read", 80, "accuracy of task 4"),
    ("plasticity", lambda *a: utility(*a, of_h=lambda h: abs(h.mean(0))), "outputs of both signs"),
    ("plasticity", lambda *a: utility(*a, of_w=lambda w: abs(w.sum(0))), "weights of both signs"),
    ("plasticity", lambda u, h, w, eta: utility(u, h, w, 1 - eta), "changed places"),
    ("plasticity", lambda u, h, w, eta: abs(h).mean(0) * abs(w).sum(0), "this step alone"),
    ("plasticity", lambda u, h, w, eta: eta * u + abs(h).mean(0) * abs(w).sum(0), "in full"),
    ("plasticity", lambda *a: utility(*a, of_w=lambda w: abs(w).mean(0)), "mean of the outgoing"),
    ("plasticity", lambda *a: utility(*a, of_h=lambda h: abs(h).sum(0)), "over the batch"),
    (
        "plasticity",
        lambda u, h, w, eta: eta * u + (1 - eta) * h.mean(0) * w.sum(0),
        "absolute value of each",
    ),
    ("plasticity", lambda *a: utility(*a, of_w=lambda w: (w * w).sum(0)), "squares"),
    ("plasticity", lambda *a: utility(*a, of_w=lambda w: 1.0), "Only the outputs"),
    ("plasticity", lambda *a: utility(*a, of_h=lambda h: 1.0), "Only the weights"),
    ("plasticity-transfer", but(copy=lambda self, p: p.detach()), "like the baseline"),
    ("plasticity-transfer", but(copy=lambda self, p: p.clone()), "like the baseline"),
    ("plasticity-transfer", but(anchor="each"), "anew before each task"),
    ("plasticity-transfer", but(anchor="zero"), "The anchor is 0"),
    ("plasticity-transfer", AfterTheFirst, "after the first task"),
    ("plasticity-transfer", but(half=1.0), "½ is missing"),
    ("plasticity-transfer", TwiceLam, "acts twice"),
    ("plasticity-transfer", but(power=1), "L1"),
    ("plasticity-transfer", but(half=-0.5), "sign"),
    ("plasticity-transfer", AMean, "mean over all weights"),
]
