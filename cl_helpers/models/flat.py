"""A model's trainable parameters as one vector θ, and their gradient as one vector g.

Every formula of this course is about a vector θ. PyTorch has a list of tensors. `flatten` lets the
two share memory: the tensors become views into one vector, so that Ω (θ − θ*)² is written and
computed once, and not once for each layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import cached_property
from uuid import uuid4
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn


class Flat:
    """The P trainable parameters of one model as θ, their gradient as g, both (P,).

    Writing to θ or g changes the model. `flatten(model)` makes it and returns the same one again.

    Args:
        model: its parameters become views into the vector.
        memory: two vectors (P,), in which θ and g are to be. None, the default, makes new ones.

    Attributes:
        theta: (P,) θ, in the order of `model.named_parameters()`.
        parameters: the model's trainable parameters, in the same order.
        shapes: parameter name -> shape.
        moments: returns the vectors (P,) that the optimiser in use keeps beside θ, such as Adam's
            two; none of plain SGD, and none before the first step. A step sets it.

    Raises:
        ValueError: nothing can be trained, the parameters differ in type or device, or they are
            neither float32 nor float64.
    """

    moments: Callable[[], list[Tensor]]

    def __init__(self, model: nn.Module, memory: tuple[Tensor, Tensor] | None = None):
        self.moments = list
        trainable = {n: p for n, p in model.named_parameters() if p.requires_grad}
        if not trainable:
            raise ValueError(
                f"{type(model).__name__} has no parameter that can be trained: unfreeze what is to "
                "learn, such as model.requires_grad_()"
            )
        kinds = {(p.dtype, p.device) for p in trainable.values()}
        if len(kinds) > 1:
            raise ValueError(f"the parameters differ in type or device: {sorted(map(str, kinds))}")
        [(dtype, _)] = kinds
        if dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"the weights are {dtype}: give a float32 or float64 model, such as model.float(); "
                "small steps and Ω are lost in others"
            )
        self.shapes = {n: p.shape for n, p in trainable.items()}
        self.parameters = list(trainable.values())
        theta = torch.cat([p.detach().reshape(-1) for p in self.parameters])
        self.theta, self._grad = memory or (theta, torch.zeros_like(theta))
        self.theta.copy_(theta)
        self._theta_views = list(unflatten(self.theta, self.shapes).values())
        self._grad_views = list(unflatten(self._grad, self.shapes).values())
        for p, view in zip(self.parameters, self._theta_views, strict=True):
            p.data = view
        self.bring_in_gradients()

    @property
    def grad(self) -> Tensor:
        """Gradient (P,) that is in the parameters' `.grad`; zero where there is none."""
        self.bring_in_gradients()
        return self._grad

    def moments_of(self, parameter: Tensor) -> list[Tensor]:
        """Return the part of each vector of `moments` that is of `parameter`, as a view.

        Writing to it changes what the optimiser knows of these weights.
        """
        i = next(i for i, p in enumerate(self.parameters) if p is parameter)
        return [list(unflatten(v, self.shapes).values())[i] for v in self.moments()]

    @cached_property
    def scratch(self) -> Tensor:
        """Vector (P,) for intermediate results of a step: faster than new memory in every step."""
        return torch.empty_like(self.theta)

    def piece(self, where: slice) -> Flat:
        """Return the part of the vectors that is at `where`; it has no parameters."""
        piece = copy(self)
        piece.parameters, piece._theta_views, piece._grad_views = [], [], []
        piece.theta, piece._grad = self.theta[where], self._grad[where]
        piece.scratch = self.scratch[: len(piece.theta)]
        return piece

    def bring_in_gradients(self) -> None:
        """Copy gradients that are in other memory into g, and make them views of it again."""
        for p, view in zip(self.parameters, self._grad_views, strict=True):
            if p.grad is not view:
                if p.grad is None:
                    view.zero_()
                else:
                    view.copy_(p.grad.to_dense() if p.grad.is_sparse else p.grad)
                p.grad = view

    def is_current(self, model: nn.Module) -> bool:
        """Whether θ still is the memory of `model`.

        False once a parameter was moved (`model.to(...)`), replaced, frozen or unfrozen.
        """
        trainable = [p for p in model.parameters() if p.requires_grad]
        return len(trainable) == len(self.parameters) and all(
            p is mine and p.data_ptr() == view.data_ptr() and p.device == view.device
            for p, mine, view in zip(trainable, self.parameters, self._theta_views, strict=True)
        )


_flat: WeakKeyDictionary[nn.Module, Flat] = WeakKeyDictionary()


def flatten(model: nn.Module | Flat) -> Flat:
    """Return the parameters and gradients of `model` as vectors; the same object at every call.

    A `Flat` is returned as it is: in hooks, a piece of the vectors stands in for the model.
    """
    if isinstance(model, Flat):
        return model
    flat = _flat.get(model)
    if flat is None or not flat.is_current(model):
        flat = _flat[model] = Flat(model)
    return flat


_tokens: WeakKeyDictionary[nn.Module, str] = WeakKeyDictionary()


def token_of(model: nn.Module) -> str:
    """Return a text that the object `model` has, and no other, now or later."""
    return _tokens.setdefault(model, uuid4().hex)


class Stack:
    """The parameters of S models of one shape as a matrix, and their gradients as another.

    One step of the optimiser moves all models at once. Each model, and its method, still sees its
    own row as θ.

    Args:
        models: their parameters become views into the matrix, a row for each model.

    Attributes:
        theta, grad: (S, P).
        parameters: parameter name -> (S, …), views of `theta` that autograd can differentiate by:
            for `torch.func.functional_call` under `vmap`.
    """

    def __init__(self, models: Sequence[nn.Module]):
        flats = [flatten(model) for model in models]
        shapes = flats[0].shapes
        self.models = models
        self.theta = torch.stack([flat.theta for flat in flats])
        self.grad = torch.zeros_like(self.theta)
        for model, theta, grad in zip(models, self.theta, self.grad, strict=True):
            _flat[model] = Flat(model, (theta, grad))
        self.parameters = {n: nn.Parameter(v) for n, v in unflatten(self.theta, shapes).items()}

    def bring_in_gradients(self) -> None:
        """Copy gradients of the models that are in other memory into `grad`."""
        for model in self.models:
            flatten(model).bring_in_gradients()


def unflatten(vector: Tensor, shapes: dict[str, torch.Size]) -> dict[str, Tensor]:
    """Split `vector` (…, P) into a view (…, its shape) for each parameter, by name.

    Args:
        vector: (…, P), in the order of `shapes`.
        shapes: parameter name -> shape, as in `Flat.shapes`.
    """
    pieces = vector.split([shape.numel() for shape in shapes.values()], -1)
    return {
        name: job.view(*vector.shape[:-1], *shape)
        for (name, shape), job in zip(shapes.items(), pieces, strict=True)
    }
