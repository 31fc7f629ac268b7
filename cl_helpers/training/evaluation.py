"""How many test examples a model gets right."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import torch
from torch import nn

from ..data.tasks import Task
from ..methods import Method
from ..models.forward import evaluating

# Large enough for full-speed matrix products, small enough for the memory: of a laptop, of a GPU.
BATCH = {"cpu": 2_000, "cuda": 10_000}


def evaluate(method: Method, model: nn.Module, task: Task) -> float:
    """Share of the test examples of `task` that `method.predict` gets right.

    With Class-IL the classes seen up to `task` compete: ask `as_of(now, task)` for all so far.
    """
    task = task.to(next(model.parameters()).device)
    return accuracies([(model, method)], [task])[0][0]


@torch.no_grad()
def accuracies(
    learners: Sequence[tuple[nn.Module, Method]], tasks: Sequence[Task]
) -> list[list[float]]:
    """The metric of each model and method on each task; a GPU is waited for once, at the end."""
    device = next(learners[0][0].parameters()).device
    totals = []
    with ExitStack() as stack:
        for model, _ in learners:
            stack.enter_context(evaluating(model))
        for task in tasks:
            scores = [
                torch.stack(
                    [task.score(m.predict(model, x, task), y).sum() for model, m in learners]
                )
                for x, y in task.test.batches(BATCH.get(device.type, BATCH["cpu"]))
            ]
            totals.append(torch.stack(scores).sum(0))
    sizes = torch.tensor([len(task.test) for task in tasks], dtype=torch.double)
    return (torch.stack(totals, 1).cpu() / sizes).tolist()


def as_of(now: Task, task: Task) -> Task:
    """`task` asked after `now` was learned: with Class-IL, all classes seen by then compete."""
    return replace(task, active=now.active) if task.scenario == "class" else task
