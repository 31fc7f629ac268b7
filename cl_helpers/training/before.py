"""What is found out before the first step, so that a mistake costs no training."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ..checks import warn
from ..data.tasks import SequenceTask, Task
from ..data.views import DatasetView
from ..formats import format_error, format_tensor
from ..methods import Method
from ..models.forward import check_copy, check_forward, evaluating, training_mode
from .settings import Settings


def check_fits(model: nn.Module, tasks: Sequence[Task]) -> None:
    """Find out whether `model` can be trained on `tasks` and evaluated.

    Raises:
        ValueError: it cannot, or a task's loss is none of its outputs.
    """
    kinds = set()
    for task in tasks:
        x, y = _first(task.train, 2)
        if (kind := (type(task), x.shape[1:], x.dtype, task.n_outputs)) not in kinds:
            z = check_forward(model, x, task.name)
            check_copy(model)  # now that it has seen inputs
            _check_outputs(model, task, x, y, z)
            _check_loss(task, z, y)
            kinds.add(kind)


_trained: WeakKeyDictionary[nn.Module, tuple[str, frozenset[str]]] = WeakKeyDictionary()


def note_trained(model: nn.Module, tasks: Sequence[str], before: str, after: str) -> None:
    """Note that a run has ended, for `warn_if_trained`.

    Args:
        model: it was trained in place.
        tasks: their names.
        before, after: digests of its weights when the run began, and now.
    """
    digest, earlier = _trained.get(model, ("", frozenset()))
    _trained[model] = after, earlier.union(tasks) if digest == before else frozenset(tasks)


def warn_if_trained(model: nn.Module, tasks: Sequence[str], digest: str) -> None:
    """Warn if `model` still has the weights, with this `digest`, that a run on `tasks` left."""
    left, names = _trained.get(model, ("", frozenset()))
    again = [name for name in tasks if name in names]
    if left == digest and again:
        warn(
            f"this {type(model).__name__} has been trained on {again[0]} before and goes on from "
            "there: give a new one, or a deepcopy made before that run, to begin anew"
        )


def check_shapes(method: Method, tasks: Sequence[Task]) -> None:
    """Raise ValueError if `method` puts inputs of the `tasks` together that differ in shape."""
    if not method.mixes_tasks:
        return
    shapes = {_first(task.train, 1)[0].shape[1:]: task.name for task in tasks}
    if len(shapes) > 1:
        (one, its), (other, others) = [*shapes.items()][:2]
        raise ValueError(
            f"{method.label} puts inputs of several tasks together, but those of {its} have shape "
            f"{tuple(one)}, those of {others} {tuple(other)}: give all of one shape"
        )


def check_learned(method: Method, tasks: Sequence[Task], learned: int) -> None:
    """Raise ValueError if the first `learned` of the `tasks` cannot be passed over by `method`."""
    if learned > len(tasks):
        raise ValueError(f"learned is {learned}, of {len(tasks)} tasks: choose fewer")
    if learned and (len(method.stages(tasks)) < len(tasks) or method.made_of_steps):
        why = "keeps what it sees in steps" if method.made_of_steps else "has one stage for all"
        raise ValueError(
            f"learned is {learned}, but {method.label} {why}, and no step is taken on a task that "
            "was learned before: choose learned=0 or another method"
        )


def _first(view: DatasetView, n: int) -> tuple[Tensor, Tensor]:
    return view.batch(torch.arange(min(n, len(view)), device=view.device))


def _check_outputs(model: nn.Module, task: Task, x: Tensor, y: Tensor, z: Tensor) -> None:
    """Raise ValueError, or warn, where `z` are no logits of the targets `y` for `x` alone.

    They are (B, K), or (B, …, K) for targets (B, …).
    """
    name = type(model).__name__
    if not task.classifies or type(task).score not in (Task.score, SequenceTask.score):
        return
    if z.ndim != 2 and z.shape[:-1] != y.shape:
        raise ValueError(
            f"{name} returns {format_tensor(z)} for {len(x)} inputs: return logits (B, K), or give "
            "tasks with a loss, a log_likelihood, a prediction and a score of their own"
        )
    rows = z.detach().sum(-1)
    if z.shape[-1] > 1 and bool((z >= 0).all() & (rows - 1).abs().lt(1e-4).all()):
        warn(
            f"{name} seems to return probabilities, which the loss takes for logits: leave out its "
            "softmax"
        )
    alone = z[:1]
    with evaluating(model), torch.no_grad(), suppress(Exception):  # one may be too few for it
        alone = model(x[:1])
    if z.isfinite().all() and not torch.allclose(alone, z[:1], rtol=1e-2, atol=1e-3):
        warn(
            f"{name} gives an input other outputs alone than beside another one, or at each call: "
            "in eval mode accuracy and Ω then depend on the batch"
        )


def _check_loss(task: Task, z: Tensor, y: Tensor) -> None:
    try:
        with torch.enable_grad():
            loss = task.loss(z.clone().requires_grad_(), y)
    except Exception as error:  # of anybody's task
        raise ValueError(
            f"the loss of {task.name} cannot be computed of outputs {format_tensor(z)} and targets "
            f"{format_tensor(y)}: {format_error(error)}"
        ) from error
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        given = format_tensor(loss) if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        raise ValueError(f"the loss of {task.name} is {given}: return a tensor with one number")


def check_last_batch(model: nn.Module, stages: Sequence[Task], settings: Settings) -> None:
    """Raise ValueError if an epoch ends with a single example, and `model` cannot take it.

    Args:
        model: the network.
        stages: what is trained on, one after the other.
        settings: those of training.
    """
    size = settings.batch_size
    alone = [
        t for t in stages if size == 1 or (len(t.train) % size == 1 and not settings.drop_last)
    ]
    norms = any(isinstance(m, nn.modules.batchnorm._NormBase) for m in model.modules())
    if not alone or not norms:
        return
    x, _ = _first(alone[0].train, 1)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            training_mode(copy := deepcopy(model))
            copy(x)
    except ValueError as error:
        cure = "a larger batch_size" if size == 1 else "drop_last=True or another batch_size"
        raise ValueError(
            f"batch_size is {size}, so that a batch of {alone[0].name} has a single example, which "
            f"{type(model).__name__} cannot normalise: choose {cure}"
        ) from error
