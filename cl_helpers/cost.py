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
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torch.utils.module_tracker import ModuleTracker

from .steps import Step


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

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func._overloadpacket):
            n = count(*args, **(kwargs or {}), out_val=out)
            if self._tracker.is_bw:
                self.backward += n
            else:
                self.forward += n
        return out

    def in_passes(self, model: nn.Module, x: Tensor, y: Tensor) -> Passes:
        """In units of a plain step of `model` on the batch `x` (B, …), `y` (B,)."""
        plain = Operations()
        copy = deepcopy(model).eval()  # in which nothing is drawn or changed that matters
        with plain:
            F.cross_entropy(copy(x), y).backward()
        if not plain.forward or not plain.backward:
            return Passes()  # a model without any: nothing to count in
        return Passes(self.forward / plain.forward, self.backward / plain.backward)


class Counted:
    """`take`, which takes the steps of `step`, and what the first of them took: `passes`.

    Models that take their steps together need one pass of each kind, by the definition of that.
    """

    def __init__(self, take: Callable[[Tensor], Tensor], step: Step):
        self.take, self.step = take, step
        self.passes = Passes()
        self.known = len(step.learners) > 1

    def __call__(self, index: Tensor) -> Tensor:
        if self.known:
            return self.take(index)
        with Operations() as operations:
            losses = self.take(index)
        [(_, model)] = self.step.learners
        self.passes = operations.in_passes(model, *self.step.examples.batch(index[0]))
        self.known = True
        return losses
