"""Checkpoints: a run is written to disk between tasks, and resumed to the same bits."""

from __future__ import annotations

import io
import os
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch
from torch import Tensor

from ..checks import warn
from ..files import replacing
from ..formats import first_line
from .events import Event, reached_within
from .loop import Learner
from .settings import Settings
from .unsaved import Unsaved

# What it means when a digest differs.
_OTHER = {
    "model": "another model",
    "method_digest": "a method whose code or attributes were others (method_digest)",
    "tasks_digest": "other tasks or data (tasks_digest)",
    "model_digest": "a model whose code or settings were others (model_digest)",
    "initial_weights_digest": "other initial weights (initial_weights_digest)",
}


def saving(
    events: Generator[Event, None, None], path: str | os.PathLike, learner: Learner
) -> Generator[Event, None, None]:
    """Pass `events` on; before each event that a task has ended, write a checkpoint to `path`.

    Args:
        events: from `training_loop`.
        path: the file.
        learner: the one that is in training.
    """
    before, unsaved = _torchs_own(learner), Unsaved(learner)
    said: set[str] = set()
    with closing(reached_within(unsaved.watching, events)) as reached:
        for event in reached:
            if event.kind == "task":
                now = _torchs_own(learner)
                drawn = any(not torch.equal(a, b) for a, b in zip(before, now, strict=True))
                words = save(path, learner, event.step, now if drawn else [])
                if not words and (changed := unsaved.changed(learner)):
                    words = (
                        f"{path} does not hold all that training has changed ({changed}): what is "
                        "resumed from it may differ"
                    )
                what = words.partition("(")[0]  # before the reason
                if words and what not in said:
                    warn(words)
                    said.add(what)
            yield event


def _torchs_own(learner: Learner) -> list[Tensor]:
    """The states of torch's global generators, from which layers such as `nn.Dropout` draw."""
    device = next(learner.model.parameters()).device
    on_cuda = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [torch.get_rng_state(), *on_cuda]


def save(path: str | os.PathLike, learner: Learner, step: int, torchs_own: list[Tensor]) -> str:
    """Write all that the rest of the run depends on to `path`, completely or not at all.

    Args:
        path: the file; an older one is replaced.
        learner: between two tasks.
        step: steps that are done.
        torchs_own: states of torch's global generators, if the run draws from these; else [].

    Returns:
        Why nothing was written; "" if it was.
    """
    run, method = learner.run, learner.method
    content = {
        "config": run.config,
        "step": step,
        "stages_done": len(run.costs),
        "accuracy": run.accuracy.tolist(),
        "initial": run.initial.tolist(),
        "history": run.history,
        "costs": run.costs,
        "seconds": run.seconds,
        "end_task_seconds": run.end_task_seconds,
        "model": learner.model.state_dict(),
        "buffers": dict(learner.model.named_buffers()),  # some are not in the line above
        "method": method.state(),
        "lam": method.lam,
        "optimizer": learner.optimizer_state,
        "generators": [generator.get_state() for generator in learner.generators],
        "torchs_own": torchs_own,
    }
    try:
        there = io.BytesIO()
        torch.save(content, there)
        there.seek(0)
        torch.load(there, weights_only=True)
    except Exception as error:  # of what somebody's method keeps
        return (
            f"{path} is not written, since it could not be read again ({first_line(error)}): keep "
            "tensors, numbers, texts, lists and dicts of these in `kept`"
        )
    try:
        with replacing(path) as file:
            file.write(there.getbuffer())
    except OSError as error:  # a full disk
        return (
            f"{path} could not be written ({error.strerror or error}): training goes on, but what "
            "has been done is lost if it is interrupted; make room"
        )
    return ""


def resume(path: str | os.PathLike, learner: Learner) -> tuple[int, int]:
    """Set a learner to the state that `save` has written.

    Args:
        path: the file.
        learner: new, with the settings of the run that was saved.

    Returns:
        The numbers of steps and of stages that are done.

    Raises:
        ValueError: the file cannot be read, or belongs to another run; the message says which.
    """
    run, model, method = learner.run, learner.model, learner.method
    device = next(model.parameters()).device
    saved = _read(Path(path), device)
    config = saved["config"]
    if "method_digest" not in config:
        raise ValueError(
            f"{path} was written by an earlier version, which did not note what a method's code "
            "was: delete it to start over"
        )
    for key, value in run.config.items():
        there = config.get(key, getattr(Settings, key, value))  # not noted by an earlier version
        if there != value and key != "versions":
            other = _OTHER.get(key, f"{key} = {config.get(key)!r}, not {value!r}")
            raise ValueError(
                f"{path} belongs to a run with {other}: give another file, or delete it to start "
                "over"
            )
    there, here = config.get("versions", {}), run.config["versions"]
    if others := [name for name in here if there.get(name) != here[name]]:
        warn(
            f"{path} was written by another version of {', '.join(others)}: the run goes on with "
            "those that are here, and may end otherwise than without interruption"
        )
    model.load_state_dict(saved["model"])
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(saved.get("buffers", {}).get(name, buffer))
    method.restore(saved["method"])
    method.lam = saved["lam"]
    learner.optimizer_state = saved.get("optimizer", {})
    run.accuracy[:], run.initial[:] = saved["accuracy"], saved["initial"]
    run.history[:], run.costs[:] = saved["history"], saved["costs"]
    run.seconds, run.end_task_seconds = saved["seconds"], saved["end_task_seconds"]
    for generator, state in zip(learner.generators, saved["generators"], strict=True):
        generator.set_state(state.cpu())
    for n, state in enumerate(saved["torchs_own"]):
        torch.cuda.set_rng_state(state.cpu(), device) if n else torch.set_rng_state(state.cpu())
    return saved["step"], saved["stages_done"]


def _read(path: Path, device: torch.device) -> dict[str, Any]:
    """What is in the file; raises ValueError, with the cure, if it is no checkpoint."""
    if path.is_dir():
        raise ValueError(f"{path} is not a checkpoint that can be read: give a file in this folder")
    try:
        with ZipFile(path) as archive:  # torch.load does not look at its checksums
            if entry := archive.testzip():
                raise ValueError(f"{entry} is damaged")
        saved = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged pickle or archive can raise anything
        raise ValueError(
            f"{path} is not a checkpoint that can be read ({first_line(error)}): give another "
            "file, or delete it to start over"
        ) from error
    if not isinstance(saved, dict) or "config" not in saved:
        raise ValueError(f"{path} holds something else than a checkpoint: give another file")
    return saved
