"""An exercise on SI's credit: which step was taken, and which gradient belongs to it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .judge import Answer, Args, Exercise

# What a step adds to ω: (gradient before, gradient after, the step taken, learning rate).
Booked = Callable[[Tensor, Tensor, Tensor, float], Tensor]
# The velocity of a step: (momentum, velocity before, gradient).
Velocity = Callable[[float, Tensor, Tensor], Tensor]


def credit(h, theta, lr, momentum, n_steps):
    omega, velocity = torch.zeros_like(theta), torch.zeros_like(theta)
    for _ in range(n_steps):
        g = h @ theta
        velocity = momentum * velocity + g
        step = -lr * velocity  # what the optimiser does
        g_after = h @ (theta + step)
        omega = omega - (g + g_after) / 2 * step  # the mean gradient along the step
        theta = theta + step
    return omega


def _books(
    booked: Booked = lambda g, after, step, lr: -(g + after) / 2 * step,
    velocity_of: Velocity = lambda momentum, velocity, g: momentum * velocity + g,
    fewer: int = 0,
) -> Answer:
    """Make the function with one mistake."""

    def wrong(h: Tensor, theta: Tensor, lr: float, momentum: float, n_steps: int) -> Tensor:
        omega, velocity = torch.zeros_like(theta), torch.zeros_like(theta)
        for _ in range(n_steps - fewer):
            g = h @ theta
            velocity = velocity_of(momentum, velocity, g)
            step = -lr * velocity
            omega = omega + booked(g, h @ (theta + step), step, lr)
            theta = theta + step
        return omega

    return wrong


def _straight(h: Tensor, theta: Tensor, lr: float, momentum: float, n_steps: int) -> Tensor:
    """The mean of the first and the last gradient, along the straight line between them."""
    start, velocity = theta, torch.zeros_like(theta)
    for _ in range(n_steps):
        velocity = momentum * velocity + h @ theta
        theta = theta - lr * velocity
    return -(h @ (start + theta)) / 2 * (theta - start)


def _problems() -> list[Args]:
    h = torch.tensor([[3.0, 0.8, 0.0], [0.8, 1.0, -0.4], [0.0, -0.4, 0.5]], dtype=torch.float64)
    start = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    return [(h, start, 0.2, 0.9, 9), (0.5 * h.flip(0, 1), -start, 0.5, 0.5, 4)]


si_transfer = Exercise(
    "credit(h, theta, lr, momentum, n_steps)",
    "ω (P,), one number a weight, after `n_steps` of SGD with momentum on L(θ) = ½ θᵀHθ; its sum "
    "is the fall of L, whatever the learning rate.",
    _problems,
    right=credit,
    mistakes={
        "Both mistakes are still in it. First compare `step` with how far `theta` moves. Then "
        "compare the sum of ω with the fall of L.": (
            _books(lambda g, after, step, lr: lr * g * g),
        ),
        "`step` is not the step that is taken: −η g is the step of SGD *without* "
        "momentum. Here the weights move by −η · velocity.": (
            _books(lambda g, after, step, lr: (g + after) / 2 * lr * g),
            _books(lambda g, after, step, lr: after * lr * g),
        ),
        "The step is right now, but the sum of ω is more than the fall: the gradient at the "
        "beginning of a step promises too much. Take the mean of the gradients before and after "
        "the step.": (_books(lambda g, after, step, lr: -g * step),),
        "That is the gradient after the step alone. The sum of ω is less than the fall: the "
        "gradient was steeper on the way. Take the mean of the gradients before and after.": (
            _books(lambda g, after, step, lr: -after * step),
        ),
        "You added the two gradients. Take their mean: divide by 2.": (
            _books(lambda g, after, step, lr: -(g + after) * step),
        ),
        "The sign is the other way round: a step that lowers the loss counts as positive. "
        "ω = −Σ g Δθ.": (
            _books(lambda g, after, step, lr: (g + after) / 2 * step),
            _books(lambda g, after, step, lr: g * step),
        ),
        "You multiplied the step by the velocity. ω is about the loss: multiply the step by the "
        "gradient.": (
            _books(lambda g, after, step, lr: step.square() / lr),
            _books(lambda g, after, step, lr: -step.square() / lr),
        ),
        "You cut off negative credit at every step. Momentum carries a weight uphill at times, and "
        "that must be subtracted, or the sum is not the fall. SI's relu comes once, at the end of "
        "the task.": (
            _books(lambda g, after, step, lr: (-(g + after) / 2 * step).relu()),
            _books(lambda g, after, step, lr: (-g * step).relu()),
            _books(lambda g, after, step, lr: ((g + after) / 2 * step).abs()),
        ),
        "You changed the training: the momentum is gone. Leave the path of the weights as it is, "
        "and count the steps of that path.": (
            _books(velocity_of=lambda momentum, velocity, g: g),
            _books(lambda g, after, step, lr: -g * step, lambda momentum, velocity, g: g),
        ),
        "You changed the training: this velocity is a moving average, (1 − momentum) · g. Here it "
        "is a sum, momentum · velocity + g, as in `torch.optim.SGD`.": (
            _books(velocity_of=lambda m, velocity, g: m * velocity + (1 - m) * g),
        ),
        "The sum is the fall of L, but its division among the weights is wrong: you went from the "
        "start to the end in a straight line. The weights took another path. Count every step.": (
            _straight,
        ),
        "The last step is lost: `n_steps` steps are taken, and each of them counts.": (
            _books(fewer=1),
            _books(lambda g, after, step, lr: -g * step, fewer=1),
        ),
    },
    moral="On a quadratic loss the mean gradient makes every step exact. SI itself takes the "
    "gradient before the step, which is there for free; the mean needs a second backward pass.",
    hints=(
        "The code counts `step = -lr * g`. Is that how far `theta` moves in the last line of the "
        "loop?",
        "Along a step on a quadratic loss the gradient changes linearly. So L falls by the mean of "
        "the gradients at both ends, times the step: −½ (g + g_after) · Δθ.",
    ),
    solution=credit,
)
