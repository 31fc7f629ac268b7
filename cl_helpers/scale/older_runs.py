"""Runs that earlier versions stored: under other names, and identified by less.

Then a name held the device, and neither the code of a method nor that of a model. What this package
brings has not changed what it does, so its runs are found again. Those of anybody's own classes or
data are not: nothing says what these were.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor, nn

from ..data.tasks import Task
from ..data.views import SplitView
from ..identity import fingerprint_of, foreign, name_of
from ..methods import METHODS, Method
from ..training.settings import LATER, OUTCOME, Settings

# Knobs that came later, with what their method did before.
_NEWER = {"anchors": "latest", "online": False, "n_samples": None}


def older_digests(
    tasks: Sequence[Task], model: nn.Module, drawn: bool, settings: Settings
) -> Callable[[Method], list[str]]:
    """Compute what earlier versions had at the end of a run's name in the place of today's digest.

    Args:
        tasks, model, settings: of the runs.
        drawn: whether the seed draws the weights of the model.

    Returns:
        Method -> the digests, one for each device; none if something is not the package's own.
    """
    if not _is_ours(model) or not _is_unchanged(model) or not isinstance(settings.optimizer, str):
        return lambda method: []
    try:
        tasks_digest = _digest_of(tasks)
    except ValueError:
        return lambda method: []
    weights = None if drawn else _weights(model)
    chosen = {k: getattr(settings, k) for k in OUTCOME}
    chosen = {k: v for k, v in chosen.items() if k not in LATER or v != getattr(Settings, k)}
    shared = {"tasks": tasks_digest, "model": [name_of(type(model)), str(model), weights]}

    def digests(method: Method) -> list[str]:
        if not _is_plain(method):
            return []
        own = {
            "class": f"{type(method).__module__}.{type(method).__qualname__}",
            "knobs": {k: v for k, v in method.knobs.items() if k not in _NEWER},
        }
        devices = ({"seed": None, "device": name, "cuda_graph": None} for name in ("cpu", "cuda"))
        contents = [shared | own | {"settings": chosen | device} for device in devices]
        texts = [json.dumps(content, sort_keys=True) for content in contents]
        return [hashlib.sha256(text.encode()).hexdigest()[:8] for text in texts]

    return digests


def _is_plain(method: Method) -> bool:
    """Whether a method is one of the package, as it was then, with nothing else set on it."""
    return (
        METHODS.get(method.name) is type(method)
        and not foreign(type(method))
        and all(method.knobs.get(k, before) == before for k, before in _NEWER.items())
        and fingerprint_of(method) == fingerprint_of(type(method)(**method.knobs))
    )


def _is_ours(thing: object) -> bool:
    return type(thing).__module__.startswith("cl_helpers.")


def _is_unchanged(model: nn.Module) -> bool:
    """Whether all modules are of this package or PyTorch, without hooks or methods of their own."""
    return all(p.requires_grad for p in model.parameters()) and all(
        type(module).__module__.startswith(("cl_helpers.", "torch."))
        and module.training
        and not foreign(type(module))
        and not any(value for name, value in vars(module).items() if "_hooks" in name)
        and not any(callable(getattr(type(module), name, None)) for name in vars(module))
        for module in model.modules()
    )


def _weights(model: nn.Module) -> str:
    content = hashlib.sha256()
    for value in model.state_dict().values():
        content.update(value.cpu().numpy().tobytes())
    return content.hexdigest()[:16]


def _digest_of(tasks: Sequence[Task]) -> str:
    """Raises ValueError where a part of the tasks was identified by less than its content."""
    digest = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, Tensor):
            digest.update(part.cpu().numpy().tobytes())
        elif isinstance(part, SplitView) and part.dataset.source is not None:
            data = part.dataset
            add((data.name, part.half, len(part), part.rows, part.transform, part.relabel))
        elif isinstance(part, tuple):
            for each in part:
                add(each)
        elif is_dataclass(part) and _is_ours(part):
            add((type(part).__name__, *(getattr(part, f.name) for f in fields(part))))
        elif isinstance(part, str | int | float | None):
            digest.update(repr(part).encode())
        else:
            raise ValueError(f"{type(part)} has no digest")

    add(tuple(tasks))
    return digest.hexdigest()[:16]
