"""One training step, of one model or of several at once, as fast as the device takes it.

    gather the batch → forward → backward → the method's part → optimiser → the method's part

Several models of one shape take their steps together (`Stack`): the products of all of them are
one batched product. On CUDA the whole step is recorded once as a CUDA graph and replayed, which
spares the device the wait for Python between one small kernel and the next.

A method knows nothing of this. It is called on its own model, and its vectors are its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from threading import Lock

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from .examples import Examples
from .methods import Baseline, Method, Quadratic
from .parameters import Stack

WARM_UP = 3  # plain steps before one is recorded; they count like any other


def can_be_stacked(method: Method, model: nn.Module, x: Tensor) -> bool:
    """May `model` share its steps with others of its shape? `x` (B, …) are images to try it with.

    Yes where autograd differentiates the plain task loss and the model is a function of its
    trainable parameters alone: no buffers, no random numbers, nothing frozen.
    """
    kind = Quadratic if isinstance(method, Quadratic) else Baseline
    decides = ("stages", "task_loss", "loss", "traced_loss", "penalty")
    return (
        isinstance(method, kind)
        and all(getattr(type(method), name) is getattr(kind, name) for name in decides)
        and all(p.requires_grad for p in model.parameters())
        and not any(True for _ in model.buffers())
        and _can_be_mapped(model, x)
    )


def _can_be_mapped(model: nn.Module, x: Tensor) -> bool:
    """Does `vmap` know what to do with the model? Not if it draws numbers, or asks for values."""
    copy = deepcopy(model).train()  # a buffer or a counter may be written to
    pairs = {name: torch.stack([p.detach()] * 2) for name, p in copy.named_parameters()}
    try:
        vmap(partial(functional_call, copy))(pairs, torch.stack([x] * 2))
    except RuntimeError:
        return False
    return True


class Step:
    """Training steps of S models on one task, each model with its method and its own batches."""

    def __init__(
        self,
        learners: Sequence[tuple[Method, nn.Module]],
        examples: Examples,
        optimizer: Callable[[nn.Parameter], torch.optim.Optimizer],
    ):
        self.learners, self.examples = learners, examples
        self.stack = Stack([model for _, model in learners])
        theta = nn.Parameter(self.stack.theta)
        theta.grad = self.stack.grad
        self.optimizer = optimizer(theta)
        self.lr: Tensor = self.optimizer.param_groups[0]["lr"]

    def __call__(self, index: Tensor) -> Tensor:
        """Step on the examples at `index` (S, B), a row a model; returns their losses (S,)."""
        self.stack.bring_in_gradients()
        self.stack.grad.zero_()
        losses = self._alone(index) if len(self.learners) == 1 else self._together(index)
        for method, model in self.learners:
            method.after_backward(model)
        self.stack.bring_in_gradients()
        self.optimizer.step()
        for method, model in self.learners:
            method.after_step(model)
        return losses

    def _alone(self, index: Tensor) -> Tensor:
        method, model = self.learners[0]
        x, y = self.examples.batch(index[0])
        loss = method.traced_loss(model, x, y)
        loss.backward()
        return loss.detach()[None]

    def _together(self, index: Tensor) -> Tensor:
        method, model = self.learners[0]  # any of them: the traced loss is the same for all
        x, y = self.examples.batch(index.flatten())

        def traced_loss(parameters, x, y):
            return method.traced_loss(partial(functional_call, model, parameters), x, y)

        parameters = self.stack.parameters
        losses = vmap(traced_loss)(parameters, x.unflatten(0, index.shape), y.view(index.shape))
        grads = torch.autograd.grad(losses.sum(), list(parameters.values()))
        torch.cat([g.flatten(1) for g in grads], 1, out=self.stack.grad)
        return losses.detach()


class Recorded:
    """A step as a CUDA graph. What cannot be recorded is run plainly, and a warning says so.

    A graph replays kernels on the memory they had; Python does not run again. So a step is recorded
    only if it changes no attribute of its method but in place, and anew once one was changed
    between steps.
    """

    graph: torch.cuda.CUDAGraph | None = None
    index: Tensor  # what the graph reads
    losses: Tensor  # what it writes
    held: dict[str, object]  # the methods' attributes as it knows them

    def __init__(self, step: Step, generators: Sequence[torch.Generator] = ()):
        self.step, self.generators = step, generators
        self.methods = [method for method, _ in step.learners]
        self.device = step.stack.theta.device
        self.stream = torch.cuda.Stream(self.device)
        self.shape: torch.Size | None = None  # of a whole batch; the last of an epoch may be short
        self.plain_steps = 0
        self.reason = ""

    def __call__(self, index: Tensor) -> Tensor:
        self.shape = self.shape or index.shape
        if index.shape != self.shape or self.reason or self.plain_steps < WARM_UP:
            return self.plain(index)
        if self.graph is None or rebound(self.held, attributes(self.methods)):
            self.record(index)
        if self.graph is None:
            return self.plain(index)
        self.index.copy_(index)
        self.graph.replay()
        return self.losses

    def plain(self, index: Tensor) -> Tensor:
        before = attributes(self.methods)
        with _on(self.stream):
            losses = self.step(index)
        self.plain_steps += 1
        changed = rebound(before, attributes(self.methods))
        if changed and self.plain_steps > 1:  # the first may still set things up
            self.refuse(f"a step changes {', '.join(changed)}")
        return losses

    def record(self, index: Tensor) -> None:
        self.graph = None
        graph, self.index = torch.cuda.CUDAGraph(), index.clone()
        for generator in self.generators:
            graph.register_generator_state(generator)
        capture = torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local")
        try:
            # One at a time: to begin, the whole device is waited for.
            with _recording, torch.cuda.device(self.device), capture:
                self.losses = self.step(self.index)
        except RuntimeError as error:
            self.refuse(str(error).splitlines()[0])
        else:
            self.graph, self.held = graph, attributes(self.methods)

    def refuse(self, reason: str) -> None:
        if not self.reason:
            labels = ", ".join(sorted({method.label for method in self.methods}))
            warnings.warn(
                f"{labels}: steps are taken one kernel at a time, not as a CUDA graph ({reason})",
                stacklevel=1,
            )
        self.reason, self.graph = reason, None


_recording = Lock()


def attributes(methods: Sequence[Method]) -> dict[str, object]:
    """Every attribute of the methods, itself, by name.

    Without the λ of quadratic methods: their steps read `acting_lam`, which is changed in place,
    while `Method.loss` reads the number.
    """
    return {
        f"{method.label}.{name}" + f" of model {m}" * (len(methods) > 1): value
        for m, method in enumerate(methods)
        for name, value in vars(method).items()
        if name != "lam" or type(method).traced_loss is not Quadratic.traced_loss
    }


def rebound(before: dict[str, object], after: dict[str, object]) -> list[str]:
    """The names of attributes that are not the same objects any more."""
    return sorted(n for n in {*before, *after} if before.get(n) is not after.get(n))


@contextmanager
def _on(stream: torch.cuda.Stream) -> Iterator[None]:
    """Work on `stream`, after what is under way and before what comes next."""
    current = torch.cuda.current_stream(stream.device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        yield
    current.wait_stream(stream)
