"""Exercises of notebook 09: the distillation loss, and a memory of examples that is biased."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import cache
from statistics import fmean

import torch
from torch import Tensor
from torch.nn import functional as F

from .judge import Args, Exercise
from .reading import Reading

stored = Reading(
    ask="the number of images of task 2 that the memory holds on average after task 4",
    right=60,
    mistakes={
        "You gave every task the same share. GEM's memory does that. A reservoir gives every "
        "*image* the same probability, and task 2 brought more images than task 1.": 50,
        "You counted the tasks up to task 2 only. After task 4, the images of tasks 3 and 4 have "
        "taken places too.": 150,
        "You counted 5,000 images of task 4, but it brought more. Add up all four rows.": (75, 100),
        "You divided by the images of the other tasks. The probability is M / n, and n counts all "
        "images seen so far, those of task 2 too.": 86,
        "That is the whole memory. Images of all four tasks share it.": 200,
        "That is the percentage of task 2 in the stream. Apply it to the memory of 200.": 30,
    },
    moral="Each of the 10,000 images is kept with probability 200 / 10,000, so 3,000 of them "
    "leave 60. A reservoir is fair to images. It is not fair to tasks: the small ones get little.",
    hints=(
        "How many images has the memory seen after task 4, and what is the probability M / n that "
        "one of them is stored?",
        "Multiply this probability by the number of images that task 2 brought.",
    ),
    solution="n = 1,000 + 3,000 + 1,000 + 5,000 = 10,000, so M / n = 0.02, and 3,000 · 0.02 = 60.",
    tolerance=0.5,
)


def _logits() -> list[Args]:
    """Logits of student and teacher, and a temperature that is not 1."""
    rng = torch.Generator().manual_seed(0)
    shapes = ((3, 4, 2.0), (5, 3, 3.0), (2, 2, 0.5))
    return [
        (*(2 * torch.randn(n, k, generator=rng, dtype=torch.float64) for _ in range(2)), tau)
        for n, k, tau in shapes
    ]


def distillation_loss(z: torch.Tensor, z_old: torch.Tensor, temperature: float) -> torch.Tensor:
    """Compute the mean over the batch of CE(softmax(z_old / τ), softmax(z / τ))."""
    p_old = (z_old / temperature).softmax(1)
    log_p = (z / temperature).log_softmax(1)
    return -(p_old * log_p).sum(1).mean()


def _ce(p: Tensor, log_q: Tensor) -> Tensor:
    return -(p * log_q).sum(1).mean()


def _entropy(z: Tensor, tau: float) -> Tensor:
    return _ce((z / tau).softmax(1), (z / tau).log_softmax(1))


def _of(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor, float], Tensor]:
    """A loss of logits that are divided by τ first."""
    return lambda z, z_old, tau: loss(z / tau, z_old / tau)


distillation = Exercise(
    "distillation(z, z_old, temperature)",
    "the mean over the batch of the cross-entropy of softmax(z / τ) with the targets "
    "softmax(z_old / τ).",
    _logits,
    right=distillation_loss,
    mistakes={
        "The temperature is missing: divide both logits, `z` and `z_old`, by τ.": (
            lambda z, z_old, tau: distillation_loss(z, z_old, 1.0),
        ),
        "Only the old network's logits are divided by τ. Divide `z` as well: both sides are "
        "softened, or their minimum is not where they agree.": (
            lambda z, z_old, tau: distillation_loss(z, z_old / tau, 1.0),
        ),
        "Only the new network's logits are divided by τ. Divide `z_old` as well.": (
            lambda z, z_old, tau: distillation_loss(z / tau, z_old, 1.0),
        ),
        "You multiply by τ: that sharpens the targets. Divide, so that τ > 1 softens them.": (
            lambda z, z_old, tau: distillation_loss(z, z_old, 1 / tau),
        ),
        "The roles are exchanged: the targets are the old network's probabilities, and the "
        "logarithm is that of the new network's.": (
            lambda z, z_old, tau: distillation_loss(z_old, z, tau),
        ),
        "You took the old network's most likely class as a label. Keep all its probabilities: "
        "the small ones say which classes are alike.": (
            _of(lambda z, z_old: F.cross_entropy(z, z_old.argmax(1))),
        ),
        "That is the Kullback–Leibler divergence. Its gradient is the same, but the equation has "
        "the cross-entropy: leave out the term p_old · log p_old.": (
            lambda z, z_old, tau: distillation_loss(z, z_old, tau) - _entropy(z_old, tau),
        ),
        "You multiplied by τ². Some papers do that, to keep the gradient's size. This equation has "
        "no such factor.": (lambda z, z_old, tau: tau**2 * distillation_loss(z, z_old, tau),),
        "The logarithm is missing: cross-entropy is −Σ p_old · log p.": (
            _of(lambda z, z_old: _ce(z_old.softmax(1), z.softmax(1))),
        ),
        "You took the raw logits for log-probabilities. Use `log_softmax` on `z / τ`.": (
            _of(lambda z, z_old: _ce(z_old.softmax(1), z)),
        ),
        "The softmax runs over the batch. It runs over the classes: `dim=1`.": (
            _of(lambda z, z_old: _ce(z_old.softmax(0), z.log_softmax(0))),
        ),
        "You took the mean over the classes too. Sum over the classes, then take the mean over "
        "the batch.": (_of(lambda z, z_old: -(z_old.softmax(1) * z.log_softmax(1)).mean()),),
        "You summed over the batch. Take the mean, so that λ does not depend on the batch size.": (
            _of(lambda z, z_old: -(z_old.softmax(1) * z.log_softmax(1)).sum()),
        ),
        "The sign: minimised, this would drive the networks apart. Cross-entropy begins with a "
        "minus.": (lambda z, z_old, tau: -distillation_loss(z, z_old, tau),),
        "That is a squared difference. Asked for is the cross-entropy of the two softmaxes.": (
            _of(F.mse_loss),
            _of(lambda z, z_old: F.mse_loss(z.softmax(1), z_old.softmax(1))),
        ),
    },
    moral="`F.cross_entropy(z / τ, (z_old / τ).softmax(1))` is the same in one line. Its gradient "
    "is zero where the two networks agree.",
    hints=(
        "Divide both logits by τ. The old ones become probabilities by `softmax(1)`, the new ones "
        "log-probabilities by `log_softmax(1)`.",
        "Multiply them, sum over the classes (`.sum(1)`), take the mean over the batch, and mind "
        "the sign.",
    ),
    solution=distillation_loss,
)


Offer = Callable[[list, list, int, int], int]
REPEATS = 2_500
SMALL, LARGE = 0.018, 0.1  # biases of a share; its standard error is below 0.004


def offer_each(memory: list, batch: list, size: int, seen: int) -> int:
    """Offer each example of a batch to the memory; return how many have been seen by now."""
    for x in batch:
        if len(memory) < size:
            memory.append(x)
        elif torch.rand(1) < size / (seen + 1):
            memory[torch.randint(size, (1,))] = x
        seen += 1
    return seen


def bias(offer: Offer) -> Callable[[int, int, int], list[float]]:
    """Run `offer` on many streams, and compare which parts of a stream are stored.

    Returns:
        A function of n, the batch size and M. It returns the number stored, at most M + 1, and for
        the first M and the last third of a stream of n: 0 where the share stored is M / n, ±1 for a
        small bias (of the first M only), ±2 for a large one.
    """

    def run(n: int, batch_size: int, size: int) -> list[float]:
        kept = [0] * n
        for _ in range(REPEATS):
            memory: list[int] = []
            seen = 0
            for start in range(0, n, batch_size):
                batch = [*range(start, min(n, start + batch_size))]
                seen = offer(memory, batch, size, seen)
            for x in memory:
                kept[x] += 1
        first, last = (fmean(part) / REPEATS - size / n for part in (kept[:size], kept[-n // 3 :]))
        return [float(min(len(memory), size + 1)), _level(first, SMALL), _level(last, LARGE)]

    @cache
    def seeded(*args: int) -> list[float]:
        before = random.getstate()
        random.seed(0)
        try:
            return run(*args)
        finally:
            random.setstate(before)

    return seeded


def _level(off: float, least: float) -> float:
    size = 2.0 if abs(off) > LARGE else 1.0 if abs(off) > least else 0.0
    return math.copysign(size, off)


def _at(
    p: Callable[[int, int], float],
    slot: Callable[[int], int] = random.randrange,
    counts: str = "each",
) -> Offer:
    """A memory that takes an example with probability p(M, seen) in place of `slot(M)`.

    Args:
        p, slot: as said.
        counts: what is added to `seen`: one for "each" example or for each "batch", the length of
            the batch "before" or "after" it is offered.
    """

    def offer(memory: list, batch: list, size: int, seen: int) -> int:
        seen += len(batch) if counts == "before" else 0
        for x in batch:
            if len(memory) < size:
                memory.append(x)
            elif random.random() < p(size, seen):
                memory[slot(size)] = x
            seen += counts == "each"
        return seen + {"batch": 1, "after": len(batch)}.get(counts, 0)

    return offer


def _usual(size: int, seen: int) -> float:
    return size / (seen + 1)


def _oldest_goes(memory: list, batch: list, size: int, seen: int) -> int:
    for x in batch:
        if len(memory) < size or random.random() < _usual(size, seen):
            memory.append(x)
        del memory[:-size]
        seen += 1
    return seen


def _grows(memory: list, batch: list, size: int, seen: int) -> int:
    for x in batch:
        if len(memory) < size or random.random() < _usual(size, seen):
            memory.append(x)
        seen += 1
    return seen


def _describe_bias(args: Args, outcome: Tensor | BaseException) -> str | None:
    """Which parts of the stream are stored too often or too rarely."""
    if isinstance(outcome, BaseException):
        return None
    n, batch_size, size = args
    came, *levels = outcome.tolist()
    if came < size:
        return f"After {n} examples the memory holds {came:.0f}. It has room for {size}."
    parts = f"the first {size}", "the last third"
    told = [
        f"{part} too {'often' if level > 0 else 'rarely'}"
        for part, level in zip(parts, levels, strict=True)
        if level
    ]
    if not told:
        return None
    return (
        f"Over {REPEATS:,} streams of {n} examples in batches of {batch_size}, your memory stores "
        f"{' and '.join(told)}. Take example i, counted from 0, with probability M / (i + 1)."
    )


reservoir = Exercise(
    "offer(memory, batch, size, seen)",
    "the number of examples seen by now; `memory`, a list, then is a uniform sample of them.",
    lambda: [(24, 3, 4), (24, 24, 4)],
    right=lambda n, batch_size, size: [float(size), 0.0, 0.0],
    made=bias,
    mistakes={
        "The newest examples are stored far too often: `seen` grows too slowly, or not at all, so "
        "the probability M / (seen + 1) stays too large. Count every example.": (
            bias(_at(_usual, counts="batch")),
        ),
        "You count after the whole batch. Within a batch `seen` stands still, and its last "
        "examples are stored too often: try one batch of 24. Count inside the loop.": (
            bias(_at(_usual, counts="after")),
        ),
        "You count the batch before its examples are offered. Then the first of a batch have too "
        "small a probability: try one batch of 24. Count inside the loop.": (
            bias(_at(_usual, counts="before")),
        ),
        "A full memory hardly takes a new example. It takes example i, counted from 0, with "
        "probability M / (i + 1).": (bias(_at(lambda size, seen: 0.0)),),
        "The first examples are stored far too often. A full memory takes example i with "
        "probability M / (i + 1), and each of its M places is equally likely to be replaced.": (
            bias(_at(_usual, slot=lambda size: 0)),
        ),
        "One step off: the first M examples are stored too often. With `seen` examples before it, "
        "the next is taken with probability M / (seen + 1).": (
            bias(_at(lambda size, seen: size / (seen + 2))),
        ),
        "One step off: the first M examples are stored too rarely. With `seen` examples before it, "
        "the next is taken with probability M / (seen + 1), in a random place.": (
            bias(_at(lambda size, seen: size / seen)),
        ),
        "The right examples are taken, but the oldest makes room. Replace a random one.": (
            bias(_oldest_goes),
        ),
        "The memory grows beyond its size: a new example takes the place of a stored one.": (
            bias(_grows),
        ),
    },
    look=_describe_bias,
    moral="The bug: `seen` counted batches. Nothing fails, the accuracy is only lower: test such "
    "code by running it many times and counting.",
    hints=(
        "Offer the numbers 0 to 23 in batches of 3 to a memory of 4, a thousand times. Count how "
        "often each number is stored at the end.",
        "The probability has `seen + 1` in it. What does `seen` count, and when does it change?",
    ),
    solution=offer_each,
)
