"""Exercises on an Ω that is computed from the path of the weights: SI, RWalk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from .judge import Args, Exercise
from .reading import Reading


def _path(steps: int, seed: int) -> tuple[Tensor, Tensor]:
    """Gradients (S, 6) and weights (S + 1, 6): mostly downhill, but some weights go uphill."""
    generator = torch.Generator().manual_seed(seed)
    g = torch.randn(steps, 6, generator=generator, dtype=torch.float64)
    noise = torch.randn(steps, 6, generator=generator, dtype=torch.float64)
    downhill = torch.tensor([0.3, 0.2, 0.4, 0.3, -0.2, -0.1], dtype=torch.float64)
    start = torch.randn(1, 6, generator=generator, dtype=torch.float64)
    return g, torch.cat([start, start + (0.2 * noise - downhill * g).cumsum(0)])


def _fall(g: Tensor, theta: Tensor) -> Tensor:
    """(P,): ω, a path integral."""
    return -(g * theta.diff(dim=0)).sum(0)


def _moved2(theta: Tensor) -> Tensor:
    """(P,): Δ²."""
    return (theta[-1] - theta[0]).square()


def _credit(g: Tensor, theta: Tensor, xi: float) -> Tensor:
    """(P,): ω / (Δ² + ξ)."""
    return _fall(g, theta) / (_moved2(theta) + xi)


def importance(g, theta, xi):
    omega = -(g * (theta[1:] - theta[:-1])).sum(0)
    delta = theta[-1] - theta[0]
    return torch.relu(omega / (delta**2 + xi))


si_read = Reading(
    "the importance Ω of this weight, a number",
    right=10.0,
    tolerance=0.05,
    mistakes={
        "That is the credit ω alone. Divide it by Δ² + ξ.": 0.5,
        "You multiplied the sum of the gradients by the whole movement. Multiply step by step, "
        "then add: ω = −Σ g Δθ.": (3.6, 0.18),
        "Δ is the whole movement, from 0 to 0.2. You added the squares of the steps.": 2.63,
        "ξ is forgotten: Ω = ω / (Δ² + ξ).": 12.5,
        "Δ is not squared: Ω = ω / (Δ² + ξ).": (2.38, 2.5),
        "The last two steps go back, and there g > 0: −g Δθ is positive there too. The way back "
        "earns credit because the loss falls on it.": (6.0, 0.3, 8.0, 0.4),
        "The sign is the other way round: ω = −Σ g Δθ.": (-10.0, -0.5),
        "That is the largest distance from the start, 0.5. Δ is end minus start: 0.2.": 1.92,
    },
    moral="The weight came back most of the way, so Δ is small. But it lowered the loss on the way "
    "out and on the way back, and keeps all that credit.",
    hints=(
        "First the credit: ω = −Σ g Δθ, one product for each of the four steps.",
        "The four steps are +0.3, +0.2, −0.1 and −0.2. Then Δ = 0.2, so Δ² + ξ = 0.05.",
    ),
    solution="ω = 0.3 + 0.1 + 0.02 + 0.08 = 0.5 and Δ² + ξ = 0.04 + 0.01, so Ω = 0.5 / 0.05 = 10.",
)


si = Exercise(
    "importance(g, theta, xi)",
    "relu(ω / (Δ² + ξ)), one number a weight, with ω = −Σ gₛ (θₛ₊₁ − θₛ) over the steps and Δ the "
    "last position minus the first.",
    lambda: [(*_path(6, seed=1), 0.1), (*_path(4, seed=2), 0.3)],
    right=lambda g, theta, xi: _credit(g, theta, xi).relu(),
    mistakes={
        "Some importances are negative: such a weight would be driven away from θ*. The relu is "
        "missing.": (_credit,),
        "You took the absolute value: a weight that made the loss rise counts as important. A relu "
        "leaves it at zero.": (lambda g, theta, xi: _credit(g, theta, xi).abs(),),
        "The sign is the other way round: a step against the gradient lowers the loss and must "
        "count as positive. ω = −Σ g Δθ.": (
            lambda g, theta, xi: _credit(-g, theta, xi).relu(),
            lambda g, theta, xi: _credit(-g, theta, xi),
        ),
        "The last step is lost: S gradients belong to S + 1 positions, so there are S steps.": (
            lambda g, theta, xi: _credit(g[:-1], theta[:-1], xi).relu(),
            lambda g, theta, xi: (_fall(g[:-1], theta[:-1]) / (_moved2(theta) + xi)).relu(),
            lambda g, theta, xi: (_fall(g, theta) / (_moved2(theta[:-1]) + xi)).relu(),
        ),
        "A weight that went back and forth counts as having moved far: you summed the squares of "
        "the steps. Δ is the end minus the start; square that.": (
            lambda g, t, xi: (_fall(g, t) / (t.diff(dim=0).square().sum(0) + xi)).relu(),
        ),
        "ξ is forgotten: a weight that hardly moved gets a huge importance. It goes below the "
        "fraction line, beside Δ².": (lambda g, theta, xi: _credit(g, theta, 0).relu(),),
        "Negative credit is cut off at every step. A step uphill must be subtracted from ω. The "
        "relu comes once, at the end of the task.": (
            lambda g, t, xi: (-g * t.diff(dim=0)).relu().sum(0) / (_moved2(t) + xi),
        ),
        "Δ is not squared: Ω = relu(ω / (Δ² + ξ)).": (
            lambda g, t, xi: (_fall(g, t) / ((t[-1] - t[0]).abs() + xi)).relu(),
            lambda g, t, xi: (_fall(g, t) / (t[-1] - t[0] + xi)).relu(),
        ),
        "Not divided by Δ² + ξ: this is a fall of the loss. The penalty needs it per squared "
        "distance.": (
            lambda g, theta, xi: _fall(g, theta).relu(),
            lambda g, theta, xi: _fall(g, theta).relu() / xi,
            lambda g, theta, xi: _fall(g, theta),
        ),
        "Only start and end count here: you multiplied the total gradient by the total movement. "
        "Multiply step by step, then sum: a path integral.": (
            lambda g, theta, xi: _credit(g.sum(0, keepdim=True), theta[[0, -1]], xi).relu(),
        ),
    },
    moral="Summed over all weights, ω is the fall of the loss, as far as the steps are small and "
    "the gradient is that of all the data.",
    hints=(
        "`theta[1:] - theta[:-1]` are the steps, (S, P). `g` has the same shape.",
        "ω = −(g · steps), summed over the steps. Δ is `theta[-1] - theta[0]`. Then "
        "ω / (Δ² + ξ), and `torch.relu` of that.",
    ),
    solution=importance,
)


def _walk(
    g: Tensor,
    theta: Tensor,
    fisher: Tensor,
    interval: int,
    epsilon: float,
    *,
    relu: bool = True,
    half: float = 0.5,
    reset_fall: bool = True,
    reset_start: bool = True,
    last: bool = True,
    f_of: Callable[[Tensor, int, int], Tensor] = lambda fisher, a, b: fisher[b - 1],
    fall_of: Callable[[Tensor, Tensor], Tensor] = _fall,
    moved2_of: Callable[[Tensor], Tensor] = _moved2,
) -> Tensor:
    """(P,): RWalk's score; each switch is a mistake. A stretch is the steps a, …, b − 1."""
    steps = len(g)
    score = torch.zeros_like(theta[0])
    for a in range(0, steps if last else steps - steps % interval, interval):
        b = min(a + interval, steps)
        since = a if reset_fall else 0
        fall = fall_of(g[since:b], theta[since : b + 1])
        moved2 = moved2_of(theta[a if reset_start else 0 : b + 1])
        gain = fall / (half * f_of(fisher, a, b) * moved2 + epsilon)
        score += gain.relu() if relu else gain
    return score


def _walks() -> list[Args]:
    problems: list[Args] = []
    for steps, interval, seed in ((8, 3, 1), (4, 2, 2), (7, 4, 4)):
        g, theta = _path(steps, seed)
        fisher = torch.zeros_like(g)
        for s in range(steps):
            fisher[s] = 0.5 * (fisher[s - 1] if s else 0) + 0.5 * g[s].square()
        problems.append((g, theta, fisher, interval, 0.05))
    return problems


def score(g, theta, fisher, interval, epsilon):
    s = torch.zeros_like(theta[0])
    for a in range(0, len(g), interval):
        b = min(a + interval, len(g))  # the stretch is the steps a to b − 1
        fall = -(g[a:b] * (theta[a + 1 : b + 1] - theta[a:b])).sum(0)
        distance = 0.5 * fisher[b - 1] * (theta[b] - theta[a]) ** 2
        s += torch.relu(fall / (distance + epsilon))
    return s


rwalk_read = Reading(
    "the number of the stretch that adds most to the score, 1 to 4",
    right=3,
    mistakes={
        "Stretch 1 has the largest fall of the loss, but also the largest distance: "
        "0.020 / (0.010 + 0.001) = 1.8.": 1,
        "In stretch 2 the loss rose: the relu makes its score 0.": 2,
        "Stretch 4 is short, but ε = 0.001 is far larger than its distance: "
        "0.0004 / (0.000002 + 0.001) = 0.4. ε keeps stretches almost without movement from "
        "winning.": 4,
    },
    moral="0.006 / (0.0001 + 0.001) = 5.5: a fair fall of the loss, and the predictions hardly "
    "changed. F is small there, so a long step in θ is a short distance.",
    hints=(
        "The distance of a stretch is ½ F Δθ². In stretch 1 it is ½ · 0.5 · 0.2² = 0.01.",
        "Then ΔL / (distance + ε), and 0 where ΔL is negative. Stretch 1 has 0.020 / 0.011 = 1.8.",
    ),
    solution="The scores are 1.8, 0, 5.5 and 0.4: stretch 3.",
)


rwalk = Exercise(
    "score(g, theta, fisher, interval, epsilon)",
    "the sum over stretches of `interval` steps (the last may be shorter) of relu(ΔL / "
    "(½ F Δθ² + ε)), one number a weight.",
    _walks,
    right=_walk,
    mistakes={
        "One score for the whole task: what was won and lost again in between is not seen. Take a "
        "score every `interval` steps and add them up.": (
            lambda g, theta, fisher, interval, epsilon: _walk(g, theta, fisher, len(g), epsilon),
        ),
        "A stretch in which the loss rose is subtracted from the score. The relu of each stretch "
        "is missing.": (partial(_walk, relu=False), lambda *args: _walk(*args, relu=False).relu()),
        "Neither ΔL nor the stretch's start is reset: early steps are counted again in every "
        "stretch. Both begin anew after each score.": (
            partial(_walk, reset_fall=False, reset_start=False),
        ),
        "ΔL is not reset: early steps are counted again in every stretch. Set it to zero after "
        "each score.": (partial(_walk, reset_fall=False),),
        "The stretch's start is not reset: Δθ is the movement since the task began, so "
        "later stretches count less and less. It is the movement since the last score.": (
            partial(_walk, reset_start=False),
        ),
        "The ½ before F Δθ² is forgotten: ½ F Δθ² approximates the KL divergence between "
        "the predictions before and after the stretch.": (partial(_walk, half=1.0),),
        "The short last stretch is lost: steps that are left over at the end need a score too.": (
            partial(_walk, last=False),
        ),
        "The sign is the other way round: a stretch in which the loss fell must add to the score. "
        "ΔL = −Σ g Δθ.": (
            lambda g, *rest: _walk(-g, *rest),
            lambda g, *rest: _walk(-g, *rest, relu=False),
        ),
        "You multiplied the sum of a stretch's gradients by its whole movement. For ΔL multiply "
        "step by step, then add.": (
            partial(_walk, fall_of=lambda g, theta: -g.sum(0) * (theta[-1] - theta[0])),
        ),
        "You added the squares of the steps. Δθ is the movement of the whole stretch, end minus "
        "start; square that.": (
            partial(_walk, moved2_of=lambda theta: theta.diff(dim=0).square().sum(0)),
        ),
        "ε is forgotten: a stretch that hardly moved gets a huge score. It goes below the fraction "
        "line, beside ½ F Δθ².": (
            lambda g, theta, fisher, interval, epsilon: _walk(g, theta, fisher, interval, 0.0),
        ),
        "That is F at the beginning of the stretch. Take F at its end, after the last step.": (
            partial(_walk, f_of=lambda fisher, a, b: fisher[a]),
            partial(_walk, f_of=lambda fisher, a, b: fisher[a - 1]),
            partial(_walk, f_of=lambda fisher, a, b: fisher[a - 1] * (a > 0)),
        ),
        "You averaged F over the stretch. F is a moving average already: take it after the last "
        "step.": (partial(_walk, f_of=lambda fisher, a, b: fisher[a:b].mean(0)),),
    },
    moral="SI's credit for each weight, divided by a distance that EWC's Fisher measures.",
    hints=(
        "`for a in range(0, len(g), interval):` visits the beginning of every stretch. Its end is "
        "`b = min(a + interval, len(g))`.",
        "ΔL is −(g[a:b] · the steps from a to b), summed. Δθ is `theta[b] - theta[a]`, and F is "
        "`fisher[b - 1]`.",
    ),
    solution=score,
)
