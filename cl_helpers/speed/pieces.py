"""A step whose vectors go through the processor's cache once.

Penalty, optimiser and path sums are a dozen operations, each of which reads and writes vectors as
long as θ: where these do not fit into the cache, all of them wait for memory. Here they work on one
piece of θ after the other, and all of them on a piece before the next. The same hooks run on the
same numbers. (Not every last bit is the same: a processor rounds the last few numbers of a vector
otherwise, which its vector instructions leave over.)
"""

from __future__ import annotations

from copy import copy
from typing import Any, NamedTuple, TypeGuard

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim import optimizer as hooks_of_all
from torch.optim.adam import adam

from ..methods import Method
from ..models.flat import Flat

# Weights in a piece: its vectors, about eight of float32, are 8 MB, less than the cache of the last
# level has; and few pieces, for each operation costs some microseconds whatever its size.
PIECE = 2**18


class Piece(NamedTuple):
    """A piece of all vectors of a step.

    Args:
        method: the same one, with its vectors cut.
        model: θ and its gradient, cut, in the place of the model.
        moments: Adam's two, of the piece, and the number of its steps.
    """

    method: Method
    model: Any
    moments: tuple[Tensor, Tensor, Tensor]


class Pieces:
    """The part of a step that follows backward, a piece of θ at a time.

    Args:
        method: it is cut as long as all that it does there is elementwise.
        flat: θ and its gradient.
        optimizer: the course's own Adam, of θ.
    """

    def __init__(self, method: Method, flat: Flat, optimizer: Optimizer):
        self.method, self.flat, self.optimizer = method, flat, optimizer
        self.held: dict[str, tuple[object, int]] = {}
        self.pieces: list[Piece] = []

    def move(self) -> bool:
        """Pull, move and look at one piece after the other; False if nothing was done."""
        [group] = self.optimizer.param_groups
        state = self.optimizer.state[group["params"][0]]
        if len(self.flat.theta) <= PIECE or self.flat.theta.device.type != "cpu" or not state:
            return False  # the first step of a fresh optimiser makes its state
        if self._was_set({**vars(self.method), "Adam's mean": state["exp_avg"]}):
            self.pieces = self._cut(state) if self._can_be_cut() else []
        if not self.pieces:
            return False
        self.flat.bring_in_gradients()
        beta1, beta2 = group["betas"]
        how = {"beta1": beta1, "beta2": beta2, "eps": group["eps"], "lr": float(group["lr"])}
        for method, model, (mean, square, n) in self.pieces:
            method.after_backward(model)
            adam(
                *([model.theta], [model.grad], [mean], [square], [], [n]),
                **{"fused": True, "amsgrad": False, "weight_decay": 0.0, "maximize": False} | how,
            )
            method.after_step(model)
        return True

    def _was_set(self, attributes: dict[str, object]) -> bool:
        """Whether an attribute, or the memory of one, is another than at the last step."""
        now = {
            name: (value, value.data_ptr() if _is_dense(value) else 0)
            for name, value in attributes.items()
        }
        same = now.keys() == self.held.keys() and all(
            value is self.held[name][0] and at == self.held[name][1]
            for name, (value, at) in now.items()
        )
        self.held = now
        return not same

    def _can_be_cut(self) -> bool:
        """Whether nothing would miss that a step is one; its vectors are plain attributes."""
        watched = ("_global_optimizer_pre_hooks", "_global_optimizer_post_hooks")
        return (
            self.method.is_elementwise
            and _has_plain_attributes(type(self.method))
            and not any(getattr(hooks_of_all, name, None) for name in watched)
        )

    def _cut(self, state: dict[str, Tensor]) -> list[Piece]:
        """Make the pieces, views of the vectors of method, θ, gradient and `state` of Adam."""
        n = len(self.flat.theta)
        pieces = []
        for start in range(0, n, PIECE):
            where = slice(start, start + PIECE)
            method = copy(self.method)
            for name, value in vars(self.method).items():
                if _is_dense(value) and value.shape == (n,):
                    setattr(method, name, value[where])
            counter = state["step"].clone() if start else state["step"]  # each counts up its own
            moments = state["exp_avg"][where], state["exp_avg_sq"][where], counter
            pieces.append(Piece(method, self.flat.piece(where), moments))
        return pieces


def _is_dense(value: object) -> TypeGuard[Tensor]:
    return isinstance(value, Tensor) and value.layout == torch.strided


def _has_plain_attributes(kind: type) -> bool:
    """Whether the vectors of a method are in its `__dict__`, where they can be cut.

    Not where a class of somebody's has properties, slots or attribute access of its own.
    """
    own = [k for k in kind.__mro__ if not k.__module__.startswith("cl_helpers.")]
    access = {"__getattribute__", "__getattr__", "__setattr__", "__copy__", "__reduce_ex__"}
    return not any(
        name in access or (hasattr(value, "__get__") and hasattr(value, "__set__"))
        for k in own
        if k is not object
        for name, value in vars(k).items()
        if name not in ("__dict__", "__weakref__")
    )
