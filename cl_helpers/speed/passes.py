"""The cost of a training step, in passes through the network: counted, not timed.

A forward pass is what the model needs to compute the outputs for a batch, a backward pass what
autograd needs to differentiate a plain loss on it. Both are counted in floating-point operations.
So a generator that is smaller than the model, or a batch with some more examples, counts in
proportion.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.module_tracker import ModuleTracker

from ..data.tasks import Task


@dataclass
class Passes:
    """Cost of a step, in units of a plain step's forward and backward pass; 1 and 1 by default.

    Args:
        forward, backward: how many passes.
    """

    forward: float = 1.0
    backward: float = 1.0


class Operations(TorchDispatchMode):
    """Counts floating-point operations of matrix products and convolutions in its context.

    Attributes:
        forward, backward: operations so far, outside and inside of autograd's backward pass.
    """

    def __init__(self) -> None:
        from torch.utils.flop_counter import flop_registry  # imports Triton where there is one

        super().__init__()
        self.forward = self.backward = 0
        self._count_of = flop_registry
        self._tracker = ModuleTracker()  # only asked whether a backward pass is running

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Else PyTorch imports `torch._dynamo` to do so: seconds, in every process."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if count := self._count_of.get(func._overloadpacket):
            n = count(*args, **(kwargs or {}), out_val=out)
            if self._tracker.is_bw:
                self.backward += n
            else:
                self.forward += n
        return out

    def in_passes(self, model: nn.Module, task: Task, index: Tensor) -> Passes:
        """Divide by the operations of a plain step of `model` on the examples at `index` (B,).

        `task` has the examples and the loss.
        """
        plain = Operations()
        copy = deepcopy(model).eval()  # draws no random numbers, leaves the model unchanged
        x, y = task.train.batch(index)
        with plain:
            task.loss(copy(x), y).backward()
        if not plain.forward or not plain.backward:
            return Passes()  # a model without products: there is no unit
        return Passes(self.forward / plain.forward, self.backward / plain.backward)


class CountedStep:
    """Takes steps, and counts the passes of the first one.

    Args:
        take: takes the positions of a batch, returns the loss.
        model, task: those of the step.
        passes: the result is written into it.
    """

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
