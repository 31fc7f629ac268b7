"""What identifies a run: the digest of its initial weights, the name of its method."""

from __future__ import annotations

import hashlib

from torch import nn


def digest(model: nn.Module) -> str:
    """16 characters that stand for its weights, and for its buffers if it has any."""
    content = hashlib.sha256()
    for value in model.state_dict().values():
        content.update(value.cpu().numpy().tobytes())
    return content.hexdigest()[:16]


def qualified_name(thing: object) -> str:
    """Of its class: two methods may share a name and knobs, and yet differ."""
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def public_name(model: nn.Module) -> str:
    """The name of its class, by the room for one of the package's: files move, rooms stay."""
    module = type(model).__module__
    if module.startswith("cl_helpers."):
        module = ".".join(module.split(".")[:2])
    return f"{module}.{type(model).__qualname__}"
