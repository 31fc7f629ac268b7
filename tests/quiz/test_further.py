"""The further quiz: in order, and its key worked out again, as in test_facts.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import cl_helpers as cl
from quiz import bank

FOLDER = Path(__file__).parents[2] / "quiz" / "further"
QUIZ = bank.load(FOLDER)


def test_it_is_in_order_and_shares_no_question_with_the_quiz():
    assert QUIZ.check() == []
    assert QUIZ.hints() == []
    assert len(QUIZ.questions) == 6
    assert not {*QUIZ.questions} & {*bank.load().questions}


def low_rank_adapter():
    W, A, B = torch.randn(256, 1024), torch.randn(8, 1024), torch.zeros(256, 8)
    x, target = torch.randn(5, 1024), torch.randn(5, 256)
    A.requires_grad_(), B.requires_grad_()
    adapted = x @ (W + B @ A).T
    F.mse_loss(adapted, target).backward()
    trained_A, trained_B = torch.randn(8, 1024), torch.randn(256, 8)
    beside = x @ W.T + (x @ trained_A.T) @ trained_B.T
    return {
        "a": (A.numel() + B.numel()) / W.numel() < 0.04,
        "b": bool(B.grad.any()) and not A.grad.any(),
        "c": not torch.equal(adapted, x @ W.T),
        "d": torch.linalg.matrix_rank(trained_B @ trained_A).item() == 256,
        "e": torch.allclose(beside, x @ (W + trained_B @ trained_A).T, atol=1e-2),
    }


def bits_per_character():
    def bits(right, chances):
        """Cross-entropy of the right character, and whether it comes first."""
        log_p = torch.tensor(chances).log()
        return (F.nll_loss(log_p[None], torch.tensor([right])) / math.log(2)).item(), chances[
            right
        ] == max(chances)

    even, _ = bits(0, [1 / 128] * 128)
    before, first_before = bits(0, [0.4, 0.3, 0.3])
    after, first_after = bits(0, [0.2, 0.15] + [0.65 / 9] * 9)  # half as likely
    assert after == pytest.approx(before + 1)  # and still the first
    return {
        "a": math.isclose(1.5 / math.log(2), 1.5),
        "b": even == pytest.approx(7),
        "c": math.isclose(2**-3.2 / 2**-2.2, 0.5),
        "d": not 3.2 > 2.2,
        "e": not (first_before and first_after),  # a counterexample
    }


def nearest_class_mean():
    x, y = torch.randn(200, 3) + torch.arange(200)[:, None] % 10 * 0.3, torch.arange(200) % 10

    def means(order):
        kept = {}
        for c in order:
            m = torch.zeros(3, dtype=torch.float64)
            for n, each in enumerate(x[y == c].double(), start=1):
                m += (each - m) / n
            kept[c] = m
        return torch.stack([kept[c] for c in sorted(kept)])

    def right(classes):
        at = torch.cdist(x.double(), means(classes)).argmin(1)
        return (at == y)[y < 2].double().mean()

    moved = torch.nn.Linear(3, 3)
    of_moved = torch.stack([moved(x[y == c]).mean(0) for c in range(10)])
    return {
        "a": torch.equal(
            means(range(10)), torch.stack([x.double().mean(0)] * 10)
        ),  # without labels
        "b": torch.equal(means(range(10)), means(reversed(range(10)))),
        "c": bool(right(range(10)) == right(range(2))),
        "d": not torch.allclose(of_moved, means(range(10)).float()),
        "e": torch.allclose(
            means(range(10)), torch.stack([x[y == c].double().mean(0) for c in range(10)])
        ),
    }


def dark_experience_replay():
    now, stored = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)
    labels = torch.tensor([0, 1, 2, 0])

    def loss(alpha, beta, stored=stored, labels=labels):
        replay = beta * F.cross_entropy(now, labels) if beta else 0  # what is off is not looked at
        return alpha * F.mse_loss(now, stored) + replay

    (pull,) = torch.autograd.grad(loss(1, 0, stored=now.detach()), now)
    return {
        "a": bool(F.mse_loss(now, now.detach()) > 0),  # computed anew, the term is zero
        "b": torch.equal(loss(0, 1), F.cross_entropy(now, labels)),
        "c": bool(loss(1, 0, stored=stored + 5) != loss(1, 0))
        and torch.allclose((stored + 5).softmax(1), stored.softmax(1), atol=1e-6),
        "d": torch.equal(loss(1, 0, labels=None), loss(1, 0)),
        "e": bool(pull.any()),
    }


def two_axes():
    def run(learned, end):
        a = torch.full((4, 4), torch.nan)
        for k, value in enumerate(learned):
            a[k, k] = value
        a[3] = torch.tensor(end)
        return a / 100

    p = run([90.0, 90, 90, 90], [50.0, 60, 70, 90])
    q = run([90.0, 85, 80, 75], [90.0, 85, 80, 75])
    transfer = [cl.metrics.backward_transfer(a) for a in (p, q)]
    falls = [bool((a.diagonal().diff() < 0).all()) for a in (p, q)]
    return {
        "a": bool((q[3] < q.diagonal()).any()),  # only what was forgotten can be held by a memory
        "b": transfer[0] < 0 and not falls[0],
        "c": transfer[1] == 0 and falls[1],
        "d": bool(q[3].mean() > p[3].mean()),
        "e": (transfer[1] < 0) == falls[1],
    }


def replaced_units():
    x, m, steps = torch.rand(6, 4), 100, 10_000
    incoming, outgoing = torch.randn(8, 4), torch.randn(3, 8)
    incoming[2] = -1  # the unit is zero for all inputs
    before = (x @ incoming.T).relu() @ outgoing.T
    incoming[2], outgoing[:, 2] = torch.rand(4), 0
    incoming.requires_grad_()
    after = (x @ incoming.T).relu() @ outgoing.T
    after.square().sum().backward()
    due, replaced = 0.0, 0
    for _ in range(steps):
        due += 1000 * 1e-4
        while due >= 1 - 1e-9:
            due, replaced = due - 1, replaced + 1
    age_of_a_new_unit = 1
    return {
        "a": age_of_a_new_unit > m,
        "b": steps / replaced == pytest.approx(10, rel=0.01),
        "c": torch.equal(before, after),
        "d": not incoming.grad[2].any(),
        "e": 0 * 1000 > 0,
    }


FACTS: dict[str, Callable[[], dict[str, bool]]] = {
    work_out.__name__.replace("_", "-"): work_out
    for work_out in (
        low_rank_adapter,
        bits_per_character,
        nearest_class_mean,
        dark_experience_replay,
        two_axes,
        replaced_units,
    )
}


@pytest.mark.parametrize("question", QUIZ.questions.values(), ids=lambda q: q.id)
def test_the_key_is_what_comes_out(question):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        truth = FACTS[question.fact]()
    assert set(truth) == {option.id for option in question.options}
    assert {option for option, right in truth.items() if right} == question.key
