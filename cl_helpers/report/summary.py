"""The course table: labels needed, memory and time of each method, all measured.

The table grows from notebook to notebook: its rows are in a small file in the working folder.
"""

from __future__ import annotations

import json
from copy import copy
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from ..checks import warn
from ..data.datasets import Dataset
from ..data.tasks import Task, permuted
from ..files import replacing, set_aside
from ..methods import Method
from ..methods.base import nbytes
from ..models.flat import flatten
from ..models.small import MLP
from ..training.run import Run
from ..training.settings import Settings
from .labels import differing, label
from .tables import keeps_data, passes

FILE = Path("course_table.json")

# What decides how much is computed, and where. Two runs may differ in other settings, as notebook
# 11's do in batch_size and lr: the ratio of their times is then part of what is compared.
WORK = ("scenario", "judged_by", "epochs", "precision", "looks_back", "learned", "device")

Row = dict[str, str]


def summary(run: Run, baseline: Run, file: Path | str = FILE) -> pd.DataFrame:
    """Add the row of a run to the course table and return the table so far.

    Args:
        run: just trained, with its model and method.
        baseline: a run with the same tasks and settings on the same machine; times are relative to
            it.
        file: has the rows of earlier notebooks; it is written to if possible, else a warning says
            why not. A damaged file is kept under another name. Default course_table.json in the
            working folder.

    Returns:
        A row for each run; "–" in the columns that an earlier version's row does not have.

    Raises:
        ValueError: one of the two runs was not completed, the baseline is of other tasks, epochs or
            another device, or `run` was read from a file.
    """
    for each in (run, baseline):
        if not each.complete:
            why = each.outcome if each.diverged else "was stopped early"
            raise ValueError(f"{label(each)} {why}: train it to the end first")
    _check_alike(run, baseline)
    model, method = run.learner
    needs = needs_labels(method)
    kept = nbytes(method.state())
    row = {
        "kept needs labels": "–" if needs is None else "yes" if needs else "no",
        "weights in θ": f"{flatten(model).theta.numel():,}",
        "kept between tasks": "all data" if keeps_data(run) else _in_thetas(kept, model),
        "at work in a task": _in_thetas(nbytes(vars(method)) - kept, model),
        "passes a step": passes(run),
        "time": f"{run.seconds / baseline.seconds:.1f} × baseline",
        "share between tasks": f"{run.end_task_seconds / run.seconds:.0%}",
    }
    rows = _with_earlier(label(run), row, Path(file))
    columns = list(dict.fromkeys(name for each in (row, *rows.values()) for name in each))
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(list(rows), columns=columns)
    return table.fillna("–").rename_axis("method")


def _check_alike(run: Run, baseline: Run) -> None:
    """Raise ValueError if the times of the two runs are those of other tasks or work."""
    there, asked = baseline.config, run.config
    wrong = [
        f"{name} {there.get(name, before)!r}, not {asked.get(name, before)!r}"
        for name in differing([run, baseline], WORK)
        for before in [getattr(Settings, name, None)]  # in a run that is too old to tell
    ]
    if other := differing([run, baseline], ("tasks", "n_train", "tasks_digest")):
        wrong.append(f"other tasks or data ({', '.join(other)})")
    if wrong:
        raise ValueError(
            f"the baseline of {label(run)} has {'; '.join(wrong)}: train one as this run was"
        )


def needs_labels(method: Method) -> bool | None:
    """Whether what a `method` keeps depends on the labels; None if it keeps nothing that is known.

    Measured: the labels are shuffled while the weights move along the same path.
    """
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(256, (64, 1, 3, 3), generator=rng, dtype=torch.uint8)
    labels = torch.randint(4, (64,), generator=rng)
    shuffled = labels[torch.randperm(64, generator=rng)]
    theta = flatten(_model()).theta
    moves = [0.05 * torch.randn(theta.shape, generator=rng) for _ in range(12)]
    try:
        kept = [_kept(method, _task(images, y), moves) for y in (labels, shuffled)]
    except Exception:  # somebody's method may need a model of its own
        return None
    return kept[0] != kept[1] if any(kept[0].values()) else None


def _model() -> MLP:
    return MLP((9, 6, 4), seed=0)


def _task(images: Tensor, labels: Tensor) -> Task:
    half = torch.full((1, 1, 1), 0.5)
    return permuted(Dataset("noise", images, labels, images, labels, tuple("abcd"), half, half))[0]


def _kept(method: Method, task: Task, moves: list[Tensor]) -> dict[str, Any]:
    """What a method with these settings keeps after a task of the given steps `moves`."""
    method = copy(method)
    for name in method.kept:
        vars(method).pop(name, None)
    method.rng = torch.Generator().manual_seed(0)
    model = _model()
    flat = flatten(model)
    x, y = task.train.x, task.train.y
    method.begin_task(model, task)
    for move in moves:
        method.begin_step(model)
        flat.grad.zero_()
        method.traced_loss(model, x, y).backward()
        method.after_backward(model)
        flat.theta.add_(move)
        method.after_step(model)
    method.end_task(model, task)
    return {name: _plain(value) for name, value in method.state().items() if method.kept[name]}


def _plain(value: Any) -> Any:
    """The same value with tensors as lists, which can be compared."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value.tolist() if isinstance(value, Tensor) else value


def _in_thetas(nbytes: int, model: torch.nn.Module) -> str:
    """Memory in units of the model's weights, such as "2 × θ"."""
    return f"{round(nbytes / flatten(model).theta.nbytes, 1):g} × θ"


def _with_earlier(name: str, row: Row, file: Path) -> dict[str, Row]:
    """The rows of `file` and the new `row`, which is written to it; say in a line what is wrong."""
    rows = {}
    try:
        try:
            rows = _read(file)
        except (ValueError, AttributeError, RecursionError):
            warn(f"{file} is damaged: it is kept as {set_aside(file).name}, and a new one begins")
        rows[name] = row
        with replacing(file) as out:
            out.write(json.dumps(rows, indent=1, ensure_ascii=False).encode())
    except OSError as error:
        warn(
            f"{file} cannot be written to ({error.strerror or error}): the row of {name} is shown, "
            "but not kept; give another file"
        )
    return rows | {name: row}


def _read(file: Path) -> dict[str, Row]:
    """The rows of earlier notebooks; {} if there is no such file.

    Raises:
        ValueError, AttributeError, RecursionError: it has other content.
        OSError: it cannot be read.
    """
    if not file.exists():
        return {}
    rows = json.loads(file.read_bytes())
    return {name: {k: str(v) for k, v in row.items()} for name, row in rows.items()}
