"""Exercises on MAS beside the one in `on_importance`: what it holds, and what EWC lets go."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from ...models.small import MLP
from .judge import Args, Exercise, Mistake
from .on_importance import _norm2, _true_fisher
from .reading import Reading

ENOUGH = 0.01  # the part of EWC's Ω that may be left

read = Reading(
    ask="the number of the weight, counted from 1",
    right=1,
    mistakes={
        "Weight 2 has the largest mean gradient. In the mean the gradients of weight 1 cancel: "
        "take the absolute value of each image's gradient first.": 2,
        "Weight 3 has the largest mean square, as EWC would take it, because one image counts "
        "for all. MAS takes absolute values.": 3,
        "Weight 4 does not move the squared length on any image: its Ω is 0.": 4,
    },
    moral="The means of |g| are 3, 2, 2 and 0.",
    hints=(
        "Take the absolute value of every number first.",
        "Then take the mean of each row.",
    ),
    solution="1: its mean of |g| is 3. Weights 2 and 3 have 2, weight 4 has 0.",
)


def _learned(n: int, seed: int) -> tuple[MLP, Tensor]:
    """A tiny model in float64 and inputs (n, 6), on which the largest logit leads by 1 or more."""
    model = MLP((6, 5, 3), seed=seed).double().eval()
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    *_, weight, bias = model.parameters()
    with torch.no_grad():
        best, second = model(x).topk(2).values.T
        lead = (best - second).sort(descending=True)
        x = x[lead.indices[: n // 2]]
        factor = 1 / lead.values[n // 2 - 1]
        weight.mul_(factor)
        bias.mul_(factor)
    return model, x


def _mean_omegas(model: nn.Module, x: Tensor) -> tuple[float, float]:
    """The mean of EWC's Ω (the true Fisher information) and of MAS's, over all weights."""
    y = torch.zeros(len(x), dtype=torch.long)
    ewc, mas = _true_fisher(model, x, y), _norm2(model, x).abs().mean(0)
    return ewc.mean().item(), mas.mean().item()


def _judged(answer: Callable[[nn.Module], Any]) -> Callable[[int, int], Tensor]:
    """The function that is judged: 1, or a `Mistake`, for a model that `answer` has changed."""

    def changed(n: int, seed: int) -> Tensor:
        model, x = _learned(n, seed)
        before = deepcopy(model)
        returned = answer(model)
        after = returned if isinstance(returned, nn.Module) else model
        with torch.no_grad():
            z, z_new = before(x), after(x)
        _check_logits(z, z_new, before, after)
        (ewc, mas), (ewc_new, mas_new) = (_mean_omegas(m, x) for m in (before, after))
        if ewc_new >= ENOUGH * ewc:
            _explain(z, z_new, ewc_new / ewc)
        if mas_new < mas:
            raise Mistake(
                f"EWC's Ω has vanished, but MAS's fell as well, to {mas_new / mas:.2g} times what "
                "it was. The logits must not shrink."
            )
        return torch.ones(1)

    return changed


def _check_logits(z: Tensor, z_new: Tensor, before: nn.Module, after: nn.Module) -> None:
    """Raise `Mistake` if the change is none, is too large for numbers, or changes a prediction."""
    if torch.equal(z, z_new):
        raise Mistake(
            "The logits are what they were. `weight = weight * c` only makes a new tensor: change "
            "the parameter itself, in place, as `weight *= c` or `weight.mul_(c)` does."
        )
    if not z_new.isfinite().all():
        raise Mistake("The logits are infinite or NaN now. A much smaller change is enough.")
    n_changed = int((z.argmax(1) != z_new.argmax(1)).sum())
    *_, bias = before.parameters()
    *_, bias_new = after.parameters()
    only_weight = torch.equal(bias, bias_new) and not torch.equal(z, z_new)
    if n_changed and only_weight:
        raise Mistake(
            f"{n_changed} of {len(z)} predictions have changed: the last bias is as it was, so the "
            "logits did not all change alike. Treat it as you treat the last weight."
        )
    if n_changed:
        raise Mistake(
            f"{n_changed} of {len(z)} predictions have changed. Change the last layer alone, and "
            "so that the largest logit stays the largest."
        )


def _explain(z: Tensor, z_new: Tensor, ratio: float) -> None:
    """Raise the `Mistake` why EWC's Ω is still there: `ratio` of what it was."""
    off = z_new - z
    if (off - off.mean(1, keepdim=True)).abs().max() < 1e-9:
        raise Mistake(
            "You added the same number to all logits. Softmax does not see that, so EWC's Ω is as "
            "it was. MAS sees it. EWC's Ω depends on how sure the network is."
        )
    sure, sure_new = (v.softmax(1).amax(1).mean() for v in (z, z_new))
    if sure_new <= sure:
        raise Mistake(
            f"The network is less sure now, and EWC's Ω is {ratio:.2g} times what it was. Go the "
            "other way: where p is nearly 0 or 1, log p hardly has a gradient."
        )
    raise Mistake(
        f"The direction is right: the network is surer. But EWC's Ω is still {ratio:.2g} times "
        f"what it was, and {ENOUGH:g} is asked for. Go further."
    )


def _look(args: Args, outcome: Tensor | BaseException) -> str | None:
    if isinstance(outcome, RuntimeError) and "in-place" in str(outcome):
        return "Change parameters under `with torch.no_grad():`."
    return None


def scaled(model: nn.Module) -> None:
    *_, weight, bias = model.parameters()  # of the last layer
    with torch.no_grad():
        weight.mul_(20)
        bias.mul_(20)


transfer = Exercise(
    "fool(model)",
    "a function that changes `model` in place and returns nothing. Every prediction stays, the "
    "mean of EWC's Ω falls below a hundredth, and that of MAS's does not fall.",
    lambda: [(40, 0), (30, 1)],
    right=_judged(scaled),
    made=_judged,
    mistakes={},
    moral="A network that is sure of everything leaves EWC nothing to hold. MAS looks at the "
    "logits themselves.",
    look=_look,
    hints=(
        "EWC's Ω is made of p's gradients. They vanish where p is 0 or 1, so make the network "
        "surer of what it predicts.",
        "`*_, weight, bias = model.parameters()` are those of the last layer. Multiply both, in "
        "place, by the same large number.",
    ),
    solution=scaled,
)
