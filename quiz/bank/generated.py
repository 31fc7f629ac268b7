"""Generated questions of this bank: each function makes one variant of a question from a seed.

A variant is a stem and four to six options, each with its text, whether it is correct and why. An
option is a claim with one blank. What is filled in is either right, or what a typical mistake leads
to; the seed decides. What is right is an exact decimal or fraction, so that no rounding decides it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, wraps
from itertools import islice, product
from math import comb
from operator import mul
from typing import Any, NamedTuple

DECIMALS = 6  # at most; a mistake that needs more is not offered

Vector = tuple[Decimal, ...]
Value = Decimal | Vector | str
Mistake = tuple[Value, str]  # what it leads to, and which it is


class Claim(NamedTuple):
    """A claim with one blank.

    Attributes:
        text: with {} for the blank.
        right: what makes it true.
        how: how that comes out.
        mistakes: the typical ones.
    """

    text: str
    right: Value
    how: str
    mistakes: Sequence[Mistake]


Made = tuple[str, list[Claim]]  # the stem, and claims to choose from


def _question(
    shown: int,
) -> Callable[[Callable[[random.Random], Made]], Callable[[int], dict[str, Any]]]:
    """Turn a function that draws a stem and claims into one from a seed to a variant.

    shown: options of a variant.
    """

    def generator(make: Callable[[random.Random], Made]) -> Callable[[int], dict[str, Any]]:
        @wraps(make)
        def variant(seed: int) -> dict[str, Any]:
            draw = random.Random(seed)
            claims: list[tuple[Claim, list[Mistake]]] = []
            while len(claims) < shown:  # in most draws each claim has a mistake that matters
                stem, made = make(draw)
                both = ((claim, _to_offer(claim)) for claim in draw.sample(made, len(made)))
                claims = list(islice((each for each in both if each[1]), shown))
            correct = draw.randrange(1, 2**shown)
            return {
                "stem": stem,
                "options": [
                    _option(claim, None if correct >> i & 1 else draw.choice(mistakes))
                    for i, (claim, mistakes) in enumerate(claims)
                ],
            }

        return variant

    return generator


def _to_offer(claim: Claim) -> list[Mistake]:
    """The mistakes that lead elsewhere, to what is as long, or else is as often longer as shorter.

    Otherwise the form would tell, whatever the numbers are.
    """
    if not _is_short(claim.right):
        return []
    long, whole = len(_text(claim.right)), _is_whole(claim.right)
    by_length: dict[int, list[Mistake]] = {-1: [], 0: [], 1: []}
    for value, why in claim.mistakes:
        if value != claim.right and _is_whole(value) == whole and _is_short(value):
            more = len(_text(value)) - long
            by_length[(more > 0) - (more < 0)].append((value, why))
    if isinstance(claim.right, str):
        return [each for group in by_length.values() for each in group]
    pairs = zip(by_length[-1], by_length[1], strict=False)
    return by_length[0] or [each for pair in pairs for each in pair]


def _is_whole(value: Value) -> bool:
    return isinstance(value, Decimal) and value == int(value)


def _option(claim: Claim, mistake: Mistake | None) -> dict[str, Any]:
    value, *why = mistake or (claim.right,)
    return {
        "text": claim.text.format(_text(value)),
        "correct": mistake is None,
        "why": " ".join([*why, claim.how]),
    }


def _is_short(value: Value) -> bool:
    if isinstance(value, str):
        return True
    numbers = value if isinstance(value, tuple) else (value,)
    return all(x == round(x, DECIMALS) for x in numbers)


def _text(value: Value) -> str:
    """As in a text: −0.25, or (3, −0.5)."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))})"
    return value if isinstance(value, str) else _number(value).replace("-", "−")


def _code(value: Any) -> str:
    """As in Python: -0.25, or [3, -0.5]."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_code, value))}]"
    return _number(value)


@lru_cache
def _number(value: Decimal | int) -> str:
    return f"{(Decimal(value) + 0).normalize():f}"  # + 0: no -0


def _fraction(x: Fraction) -> str:
    return f"{x.numerator}/{x.denominator}" if x.denominator > 1 else str(x.numerator)


def _sum(terms: Sequence[Decimal | int]) -> str:
    """As in a text: 3 − 2 + 0.5."""
    first, *others = (Decimal(term) for term in terms)
    signs = (f" {'−' if term < 0 else '+'} {_text(abs(term))}" for term in others)
    return _text(first) + "".join(signs)


def _ratio(a: int, b: int) -> Decimal:
    return Decimal(a) / b


def _mean(values: Sequence[Decimal | int]) -> Decimal:
    return Decimal(sum(values)) / len(values)


def _dot(a: Sequence[Any], b: Sequence[Any]) -> Decimal:
    first, *others = map(mul, a, b)
    return Decimal(sum(others, first))


def _nonzero(draw: random.Random, most: int) -> int:
    return draw.choice((-1, 1)) * draw.randint(1, most)


@_question(shown=5)
def accuracies(draw: random.Random) -> Made:
    """Average accuracy, forgetting and the two transfers from an accuracy matrix of four tasks."""
    thirds = range(60, 97, 3)  # so that a mean over three tasks is a whole number
    before = [draw.randrange(3, 16, 3) for _ in range(4)]
    a = [
        [draw.choice(thirds) if j <= t else draw.randrange(3, 28, 3) for j in range(4)]
        for t in range(4)
    ]
    for t in range(4):
        a[t][t] = draw.randrange(72, 97, 3)
    last, just_learned = a[3], [a[t][t] for t in range(4)]
    lost = [max(a[t][j] for t in range(3)) - last[j] for j in range(3)]
    moved = [last[j] - just_learned[j] for j in range(3)]
    ahead = [a[j - 1][j] for j in range(1, 4)]
    gained = [x - y for x, y in zip(ahead, before[1:], strict=True)]
    forgetting, backward, forward = _mean(lost), _mean(moved), _mean(gained)
    at_once = [a[0][j] - before[j] for j in range(1, 4)]
    most = lost.index(max(lost))
    ranks = [
        (last[:3].index(min(last[:3])), "That task has the lowest accuracy of the three now."),
        (moved.index(min(moved)), "That counts from the moment when each task was learned."),
        ((most + 1) % 3, "Its best before the end is not that far above its accuracy now."),
    ]
    stem = (
        "Four tasks are learned one after the other. Accuracies are in %: before any training "
        f"`before = {before}`, and after each task in turn `a = {a}`. "
        "Which statements are right?"
    )
    claims = [
        Claim(
            "After the last task, the average accuracy is {} %.",
            _mean(last),
            f"It is the mean of the last row: ({_sum(last)}) / 4 = {_text(_mean(last))}.",
            [
                (_mean(just_learned), "This is the mean of the diagonal, not of the last row."),
                (_mean(last[:3]), "This leaves the last task out, as forgetting does."),
            ],
        ),
        Claim(
            "After task 2, the average accuracy is {} %.",
            _mean(a[1][:2]),
            "Two tasks have been learned then, and the mean of the second row over these two is "
            f"({_sum(a[1][:2])}) / 2 = {_text(_mean(a[1][:2]))}.",
            [
                (_mean(a[1]), "This counts tasks that have not been learned yet."),
                (_mean(just_learned[:2]), "This is the mean of the diagonal so far."),
            ],
        ),
        Claim(
            "Forgetting is {} percentage points.",
            forgetting,
            "From the best of rows 1 to 3 to the last row, for tasks 1 to 3: "
            f"({_sum(lost)}) / 3 = {_text(forgetting)}.",
            [
                (-backward, "This starts from the diagonal and is minus the backward transfer."),
                (_mean([max(0, x) for x in lost]), "This counts a gain as zero."),
                (_ratio(sum(lost), 4), "This divides by four, but the last task does not count."),
            ],
        ),
        Claim(
            "Backward transfer is {} percentage points.",
            backward,
            "From the diagonal to the last row, for tasks 1 to 3: "
            f"({_sum(moved)}) / 3 = {_text(backward)}.",
            [
                (-forgetting, "This starts from each task's best accuracy, as forgetting does."),
                (-backward, "The sign is wrong: a loss is negative."),
                (_ratio(sum(moved), 4), "This divides by four, but the last task does not count."),
            ],
        ),
        Claim(
            "Forward transfer is {} percentage points.",
            forward,
            "Each task just before it is learned, minus the untrained network, for tasks 2 to 4: "
            f"({_sum(gained)}) / 3 = {_text(forward)}.",
            [
                (_mean(ahead), "This does not subtract the accuracy before any training."),
                (_mean(at_once), "This takes the accuracies after task 1 for every task."),
                (
                    _ratio(sum(gained), 4),
                    "This divides by four, but the first task does not count.",
                ),
                (-forward, "The sign is wrong: a gain is positive."),
            ],
        ),
    ]
    if lost.count(lost[most]) == 1:
        claims.append(
            Claim(
                "Of tasks 1, 2 and 3, task {} was forgotten most.",
                str(most + 1),
                f"From their best before the end, the three have lost {lost[0]}, {lost[1]} and "
                f"{lost[2]} points.".replace("-", "−"),
                [(str(task + 1), why) for task, why in ranks],
            )
        )
    return stem, claims


@_question(shown=5)
def learning_rate(draw: random.Random) -> Made:
    """The learning rate within a task, and from task to task."""
    lr = _ratio(draw.choice((5, 8, 10, 16, 20, 25, 32, 40, 50)), 100)
    decay = draw.choice((_ratio(1, 2), _ratio(4, 5), _ratio(2, 5)))
    root = draw.choice((_ratio(1, 2), _ratio(1, 5), _ratio(1, 10), _ratio(1, 4)))
    final = root**2
    tasks = {1: lr, 2: lr * decay, 3: lr * decay**2}

    def at(task: int) -> str:
        if task == 1:
            return f"Task 1 has lr = {_text(lr)}. "
        power = _text(decay) + ("²" if task == 3 else "")
        return f"Task {task} has lr = {_text(lr)} · {power} = {_text(tasks[task])}. "

    def claim(
        schedule: str, when: str, factor: Decimal, how: str, *mistakes: tuple[Decimal, str]
    ) -> Claim:
        task = draw.choice((1, 2, 3))
        rate = tasks[task]
        others = [(rate * f, why) for f, why in mistakes]
        if task > 1:
            others += [
                (rate * decay * factor, "This decays the rate once too often."),
                (lr * factor, "This leaves out that the rate decays from task to task."),
            ]
        return Claim(
            f'With `schedule="{schedule}"`, {when} task {task} the learning rate is {{}}.',
            rate * factor,
            f"{at(task)}{how} That makes {_text(rate * factor)}.",
            others,
        )

    middle, mean = (1 + final) / 2, "This is the mean of the first rate and the last."
    geometric = "This multiplies by the same factor everywhere, as the exponential schedule does."
    to_zero = "This falls to zero, but a schedule ends at lr · `lr_final`."
    ends = f"At the last step the factor is `lr_final`, {_text(final)}."
    starts = "A task begins at its full rate."
    stem = (
        "`cl.train` learns three tasks in turn, with "
        f"`lr={_code(lr)}`, `lr_decay={_code(decay)}` and `lr_final={_code(final)}`. Every task "
        "has so many steps that one of them makes no difference. Which statements are right?"
    )
    cosine = _text(final + (1 - final) * _ratio(3, 4))
    third = "The cosine of 60° is ½, so a third of the way the factor is ρ + (1 − ρ) · ¾ = "
    return stem, [
        claim(
            "cosine",
            "halfway through",
            middle,
            f"Halfway the cosine is zero and the factor (1 + ρ) / 2 = {_text(middle)}.",
            (root, geometric),
            (_ratio(1, 2), to_zero),
        ),
        claim(
            "cosine",
            "after a third of",
            final + (1 - final) * _ratio(3, 4),
            f"{third}{cosine}.",
            (final + (1 - final) * _ratio(2, 3), "This falls along a straight line."),
            (_ratio(3, 4), to_zero),
        ),
        claim(
            "exponential",
            "halfway through",
            root,
            f"The factor is ρ to the power of the progress, √ρ = {_text(root)} halfway.",
            (middle, mean),
            (final / 2, "This is half of the last rate."),
        ),
        claim(
            "step",
            "in the middle third of",
            root,
            f"Three plateaus differ by the same factor: 1, √ρ = {_text(root)}, ρ.",
            (middle, "This makes the drops equally high; their factors are equal."),
            (final, "This reaches the last rate a third of the task too early."),
        ),
        claim(
            "cosine",
            "at the first step of",
            Decimal(1),
            starts,
            (final, "This goes on from where the schedule of a task ended."),
            (_ratio(1, 25), "This is where the one-cycle schedule begins."),
        ),
        claim(
            "one-cycle",
            "at the first step of",
            _ratio(1, 25),
            "One-cycle climbs from 1/25 of the rate.",
            (Decimal(1), "This is the highest rate, which comes after 30 % of the steps."),
            (final, "This is the rate at the end."),
        ),
        claim(
            "exponential",
            "at the last step of",
            final,
            ends,
            (final**2, "This applies `lr_final` twice."),
            (root, "This is the rate halfway."),
        ),
        claim(
            "constant",
            "at the last step of",
            Decimal(1),
            "A constant rate does not use `lr_final`.",
            (final, "All schedules end at lr · `lr_final`, except the constant one."),
        ),
    ]


@_question(shown=5)
def fisher(draw: random.Random) -> Made:
    """The empirical and the true Fisher information of two weights on three samples."""
    # No multiple of three, but sums that are: the means over three samples are short.
    tenths = [draw.choice((2, 8)), draw.choice((2, 5, 8)), draw.choice((2, 5, 8))]
    y = [draw.randint(0, 1) for _ in range(3)]
    errors = [10 * k - q for k, q in zip(y, tenths, strict=True)]
    slopes: list[list[int]] = []
    while len(slopes) < 2:
        d = [draw.choice((-4, -2, -1, 1, 2, 4)) for _ in range(3)]
        if sum(map(mul, errors, d)) % 3 == 0 and d not in slopes:
            slopes.append(d)
    p = [_ratio(x, 10) for x in tenths]
    names = ("θ₁", "θ₂")
    flipped = [1 - y[0], *y[1:]]

    def off(y: Sequence[int]) -> list[Decimal]:
        return [k - q for k, q in zip(y, p, strict=True)]

    def over(weights: Sequence[Decimal], d: Sequence[int]) -> Decimal:
        return _mean([w * s * s for w, s in zip(weights, d, strict=True)])

    def shown(weights: Sequence[Decimal], d: Sequence[int]) -> str:
        terms = [f"{_text(w)} · {s * s}" for w, s in zip(weights, d, strict=True)]
        return f"({' + '.join(terms)}) / 3 = {_text(over(weights, d))}"

    squares, flipped_squares = [e * e for e in off(y)], [e * e for e in off(flipped)]
    variances = [q * (1 - q) for q in p]
    evenly = [(q * q + (1 - q) ** 2) / 2 for q in p]
    likely = [min(q, 1 - q) ** 2 for q in p] if 5 not in tenths else None
    empirical, true = ([over(w, d) for d in slopes] for w in (squares, variances))
    claims = []
    for i, d in enumerate(slopes):
        of_true: list[Mistake] = [
            (empirical[i], "This is the empirical Fisher, with the labels of the data set."),
            (over(evenly, d), "This counts both labels alike, whatever the model finds probable."),
        ]
        if likely:
            of_true.append((over(likely, d), "This takes only the label that is more probable."))
        claims += [
            Claim(
                f"The empirical Fisher of {names[i]} is {{}}.",
                empirical[i],
                f"The mean of (y − p)² (∂z/∂{names[i]})² is {shown(squares, d)}.",
                [
                    (_mean([e * s for e, s in zip(off(y), d, strict=True)]) ** 2, BATCH),
                    (true[i], "This is the true Fisher, with p (1 − p) in place of (y − p)²."),
                    (3 * empirical[i], "This is the sum over the samples, not the mean."),
                ],
            ),
            Claim(
                f"The true Fisher of {names[i]} is {{}}.",
                true[i],
                "Over y, (y − p)² is p (1 − p) on average, and the mean over the samples is "
                f"{shown(variances, d)}.",
                of_true,
            ),
        ]
    d = slopes[0]
    claims += [
        Claim(
            f"If the first label were {flipped[0]}, the empirical Fisher of θ₁ would be {{}}.",
            over(flipped_squares, d),
            f"The empirical Fisher takes its y from the data set: {shown(flipped_squares, d)}.",
            [(empirical[0], "This is its value for the labels as they are.")],
        ),
        Claim(
            f"If the first label were {flipped[0]}, the true Fisher of θ₁ would be {{}}.",
            true[0],
            "The true Fisher takes no label from the data set, so it stays at "
            f"{shown(variances, d)}.",
            [
                (over([flipped_squares[0], *variances[1:]], d), "This uses a label for sample 1."),
                (over(flipped_squares, d), "This is the empirical Fisher for the other label."),
            ],
        ),
    ]
    for name, both in (("empirical", empirical), ("true", true)):
        claims += _tighter(f"With the {name} Fisher, EWC holds {{}} tighter.", names, both)
    stem = (
        "A network has one logit z and two weights, and p(y = 1 | x) = σ(z), so that "
        "∂ log p(y | x) / ∂θ = (y − p) ∂z/∂θ. On a task's three training samples "
        f"`p = {_code(p)}` and `y = {y}`; ∂z/∂θ₁ is `{slopes[0]}`, and ∂z/∂θ₂ is `{slopes[1]}`. "
        "Which statements about EWC's Ω are right?"
    )
    return stem, claims


BATCH = "This squares the mean gradient, in which the samples have partly cancelled."


def _tighter(text: str, names: Sequence[str], omega: Sequence[Decimal]) -> list[Claim]:
    """A claim on which of the weights has the largest Ω; none if two have it."""
    most = max(omega)
    if list(omega).count(most) > 1:
        return []
    best = names[list(omega).index(most)]
    values = ", ".join(f"{_text(v)} for {n}" for n, v in zip(names, omega, strict=True))
    how = f"Ω is {values}, and the larger Ω is, the more a move costs."
    return [Claim(text, best, how, [(n, "Its Ω is smaller.") for n in names if n != best])]


@_question(shown=5)
def mas(draw: random.Random) -> Made:
    """MAS's Ω of a linear map with two logits, on two images."""
    w = [[_nonzero(draw, 3) for _ in range(2)] for _ in range(2)]
    x = [[_nonzero(draw, 3) for _ in range(2)] for _ in range(2)]
    f = [[int(_dot(row, image)) for row in w] for image in x]

    def products(i: int, j: int) -> list[int]:
        return [f[n][i] * x[n][j] for n in range(2)]

    omega = {(i, j): Decimal(sum(map(abs, products(i, j)))) for i, j in product(range(2), repeat=2)}

    def how(i: int, j: int) -> str:
        a, b = (f"{_text(Decimal(abs(z)))}" for z in products(i, j))
        return (
            f"The derivative of ‖f‖² is 2 f_{i} x_{j}, and the mean of its absolute value is "
            f"(2 · {a} + 2 · {b}) / 2 = {_text(omega[i, j])}."
        )

    claims = []
    for (i, j), value in omega.items():
        signed = products(i, j)
        squares = _mean([(2 * z) ** 2 for z in signed])
        claims.append(
            Claim(
                f"MAS's Ω of `W[{i}][{j}]` is {{}}.",
                value,
                how(i, j),
                [
                    (
                        Decimal(abs(sum(signed))),
                        "This averages before it takes the absolute value, so the images cancel.",
                    ),
                    (value / 2, "This leaves out the 2 of the derivative of a square."),
                    (2 * value, "This is the sum over the images, not the mean."),
                    (squares, "This squares the derivatives, as EWC does."),
                ],
            )
        )
    i, j = draw.randrange(2), draw.randrange(2)
    value = omega[i, j]
    claims += [
        Claim(
            f"If all of `W` were twice as large, Ω of `W[{i}][{j}]` would be {{}}.",
            2 * value,
            "‖f‖² becomes four times as large, its derivative with respect to a weight that has "
            f"doubled only twice as large: 2 · {_text(value)} = {_text(2 * value)}.",
            [
                (4 * value, "This is the factor of ‖f‖² itself."),
                (value, "This is Ω as it is; it depends on the size of the logits."),
            ],
        ),
        Claim(
            f"If both images were twice as large, Ω of `W[{i}][{j}]` would be {{}}.",
            4 * value,
            "The derivative 2 f x has f and x in it, and both double: "
            f"4 · {_text(value)} = {_text(4 * value)}.",
            [
                (2 * value, "This doubles x, but f doubles with it."),
                (value, "This is Ω as it is; it depends on the size of the images."),
            ],
        ),
        *_tighter(
            "Of the weights of the first logit, MAS holds {} tighter.",
            ("`W[0][0]`", "`W[0][1]`"),
            [omega[0, 0], omega[0, 1]],
        ),
        *_tighter(
            "Of the weights of the second logit, MAS holds {} tighter.",
            ("`W[1][0]`", "`W[1][1]`"),
            [omega[1, 0], omega[1, 1]],
        ),
    ]
    stem = (
        f"A network without biases has the logits f(x) = W x with `W = {w}`. Its task has two "
        f"training images, `x = {x}`. MAS makes Ω from both. Which statements are right?"
    )
    return stem, claims


@_question(shown=4)
def path(draw: random.Random) -> Made:
    """SI's ω and Ω of two weights after a second task of three steps."""
    xi = _ratio(1, 100)
    while True:  # distances for which a division by Δ² + ξ comes out short
        tenths = [[_nonzero(draw, 3) for _ in range(2)] for _ in range(3)]
        g = [[_nonzero(draw, 4) for _ in range(2)] for _ in range(3)]
        ends = [sum(column) for column in zip(*tenths, strict=True)]
        if max(map(abs, ends)) in (1, 2, 3):
            break
    moves, delta = [[_ratio(v, 10) for v in row] for row in tenths], [_ratio(v, 10) for v in ends]
    pull = [[_nonzero(draw, 2) for _ in range(2)] for _ in range(3)]

    def credit(gradients: Sequence[Sequence[int]], i: int) -> Decimal:
        return -_dot([row[i] for row in gradients], [move[i] for move in moves])

    both = [[a + b for a, b in zip(u, v, strict=True)] for u, v in zip(g, pull, strict=True)]
    omega = [credit(g, i) for i in range(2)]
    penalised = [credit(both, i) for i in range(2)]
    importance = [max(Decimal(0), o / (d * d + xi)) for o, d in zip(omega, delta, strict=True)]
    claims = []
    for i, name in enumerate(("₁", "₂")):
        terms = _sum([-row[i] * move[i] for row, move in zip(g, moves, strict=True)])
        o, d2, squares = omega[i], delta[i] ** 2, sum(move[i] ** 2 for move in moves)
        made = f"ω{name} = {terms} = {_text(o)}"
        claims += [
            Claim(
                f"ω{name} is {{}}.",
                o,
                f"−Σ g Δθ over the three steps is {terms} = {_text(o)}.",
                [
                    (penalised[i], PENALISED),
                    (
                        -delta[i] * sum(row[i] for row in g) / 3,
                        "This is the mean gradient times the total move, not a path integral.",
                    ),
                ],
            ),
            Claim(
                f"Ω{name} is {{}}.",
                importance[i],
                f"{made}, Δ{name} = {_text(delta[i])}, and relu(ω / (Δ² + ξ)) is "
                f"{_text(importance[i])}.",
                [
                    (max(Decimal(0), penalised[i] / (d2 + xi)), PENALISED),
                    (max(Decimal(0), o / (squares + xi)), "This sums the squares of the steps."),
                    (o / (d2 + xi), "This leaves out the relu: Ω is never negative."),
                    (max(Decimal(0), o) / xi, "This leaves out Δ², and divides by ξ alone."),
                ],
            ),
        ]
        if o < 0:
            claims.append(
                Claim(
                    f"Without the relu, Ω{name} would be {{}}.",
                    o / (d2 + xi),
                    f"{made}, Δ{name} = {_text(delta[i])}, and ω / (Δ² + ξ) is "
                    f"{_text(o / (d2 + xi))}.",
                    [
                        (penalised[i] / (d2 + xi), PENALISED),
                        (o / (squares + xi), "This sums the squares of the steps."),
                        (o / xi, "This leaves out Δ², and divides by ξ alone."),
                        (o, "This is ω, which is not divided yet."),
                    ],
                )
            )
    total = sum(omega, Decimal(0))
    if total > 0:
        claims.append(
            Claim(
                "According to SI, the three steps have lowered the task's loss by {}.",
                total,
                f"The sum of ω over the weights is {_sum(omega)} = {_text(total)}.",
                [
                    (abs(sum(penalised, Decimal(0))), PENALISED),
                    (sum((o for o in omega if o > 0), Decimal(0)), "This leaves negative ω out."),
                    (max(omega), "This is the larger of the two; every weight has its share."),
                ],
            )
        )
    claims += _tighter(
        "Because of this task, {} is held tighter.", ("weight 1", "weight 2"), importance
    )
    stem = (
        f"SI, with λ > 0 and ξ = {_text(xi)}, learns its second task with Adam, in three steps. "
        "A row for each step, a column for each of two weights: the gradient of the task's loss "
        f"is `g = {g}`, that of λ · penalty `r = {pull}`, and the step that Adam took "
        f"`step = {_code(moves)}`. ω and Ω are those of this task. Which statements are right?"
    )
    return stem, claims


PENALISED = "This takes the gradient of the penalised loss, but the penalty earns no credit."


@_question(shown=5)
def rwalk(draw: random.Random) -> Made:
    """RWalk's Fisher, score and Ω of three weights at the end of the second task."""

    def easy(values: Sequence[int]) -> bool:
        """Whether shares of the largest are short."""
        return any(values) and all(10**3 * v % max(values) == 0 for v in values)

    kept, of = draw.choice(((1, 2), (3, 4), (9, 10)))
    fs, scores = [0], [0]
    while not easy(fs):
        before, g = [draw.randint(1, 9) for _ in range(3)], [_nonzero(draw, 3) for _ in range(3)]
        fs = [kept * b + (of - kept) * d * d for b, d in zip(before, g, strict=True)]
    while not easy(scores):
        old, new = ([draw.randint(0, 9) for _ in range(3)] for _ in range(2))
        scores = [a + b for a, b in zip(old, new, strict=True)]
    alpha = _ratio(kept, of)
    f, s = [_ratio(v, of) for v in fs], [_ratio(v, 2) for v in scores]
    parts = [[_ratio(v, max(all_)) for v in all_] for all_ in (fs, scores)]
    held = [_ratio(draw.randint(0, 30), 10) for _ in range(3)]
    added = [a + b for a, b in zip(*parts, strict=True)]
    omega = [h + a for h, a in zip(held, added, strict=True)]
    together = [a + b for a, b in zip(f, s, strict=True)]
    rest = 1 - alpha
    i, k = draw.randrange(3), draw.randrange(3)
    claims = [
        Claim(
            f"After the last step, F of weight {i + 1} is {{}}.",
            f[i],
            f"α F + (1 − α) g² = {_text(alpha)} · {before[i]} + {_text(rest)} · {g[i] ** 2} = "
            f"{_text(f[i])}.",
            [
                (
                    rest * before[i] + alpha * g[i] ** 2,
                    "This has α and 1 − α swapped.",
                ),
                (alpha * before[i] + rest * abs(g[i]), "This leaves g unsquared."),
                (Decimal(before[i] + g[i] ** 2), "This adds up squares; F is a moving average."),
            ],
        ),
        Claim(
            f"After the task, the score of weight {k + 1} is {{}}.",
            s[k],
            f"Old and new are averaged: ({old[k]} + {new[k]}) / 2 = {_text(s[k])}.",
            [
                (Decimal(old[k] + new[k]), "This adds the scores up, but they are averaged."),
                (Decimal(new[k]), "This is the score of task 2 alone."),
            ],
        ),
    ]
    for n in range(3):
        claims.append(
            Claim(
                f"After task 2, Ω of weight {n + 1} is {{}}.",
                omega[n],
                f"F / max F and s / max s are added to the old Ω: {_text(held[n])} + "
                f"{_text(parts[0][n])} + {_text(parts[1][n])} = {_text(omega[n])}.",
                [
                    (added[n], "This is what task 2 adds; the Ω of task 1 stays in the sum."),
                    (held[n] + together[n], "This adds F and s without scaling them."),
                    (
                        held[n] + together[n] / max(together),
                        "This scales F + s; each of the two is scaled by itself.",
                    ),
                    (held[n] + f[n] / max(f), "This leaves out the score."),
                ],
            )
        )
    n = draw.randrange(3)
    claims += [
        Claim(
            f"If F after the last step were ten times as large, Ω of weight {n + 1} would be {{}}.",
            omega[n],
            "F / max F stays the same, and with it Ω: "
            f"{_text(held[n])} + {_text(parts[0][n])} + {_text(parts[1][n])} = {_text(omega[n])}.",
            [(omega[n] + 9 * parts[0][n], "The factor of ten cancels in F / max F.")],
        ),
        *_tighter("After task 2, weight {} is held tightest.", ("1", "2", "3"), omega),
    ]
    stem = (
        "`cl.RWalk` is about to end its second task on three weights. Before the task's last step "
        f"`F = {before}`; that step's gradient is `g = {g}`, and α = {_text(alpha)} is the part of "
        f"F that is kept. The score after task 1 is `s_old = {old}`, the stretches of task 2 add "
        f"up to `s_new = {new}`. Task 1 left `omega = {_code(held)}`. Which statements are right?"
    )
    return stem, claims


@_question(shown=5)
def slices(draw: random.Random) -> Made:
    """SCP's Ω of two weights, from a batch of two images and two directions."""
    fifths = [(5, 0), (0, 5), (3, 4), (4, 3), (3, -4), (4, -3)]  # of length 5
    units = [(_ratio(a, 5), _ratio(b, 5)) for a, b in fifths]
    u = draw.sample(units, 2)
    first = [[draw.randint(-3, 3) for _ in range(2)] for _ in range(2)]
    second = [[v + 2 * draw.randint(-2, 2) for v in row] for row in first]  # so means are whole
    d = [first, second]
    mean = [[_ratio(a + b, 2) for a, b in zip(u, v, strict=True)] for u, v in zip(*d, strict=True)]

    def of(slope: Sequence[Any]) -> Decimal:
        """Mean over the slices of the squared derivative."""
        return _mean([_dot(direction, slope) ** 2 for direction in u])

    omega = [of(slope) for slope in mean]
    claims = []
    for i, name in enumerate(("θ₁", "θ₂")):
        in_slices = [_dot(direction, mean[i]) for direction in u]
        alone = _mean([of(image[i]) for image in d])
        length = _dot(mean[i], mean[i])
        a, b = (_text(v * v) for v in in_slices)
        claims += [
            Claim(
                f"With both images in one batch, Ω of {name} is {{}}.",
                omega[i],
                f"φ̄ has the derivatives {_text(tuple(mean[i]))}, which squared along the two "
                f"directions makes {a} and {b}; their mean is {_text(omega[i])}.",
                [
                    (_mean(in_slices) ** 2, "This averages the slices before it squares."),
                    (alone, "This squares each image's derivative; SCP takes the batch's mean."),
                    (
                        _mean([abs(v) for v in in_slices]),
                        "This takes absolute values.",
                    ),
                    (2 * omega[i], "This is the sum over the slices, not the mean."),
                ],
            ),
            Claim(
                f"With a batch for each image, Ω of {name} is {{}}.",
                alone,
                "φ̄ is then one image's logits, and the mean of the two batches is "
                f"({_text(of(d[0][i]))} + {_text(of(d[1][i]))}) / 2 = {_text(alone)}.",
                [
                    (omega[i], "This is Ω for one batch, where the images' derivatives cancel."),
                    (2 * alone, "This is the sum over the batches, not the mean."),
                ],
            ),
            Claim(
                f"With one batch and ever more directions, Ω of {name} tends to {{}}.",
                length / 2,
                "The mean of u uᵀ tends to 1/K times the identity, and with K = 2 logits this "
                f"makes {_text(length)} / 2 = {_text(length / 2)}.",
                [
                    (length, "This leaves out the 1/K: a slice sees one of K components."),
                    (omega[i], "This is Ω for the two directions that were drawn."),
                    (length / 4, "This divides by K twice."),
                ],
            ),
        ]
    claims += _tighter("With both images in one batch, {} is held tighter.", ("θ₁", "θ₂"), omega)
    stem = (
        "A network with two logits has two weights, and a task two images. `d[n][i]` are the "
        f"derivatives of image n's logits with respect to weight i: `d = {d}`, with weights in the "
        f"order θ₁, θ₂. SCP draws two directions, `u = {_code(u)}`. Which statements are right?"
    )
    return stem, claims


def _less(v: Vector, along: Vector, times: int = 1) -> Vector:
    """v without its component along a vector; with times=2, reflected."""
    share = times * _dot(v, along) / _dot(along, along)
    return tuple(a - share * b for a, b in zip(v, along, strict=True))


def _projected(g: Vector, *old: Vector) -> Vector:
    """The nearest vector that raises no old loss: g, on the edge of a half-plane, or 0."""
    edges = [_less(g, each) for each in old if _dot(g, each) < 0]
    near = [v for v in (g, *edges, (Decimal(0), Decimal(0))) if all(_dot(v, o) >= 0 for o in old)]
    return min(near, key=lambda v: sum((a - b) ** 2 for a, b in zip(v, g, strict=True)))


@_question(shown=5)
def projection(draw: random.Random) -> Made:
    """GEM's and A-GEM's steps of two weights, with two old tasks."""
    while True:
        drawn = [[draw.randint(-4, 4) for _ in range(2)] for _ in range(3)]
        (a, b), (c, d), (e, f) = drawn
        lengths = (c * c + d * d, e * e + f * f, (c + e) ** 2 + (d + f) ** 2)
        if all(n and 10**4 % n == 0 for n in lengths) and min(a * c + b * d, a * e + b * f) < 0:
            break
    g, g1, g2 = (tuple(map(Decimal, each)) for each in drawn)
    r = tuple((u + v) / 2 for u, v in zip(g1, g2, strict=True))

    def of_half_plane(old: Vector, name: str) -> tuple[str, list[Mistake]]:
        """How g̃ comes out for one condition, and the mistakes."""
        inner = _dot(g, old)
        if inner >= 0:
            how = f"⟨g, {name}⟩ = {_text(inner)} is not negative, so g̃ = g = {_text(g)}."
            return how, [
                (_less(g, old), "This takes away a component that does no harm."),
                (_less(g, old, 2), "This turns a component around that does no harm."),
                (
                    tuple(a - b for a, b in zip(g, _less(g, old), strict=True)),
                    "This keeps only one component of a step that does no harm.",
                ),
            ]
        how = (
            f"⟨g, {name}⟩ = {_text(inner)} is negative, so g̃ = g + {_text(-inner)} / "
            f"{_text(_dot(old, old))} · {name} = {_text(_less(g, old))}."
        )
        return how, [
            (
                _less(g, old, 2),
                "This turns the harmful component around; a smaller change will do.",
            ),
            (
                tuple(a - b for a, b in zip(g, _less(g, old), strict=True)),
                "This keeps the harmful component and takes the other one away.",
            ),
            (g, "This step would raise the old loss."),
        ]

    gem, averaged = _projected(g, g1, g2), _projected(g, r)
    claims = []
    for old, name, k in ((g1, "g₁", 1), (g2, "g₂", 2)):
        how, mistakes = of_half_plane(old, name)
        text = f"With only task {k} in its memory, GEM steps along −g̃ with g̃ = {{}}."
        claims.append(Claim(text, _projected(g, old), how, mistakes))
    how, mistakes = of_half_plane(r, "r")
    both = [_dot(gem, old) for old in (g1, g2)]
    claims += [
        Claim(
            "With both tasks in its memory, GEM's g̃ is {}.",
            gem,
            f"The nearest vector to g that raises neither loss is {_text(gem)}: its products "
            f"with g₁ and g₂ are {_text(both[0])} and {_text(both[1])}.",
            [
                (averaged, "This is A-GEM's, which has one condition for both tasks."),
                (g, "This step would raise the loss of an old task."),
                (_projected(g, g1), "This considers task 1 alone."),
                (_projected(g, g2), "This considers task 2 alone."),
                (_less(_less(g, g1), g2), "This takes away one component after the other."),
            ],
        ),
        Claim(
            "With as many examples of either task, A-GEM's g̃ is {}.",
            averaged,
            f"r = (g₁ + g₂) / 2 = {_text(r)}. {how}",
            [
                *mistakes,
                *[
                    (v, "This is GEM's, which has a condition for each task.")
                    for v in [gem]
                    if any(v)
                ],
            ],
        ),
    ]
    first, second = _dot(g, g1), _dot(g, g2)
    if max(first, second) >= 0:
        claims.append(
            Claim(
                "To first order, a small step along −g raises only the loss of task {}.",
                "1" if first < 0 else "2",
                f"⟨g, g₁⟩ = {_text(first)} and ⟨g, g₂⟩ = {_text(second)}; a loss rises where the "
                "product is negative.",
                [(k, "This is the task whose loss does not rise.") for k in "12"],
            )
        )
    for old, name, k in ((g1, "g₁", 1), (g2, "g₂", 2)):
        if inner := _dot(averaged, old):
            claims.append(
                Claim(
                    f"To first order, a small step along −g̃ of A-GEM {{}} the loss of task {k}.",
                    "raises" if inner < 0 else "lowers",
                    f"A-GEM's g̃ is {_text(averaged)}, and ⟨g̃, {name}⟩ = {_text(inner)}; a small "
                    "step η changes the loss by −η times that.",
                    [
                        ("lowers", AVERAGED),
                        ("raises", "A step along −g̃ lowers a loss if ⟨g̃, g_k⟩ > 0."),
                    ],
                )
            )
    stem = (
        f"A model has two weights. The gradient of the new task's loss is `g = {_code(g)}`; those "
        "of the losses on the stored examples of two old tasks are "
        f"`g1 = {_code(g1)}` and `g2 = {_code(g2)}`. "
        "GEM has γ = 0, and the optimiser is plain SGD. Which statements are right?"
    )
    return stem, claims


AVERAGED = "A-GEM's one condition is for the mean of the old losses, and not for each of them."


@_question(shown=6)
def replay(draw: random.Random) -> Made:
    """The odds of ER's reservoir, and the weights in DGR's loss."""
    slots, tasks = draw.choice((2, 3, 4)), draw.choice((3, 4, 5, 6))
    each = draw.randint(slots + 1, 6)
    images, later = tasks * each, draw.randint(2, tasks)
    seen = later * each

    def claim(text: str, right: Fraction, how: str, *mistakes: tuple[Fraction, str]) -> Claim:
        texts = [(_fraction(v), why) for v, why in mistakes if v.denominator < 1000]
        return Claim(text, _fraction(right), how, texts)

    def ratio(a: int, b: int) -> str:
        reduced = _fraction(Fraction(a, b))
        return f"{a}/{b}" + ("" if reduced == f"{a}/{b}" else f" = {reduced}")

    none_left = Fraction(comb(images - each, slots), comb(images, slots))
    stem = (
        f"{tasks} tasks of {each} images each come by once, one image after the other. ER stores "
        f"them in a reservoir of {slots} places: once it is full, image i, counted from 0, takes "
        f"the place of a random one with probability {slots} / (i + 1). DGR learns the same "
        "tasks, and its generator draws images of all earlier tasks equally often. Which "
        "statements are right?"
    )
    return stem, [
        claim(
            "At the end, the very first image is still in ER's memory with probability {}.",
            Fraction(slots, images),
            f"Each of the {images} images has the same probability, {ratio(slots, images)}.",
            (
                Fraction(slots - 1, slots) ** (images - slots),
                "This lets every image be stored; later ones are stored ever less often.",
            ),
            (Fraction(slots, images - each), "This counts only the images of the later tasks."),
            (Fraction(slots, images + 1), "This counts one image too many."),
            (Fraction(1, images), "This is the probability for one given place."),
        ),
        claim(
            f"When it comes by, the last image of task {later} is stored by ER with probability "
            "{}.",
            Fraction(slots, seen),
            f"It is image {seen - 1} counted from 0, so {slots} / ({seen - 1} + 1) = "
            f"{_fraction(Fraction(slots, seen))}.",
            (Fraction(slots, seen - 1), "This counts one image too few: i counts from 0."),
            (Fraction(slots, seen + 1), "This counts one image too many: image 0 is the first."),
            (Fraction(1, slots), "This is the probability that a given place is the one replaced."),
        ),
        claim(
            "An image that is in ER's memory after task 1 is there at the end with probability {}.",
            Fraction(1, tasks),
            f"The probability falls from {slots}/{each} to {slots}/{images}, and the quotient is "
            f"1/{tasks}.",
            (
                Fraction(slots, images),
                "This is the probability for an image not known to be stored.",
            ),
            (1 - Fraction(1, tasks), "This is the probability that it has been replaced."),
            (Fraction(1, tasks - 1), "This counts only the later tasks."),
            (Fraction(1, tasks + 1), "This counts one task too many."),
        ),
        claim(
            "At the end, the average number of task 1's images in ER's memory is {}.",
            Fraction(slots, tasks),
            f"Each of the {slots} places holds one of task 1's images with probability 1/{tasks}.",
            (Fraction(slots, 2 ** (tasks - 1)), "This halves the number with every task."),
            (Fraction(slots, tasks - 1), "This counts only the later tasks."),
            (Fraction(each, tasks), "This counts images, but there is only room for some."),
        ),
        claim(
            "At the end, ER's memory holds no image of task 1 with probability {}.",
            none_left,
            f"Every set of {slots} images is equally likely, and {comb(images - each, slots)} of "
            f"{comb(images, slots)} have none of task 1: {_fraction(none_left)}.",
            (
                Fraction(tasks - 1, tasks) ** slots,
                "This draws with replacement, but no image is stored twice.",
            ),
            (1 - none_left, "This is the probability that there is at least one."),
            (
                Fraction(1, tasks) ** slots,
                "This is nearly the probability that there are only such.",
            ),
        ),
        claim(
            "While DGR learns the last task, the loss on replayed images has the weight {}.",
            1 - Fraction(1, tasks),
            "In task t the new images have the weight 1/t and the replayed ones 1 − 1/t: "
            f"{_fraction(1 - Fraction(1, tasks))}.",
            (Fraction(1, tasks), "This is the weight of the new images."),
            (1 - Fraction(1, tasks - 1), "This does not count the task in training."),
            (1 - Fraction(1, tasks + 1), "This counts one task too many."),
        ),
        claim(
            "While DGR learns the last task, replayed images of task 1 have the weight {} in its "
            "loss.",
            Fraction(1, tasks),
            f"The weight 1 − 1/{tasks} of all replay is shared by {tasks - 1} earlier tasks: "
            f"{_fraction(1 - Fraction(1, tasks))} / {tasks - 1} = 1/{tasks}.",
            (1 - Fraction(1, tasks), "This is the weight of all earlier tasks together."),
            (Fraction(1, tasks - 1), "This is its share of the replayed images alone."),
            (Fraction(1, tasks + 1), "This counts one task too many."),
            (Fraction(1, 2 ** (tasks - 1)), "This halves the weight with every task."),
        ),
    ]


@_question(shown=6)
def regime(draw: random.Random) -> Made:
    """Forgetting by curvature and distance, and a learning rate that falls from task to task."""
    flat = Decimal(draw.randint(1, 4))
    sharp = flat + 2 * draw.randint(1, 5)
    middle, half, no = (sharp + flat) / 2, (sharp - flat) / 2, Decimal(0)
    turn = draw.randrange(4)  # the sharpest direction: the eighth of a turn, times this
    straight, mixed = ((half, no), (no, half), (-half, no), (no, -half))[turn]
    h = [[middle + straight, mixed], [mixed, middle - straight]]
    directions = ("(1, 0)", "(1, 1)", "(0, 1)", "(1, −1)")
    sharpest, flattest = directions[turn], directions[(turn + 2) % 4]
    between = directions[(turn + draw.choice((1, 3))) % 4]
    step = tuple(_ratio(_nonzero(draw, 4), 10) for _ in range(2))
    length = _dot(step, step)
    quadratic = _dot(step, [_dot(row, step) for row in h]) / 2
    bound = sharp * length / 2
    diagonal = [h[i][i] * step[i] ** 2 for i in range(2)]
    terms = [*diagonal, 2 * mixed * step[0] * step[1]]
    lr, decay = (
        _ratio(1, draw.choice((10, 20, 25, 50))),
        draw.choice((_ratio(2, 5), _ratio(1, 2), _ratio(4, 5))),
    )
    task = draw.randint(3, 5)
    power = "²³⁴"[task - 3]
    eigenvalues = f"μ_max = {_text(sharp)}, and the other eigenvalue is {_text(flat)}"
    stem = (
        "Task 1 ends in a minimum, where the Hessian of its loss is "
        f"`H = {_code(h)}`. Task 2 moves the two weights by δ, `dw = {_code(step)}`. The "
        f"learning rate is {_text(lr)} in task 1 and falls by the factor γ = {_text(decay)} from "
        "task to task. Take the loss to second order. Which statements are right?"
    )
    return stem, [
        Claim(
            "The step of task 2 raises the loss of task 1 by {}.",
            quadratic,
            f"In a minimum there is no slope, so it is ½ δᵀHδ, and δᵀHδ = {_sum(terms)} = "
            f"{_text(2 * quadratic)}.",
            [
                (2 * quadratic, "This leaves out the ½."),
                (
                    bound,
                    "This is the bound by μ_max, for a step in the sharpest direction.",
                ),
                (sum(diagonal, Decimal(0)) / 2, "This takes the diagonal of H alone."),
            ],
        ),
        Claim(
            "The bound ½ μ_max ‖δ‖² on what task 1 loses is {}.",
            bound,
            f"{eigenvalues}: ½ · {_text(sharp)} · {_text(length)} = {_text(bound)}.",
            [
                (max(max(row) for row in h) * length / 2, "This takes the largest entry of H."),
                (flat * length / 2, "This takes the smaller eigenvalue."),
                (2 * bound, "This leaves out the ½."),
                (middle * length, "This takes the trace of H, not its largest eigenvalue."),
            ],
        ),
        Claim(
            "Half of that step would raise the loss of task 1 by {}.",
            quadratic / 4,
            f"The rise is quadratic in the step: {_text(quadratic)} / 4 = {_text(quadratic / 4)}.",
            [
                (quadratic / 2, "This is half of the rise, as if it were linear in the step."),
                (bound / 4, "This is the bound by μ_max for half of the step."),
            ],
        ),
        Claim(
            "Of all steps as long as that one, a step along {} raises the loss of task 1 most.",
            sharpest,
            f"H has the eigenvalue {_text(sharp)} along {sharpest} and {_text(flat)} along "
            f"{flattest}.",
            [
                (flattest, "This is the flattest direction."),
                (between, f"There the curvature is {_text(middle)}, which is not the largest."),
            ],
        ),
        Claim(
            "A step as long as that one in the flattest direction would raise the loss by {}.",
            flat * length / 2,
            f"{eigenvalues}: ½ · {_text(flat)} · {_text(length)} = {_text(flat * length / 2)}.",
            [
                (middle * length / 2, "This is the average over all directions."),
                (flat * length, "This leaves out the ½."),
                (bound, "This is for the sharpest direction."),
            ],
        ),
        Claim(
            "Over all directions, a step as long as that one raises the loss by {} on average.",
            middle * length / 2,
            "The mean curvature is the trace of H over the number of weights: "
            f"½ · {_text(middle)} · {_text(length)} = {_text(middle * length / 2)}.",
            [
                (middle * length, "This takes the trace itself, or leaves out the ½."),
                (bound, "This is for the sharpest direction, not for an average one."),
            ],
        ),
        Claim(
            f"In task {task} the learning rate is {{}}.",
            lr * decay ** (task - 1),
            f"Task t has lr · γ to the power t − 1: {_text(lr)} · {_text(decay)}{power} = "
            f"{_text(lr * decay ** (task - 1))}.",
            [
                (lr * decay**task, "This decays the rate once before the first task."),
                (lr * decay ** (task - 2), "This decays the rate once too seldom."),
                (lr * decay / (task - 1), "This divides, but every task multiplies by γ."),
            ],
        ),
    ]
