"""Several models of one shape that take their steps together.

The matrix products of all of them become one batched product. The training loop sees one learner.
Each method sees only its own model and its own vectors.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ..checks import at_least_one
from ..data.tasks import Task
from ..methods import Method
from ..models.flat import Stack, flatten
from ..speed.cuda_graph import recorded
from ..speed.precision import step_products
from ..training.divergence import WatchedStep, look_at_weights
from ..training.events import Event
from ..training.loop import Learner
from ..training.run import Run
from ..training.settings import Settings
from ..training.step import NOTHING, Step, moments_of
from ..training.train import events_of, identified, identified_tasks, new_learner, prepared
from ..training.unsaved import others_generators


def train_together(
    methods: Sequence[Method],
    tasks: Sequence[Task],
    models: Sequence[nn.Module | None],
    settings: Settings,
    seeds: Sequence[int],
    checkpoint: str | Path | None = None,
    every: int = 10,
) -> Generator[Event, None, None]:
    """Train S models of one shape at once, each with its own method and seed.

    Args:
        methods: S methods; if S > 1, all differentiate the plain task loss.
        tasks: as in `train`, the same for all.
        models: S models, or None for the homework's MLP.
        settings: the same for all, apart from the seed.
        seeds: S seeds.
        checkpoint, every: as in `train_steps`; with a checkpoint S is 1.

    Returns:
        A generator of `Event`, whose `runs` are all S runs. More than one model only where
        `can_be_stacked`.
    """
    at_least_one("every", every)
    tasks_digest = identified_tasks(tasks)
    tasks, settings = prepared(methods, tasks, settings)
    learners = [
        new_learner(method, model, tasks, replace(settings, seed=seed), tasks_digest, len(seeds))
        for method, model, seed in zip(methods, models, seeds, strict=True)
    ]
    learner = learners[0] if len(learners) == 1 else StackedLearner(learners)
    return events_of(learner, tasks, settings, checkpoint, every)


def can_be_stacked(
    method: Method, model: nn.Module, x: Tensor, y: Tensor | None = None, task: Task | None = None
) -> bool:
    """Whether a model can take its steps together with others of its shape.

    This is so where autograd differentiates the plain task loss and the model is a function of its
    trainable parameters alone: no buffers, no random numbers, nothing frozen.

    Args:
        method: of the model.
        model: the network.
        x: (B, …) inputs to try it on.
        y, task: their targets, and the task whose loss is tried too. None, the default, tries the
            model alone.
    """
    return (
        method.traces_task_loss
        and all(p.requires_grad for p in model.parameters())
        and not any(True for _ in model.buffers())
        and not any(m._backward_hooks or m._backward_pre_hooks for m in model.modules())
        and _can_be_mapped(model, x, y, task)
    )


def _can_be_mapped(model: nn.Module, x: Tensor, y: Tensor | None, task: Task | None) -> bool:
    """Whether `vmap` works: not with random numbers, or what decides by values; nor counters."""
    copy = deepcopy(model).train()  # a buffer or a counter may be written to
    before = identified(copy, weights=False), others_generators()
    pairs = {name: torch.stack([p.detach()] * 2) for name, p in copy.named_parameters()}

    def loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor | None) -> Tensor:
        z = functional_call(copy, parameters, (x,))
        return z if y is None or task is None else task.loss(z, y)

    twice = (torch.stack([x] * 2), None if y is None else torch.stack([y] * 2))
    try:
        vmap(loss, in_dims=(0, 0, None if y is None else 0))(pairs, *twice)
    except RuntimeError:
        return False
    return (identified(copy, weights=False), others_generators()) == before


class StackedStep(Step):
    """Training steps of S models, each with its method and its own batches.

    Args:
        methods, models: S of each.
        task, settings, stage, before: as in `Step`.
    """

    def __init__(
        self,
        methods: Sequence[Method],
        models: Sequence[nn.Module],
        task: Task,
        settings: Settings,
        stage: int = 0,
        before: Mapping[str, Any] = NOTHING,
    ):
        self.methods, self.models, self.task = methods, models, task
        self.stack = Stack(models)
        self.flat = flatten(models[0])
        self.optimize(self.stack.theta, self.stack.grad, settings, stage, before)
        for s, each in enumerate(models):
            flatten(each).moments = partial(moments_of, self.optimizer, s)

    def __call__(self, index: Tensor) -> Tensor:
        """Take a step on the examples at `index` (S, B), a row for each model; return losses (S,).

        All models are differentiated as one; then each method has its part, on its own model.
        """
        self.stack.bring_in_gradients()
        x, y = self.task.train.batch(index.flatten())
        method, model = self.methods[0], self.models[0]  # the traced loss is the same for all

        def traced_loss(parameters: Any, x: Tensor, y: Tensor) -> Tensor:
            called: Any = partial(functional_call, model, parameters)
            return method.traced_loss(called, x, y)

        parameters = self.stack.parameters
        x, y = (v.unflatten(0, index.shape) for v in (x, y))
        with step_products(self.precision, self.flat.theta.device):
            losses = vmap(traced_loss)(parameters, x, y)
            inputs = list(parameters.values())
            grads = torch.autograd.grad(losses.sum(), inputs, materialize_grads=True)
        torch.cat([g.flatten(1) for g in grads], 1, out=self.stack.grad)
        for method, model in zip(self.methods, self.models, strict=True):
            method.after_backward(model)
        self.stack.bring_in_gradients()
        self.optimizer.step()
        for method, model in zip(self.methods, self.models, strict=True):
            method.after_step(model)
        return losses.detach()


class StackedLearner(Learner):
    """Several learners that take their steps together, as one learner.

    Args:
        learners: S of them, with models of one shape.
    """

    def __init__(self, learners: Sequence[Learner]):
        self.learners = learners
        self.runs_of_all = tuple(learner.run for learner in learners)
        self.method, self.masks = learners[0].method, learners[0].masks
        self.optimizer_state = {}

    @property
    def runs(self) -> tuple[Run, ...]:
        return self.runs_of_all

    @property
    def pairs(self) -> list[tuple[Method, nn.Module]]:
        """Method and model of each run that goes on."""
        return [(learner.method, learner.model) for learner in self.learners]

    def begin_task(self, task: Task, settings: Settings, stage: int) -> None:
        goes_on = [not learner.run.diverged for learner in self.learners]
        self.learners = [*compress(self.learners, goes_on)]
        before = self.optimizer_state.get("optimizer", {"state": {}})
        for state in before["state"].values():
            state |= {k: v[goes_on] for k, v in state.items() if getattr(v, "ndim", 0) == 2}
        for learner in self.learners:
            learner.method.begin_task(learner.model, task)
            learner.method.try_out(learner.model, task)
            learner.task = task
        self.taken = 0
        methods, models = zip(*self.pairs, strict=True)
        self.plain_step = StackedStep(methods, models, task, settings, stage, self.optimizer_state)
        device, asked = settings.device, settings.recordable
        step = recorded(self.plain_step, methods, [self.masks], device, asked)
        self.take_step = self.watched = WatchedStep(step, task)

    def shuffled(self) -> Tensor:
        """All positions in orders of their own, (S, N), a row a model."""
        return torch.stack([learner.shuffled() for learner in self.learners])

    def step(self, index: Tensor) -> Tensor:
        """Take one step each; returns their task losses, (S,)."""
        for method, model in self.pairs:
            method.begin_step(model)
        self.plain_step.set_rate(self.taken)
        losses = self.take_step(index)
        self.taken += 1
        for method, model in self.pairs:
            if method.interval and self.taken % method.interval == 0:
                method.after_interval(model)
        return losses

    def record_epoch(self, t: int, epoch: int, tasks: Sequence[Task | None]) -> None:
        assert isinstance(self.plain_step, StackedStep)
        runs = [learner.run for learner in self.learners]
        self.watched.look(runs, self.plain_step.stack.theta, t)
        super().record_epoch(t, epoch, tasks)

    def record_task(self, t: int, tasks: Sequence[Task | None]) -> None:
        look_at_weights([learner.run for learner in self.learners], t, self.taken)
        super().record_task(t, tasks)

    def end_task(self) -> None:
        for learner in self.learners:
            if not learner.run.diverged:
                learner.end_task()
