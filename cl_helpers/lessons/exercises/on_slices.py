"""Exercises on what SCP sees of the logits: the mean of each slice, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .judge import Answer, Args, Exercise, Mistake
from .reading import Reading

read = Reading(
    "Ω of this weight for very many slices, a number",
    12.5,
    mistakes={
        "That is ‖∂φ̄/∂θ‖². For many slices the mean of u uᵀ is the identity divided by K, and "
        "there are K = 2 logits.": 25,
        "You squared image by image and averaged last, as EWC does. SCP averages the logits of the "
        "batch first.": (22.5, 45),
        "You averaged the slices before you squared: u and −u cancel. Square first.": 0,
        "That is a sum over the two images. φ̄ is their mean.": (50, 100),
        "Not squared: SCP takes the square of each slice's derivative.": (2.5, 3.5, 5, 7),
    },
    moral="‖(3, 4)‖² / 2. The two images move apart, and SCP sees only how their mean moves.",
    hints=(
        "Begin with φ̄, the mean logits of the two images: how far does it move?",
        "For many slices the mean of (u · v)² is ‖v‖² / K.",
    ),
    solution="The mean of the logits moves by v = ((5 + 1)/2, (0 + 8)/2) = (3, 4). So Ω = ‖v‖²/K = "
    "25/2 = 12.5.",
    tolerance=0.05,
)


def _clouds() -> list[Args]:
    """Logits (N, K) of images, all of which are right, and their labels (N,)."""
    problems: list[Args] = []
    for n_classes, n in ((3, 6), (4, 8)):
        generator = torch.Generator().manual_seed(n)
        y = torch.arange(n) * n_classes // n
        noise = torch.rand(n, n_classes, generator=generator, dtype=torch.float64)
        lean = torch.arange(n_classes, dtype=torch.float64)  # φ̄ has no two equal entries
        problems.append((5 * F.one_hot(y, n_classes) + noise + 0.7 * lean, y))
    return problems


def _seen(answer: Answer) -> Callable[[Tensor, Tensor], Any]:
    """What is seen of new logits: how far their mean moved (K,), and the share that is right."""

    def seen(logits: Tensor, y: Tensor) -> Any:
        new = answer(logits.clone(), y.clone())
        if new is None or new is Ellipsis:
            return new
        new = torch.as_tensor(new).double()
        if new.shape != logits.shape:
            raise Mistake(
                f"{tuple(new.shape)} came, and the logits are {tuple(logits.shape)}: return new "
                "logits, a row an image."
            )
        moved = new.mean(0) - logits.mean(0)
        still = (new.argmax(1) == y).double().mean()
        return torch.cat([moved * (moved.abs() > 1e-5), still[None]])

    return seen


def _look(args: Args, outcome: Tensor | BaseException) -> str | None:
    if isinstance(outcome, BaseException):
        return None
    *moved, still = outcome.tolist()
    if any(moved):
        largest = max(moved, key=abs)
        return f"SCP sees this: an entry of the mean logits moved by {largest:.2g}."
    if still:
        return (
            f"The mean stays, so SCP sees nothing. But {still:.0%} of the images are still right."
        )
    return None


def mirrored(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return 2 * logits.mean(0) - logits


def _about_mean(factor: float) -> Answer:
    return _seen(lambda z, y: z.mean(0) + factor * (z - z.mean(0)))


transfer = Exercise(
    "unseen(logits, y)",
    "new logits (N, K) with the same mean over the images, by which no image is classified as its "
    "label in y any more.",
    _clouds,
    right=lambda logits, y: torch.zeros(logits.shape[1] + 1).double(),
    mistakes={
        "The sign of φ̄ changed, and SCP sees that. Mirror the logits at their mean instead of at "
        "0.": (_seen(lambda z, y: -z),),
        "You moved all logits from one class to another, and so their mean as well: SCP sees it.": (
            _seen(lambda z, y: z.roll(1, 1)),
            _seen(lambda z, y: z.roll(-1, 1)),
            _seen(lambda z, y: z.flip(1)),
        ),
        "The mean stays, but so does the largest logit of each image: all are still right. "
        "Stretching the cloud about its mean is not enough.": (_about_mean(1.0),),
        "Now all images have the same logits. The mean stays, and the images of one class are "
        "still right.": (_about_mean(0.0),),
        "The logits shrank towards 0, and the mean with them: SCP sees it. Whatever you do to the "
        "cloud, do it about φ̄.": (
            _seen(lambda z, y: 0 * z),
            _seen(lambda z, y: z / 2),
            _seen(lambda z, y: -z / 2),
        ),
        "The images changed places, so not even the distribution has changed. But some got the "
        "logits of an image with the same label: move them further.": (
            _seen(lambda z, y: z.roll(1, 0)),
        ),
        "You lowered the logit of the label alone. The mean falls with it: what one image loses, "
        "another has to win.": (
            _seen(lambda z, y: z - 9 * F.one_hot(y, z.shape[1])),
            _seen(lambda z, y: z * (1 - F.one_hot(y, z.shape[1]))),
        ),
    },
    moral="SCP would see nothing, and every image is wrong. If you let images change places, even "
    "the whole distribution is the same: to hold a distribution is not to hold the logits of each "
    "image.",
    look=_look,
    hints=(
        "Whatever one image gains in a logit, another must lose in the same logit.",
        "Mirror each image's logits at the mean φ̄, or give each image the logits of an image with "
        "another label.",
    ),
    solution=mirrored,
    made=_seen,
)
