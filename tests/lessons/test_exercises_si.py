"""The exercises of notebook 06: answers as students write them, and what `check` says to each."""

import re

import numpy as np
import pytest
import torch

import cl_helpers as cl
from cl_helpers.lessons.exercises import EXERCISES

THETA = np.array([0.0, 0.3, 0.5, 0.4, 0.2])  # the path that the notebook asks about
G = np.array([-1.0, -0.5, 0.2, 0.4])
XI = 0.01


def status_and_message(exercise, answer):
    verdict = cl.check(exercise, answer)
    return verdict.status, verdict.message


# --- read ---


def test_the_number_that_is_asked_for_is_that_of_si():
    omega = -(G * np.diff(THETA)).sum()
    assert cl.check("si-read", omega / ((THETA[-1] - THETA[0]) ** 2 + XI)).status == "right"
    given = [torch.tensor(v) for v in (G[:, None], THETA[:, None])]
    assert EXERCISES["si"].right(*given, XI).item() == pytest.approx(10)


STEPS = np.diff(THETA)
FALL = -(G * STEPS).sum()


WRONG_SI_READ = [
    (FALL, "credit ω alone"),
    (-G.sum() * THETA[-1] / (THETA[-1] ** 2 + XI), "step by step"),
    (FALL / ((STEPS**2).sum() + XI), "squares of the steps"),
    (FALL / THETA[-1] ** 2, "ξ is forgotten"),
    (FALL / (THETA[-1] + XI), "not squared"),
    (-np.abs(G * STEPS) @ [-1, -1, 1, 1] / 0.05, "way back"),
    (-FALL / (THETA[-1] ** 2 + XI), "sign"),
    (FALL / (THETA.max() ** 2 + XI), "largest distance"),
    (7.7, "That is not it"),
]


@pytest.mark.parametrize(("answer", "said"), WRONG_SI_READ)
def test_a_misread_path_is_named(answer, said):
    status, message = status_and_message("si-read", round(float(answer), 2))
    assert status == "wrong"
    assert re.search(said, message), message


# --- transfer: books of SGD with momentum ---


def books(
    h,
    theta,
    lr,
    momentum,
    n_steps,
    *,
    booked="step",
    gradient="mean",
    sign=-1,
    momentum_in_training=True,
    average=False,
    cut=lambda omega: omega,
    skip_last=False,
):
    """A student's loop, weight by weight in Python floats."""
    h, theta = h.tolist(), theta.tolist()
    n = len(theta)
    velocity, omega = [0.0] * n, [0.0] * n

    def slope(at):
        return [sum(h[i][j] * at[j] for j in range(n)) for i in range(n)]

    for k in range(n_steps):
        g = slope(theta)
        new = list(theta)
        for i in range(n):
            if momentum_in_training:
                share = (1 - momentum) if average else 1
                velocity[i] = momentum * velocity[i] + share * g[i]
            else:
                velocity[i] = g[i]
            new[i] -= lr * velocity[i]
        after = slope(new)
        for i in range(n):
            step = {"step": new[i] - theta[i], "gradient": -lr * g[i]}[booked]
            factor = {
                "mean": (g[i] + after[i]) / 2,
                "before": g[i],
                "after": after[i],
                "sum": g[i] + after[i],
                "velocity": velocity[i],
            }[gradient]
            if not (skip_last and k == n_steps - 1):
                omega[i] += cut(sign * factor * step)
        theta = new
    return torch.tensor(omega, dtype=torch.float64)


def by_the_midpoint(h, theta, lr, momentum, n_steps):
    """The gradient half-way along the step: another right answer."""
    velocity, omega = 0, 0
    for _ in range(n_steps):
        velocity = momentum * velocity + h @ theta
        new = theta - lr * velocity
        omega = omega - (h @ ((theta + new) / 2)) * (new - theta)
        theta = new
    return omega


def with_torch_sgd(h, theta, lr, momentum, n_steps):
    weights = torch.nn.Parameter(theta.clone())
    optimizer = torch.optim.SGD([weights], lr=lr, momentum=momentum)
    omega = torch.zeros_like(theta)
    for _ in range(n_steps):
        weights.grad = (before := h @ weights.detach())
        start = weights.detach().clone()
        optimizer.step()
        step = weights.detach() - start
        omega -= (before + h @ weights.detach()) / 2 * step
    return omega.numpy()


def straight_line(h, theta, lr, momentum, n_steps):
    end, velocity = theta, 0
    for _ in range(n_steps):
        velocity = momentum * velocity + h @ end
        end = end - lr * velocity
    return -(h @ theta + h @ end) / 2 * (end - theta)


RIGHT_SI = [books, by_the_midpoint, with_torch_sgd]


@pytest.mark.parametrize("answer", RIGHT_SI)
def test_books_that_add_up(answer):
    assert cl.check("si-transfer", answer).status == "right"


@pytest.mark.parametrize("problem", [0, 1])
def test_the_sum_is_the_fall_of_the_loss_and_the_gradient_before_promises_more(problem):
    """By SGD from PyTorch and the loss itself, which the oracle does not compute."""
    h, theta, lr, momentum, n_steps = EXERCISES["si-transfer"].problems()[problem]
    weights = torch.nn.Parameter(theta.clone())
    optimizer = torch.optim.SGD([weights], lr=lr, momentum=momentum)
    losses, excess = [], 0.0
    for _ in range(n_steps + 1):
        loss = 0.5 * weights @ h @ weights
        losses.append(loss.item())
        before = weights.detach().clone()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step = weights.detach() - before
        if len(losses) <= n_steps:
            excess += 0.5 * float(step @ h @ step)
    args = EXERCISES["si-transfer"].problems()[problem]
    fall = losses[0] - losses[-1]
    assert EXERCISES["si-transfer"].right(*args).sum().item() == pytest.approx(fall)
    assert books(*args, gradient="before").sum().item() == pytest.approx(fall + excess)
    assert straight_line(*args).sum().item() == pytest.approx(fall)


def wrong(**how):
    return lambda *args: books(*args, **how)


WRONG_SI_TRANSFER = [
    (wrong(booked="gradient", gradient="before"), "Both mistakes"),
    (wrong(booked="gradient"), "not the step that is taken"),
    (wrong(gradient="before"), "promises too much"),
    (wrong(gradient="after"), "after the step alone"),
    (wrong(gradient="sum"), "divide by 2"),
    (wrong(sign=1), "sign"),
    (wrong(sign=1, gradient="before"), "sign"),
    (wrong(gradient="velocity"), "by the velocity"),
    (wrong(cut=lambda omega: max(omega, 0)), "negative credit"),
    (wrong(cut=abs), "negative credit"),
    (wrong(momentum_in_training=False), "momentum is gone"),
    (wrong(average=True), "moving average"),
    (wrong(skip_last=True), "last step is lost"),
    (straight_line, "straight line"),
    (lambda *args: books(*args).sum(), r"one number came"),
]


@pytest.mark.parametrize(("answer", "said"), WRONG_SI_TRANSFER)
def test_a_mistake_in_the_books_is_named(answer, said):
    status, message = status_and_message("si-transfer", answer)
    assert status == "wrong"
    assert re.search(said, message), message


def test_what_is_not_written_yet():
    def credit(h, theta, lr, momentum, n_steps):
        return ...

    assert status_and_message("si-transfer", credit)[0] == "not yet"
    assert status_and_message("si-read", ...)[0] == "not yet"


# What test_exercise_kinds.py reads.
RIGHT = [
    *(("si-transfer", answer) for answer in RIGHT_SI),
    ("si-read", EXERCISES["si-read"].right),
]
WRONG = [
    *(("si-read", round(float(answer), 2), said) for answer, said in WRONG_SI_READ),
    *(("si-transfer", answer, said) for answer, said in WRONG_SI_TRANSFER),
]
