"""Many λ, methods or seeds at the price of few.

Runs differ in method, λ and seed and share everything else, so models of one shape can take their
steps together (`training.train_together`), as many as fit; such chunks of runs are spread over
local processes or a Dask cluster (`engines.py`). What is on disk already is not trained again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parameters_to_vector
from tqdm.auto import tqdm

from .engines import Engine, workers
from .methods import Method
from .run import Run
from .settings import Settings, at_least_one, pick_device
from .steps import can_be_stacked
from .tasks import Task, fingerprint
from .training import digest, mlp_for, train_together

# Vectors as long as θ that a model in training needs, at most: θ, g, Adam's two, the method's.
VECTORS = 24
# On a CPU models gain from taking their steps together while the θ of all stay in its cache.
CACHED = 2**20


@dataclass(frozen=True, eq=False)
class Member:
    """One run of a sweep: what is its own. `path` is where it is kept."""

    method: Method
    seed: int
    path: Path | None

    @property
    def checkpoint(self) -> Path | None:
        """Where the run is kept while in training; None where that folder is not there."""
        there = self.path is not None and self.path.parent.exists()
        return self.path.with_suffix(".checkpoint") if self.path and there else None


@dataclass(frozen=True)
class Chunk:
    """Runs whose models take their steps together, and all that another process needs for them."""

    members: Sequence[Member]
    tasks: Sequence[Task]
    model: nn.Module | None
    settings: Settings

    def __len__(self) -> int:
        return len(self.members)

    def train(self, report: Callable[[float], object]) -> list[Run]:
        """Train; `report` hears how far it is, in runs, step by step."""
        runs: Sequence[Run] = ()
        done = 0
        for event in train_together(
            [deepcopy(member.method) for member in self.members],
            self.tasks,
            [deepcopy(self.model) for _ in self.members],
            self.settings,
            [member.seed for member in self.members],
            checkpoint=self.members[0].checkpoint if len(self) == 1 else None,
        ):
            report(len(self) * (event.step - done) / event.n_steps)
            done, runs = event.step, event.runs
        return [replace(run, model=None, method=None) for run in runs]


def sweep(
    methods: Method | Sequence[Method],
    tasks: Sequence[Task],
    model: nn.Module | None = None,
    *,
    lam: Sequence[float] | None = None,
    seeds: Sequence[int] = (0,),
    folder: str | Path | None = None,
    engine: Engine = "local",
    together: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> list[Run]:
    """Train every method with every λ and every seed; each run is what `train` would give.

    Ctrl-C ends it; the runs are then those that are finished.

    Args:
        methods: one or several; they are only copied.
        tasks, model: as in `train`; every run begins with a copy of the model.
        lam: λ, given to each method in turn; None leaves each its own.
        seeds: of initial weights and order of data.
        folder: where runs are kept, and found again; None keeps them nowhere. A run that takes its
            steps alone leaves a checkpoint there after every task, and the next call goes on
            from it.
        engine: "local" is one process a core, but on CUDA this process alone; a number is so many
            processes; the address of a Dask scheduler, or a Client, is that cluster.
        together: the most models that take their steps together; None finds out what fits. It is
            told as `config["together"]` of each run.
        progress: show a progress bar.
        settings: those of `Settings` but the seed: epochs, batch_size, lr, …

    Returns:
        The runs by method, then λ, then seed; without model and method, as if read from a file.

    Raises:
        ValueError: a setting makes no sense, or the engine cannot be had.
    """
    if "seed" in settings:
        raise ValueError(f"seed is {settings['seed']!r}, but a sweep has several: seeds=[…]")
    if together is not None:
        at_least_one("together", together)
    how = Settings(**settings)
    device = pick_device(how.device)
    model = None if model is None else _light(model)
    like = mlp_for(tasks) if model is None else model
    name = _naming(tasks, like, replace(how, device=device.type))
    members = [
        Member(method, seed, None if folder is None else Path(folder) / name(method, seed))
        for method in _with_lam([methods] if isinstance(methods, Method) else methods, lam)
        for seed in seeds
    ]
    runs = {m: Run.load(m.path) for m in members if m.path is not None and m.path.exists()}
    left = [m for m in members if m not in runs]
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)

    with workers(engine, device) as hired:
        size = together or how_many_fit(like, device)
        chunks = [Chunk(group, tasks, model, how) for group in _groups(left, like, size, hired.n)]
        bar = tqdm(
            desc=f"{max(map(len, chunks), default=0)} together, {hired.n} side by side",
            total=float(len(members)),
            initial=len(runs),
            bar_format="{l_bar}{bar}| {n:.1f}/{total:.0f} runs [{elapsed}<{remaining}]",
            disable=not progress,
            dynamic_ncols=True,
        )
        with bar:
            try:
                for c, done in hired.each(chunks, lambda part: bar.update(part * (1 - 1e-6))):
                    for member, run in zip(chunks[c].members, done, strict=True):
                        runs[member] = run
                        if member.path is not None:
                            run.save(member.path)
                            member.path.with_suffix(".checkpoint").unlink(missing_ok=True)
                    bar.n = float(len(runs))  # exactly, whatever the parts added up to
                    bar.refresh()
            except KeyboardInterrupt:
                tqdm.write(f"stopped early: {len(runs)} of {len(members)} runs are finished")
    return [runs[m] for m in members if m in runs]


def _light(model: nn.Module) -> nn.Module:
    """A copy whose parameters have memory of their own each: pickled, a view brings the whole."""
    copy = deepcopy(model)
    for p in copy.parameters():
        p.data, p.grad = p.data.clone(), None
    return copy


def how_many_fit(model: nn.Module, device: torch.device) -> int:
    """How many models like this one should take their steps together on `device`."""
    n_parameters = sum(p.numel() for p in model.parameters())
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return max(1, free // 2 // (4 * VECTORS * n_parameters))
    return max(1, CACHED // n_parameters)


def _groups(
    members: Sequence[Member], model: nn.Module, size: int, n_workers: int
) -> list[list[Member]]:
    """Chunks of at most `size`, alike in cost, and enough for all workers."""
    alone = [[m] for m in members if not can_be_stacked(m.method, model)]
    others = [m for m in members if can_be_stacked(m.method, model)]
    n = max(-(-len(others) // size), min(n_workers, len(others)))
    return alone + [others[i::n] for i in range(n)]


def _with_lam(methods: Sequence[Method], lam: Sequence[float] | None) -> list[Method]:
    if lam is None:
        return list(methods)
    for method in methods:
        if "lam" not in method.knobs:
            raise ValueError(f"{method.label} has no λ: sweep it apart, without lam")
    return [replace(method, lam=strength) for method in methods for strength in lam]  # type: ignore


def _naming(
    tasks: Sequence[Task], model: nn.Module, settings: Settings
) -> Callable[[Method, int], str]:
    """What files are called: by what a reader looks for first, and a digest of all the rest."""
    shared = {
        "tasks": fingerprint(tasks),
        "model": [str(model), digest(parameters_to_vector(model.parameters()).detach())],
        "settings": vars(settings) | {"seed": None, "cuda_graph": None},
    }

    def name(method: Method, seed: int) -> str:
        everything = json.dumps({"knobs": method.knobs} | shared, sort_keys=True)
        lam = f"-lam{method.lam:g}" if "lam" in method.knobs else ""
        short = hashlib.sha256(everything.encode()).hexdigest()[:8]
        return f"{method.name}{lam}-seed{seed}-{short}.json"

    return name
