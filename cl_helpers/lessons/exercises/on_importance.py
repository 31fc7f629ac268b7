"""Exercises on an Ω that is computed from the model at the end of a task: EWC, MAS, SCP."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...models.small import MLP
from .judge import Answer, Args, Exercise


def _samples(n: int, seed: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A tiny model in float64, n images (n, 1, 2, 3) and labels."""
    generator = torch.Generator().manual_seed(seed)
    x = 2 * torch.randn(n, 1, 2, 3, generator=generator, dtype=torch.float64)
    y = torch.randint(3, (n,), generator=generator)
    return MLP((6, 5, 3), seed=seed).double().eval(), x, y


def _grads(model: nn.Module, scores: Tensor) -> Tensor:
    """(S, P): the gradient of each of `scores` (S,); per sample if each score is of one sample."""
    rows = [torch.autograd.grad(s, list(model.parameters()), retain_graph=True) for s in scores]
    return torch.stack([torch.cat([g.reshape(-1) for g in row]) for row in rows])


def _then(first: Answer, *steps: Callable[[Tensor], Tensor]) -> tuple[Answer, ...]:
    """Functions that apply one of `steps` each to the result of `first`."""
    return tuple(lambda *args, step=step: step(first(*args)) for step in steps)


_NOT_ZEROED = (
    "Gradients add up in `.grad`, so each one contains all those before. Call `model.zero_grad()` "
    "before every `backward()`."
)


def _log_p(model: nn.Module, x: Tensor, y: Tensor, of: Callable = F.log_softmax) -> Tensor:
    """(N, P): ∂ log p(y_n | x_n) / ∂θ."""
    return _grads(model, of(model(x), -1).gather(1, y[:, None])[:, 0])


def _true_fisher(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """(P,): 1/N Σ_n Σ_k p(k | x_n) (∂ log p(k | x_n) / ∂θ)²."""
    p = F.softmax(model(x), -1).T[..., None]
    return sum(p_k * _log_p(model, x, 0 * y + k).square() for k, p_k in enumerate(p)).mean(0)


def _fisher(model, x, y):
    parameters = list(model.parameters())
    omega = [torch.zeros_like(p) for p in parameters]
    for x_n, y_n in zip(x, y, strict=True):
        log_p = model(x_n[None]).log_softmax(-1)[0, y_n]
        for o, g in zip(omega, torch.autograd.grad(log_p, parameters), strict=True):
            o.add_(g**2 / len(x))
    return omega


ewc = Exercise(
    "fisher(model, x, y)",
    "for each parameter the mean over samples of (∂ log p(yₙ | xₙ) / ∂θ)², a tensor like each.",
    lambda: [_samples(7, seed=1), _samples(4, seed=2)],
    right=lambda model, x, y: _log_p(model, x, y).square().mean(0),
    mistakes={
        "This changes with the batch size: you squared the gradient of a whole batch, in which the "
        "samples have cancelled. Square each sample's gradient, then average.": _then(
            _log_p, lambda g: g.mean(0).square(), lambda g: g.sum(0).square()
        ),
        "These are absolute values; the Fisher information is the mean of squares.": _then(
            _log_p, lambda g: g.abs().mean(0), lambda g: g.mean(0).abs()
        ),
        "This never looks at y: you took the model's own first choice for the label, so what the "
        "model gets wrong does not show. Take log p of the label y.": (
            lambda model, x, y: _log_p(model, x, model(x).argmax(1)).square().mean(0),
        ),
        "That is the true Fisher, averaged over all labels as the model finds them likely. Asked "
        "for is the empirical one, with the label y.": (_true_fisher,),
        "This changes with the number of samples: you took a sum, or divided by their number "
        "twice. Take the mean of the squares.": _then(
            _log_p, lambda g: g.square().sum(0), lambda g: g.square().mean(0) / len(g)
        ),
        "That is the gradient of p itself, which is small where the model finds y unlikely. Take "
        "log p: `log_softmax` in place of `softmax`.": _then(
            partial(_log_p, of=F.softmax), lambda g: g.square().mean(0)
        ),
        "That is the gradient of the raw logit of y, in which the other labels have no part. Take "
        "log p: `log_softmax` of all logits first, then the entry of y.": _then(
            partial(_log_p, of=lambda logits, dim: logits), lambda g: g.square().mean(0)
        ),
        "Not squared: this can be negative, and near the optimum it is about zero. Square each "
        "sample's gradient before the mean.": _then(
            _log_p,
            lambda g: g.mean(0),
            lambda g: -g.mean(0),
            lambda g: g.sum(0),
            lambda g: -g.sum(0),
        ),
        _NOT_ZEROED: _then(_log_p, lambda g: g.cumsum(0).square().mean(0)),
    },
    moral="Square, then average: the same numbers for every batch size.",
    hints=(
        "`model(x_n[None])` are the logits (1, K) of one sample. `log_softmax(-1)` makes log p of "
        "them: take its entry of `y_n`.",
        "`torch.autograd.grad(log_p, parameters)` is one tensor a parameter. Add the square of "
        "each, divided by `len(x)`, to its `omega`.",
    ),
    solution=_fisher,
)


def _norm2(model: nn.Module, x: Tensor) -> Tensor:
    """(N, P): ∂ ‖f(x_n)‖² / ∂θ."""
    return _grads(model, model(x).square().sum(1))


def _sensitivity(model, x):
    parameters = list(model.parameters())
    omega = [torch.zeros_like(p) for p in parameters]
    for n in range(len(x)):
        size = model(x[n : n + 1]).square().sum()
        for o, g in zip(omega, torch.autograd.grad(size, parameters), strict=True):
            o.add_(g.abs())
    return [o / len(x) for o in omega]


mas = Exercise(
    "importance(model, x)",
    "for each parameter the mean over samples of |∂‖f(xₙ)‖² / ∂θ|, f the logits, a tensor like "
    "each.",
    lambda: [_samples(7, seed=1)[:2], _samples(4, seed=2)[:2]],
    right=lambda model, x: _norm2(model, x).abs().mean(0),
    mistakes={
        "The samples cancel: you took the absolute value of a whole batch's gradient, where a "
        "weight that pulls two samples in opposite ways looks unimportant. Absolute value of each "
        "sample's gradient first, then the mean.": _then(
            _norm2, lambda g: g.mean(0).abs(), lambda g: g.sum(0).abs()
        ),
        "That is the norm, not its square: large logits count too little. Leave out the root.": (
            lambda model, x: _grads(model, model(x).norm(dim=1)).abs().mean(0),
        ),
        "You squared the gradients, as EWC does. MAS takes their absolute values.": _then(
            _norm2, lambda g: g.square().mean(0), lambda g: g.mean(0).square()
        ),
        "This changes with the number of samples: you took a sum, or divided by their number "
        "twice. Take the mean over samples.": _then(
            _norm2, lambda g: g.abs().sum(0), lambda g: g.abs().mean(0) / len(g)
        ),
        "Without an absolute value this is just the mean gradient, in which samples cancel, and "
        "some importances are negative. Take the absolute value sample by sample.": _then(
            _norm2, lambda g: g.mean(0), lambda g: g.sum(0)
        ),
        "You differentiated the sum of the logits: two that move in opposite ways cancel there. "
        "Square them first: ‖f‖² = Σ f².": (
            lambda model, x: _grads(model, model(x).sum(1)).abs().mean(0),
        ),
        "You squared the sum of the logits, in which they cancel. ‖f‖² is the sum of their "
        "squares: square first, then add.": (
            lambda model, x: _grads(model, model(x).sum(1).square()).abs().mean(0),
        ),
        "You took probabilities. f are the logits, as `model` returns them: leave out the "
        "softmax.": (
            lambda model, x: _grads(model, model(x).softmax(1).square().sum(1)).abs().mean(0),
        ),
        _NOT_ZEROED: _then(_norm2, lambda g: g.cumsum(0).abs().mean(0)),
    },
    moral="No label was needed: MAS holds the function, not the loss.",
    hints=(
        "`model(x[n : n + 1])` are the logits (1, K) of sample n. Their squares add up to one "
        "number.",
        "`g` is the gradient for one parameter. Its absolute value, `g.abs()`, is what this sample "
        "says of it.",
    ),
    solution=_sensitivity,
)


def _slices() -> list[Args]:
    """With more directions than logits, and with fewer."""
    problems: list[Args] = []
    for n, n_directions in ((6, 5), (4, 2)):
        generator = torch.Generator().manual_seed(n)
        u = torch.randn(n_directions, 3, generator=generator, dtype=torch.float64)
        problems.append((*_samples(n, seed=n)[:2], F.normalize(u, dim=1)))
    return problems


def _sliced(model: nn.Module, x: Tensor, directions: Tensor) -> Tensor:
    """(S, P): ∂ (u_s · φ̄) / ∂θ."""
    return _grads(model, directions @ model(x).mean(0))


def _sliced_by_sample(model: nn.Module, x: Tensor, directions: Tensor) -> Tensor:
    """(N S, P): ∂ (u_s · f(x_n)) / ∂θ."""
    return _grads(model, (model(x) @ directions.T).flatten())


def sliced_importance(model: nn.Module, x: torch.Tensor, directions: torch.Tensor) -> list:
    phi = model(x).mean(0)
    parameters = list(model.parameters())
    omega = [torch.zeros_like(p) for p in parameters]
    for u in directions:
        gradients = torch.autograd.grad(u @ phi, parameters, retain_graph=True)
        for one, g in zip(omega, gradients, strict=True):
            one.add_(g.square() / len(directions))
    return omega


scp = Exercise(
    "importance(model, x, directions)",
    "for each parameter the mean over directions u of (∂(u · φ̄) / ∂θ)², φ̄ the mean logits of x, a "
    "tensor like each.",
    _slices,
    right=lambda model, x, directions: _sliced(model, x, directions).square().mean(0),
    mistakes={
        "The number of directions does nothing here: you averaged the slices before "
        "differentiating, so they act as one. One gradient a direction; square it; then "
        "average.": _then(_sliced, lambda g: g.mean(0).square(), lambda g: g.sum(0).square()),
        "These are absolute values; SCP takes the mean of squares.": _then(
            _sliced, lambda g: g.abs().mean(0)
        ),
        "You squared sample by sample and took the mean over samples last, as EWC does. SCP "
        "averages the logits first, φ̄, and differentiates that.": _then(
            _sliced_by_sample, lambda g: g.square().mean(0)
        ),
        "This grows with the number of directions: you took the sum over slices. Take the "
        "mean.": _then(_sliced, lambda g: g.square().sum(0)),
        "This grows with the number of samples: φ̄ is the mean of the logits, not their sum.": (
            lambda model, x, directions: (len(x) * _sliced(model, x, directions)).square().mean(0),
        ),
        "Not squared: directions that point opposite ways cancel. Square each slice's gradient "
        "before the mean.": _then(_sliced, lambda g: g.mean(0), lambda g: g.sum(0)),
        _NOT_ZEROED: _then(_sliced, lambda g: g.cumsum(0).square().mean(0)),
    },
    moral="Square before averaging, else all directions melt into one.",
    hints=(
        "`phi = model(x).mean(0)` is φ̄. `torch.autograd.grad(u @ phi, parameters, "
        "retain_graph=True)` gives the derivatives of one slice.",
        "For each direction square the gradients, add them up, and divide by the number of "
        "directions at the end.",
    ),
    solution=sliced_importance,
)
