"""A step that takes one piece of θ after the other: the same as all of it at once."""

from dataclasses import dataclass, replace
from functools import partial, wraps

import pytest
import torch
from toys import mlp, random_, random_task

import cl_helpers as cl
from cl_helpers.models.flat import flatten
from cl_helpers.speed import pieces

METHODS = {
    "ewc": {"lam": 50.0},
    "mas": {"lam": 0.5},
    "si": {"lam": 2.0},
    "rwalk": {"lam": 1.0, "interval": 3, "online": True},
    "scp": {"lam": 10.0},
}


@pytest.fixture
def cut(monkeypatch):
    """A count of steps that were taken in pieces, of 7 weights each."""
    steps = []
    move = pieces.Pieces.move

    def counted(self):
        steps.append(len(self.pieces)) if (moved := move(self)) else None
        return moved

    monkeypatch.setattr(pieces.Pieces, "move", counted)
    monkeypatch.setattr(pieces, "PIECE", 7)
    return steps


def events(method, **settings):
    tasks = [replace(random_task(seed=t), name=f"task {t}") for t in range(3)]
    how = {"epochs": 2, "batch_size": 8, "lr": 0.01, "device": "cpu"} | settings
    yield from cl.train_steps(method, tasks, random_(mlp()), every=1, **how)


def trained(method, change=lambda event: None, **settings):
    """All vectors at the end, by name; `change` is called with every event."""
    for event in events(method, **settings):
        change(event)
    theta = flatten(event.run.model).theta
    vectors = {k: v for k, v in vars(method).items() if getattr(v, "shape", 0) == theta.shape}
    return vectors | {"theta": theta}


def whole(monkeypatch, *args, **settings):
    monkeypatch.setattr(pieces, "PIECE", 10**9)
    return trained(*args, **settings)


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-10, atol=1e-14, msg=name)


@pytest.mark.parametrize("name", METHODS)
def test_the_end_is_the_same(name, cut, monkeypatch):
    in_pieces = trained(cl.METHODS[name](**METHODS[name]))
    taken = len(cut)
    assert taken == 3 * (2 * 7 - 1)  # all but the first of a task, which makes Adam's moments
    assert_same(in_pieces, whole(monkeypatch, cl.METHODS[name](**METHODS[name])))
    assert len(cut) == taken


def test_lam_and_vectors_that_are_set_in_mid_run_act_at_the_next_step(cut, monkeypatch):
    def change(event):
        method = event.run.method
        method.lam = 10.0 * event.step
        if event.step == 30:
            method.omega = 3 * method.omega
            method.theta_star = method.theta_star + 0.1
        if event.step == 32:
            method.omega.data = 2 * method.omega

    in_pieces = trained(cl.SI(), change)
    assert cut
    assert_same(in_pieces, whole(monkeypatch, cl.SI(), change))


@pytest.mark.parametrize(
    "how",
    [
        {"schedule": "cosine", "warm_up": 0.3},
        {"optimizer_state": "keep"},
        {"lr_decay": 0.5, "drop_last": True},
    ],
)
def test_rates_and_moments_are_those_of_the_optimiser(how, cut, monkeypatch):
    in_pieces = trained(cl.EWC(lam=5.0), **how)
    assert cut
    assert_same(in_pieces, whole(monkeypatch, cl.EWC(lam=5.0), **how))


@dataclass(eq=False)
class Clipped(cl.SI):
    """A path whose steps are scaled by their norm: no weight is on its own."""

    name = label = "clipped"

    def accumulate(self, g, step):
        super().accumulate(g, step / step.norm().clamp_min(1e-9))


@dataclass(eq=False)
class Normed(cl.EWC):
    name = label = "normed"

    def after_backward(self, model):
        super().after_backward(model)
        grad = flatten(model).grad
        grad.div_(grad.norm())


def wrapped(method):
    """The method with a hook of its own around the one that it has."""
    theirs = method.after_backward

    @wraps(theirs)
    def mine(model):
        theirs(model)
        flatten(model).grad.mul_(2.0)

    method.after_backward = mine
    return method


class Doubled(cl.EWC):
    """Ω is computed, and is in no attribute."""

    name = label = "doubled"

    @property
    def omega(self):
        return 2 * self.half

    @omega.setter
    def omega(self, value):
        self.half = value / 2


@pytest.mark.parametrize(
    ("method", "how"),
    [
        (Clipped(), {}),
        (Doubled(), {}),
        (Normed(), {}),
        (cl.EWC(), {"optimizer": "sgd"}),
        (cl.EWC(), {"optimizer": torch.optim.AdamW}),
        (cl.EWC(), {"optimizer": partial(torch.optim.Adam, amsgrad=True)}),
        (cl.EWC(), {"optimizer": partial(torch.optim.Adam, decoupled_weight_decay=True)}),
        (wrapped(cl.EWC()), {}),
        (cl.ER(), {}),
        (cl.Baseline(), {}),  # nothing is done beside Adam
    ],
)
def test_what_is_not_of_each_weight_alone_is_not_cut(method, how, cut):
    trained(method, **how)
    assert not cut


def test_a_hook_that_is_set_in_mid_run_sees_whole_vectors(cut, monkeypatch):
    def change(event):
        if event.step == 30:
            wrapped(event.run.method)

    in_pieces = trained(cl.EWC(lam=5.0), change)
    taken = len(cut)
    assert 0 < taken < 3 * (2 * 7 - 1)
    assert_same(in_pieces, whole(monkeypatch, cl.EWC(lam=5.0), change))
