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
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from .examples import Examples
from .methods import Baseline, Method, Quadratic
from .parameters import Stack

WARM_UP = 3  # plain steps before one is recorded; they count like any other


def can_be_stacked(method: Method, model: nn.Module) -> bool:
    """May `model` share its steps with others of its shape?

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
        and not any(isinstance(m, nn.Dropout) and m.p > 0 for m in model.modules())
    )


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
        self.backward = self._alone if len(learners) == 1 else self._together

    def __call__(self, index: Tensor) -> Tensor:
        """Step on the examples at `index` (S, B), a row a model; returns their losses (S,)."""
        self.stack.grad.zero_()
        losses = self.backward(index)
        for method, model in self.learners:
            method.after_backward(model)
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
    """A step as a CUDA graph. What cannot be recorded is run plainly, and a warning says so."""

    graph: torch.cuda.CUDAGraph | None = None
    index: Tensor  # what the graph reads
    losses: Tensor  # what it writes

    def __init__(self, step: Step, generators: Sequence[torch.Generator] = ()):
        self.step, self.generators = step, generators
        self.methods = [method for method, _ in step.learners]
        self.stream = torch.cuda.Stream()
        self.plain_steps = 0
        self.reason = ""

    def __call__(self, index: Tensor) -> Tensor:
        if self.graph is None and not self.reason and self.plain_steps >= WARM_UP:
            self.record(index)
        if self.graph is not None and index.shape == self.index.shape:
            self.index.copy_(index)
            self.graph.replay()
            return self.losses
        return self.plain(index)

    def plain(self, index: Tensor) -> Tensor:
        before = attributes(self.methods)
        with _on(self.stream):
            losses = self.step(index)
        self.plain_steps += 1
        rebound = before.items() ^ attributes(self.methods).items()
        if rebound and self.plain_steps > 1:  # the first may still set things up
            self.refuse(f"a step changes {', '.join(sorted({name for name, _ in rebound}))}")
        return losses

    def record(self, index: Tensor) -> None:
        graph, self.index = torch.cuda.CUDAGraph(), index.clone()
        for generator in self.generators:
            graph.register_generator_state(generator)
        try:
            with torch.cuda.graph(graph, stream=self.stream):
                self.losses = self.step(self.index)
        except RuntimeError as error:
            self.refuse(str(error).splitlines()[0])
        else:
            self.graph = graph

    def refuse(self, reason: str) -> None:
        if not self.reason:
            labels = ", ".join(sorted({method.label for method in self.methods}))
            warnings.warn(
                f"{labels}: steps are taken one kernel at a time, not as a CUDA graph ({reason})",
                stacklevel=1,
            )
        self.reason = reason


def attributes(methods: Sequence[Method]) -> dict[str, int]:
    """Which object each attribute is: a step that only changes them in place can be replayed.

    A graph replays kernels on the memory they had. Python does not run again, so whatever a step
    counts, or binds anew, would stand still.
    """
    return {
        f"{method.label}.{name}": id(value)
        for method in methods
        for name, value in vars(method).items()
        if name != "lam"
    }


@contextmanager
def _on(stream: torch.cuda.Stream) -> Iterator[None]:
    """Work on `stream`, after what is under way and before what comes next."""
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream().wait_stream(stream)
