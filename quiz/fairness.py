"""What makes a quiz fair: its key cannot be guessed from the form of the options.

A rule that looks at no word's meaning, such as "tick the longest", must not do better than chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import exp, lgamma, log

from .questions import Option, Question

MANY = 10  # questions; of fewer it is no use to ask how often something is so
SHORT = 20  # characters of a reason
RULES: dict[str, Callable[[Question], Option]] = {
    "longest": lambda q: max(q.options, key=lambda o: len(o.text)),
    "shortest": lambda q: min(q.options, key=lambda o: len(o.text)),
}


def given_away(questions: Sequence[Question], margin: float = 0.0) -> list[str]:
    """How the form of the options gives the key away, a line each; nothing if it does not.

    Args:
        margin: by how much a share must differ from chance to be spoken of. Of hundreds of variants
            the smallest difference is more than chance.
    """
    wrong = []
    options = [o for q in questions for o in q.options]
    share = sum(o.correct for o in options) / max(len(options), 1)
    for letter in sorted({o.id[0] for o in options}):
        mine = [o.correct for o in options if o.id[0] == letter]
        if unlikely(sum(mine), len(mine), share, margin):
            wrong.append(
                f"{sum(mine)} of {len(mine)} options {letter!r} are correct, where "
                f"{share:.0%} of all are: move some"
            )
    mixed = [q for q in questions if len(q.key) < len(q.options)]
    chance = sum(len(q.key) / len(q.options) for q in mixed) / max(len(mixed), 1)
    for rule, pick in RULES.items():
        hits = sum(pick(q).correct for q in mixed)
        if unlikely(hits, len(mixed), chance, margin):
            wrong.append(
                f"the {rule} option is correct in {hits} of {len(mixed)} questions, where "
                f"chance would give {chance * len(mixed):.0f}: reword some"
            )
    return wrong


def hints(questions: Sequence[Question]) -> list[str]:
    """What a quiz of questions that each have several options could do better, a line each."""
    found, n = [], len(questions)
    if n < MANY:
        return []
    several = sum(len(q.key) > 1 for q in questions)
    if several < 0.4 * n:
        found.append(
            f"{several} of {n} questions have several correct options: ask for more of one"
        )
    if n >= 2 * MANY and (every := sum(len(q.key) == len(q.options) for q in questions)) < 2:
        found.append(
            f"{every} questions have only correct options: with two, nobody can rule it out"
        )
    if short := sum(len(o.why) < SHORT for q in questions for o in q.options):
        found.append(f"{short} reasons have fewer than {SHORT} characters: they explain little")
    for size, times in _sizes(len(q.options) for q in questions):
        if times == n:
            found.append(f"every question has {size} options: vary their number")
    for size, times in _sizes(len(q.key) for q in questions):
        if times > 0.6 * n:
            found.append(f"{times} of {n} questions have {size} correct options: vary their number")
    return found


def _sizes(sizes: Iterable[int]) -> list[tuple[int, int]]:
    return Counter(sizes).most_common(1)


def unlikely(hits: int, of: int, chance: float, margin: float = 0.0, level: float = 0.01) -> bool:
    """Whether chance alone gives so many hits, or so few, less than once in a hundred times."""
    if not of or not 0 < chance < 1 or abs(hits / of - chance) < margin:
        return False
    up_to = sum(_binomial(k, of, chance) for k in range(hits + 1))
    from_on = sum(_binomial(k, of, chance) for k in range(hits, of + 1))
    return min(up_to, from_on) < level / 2


def _binomial(k: int, n: int, p: float) -> float:
    """The probability of k hits in n, as SciPy has it, which takes half a second to import."""
    ways = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
    return exp(ways + k * log(p) + (n - k) * log(1 - p))
