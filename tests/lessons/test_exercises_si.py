"""The exercises of notebook 06: answers as students write them, and what `check` says to each."""

import numpy as np
import pytest
import torch

from cl_helpers.lessons.exercises import EXERCISES, check

THETA = np.array([0.0, 0.3, 0.5, 0.4, 0.2])  # the path that the notebook asks about
G = np.array([-1.0, -0.5, 0.2, 0.4])
XI = 0.01

# --- read ---

STEPS = np.diff(THETA)
FALL = -(G * STEPS).sum()


def typed(number):
    """As it is typed in: with two decimals."""
    return round(float(number), 2)


def test_the_number_that_is_asked_for_is_that_of_si():
    given = [torch.tensor(v) for v in (G[:, None], THETA[:, None])]
    assert EXERCISES["si"].right(*given, XI).item() == pytest.approx(10)


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


RIGHT = [
    ("si-read", FALL / ((THETA[-1] - THETA[0]) ** 2 + XI)),
    ("si-transfer", books),
    ("si-transfer", by_the_midpoint),
    ("si-transfer", with_torch_sgd),
]

WRONG = [
    ("si-read", typed(FALL), "credit ω alone"),
    ("si-read", typed(-G.sum() * THETA[-1] / (THETA[-1] ** 2 + XI)), "step by step"),
    ("si-read", typed(FALL / ((STEPS**2).sum() + XI)), "squares of the steps"),
    ("si-read", typed(FALL / THETA[-1] ** 2), "ξ is forgotten"),
    ("si-read", typed(FALL / (THETA[-1] + XI)), "not squared"),
    ("si-read", typed(-np.abs(G * STEPS) @ [-1, -1, 1, 1] / 0.05), "way back"),
    ("si-read", typed(-FALL / (THETA[-1] ** 2 + XI)), "sign"),
    ("si-read", typed(FALL / (THETA.max() ** 2 + XI)), "largest distance"),
    ("si-read", 7.7, "That is not it"),
    ("si-transfer", wrong(booked="gradient", gradient="before"), "Both mistakes"),
    ("si-transfer", wrong(booked="gradient"), "not the step that is taken"),
    ("si-transfer", wrong(gradient="before"), "promises too much"),
    ("si-transfer", wrong(gradient="after"), "after the step alone"),
    ("si-transfer", wrong(gradient="sum"), "divide by 2"),
    ("si-transfer", wrong(sign=1), "sign"),
    ("si-transfer", wrong(sign=1, gradient="before"), "sign"),
    ("si-transfer", wrong(gradient="velocity"), "by the velocity"),
    ("si-transfer", wrong(cut=lambda omega: max(omega, 0)), "negative credit"),
    ("si-transfer", wrong(cut=abs), "negative credit"),
    ("si-transfer", wrong(momentum_in_training=False), "momentum is gone"),
    ("si-transfer", wrong(average=True), "moving average"),
    ("si-transfer", wrong(skip_last=True), "last step is lost"),
    ("si-transfer", straight_line, "straight line"),
    ("si-transfer", lambda *args: books(*args).sum(), r"one number came"),
]


def test_what_is_not_written_yet():
    def credit(h, theta, lr, momentum, n_steps):
        return ...

    assert check("si-transfer", credit).status == "not yet"
    assert check("si-read", ...).status == "not yet"
