"""Exercises on an Ω that is computed from the path of the weights: SI, RWalk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from .judge import Args, Exercise


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


def _way2(theta: Tensor) -> Tensor:
    """(P,): Δ²."""
    return (theta[-1] - theta[0]).square()


def _credit(g: Tensor, theta: Tensor, xi: float) -> Tensor:
    """(P,): ω / (Δ² + ξ)."""
    return _fall(g, theta) / (_way2(theta) + xi)


si = Exercise(
    "importance(g, theta, xi)",
    "relu(ω / (Δ² + ξ)), one number a weight, with ω = −Σ gₛ (θₛ₊₁ − θₛ) over the steps and Δ the "
    "last place less the first.",
    lambda: [(*_path(6, seed=1), 0.1), (*_path(4, seed=2), 0.3)],
    right=lambda g, theta, xi: _credit(g, theta, xi).relu(),
    mistakes={
        "Some importances are negative: such a weight would be driven away from θ*. The relu is "
        "missing.": (_credit,),
        "You took the absolute value: a weight that made the loss rise counts as important. A relu "
        "leaves it at zero.": (lambda g, theta, xi: _credit(g, theta, xi).abs(),),
        "The sign is the other way round: a step against the gradient lowers the loss and is to "
        "count as positive. ω = −Σ g Δθ.": (
            lambda g, theta, xi: _credit(-g, theta, xi).relu(),
            lambda g, theta, xi: _credit(-g, theta, xi),
        ),
        "The last step is lost: S gradients belong to S + 1 places, so there are S steps.": (
            lambda g, theta, xi: _credit(g[:-1], theta[:-1], xi).relu(),
            lambda g, theta, xi: (_fall(g[:-1], theta[:-1]) / (_way2(theta) + xi)).relu(),
            lambda g, theta, xi: (_fall(g, theta) / (_way2(theta[:-1]) + xi)).relu(),
        ),
        "A weight that went to and fro counts as having come far: you summed the squares of the "
        "steps. Δ is the whole way, end less start; square that.": (
            lambda g, t, xi: (_fall(g, t) / (t.diff(dim=0).square().sum(0) + xi)).relu(),
        ),
        "ξ is forgotten: a weight that hardly moved gets a huge importance. It goes below the "
        "fraction line, beside Δ².": (lambda g, theta, xi: _credit(g, theta, 0).relu(),),
        "Not divided by Δ² + ξ: this is a fall of the loss. The penalty needs it per squared "
        "distance.": (
            lambda g, theta, xi: _fall(g, theta).relu(),
            lambda g, theta, xi: _fall(g, theta).relu() / xi,
            lambda g, theta, xi: _fall(g, theta),
        ),
        "Only start and end count here: you multiplied the total gradient by the total way. "
        "Multiply step by step, then sum: a path integral.": (
            lambda g, theta, xi: _credit(g.sum(0, keepdim=True), theta[[0, -1]], xi).relu(),
        ),
    },
    moral="Summed over all weights, ω is about the whole fall of the loss.",
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
) -> Tensor:
    """(P,): RWalk's score; each switch is a mistake. A stretch is the steps a, …, b − 1."""
    steps = len(g)
    score = torch.zeros_like(theta[0])
    for a in range(0, steps if last else steps - steps % interval, interval):
        b = min(a + interval, steps)
        since = a if reset_fall else 0
        fall = _fall(g[since:b], theta[since : b + 1])
        moved = theta[b] - theta[a if reset_start else 0]
        gain = fall / (half * f_of(fisher, a, b) * moved.square() + epsilon)
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


rwalk = Exercise(
    "score(g, theta, fisher, interval, epsilon)",
    "the sum over stretches of `interval` steps (the last may be shorter) of relu(ΔL / "
    "(½ F Δθ² + ε)), one number a weight.",
    _walks,
    right=_walk,
    mistakes={
        "One score for the whole task: what was won and lost again on the way is not seen. Take a "
        "score every `interval` steps and add them up.": (
            lambda g, theta, fisher, interval, epsilon: _walk(g, theta, fisher, len(g), epsilon),
        ),
        "A stretch in which the loss rose is taken off the score. The relu, stretch by stretch, is "
        "missing.": (partial(_walk, relu=False), lambda *args: _walk(*args, relu=False).relu()),
        "Neither ΔL nor the stretch's start is reset: early steps are counted again in every "
        "stretch. Both begin anew after each score.": (
            partial(_walk, reset_fall=False, reset_start=False),
        ),
        "ΔL is not reset: early steps are counted again in every stretch. Set it to zero after "
        "each score.": (partial(_walk, reset_fall=False),),
        "The stretch's start is not reset: Δθ is the way since the task began, so later stretches "
        "count less and less. It is the way since the last score.": (
            partial(_walk, reset_start=False),
        ),
        "The ½ before F Δθ² is forgotten: ½ F Δθ² is the distance between two answers of the "
        "model.": (partial(_walk, half=1.0),),
        "The short last stretch is lost: steps that are left over at the end need a score too.": (
            partial(_walk, last=False),
        ),
        "That is F at the stretch's beginning. Take F as it stands at its end, after the last "
        "step.": (
            partial(_walk, f_of=lambda fisher, a, b: fisher[a]),
            partial(_walk, f_of=lambda fisher, a, b: fisher[a - 1]),
            partial(_walk, f_of=lambda fisher, a, b: fisher[a - 1] * (a > 0)),
        ),
    },
    moral="SI's credit per weight, measured by EWC's yardstick.",
)
