"""What a training step costs, in passes through the network: counted, not timed.

A pass forwards is what the model needs to answer a batch, a pass backwards what autograd needs to
differentiate a plain loss on it. The unit is floating-point operations, so that a generator of
another size than the model, or a batch joined by a few stored examples, counts for what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torch.utils.module_tracker import ModuleTracker

from ..data.tasks import Task


@dataclass
class Passes:
    forward: float = 1.0
    backward: float = 1.0


class Operations(TorchDispatchMode):
    """Counts the floating-point operations of matrix products and convolutions inside it."""

    def __init__(self) -> None:
        super().__init__()
        self.forward = self.backward = 0

    def __enter__(self) -> Operations:
        self._tracker = ModuleTracker()
        self._tracker.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._tracker.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func._overloadpacket):
            n = count(*args, **(kwargs or {}), out_val=out)
            if self._tracker.is_bw:
                self.backward += n
            else:
                self.forward += n
        return out

    def in_passes(self, model: nn.Module, task: Task, index: Tensor) -> Passes:
        """In units of a plain step of `model` on the examples of `task` at `index` (B,)."""
        plain = Operations()
        copy = deepcopy(model).eval()  # in which nothing is drawn or changed that matters
        x, y = task.train.batch(index)
        with plain:
            task.loss(copy(x), y).backward()
        if not plain.forward or not plain.backward:
            return Passes()  # a model without any: nothing to count in
        return Passes(self.forward / plain.forward, self.backward / plain.backward)


class CountedStep:
    """Takes the steps of `take`; what the first of them took is written into `passes`."""

    def __init__(
        self, take: Callable[[Tensor], Tensor], model: nn.Module, task: Task, passes: Passes
    ):
        self.take, self.model, self.task, self.passes = take, model, task, passes
        self.counted = False

    def __call__(self, index: Tensor) -> Tensor:
        if self.counted:
            return self.take(index)
        with Operations() as operations:
            loss = self.take(index)
        vars(self.passes).update(vars(operations.in_passes(self.model, self.task, index)))
        self.counted = True
        return loss
