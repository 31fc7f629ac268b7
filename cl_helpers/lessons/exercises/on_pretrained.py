"""Exercises of notebook 14: the trivial baseline, a running mean, and sums that forget nothing."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from .judge import Args, Exercise
from .reading import Reading

read = Reading(
    "the percentage points that the method adds to the trivial baseline with the same network",
    2.5,
    mistakes={
        "That is the distance from NCM on pixels. It also counts what the pretrained network "
        "gives to everybody: take the baseline with the *same* network.": 60.5,
        "That is the distance from the linear probe that is trained task after task. It forgets, "
        "so that nearly everything is better: take the best trivial baseline.": 69.9,
        "That is the distance to the upper bound. Asked for is what was gained, not what is "
        "missing.": (9.2, -9.2),
        "That is the accuracy itself. How much of it does NCM reach without any training?": 82,
        "That is the trivial baseline itself. Subtract it from the method's accuracy.": 79.5,
        "The right size. A gain counts as positive.": -2.5,
    },
    moral="Of 82 %, 79.5 come from a frozen network and one mean for each class. What the method "
    "learned along the stream is worth 2.5 percentage points.",
    hints=(
        "Which row uses the same network and trains nothing?",
        "Subtract the accuracy of NCM on the pretrained network's features.",
    ),
    solution="82.0 − 79.5 = 2.5 percentage points.",
    tolerance=0.05,
)


def _means() -> list[Args]:
    """A mean, how many examples it is of, and new ones; once of none."""
    rng = torch.Generator().manual_seed(0)
    shapes = ((6, 3, 4), (2, 5, 3), (0, 4, 2))
    return [
        (
            torch.randn(d, generator=rng, dtype=torch.float64) * (n > 0),
            n,
            1 + torch.randn(b, d, generator=rng, dtype=torch.float64),
        )
        for n, b, d in shapes
    ]


def running_mean(mean: torch.Tensor, n: int, phi: torch.Tensor) -> torch.Tensor:
    return (n * mean + phi.sum(0)) / (n + len(phi))


write = Exercise(
    "running_mean(mean, n, phi)",
    "the mean (d,) of all n + B features: `mean` is that of the first n, `phi` (B, d) are new.",
    _means,
    right=running_mean,
    mistakes={
        "The old mean and the new one count the same. Weigh them by how many examples they are "
        "of, n and B.": (lambda mean, n, phi: (mean + phi.mean(0)) / 2,),
        "The weights are exchanged: the old mean counts n times, the new one B times.": (
            lambda mean, n, phi: (len(phi) * mean + n * phi.mean(0)) / (n + len(phi)),
        ),
        "You forgot the old mean: what came is the mean of the new features alone.": (
            lambda mean, n, phi: phi.mean(0),
        ),
        "The batch counts as one more example. It has B: divide by n + B.": (
            lambda mean, n, phi: (n * mean + phi.mean(0)) / (n + 1),
            lambda mean, n, phi: (n * mean + phi.sum(0)) / (n + 1),
        ),
        "You divided by B alone. There are n + B examples by now.": (
            lambda mean, n, phi: (n * mean + phi.sum(0)) / len(phi),
        ),
        "The old mean counts once. It is the mean of n examples: multiply it by n.": (
            lambda mean, n, phi: (mean + phi.sum(0)) / (n + len(phi)),
        ),
        "That is a sum. Divide by the number of examples, n + B.": (
            lambda mean, n, phi: n * mean + phi.sum(0),
        ),
        "You added the mean of the batch where its sum belongs.": (
            lambda mean, n, phi: (n * mean + phi.mean(0)) / (n + len(phi)),
        ),
        "That is a moving average: old examples count less and less. In the mean all count the "
        "same.": (
            lambda mean, n, phi: 0.9 * mean + 0.1 * phi.mean(0),
            lambda mean, n, phi: 0.5 * mean + 0.5 * phi[-1],
        ),
    },
    moral="Only the mean and n are stored, and the result is that of all examples at once. So the "
    "order of the tasks does not matter.",
    hints=(
        "n · mean is the sum of the old features. What is the sum of all?",
        "Divide the sum of all by n + B, with B = len(phi).",
    ),
    solution=running_mean,
)


RIDGE = 0.1
Collect = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def collect(
    G: torch.Tensor, C: torch.Tensor, phi: torch.Tensor, y: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    targets = torch.nn.functional.one_hot(y, C.shape[1]).to(phi)
    return G + phi.T @ phi, C + phi.T @ targets


def head_after_tasks(collect: Collect) -> Callable[..., Tensor]:
    """Make the head W (d, K) that `collect` leads to, over three tasks in batches."""

    def run(phi: Tensor, y: Tensor, batch: int) -> Tensor:
        G = torch.zeros(phi.shape[1], phi.shape[1])
        C = torch.zeros(phi.shape[1], int(y.max()) + 1)
        for task in range(3):
            own = (y // 2 == task).nonzero()[:, 0]
            for index in own.split(batch):
                G, C = collect(G, C, phi[index], y[index])
        return torch.linalg.solve(G.double() + RIDGE * torch.eye(len(G)), C.double())

    return run


def _streams() -> list[Args]:
    """Features (N, d), labels 0 to 5, and a size of batches."""
    rng = torch.Generator().manual_seed(1)
    problems: list[Args] = []
    for n, d, batch in ((36, 4, 5), (48, 3, 8)):
        y = torch.arange(n) % 6
        centres = torch.randn(6, d, generator=rng)
        noise = torch.randn(n, d, generator=rng)
        problems.append((centres[y] + 0.3 * noise, y, batch))
    return problems


def _onehot(C: Tensor, phi: Tensor, y: Tensor) -> Tensor:
    return F.one_hot(y, C.shape[1]).to(phi)


transfer = Exercise(
    "collect(G, C, phi, y)",
    "the two new sums: G (d, d) plus the sum of φφᵀ, and C (d, K) plus the sum of φ·onehot(y)ᵀ.",
    _streams,
    right=head_after_tasks(collect),
    made=head_after_tasks,
    mistakes={
        "The newest batch replaces all that was collected. Add to G and C.": (
            head_after_tasks(
                lambda G, C, phi, y: (phi.T @ phi, phi.T @ _onehot(C, phi, y)),
            ),
        ),
        "G is replaced by that of the newest batch. Add to it.": (
            head_after_tasks(lambda G, C, phi, y: (phi.T @ phi, collect(G, C, phi, y)[1])),
        ),
        "C is replaced by that of the newest batch. Add to it.": (
            head_after_tasks(
                lambda G, C, phi, y: (collect(G, C, phi, y)[0], phi.T @ _onehot(C, phi, y)),
            ),
        ),
        "You add means of batches. Then an example of a small batch counts more. Add sums.": (
            head_after_tasks(
                lambda G, C, phi, y: (
                    G + phi.T @ phi / len(y),
                    C + phi.T @ _onehot(C, phi, y) / len(y),
                )
            ),
        ),
        "G has its diagonal alone. The entries beside it say which features go together, and the "
        "head needs them.": (
            head_after_tasks(
                lambda G, C, phi, y: (
                    G + torch.diag((phi * phi).sum(0)),
                    collect(G, C, phi, y)[1],
                )
            ),
        ),
        "You subtract the mean of each batch from its features. It is another mean for each batch "
        "and task: use the features as they are.": (
            head_after_tasks(lambda G, C, phi, y: collect(G, C, phi - phi.mean(0), y)),
        ),
        "The two sums are averaged with the old ones. Then early tasks count less and less.": (
            head_after_tasks(
                lambda G, C, phi, y: (
                    (G + phi.T @ phi) / 2,
                    (C + phi.T @ _onehot(C, phi, y)) / 2,
                )
            ),
        ),
        "G is the outer product of the sum with itself. It is the sum of the outer products of "
        "each example: phi.T @ phi.": (
            head_after_tasks(
                lambda G, C, phi, y: (
                    G + torch.outer(phi.sum(0), phi.sum(0)),
                    collect(G, C, phi, y)[1],
                )
            ),
        ),
    },
    moral="The head after three tasks is that of all data at once, to rounding: sums forget "
    "nothing. RanPAC adds one thing in front, a random projection of φ with a ReLU.",
    hints=(
        "phi.T @ phi is the sum of φφᵀ over the batch, (d, d).",
        "torch.nn.functional.one_hot(y, C.shape[1]) is (B, K), in whole numbers: turn it into the "
        "type of phi first.",
    ),
    solution=collect,
)
