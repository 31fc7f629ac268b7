"""What training may change and a checkpoint does not hold: it is said, not saved."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from types import FunctionType
from typing import Any

import numpy as np
from torch import nn

from ..identity import attributes_set, fingerprint_of, is_installed
from ..methods import Method
from .loop import Learner


class Unsaved:
    """Notes what a checkpoint does not hold, to see later what has changed.

    Args:
        learner: before its first step.
    """

    def __init__(self, learner: Learner):
        self.model = self._of_model(learner.model)
        self.draws = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Notice whether something draws in this context from Python's or NumPy's generator."""
        before = others_generators()
        yield
        self.draws = self.draws or others_generators() != before

    def changed(self, learner: Learner) -> str:
        """Name what has changed since; "" if nothing has."""
        method = learner.method
        found = [f"{type(method).__name__}.{name}, which is not in kept" for name in _lost(method)]
        if self._of_model(learner.model) != self.model:
            found.append(f"attributes of {type(learner.model).__name__}, which are no buffers")
        if self.draws:
            found.append("the generator of Python's random or NumPy's global one")
        return "; ".join(found)

    def _of_model(self, model: nn.Module) -> str:
        return fingerprint_of(deepcopy(model).train(), weights=False)


def others_generators() -> tuple[Any, ...]:
    """The states of the generators of Python and NumPy, from which somebody may draw."""
    state: Any = np.random.get_state()
    return random.getstate(), state[1].tobytes(), state[2]


def _lost(method: Method) -> list[str]:
    """Attributes that somebody's class sets in a hook, and that are not there after resuming."""
    set_in: dict[bool, set[str]] = {True: set(), False: set()}
    for kind in type(method).__mro__:
        for name, value in vars(kind).items() if not is_installed(kind) else ():
            if isinstance(value, FunctionType) and not name.startswith("__"):
                set_in[name == "begin_task"] |= attributes_set(value)
    return sorted((set_in[False] - set_in[True] - {*method.kept}) & {*vars(method)})
