"""Float32 matrix products as fast as the device can make them.

Most of a training step is matrix products, and PyTorch's default is not the fastest way to one:

* on CUDA, tensor cores (TF32) read 10 bits of each factor's fraction instead of 23 and add up in
  float32: several times faster, and harmless to training. For convolutions that is PyTorch's
  default too;
* on a CPU with AVX-512, oneDNN's kernels can be twice as fast as the default's. They are asked for
  as bfloat16 products; where the processor has none of those (no AMX), what runs is plain float32,
  rounded as always. That is tried out first, and elsewhere they are left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any, Literal

import torch

Precision = Literal["fast", "full"]

_lock = Lock()
_users: dict[str, Counter[Precision]] = {"cpu": Counter(), "cuda": Counter()}
_before: dict[str, list[str]] = {}


@contextmanager
def products(precision: Precision, device: torch.device) -> Iterator[None]:
    """Matrix products on `device` at this precision: "fast" as above, "full" plain float32.

    PyTorch keeps one setting for the whole process: while anybody wants "full", all have it, and it
    is put back when the last user has left.
    """
    kind = device.type
    if kind == "cuda" or (kind == "cpu" and _onednn_is_exact()):
        _count(kind, precision, 1)
        try:
            yield
        finally:
            _count(kind, precision, -1)
    else:
        yield


def _count(kind: str, precision: Precision, by: int) -> None:
    users, switches = _users[kind], _switches(kind)
    with _lock:
        if not users.total():
            _before[kind] = [switch.fp32_precision for switch in switches]
        users[precision] += by
        if users["full"] and kind == "cuda":
            values = ["ieee"] * len(switches)
        elif users["fast"] and not users["full"]:
            values = ["tf32" if kind == "cuda" else "bf16"] * len(switches)
        else:
            values = _before[kind]
        for switch, value in zip(switches, values, strict=True):
            switch.fp32_precision = value


def _switches(kind: str) -> list[Any]:
    """PyTorch's settings that are concerned."""
    backends: Any = torch.backends
    if kind == "cuda":
        return [backends.cuda.matmul, backends.cudnn.conv]
    return [backends.mkldnn.matmul]


@cache
def _onednn_is_exact() -> bool:
    """Whether oneDNN's products in its bfloat16 mode are as good as float32 here."""
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
