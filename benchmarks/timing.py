"""Seconds, measured in turns; the machine they were measured on."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torchvision

Seconds = dict[str, float]


def in_turns(things: dict[str, Callable[[], float]], repeats: int) -> Seconds:
    """Median over `repeats` rounds of what each thing returns, in seconds.

    They take turns, so that a machine that slows down slows all of them.
    """
    rounds = [{name: thing() for name, thing in things.items()} for _ in range(repeats)]
    return {name: median(seconds[name] for seconds in rounds) for name in things}


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes, a GPU's share included."""
    wait()
    began = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - began


def wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def machine() -> dict[str, Any]:
    """What figures mean nothing without."""
    cuda = torch.cuda.is_available()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "torchvision": torchvision.__version__,
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
