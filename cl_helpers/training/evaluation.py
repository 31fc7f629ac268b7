"""Metrics of a model on the test examples of a task: the accuracy, as a rule."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from math import nan

import torch
from torch import Tensor, nn

from ..data.tasks import Task
from ..formats import format_tensor
from ..methods import Method
from ..models.forward import evaluating
from . import metrics

# Examples at a time: enough for full-speed matrix products, few enough for a laptop's memory.
BATCH = {"cpu": 2_000, "cuda": 10_000}


def evaluate(method: Method, model: nn.Module, task: Task) -> float:
    """Compute the accuracy on the test examples of a task, in [0, 1].

    In Class-IL the classes seen up to `task` compete; use `as_of(now, task)` for all seen so far.

    Args:
        method: its `predict` makes the predictions.
        model: the network; it is in eval mode meanwhile.
        task: it may be on another device than the model.

    Returns:
        The mean of `task.score`, which is the accuracy in classification.
    """
    task = task.to(next(model.parameters()).device)
    return accuracies([(model, method)], [task])[0][0]


@torch.no_grad()
def accuracies(
    learners: Sequence[tuple[nn.Module, Method]], tasks: Sequence[Task | None]
) -> list[list[float]]:
    """Compute the metric of each learner on each task; a GPU is waited for once, at the end.

    Args:
        learners: S pairs of model and method, on one device.
        tasks: T tasks on that device, or None in the place of one that is not evaluated.

    Returns:
        S lists of T numbers, each the mean of `task.score` over the test examples; NaN for None.
    """
    device = next(learners[0][0].parameters()).device
    totals, there = [], [task for task in tasks if task is not None]
    with ExitStack() as stack:
        for model, _ in learners:
            stack.enter_context(evaluating(model))
        for task in there:
            scores = [
                torch.stack([_scores(task, m.predict(model, x, task), y) for model, m in learners])
                for x, y in task.test.batches(BATCH.get(device.type, BATCH["cpu"]))
            ]
            totals.append(torch.stack(scores).sum(0))
    sizes = torch.tensor([len(task.test) for task in there], dtype=torch.double)
    rows = map(iter, (torch.stack(totals, 1).cpu() / sizes).tolist())
    return [[nan if task is None else next(row) for task in tasks] for row in rows]


@torch.no_grad()
def bits_per_character(model: nn.Module, task: Task, batch_size: int = 100) -> float:
    """Compute the mean cross-entropy at a position of the test text, in bits.

        −1/N Σ_n log₂ p(y_n | the characters before)

    Args:
        model: the network; it is in eval mode meanwhile.
        task: its examples have one position or several, each with a label.
        batch_size: examples at a time. Default 100; it changes memory and time, not the result.
    """
    device, nats, positions = next(model.parameters()).device, 0.0, 0
    with evaluating(model):
        for x, y in task.test.to(device).batches(batch_size):
            nats -= float(task.log_likelihood(model(x), y).double().sum())
            positions += y.numel()
    return metrics.bits(nats / positions)


def _scores(task: Task, prediction: Tensor, y: Tensor) -> Tensor:
    """Sum up the scores of a batch; raises ValueError unless there is one for each example."""
    scores = task.score(prediction, y)
    if scores.numel() != len(y):
        raise ValueError(
            f"{task.name} scores {len(y)} examples as {format_tensor(scores)}: return a number for "
            "each, (B,)"
        )
    return scores.sum()


def as_of(now: Task, task: Task) -> Task:
    """Return `task` as it is evaluated after `now` was learned.

    In Class-IL all classes seen by then compete. In Task-IL and Domain-IL nothing changes.

    Args:
        now: the task learned last.
        task: the task to evaluate.
    """
    return task.with_(active=now.active) if task.scenario == "class" else task
