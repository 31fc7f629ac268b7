"""What identifies a run: a digest of its initial weights, the full name of its method."""

from __future__ import annotations

import hashlib

from torch import nn


def digest(model: nn.Module) -> str:
    """Compute 16 hexadecimal digits that identify the weights and buffers of `model`."""
    content = hashlib.sha256()
    for value in model.state_dict().values():
        content.update(value.cpu().numpy().tobytes())
    return content.hexdigest()[:16]


def qualified_name(thing: object) -> str:
    """Return module and name of the class of `thing`: two classes may share a short name."""
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def public_name(model: nn.Module) -> str:
    """Return the name of the class of `model`, with the room of this package that it is in.

    The file is left out, so that a run is found again when a class moves within its room.
    """
    module = type(model).__module__
    if module.startswith("cl_helpers."):
        module = ".".join(module.split(".")[:2])
    return f"{module}.{type(model).__qualname__}"
