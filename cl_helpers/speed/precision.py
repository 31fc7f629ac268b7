"""Matrix products as fast as the device can compute them.

Most of a training step is matrix products, and PyTorch's default is not the fastest:

* On CUDA, tensor cores (TF32) read 10 bits of each factor's fraction instead of 23 and add up in
  float32. This is several times faster and harmless to training. For convolutions it is PyTorch's
  default too.
* On a CPU with AVX-512, oneDNN's kernels can be twice as fast as the default ones. PyTorch uses
  them when bfloat16 products are allowed. If the processor has no bfloat16 products (no AMX), these
  kernels compute plain float32, rounded as always. This is tested first; where the test fails, the
  setting is left alone.

With precision "bfloat16" the products of a training step (`step_products`) read 7 bits of each
factor's fraction and add up in float32, which takes about half the time on a CPU that has such
products. With AMX oneDNN's switch asks for them. With AVX512-BF16 alone the switch changes nothing,
and PyTorch's `autocast` has them: it rounds θ once a step, and the products' outputs too. All that
is stored stays float32, and so does how Ω is computed: θ, gradients, the optimiser's moments, the
penalty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any, Literal, get_args

import torch

from ..checks import warn

Precision = Literal["fast", "full", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

_lock = Lock()
_users: dict[str, Counter[Precision]] = {"cpu": Counter(), "cuda": Counter()}
_before: dict[str, list[str]] = {}


@contextmanager
def products(precision: Precision, device: torch.device) -> Iterator[None]:
    """Compute matrix products at a given precision in this context.

    PyTorch has one setting for the whole process. While any thread wants "full", all threads have
    it; when the last context ends, the setting is what it was before.

    Args:
        precision: "fast" as described above, or "full", plain float32. "bfloat16" is "fast" here,
            for what is no training step.
        device: where the products are computed.
    """
    if device.type not in _users:
        yield
        return
    outside: Precision = "fast" if precision == "bfloat16" else precision
    _count(device.type, {outside: 1})
    try:
        yield
    finally:
        _count(device.type, {outside: -1})


@contextmanager
def step_products(precision: Precision, device: torch.device) -> Iterator[None]:
    """Compute the products of a training step, within `products`, at a given precision.

    It makes a difference for "bfloat16" alone, on a CPU that has such products. Where that is a
    switch of the process, steps compute at more while another thread of it does.

    Args:
        precision: of the settings.
        device: of the model.
    """
    if precision != "bfloat16" or not has_bfloat16(device):
        yield
        return
    if _onednn_is_exact():  # though it was asked for bfloat16
        with torch.autocast("cpu", torch.bfloat16):
            yield
        return
    _count("cpu", {"fast": -1, "bfloat16": 1})
    try:
        yield
    finally:
        _count("cpu", {"fast": 1, "bfloat16": -1})


def check_precision(precision: Precision, device: torch.device) -> None:
    """Warn if `precision` is "bfloat16" and `device` has no such products."""
    if precision == "bfloat16" and not has_bfloat16(device):
        warn(
            f'precision is "bfloat16", but there are no such products on {device.type}'
            f"{' with this processor' if device.type == 'cpu' else ''}: "
            'the run is the same as with "fast"'
        )


def has_bfloat16(device: torch.device) -> bool:
    """Find out whether `device` is a CPU that computes products in bfloat16."""
    capabilities = torch.cpu.get_capabilities().items()
    return device.type == "cpu" and any(able for name, able in capabilities if "bf16" in name)


def _count(kind: str, by: dict[Precision, int]) -> None:
    users, switches = _users[kind], _switches(kind)
    exact = kind == "cuda" or _onednn_is_exact()
    with _lock:
        if not users.total():
            _before[kind] = [switch.fp32_precision for switch in switches]
        users.update(by)
        value = None  # as it was before
        if users["full"]:
            value = "ieee" if kind == "cuda" else None
        elif users["fast"]:
            value = "tf32" if kind == "cuda" else "bf16" if exact else None
        elif users["bfloat16"]:
            value = "bf16"
        for switch, before in zip(switches, _before[kind], strict=True):
            switch.fp32_precision = value or before


def _switches(kind: str) -> list[Any]:
    """The settings of PyTorch that decide it, for a `kind` of device."""
    backends: Any = torch.backends
    if kind == "cuda":
        return [backends.cuda.matmul, backends.cudnn.conv]
    return [backends.mkldnn.matmul]


@cache
def _onednn_is_exact() -> bool:
    """Whether oneDNN's products in bfloat16 mode are as exact as float32 on this processor."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(256, 256, generator=generator) for _ in range(2))
    [switch] = _switches("cpu")
    with _lock:
        before = switch.fp32_precision
        try:
            switch.fp32_precision = "bf16"
            product = a @ b
        except RuntimeError:
            return False
        finally:
            switch.fp32_precision = before
    exact = a.double() @ b.double()
    return bool((product - exact).abs().max() < 1e-4)  # bfloat16 is off by 0.1, float32 by 1e-5
