"""A training step as a CUDA graph: recorded once and replayed.

Then the device does not have to wait for Python between one small kernel and the next.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

import torch
from torch import Tensor

from ..methods import Method

WARM_UP = 3  # plain steps before one is recorded; they count like any other


def recorded(
    step: Callable[[Tensor], Tensor],
    methods: Sequence[Method],
    generators: Sequence[torch.Generator],
    device: str | torch.device,
    asked: bool,
) -> Callable[[Tensor], Tensor]:
    """Turn a step into a CUDA graph where that is asked for and the method allows it.

    Args:
        step: takes the positions of a batch and returns the loss.
        methods: those whose step it is.
        generators: random generators on the device that the step draws from.
        device: of the model; only a step on a CUDA device can be recorded.
        asked: whether to record it, `cuda_graph` of the settings.

    Returns:
        A `CudaGraphStep`, or `step` itself.
    """
    device = torch.device(device)
    if device.type == "cuda" and asked and all(m.recordable for m in methods):
        return CudaGraphStep(step, methods, generators, device)
    return step


class CudaGraphStep:
    """A step as a CUDA graph; if it cannot be recorded, it is run plainly, and a warning says so.

    A graph replays kernels on the memory they had when recorded; no Python runs. So a step is
    recorded only if it changes the attributes of its method in place, if at all. It is recorded
    again when an attribute was replaced between steps.

    Args:
        step, methods, generators: as in `recorded`.
        device: a CUDA device.

    Attributes:
        graph: the recorded step, or None.
        index, losses: what the graph reads and writes.
        held: the attributes of the methods at the time of recording.
        reason: why the step cannot be recorded; "" if nothing is known against it.
    """

    graph: torch.cuda.CUDAGraph | None = None
    index: Tensor
    losses: Tensor
    held: dict[str, object]

    def __init__(
        self,
        step: Callable[[Tensor], Tensor],
        methods: Sequence[Method],
        generators: Sequence[torch.Generator],
        device: torch.device,
    ):
        self.step, self.methods, self.generators = step, methods, generators
        self.device = device
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
        """Take a plain step, and find out whether it replaces attributes of its method."""
        before = attributes(self.methods)
        with _on(self.stream):
            losses = self.step(index)
        self.plain_steps += 1
        changed = rebound(before, attributes(self.methods))
        if changed and self.plain_steps > 1:  # the first may still set things up
            self.refuse(f"a step changes {', '.join(changed)}")
        return losses

    def record(self, index: Tensor) -> None:
        """Record a step on a batch like `index`."""
        self.graph = None
        graph, self.index = torch.cuda.CUDAGraph(), index.clone()
        for generator in self.generators:
            graph.register_generator_state(generator)
        capture = torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local")
        try:
            # One thread at a time: recording begins by waiting for the whole device.
            with _recording, torch.cuda.device(self.device), capture:
                self.losses = self.step(self.index)
        except RuntimeError as error:
            self.refuse(str(error).splitlines()[0])
        else:
            self.graph, self.held = graph, attributes(self.methods)

    def refuse(self, reason: str) -> None:
        """Take plain steps from now on; warn once, with the reason."""
        if not self.reason:
            labels = ", ".join(sorted({method.label for method in self.methods}))
            warnings.warn(
                f"{labels}: steps are taken one kernel at a time, not as a CUDA graph ({reason})",
                stacklevel=1,
            )
        self.reason, self.graph = reason, None


_recording = Lock()


def attributes(methods: Sequence[Method]) -> dict[str, object]:
    """Collect the attributes that a step of `methods` reads, the objects themselves, by name."""
    return {
        f"{method.label}.{name}" + f" of model {m}" * (len(methods) > 1): value
        for m, method in enumerate(methods)
        for name, value in method.read_in_a_step().items()
    }


def rebound(before: dict[str, object], after: dict[str, object]) -> list[str]:
    """List the names in `before` and `after` that do not stand for the same object."""
    return sorted(n for n in {*before, *after} if before.get(n) is not after.get(n))


@contextmanager
def _on(stream: torch.cuda.Stream) -> Iterator[None]:
    """Work on `stream`, after the work in progress and before what comes next."""
    current = torch.cuda.current_stream(stream.device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        yield
    current.wait_stream(stream)
