"""What training may change and a checkpoint does not hold: it is said, not saved."""

from __future__ import annotations

import random
from copy import deepcopy
from types import FunctionType

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
        self.generators = others_generators()

    def changed(self, learner: Learner) -> str:
        """Name what has changed since; "" if nothing has."""
        method = learner.method
        found = [f"{type(method).__name__}.{name}, which is not in kept" for name in _lost(method)]
        if self._of_model(learner.model) != self.model:
            found.append(f"attributes of {type(learner.model).__name__}, which are no buffers")
        if others_generators() != self.generators:
            found.append("the generator of Python's random or NumPy's global one")
        return "; ".join(found)

    def _of_model(self, model: nn.Module) -> str:
        return fingerprint_of(deepcopy(model).train(), weights=False)


def others_generators() -> tuple[str, str]:
    """Identify the states of the generators of Python and NumPy, from which somebody may draw."""
    return fingerprint_of(random.getstate()), fingerprint_of(np.random.get_state())


def _lost(method: Method) -> list[str]:
    """Attributes that somebody's class sets in a hook, and that are not there after resuming."""
    set_in: dict[bool, set[str]] = {True: set(), False: set()}
    for kind in type(method).__mro__:
        for name, value in vars(kind).items() if not is_installed(kind) else ():
            if isinstance(value, FunctionType) and not name.startswith("__"):
                set_in[name == "begin_task"] |= attributes_set(value)
    return sorted((set_in[False] - set_in[True] - {*method.kept}) & {*vars(method)})
