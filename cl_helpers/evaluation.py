"""How many test examples a model gets right."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import torch
from torch import nn

from .gradients import evaluating
from .methods import Method
from .tasks import Task

# Large enough for full-speed matrix products, small enough for the memory: of a laptop, of a GPU.
BATCH = {"cpu": 2_000, "cuda": 10_000}


def evaluate(method: Method, model: nn.Module, task: Task) -> float:
    """Share of the test examples of `task` that `method.predict` gets right.

    With Class-IL the classes seen up to `task` compete: ask `as_of(now, task)` for all so far.
    """
    task = task.to(next(model.parameters()).device)
    return accuracies([(method, model)], [task])[0][0]


@torch.no_grad()
def accuracies(
    learners: Sequence[tuple[Method, nn.Module]], tasks: Sequence[Task]
) -> list[list[float]]:
    """Of each method and model on each task; a GPU is waited for once, at the end."""
    device = next(learners[0][1].parameters()).device
    right = torch.zeros(len(learners), len(tasks), dtype=torch.long, device=device)
    with ExitStack() as stack:
        for _, model in learners:
            stack.enter_context(evaluating(model))
        for t, task in enumerate(tasks):
            for x, y in task.test.batches(BATCH.get(device.type, BATCH["cpu"])):
                for m, (method, model) in enumerate(learners):
                    right[m, t] += (method.predict(model, x, task) == y).sum()
    sizes = torch.tensor([len(task.test) for task in tasks], dtype=torch.double)
    return (right.cpu() / sizes).tolist()


def as_of(now: Task, task: Task) -> Task:
    """`task` asked after `now` was learned: with Class-IL, all classes seen by then compete."""
    return replace(task, active=now.active) if task.scenario == "class" else task
