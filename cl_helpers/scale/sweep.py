"""Many λ, methods or seeds at the price of few.

The runs of a sweep differ only in method, λ and seed. So models of one shape can take their steps
together (`stacked.py`), as many as fit. Such chunks of runs are spread over local processes or a
Dask cluster (`engines.py`). A run that is on disk already is not trained again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

from ..checks import at_least_one, seeded, true_or_false, warn
from ..data.tasks import Task, check_tasks
from ..methods import Method, check_method
from ..models.forward import check_weights
from ..models.seeded import set_dropout
from ..models.small import mlp_for
from ..training.run import Run
from ..training.settings import Settings, pick_device
from ..training.train import NONE, identified
from .engines import NO_CODE, Code, Engine, code_of, must_be_the_same, workers
from .stacked import can_be_stacked, train_together
from .stored_runs import Member, StoredRuns

# Vectors as long as θ that a model in training needs, at most: θ, g, Adam's two, the method's.
VECTORS = 24
# Numbers of θ, of all models together, that stay in a CPU's cache: beyond, stacking gains nothing.
CACHED = 2**20


@dataclass(frozen=True)
class Chunk:
    """Runs whose models take their steps together, with all that another process needs.

    Args:
        members: the runs.
        tasks, model, settings: what they share, as in `sweep`.
        code: what `code_of(chunk.all_code)` was where the chunk was made.
    """

    members: Sequence[Member]
    tasks: Sequence[Task]
    model: nn.Module | None
    settings: Settings
    code: Code = NO_CODE

    @property
    def all_code(self) -> tuple[object, ...]:
        """All whose code acts."""
        kinds = [type(member.method) for member in self.members], [*map(type, self.tasks)]
        layers = [] if self.model is None else [*map(type, self.model.modules())]
        return *kinds, layers, self.settings.optimizer

    def __len__(self) -> int:
        return len(self.members)

    def train(self, report: Callable[[float], object]) -> list[Run]:
        """Train all runs; call `report` with the progress since the last call, in runs.

        Raises:
            OtherCode: this process has imported other code, or values, than the one that asks.
        """
        must_be_the_same(self.code, self.all_code)
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
            report(len(self) * (event.step - done) / max(1, event.n_steps))
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
    mixed: bool = False,
    progress: bool = True,
    **settings: Any,
) -> list[Run]:
    """Train every method with every λ and every seed; each run is the one that `train` gives.

    It is the same to the bit if a model takes its steps alone, else up to the rounding of float32.
    Ctrl-C ends the sweep; the runs that are finished are returned. What cannot be saved, such as on
    a full disk, is returned too, and a warning says so.

    Args:
        methods: one or several, not trained yet; they are only copied.
        tasks, model: as in `train`; every run begins with a copy of the model.
        lam: values of λ, given to each method in turn. None, the default, leaves each its own.
        seeds: of initial weights and order of data. Default (0,).
        folder: where each finished run is saved, and found again by the next call. Runs that take
            their steps together end together; a run that takes them alone leaves a checkpoint there
            after every task, and the next call goes on from it. None, the default, saves nothing.
        engine: "local", the default, is a process for each core, if the memory allows, but on CUDA
            this process alone; a number is so many processes; the address of a Dask scheduler, or a
            Client, is that cluster. Its workers use the device that "auto" means on this machine;
            set `device` if theirs is another.
        together: the largest number of models that take their steps together; `config["together"]`
            of each run says how many did. None, the default, is as many as fit.
        mixed: whether models of different methods may take their steps together too, where each
            method differentiates the plain task loss. Default False; what it gains on a GPU is not
            measured yet.
        progress: whether to show a progress bar. Default True.
        settings: those of `cl.Settings` except the seed: epochs, batch_size, lr, …

    Returns:
        The runs by method, then λ, then seed; without model and method, as if read from a file.

    Raises:
        ValueError: a setting makes no sense, or the engine does not answer.
    """
    members_of = _members(methods, lam, seeds)
    check_tasks(tasks)
    if "seed" in settings:
        raise ValueError(f"seed is {settings['seed']!r}, but a sweep has several: seeds=[…]")
    if together is not None:
        at_least_one("together", together)
    true_or_false("mixed", mixed)
    how = Settings.of(settings)
    on_this_machine = how.device == "auto" or engine == "local" or isinstance(engine, int)
    device = pick_device(how.device) if on_this_machine else torch.device(how.device)
    how = replace(how, device=str(device) if device.index else device.type)
    if model is not None:
        check_weights(model)
        _check_hooks(model)
    like = mlp_for(tasks) if model is None else deepcopy(model)
    stored = StoredRuns(folder, tasks, like, how)
    members = stored.members(members_of)
    runs = stored.find(members)
    left = [m for m in members if m not in runs]

    unsaved: list[str] = []
    set_dropout(like, how.dropout)
    with workers(engine, device) as pool:
        size = together or how_many_fit(like, device)
        if not isinstance(how.optimizer, str):
            size = 1  # nothing says that it treats each model apart
        chunks = [
            Chunk(group, tasks, model, how)
            for group in _groups(left, like, tasks, size, pool.n, mixed)
        ]
        chunks = [replace(chunk, code=code_of(chunk.all_code)) for chunk in chunks]
        bar = tqdm(
            desc=f"{max(map(len, chunks))} together" if chunks else "all there",
            total=float(len(members)),
            initial=len(runs),
            bar_format="{l_bar}{bar}| {n:.1f}/{total:.0f} runs [{elapsed}<{remaining}]",
            disable=not progress,
            dynamic_ncols=True,
        )
        with bar:
            try:
                # Rounded down: tqdm does not like a sum of parts that is a hair above the total.
                for c, done in pool.each(chunks, lambda part: bar.update(part * (1 - 1e-6))):
                    for member, run in zip(chunks[c].members, done, strict=True):
                        runs[member] = run
                        if run.diverged:
                            tqdm.write(f"{member.method}, seed {member.seed} {run.outcome}")
                        unsaved += _not_saved(run, member.path)
                    bar.n = float(len(runs))  # exactly, whatever the parts added up to
                    bar.refresh()
            except KeyboardInterrupt:
                tqdm.write(f"stopped early: {len(runs)} of {len(members)} runs are finished")
    if n := len(unsaved):
        warn(
            f"{n} run{'s' * (n > 1)} could not be saved in {folder} ({unsaved[0]}): save "
            f"{'them' if n > 1 else 'it'} yourself, run.save(path)"
        )
    return [runs[m] for m in members if m in runs]


def _not_saved(run: Run, path: Path | None) -> list[str]:
    """Save a finished run and delete its checkpoint; a list of why not, if the disk is full."""
    if path is None:
        return []
    try:
        run.save(path)
        path.with_suffix(".checkpoint").unlink(missing_ok=True)
    except OSError as error:
        return [error.strerror or str(error)]
    return []


def _check_hooks(model: nn.Module) -> None:
    """Raise ValueError if a parameter has a hook, which copies of the model would not have."""
    for name, p in model.named_parameters():
        if p._backward_hooks or p._post_accumulate_grad_hooks:
            raise ValueError(
                f"{name} has a hook, which the copies of a sweep lose: register it in the model's "
                "forward, or train with cl.train"
            )


def how_many_fit(model: nn.Module, device: torch.device) -> int:
    """Estimate how many models like `model` should take their steps together on `device`."""
    n_parameters = sum(p.numel() for p in model.parameters())
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return max(1, free // 2 // (4 * VECTORS * n_parameters))
    return max(1, CACHED // n_parameters)


def _groups(
    members: Sequence[Member],
    model: nn.Module,
    tasks: Sequence[Task],
    size: int,
    n_workers: int,
    mixed: bool,
) -> list[list[Member]]:
    """Groups of at most `size`, alike in cost, enough for all workers; of one class, or `mixed`."""
    x, y = tasks[0].train.batch(torch.zeros(2, dtype=torch.long))
    device = next(model.parameters()).device
    x, y = x.to(device), y.to(device)
    kinds: dict[type, list[Member]] = {}
    for member in members:
        plain = mixed and member.method.traces_task_loss
        kinds.setdefault(Method if plain else type(member.method), []).append(member)
    groups = []
    for kind in kinds.values():
        alike = all(member.method.traces_task_loss for member in kind)
        most = size if alike and can_be_stacked(kind[0].method, model, x, y, tasks[0]) else 1
        share = -(-n_workers * len(kind) // len(members))  # of the workers
        n = max(-(-len(kind) // most), min(share, len(kind)))
        groups += [kind[i::n] for i in range(n)]
    return groups


def _members(methods: object, lam: object, seeds: object) -> list[tuple[Method, int]]:
    """Each method with each λ and each seed.

    Raises:
        ValueError: one of the three is not a list of what it should be, or something comes twice.
    """
    every = _fresh_methods(methods)
    if lam is not None:
        every = _with_each_lam(every, lam)
    keys = [identified(m) for m in every]
    for method, key in zip(every, keys, strict=True):
        if keys.count(key) > 1 and not key.startswith(NONE):
            raise ValueError(f"{method} is asked for twice")
    whole = _listed("seeds", seeds, 0)
    for seed in whole:
        if whole.count(seed) > 1:
            raise ValueError(f"seeds holds {seed!r} twice")
        seeded(seed)
    return [(method, int(seed)) for method in every for seed in whole]


def _fresh_methods(methods: object) -> list[Method]:
    """A method alone, or several, none of which has been trained with."""
    alone = not isinstance(methods, Iterable)
    every: list[Any] = [methods] if alone else _listed("methods", methods, "cl.EWC()")
    for method in every:
        check_method(method)
        if method.task is not None:
            raise ValueError(f"this {method.label} has been through a run: make a new one")
    return every


def _with_each_lam(methods: Sequence[Any], lam: object) -> list[Method]:
    for method in methods:
        if "lam" not in method.knobs:
            raise ValueError(
                f"{method.label} has no λ: sweep it apart, without lam, or give its class a field"
            )
    return [_with_lam(m, strength) for m in methods for strength in _listed("lam", lam, 100.0)]


def _with_lam(method: Method, lam: float) -> Method:
    """A copy with another λ; made anew where that is certain to give the same method."""
    twin = copy(method)
    arguments = [p for p in signature(type(method)).parameters if hasattr(method, p)]
    given = {p: getattr(method, p) for p in arguments}
    with suppress(Exception):  # of anybody's `__init__`
        known = identified(method)
        same = identified(type(method)(**given)) == known
        if same and "lam" in given and not known.startswith(NONE):
            twin = type(method)(**given | {"lam": lam})  # it may compute something from λ
    twin.lam = lam
    return twin


def _listed(name: str, values: object, example: object) -> list[Any]:
    if not isinstance(values, Iterable) or not (listed := list(values)):
        raise ValueError(f"{name} is {values!r}: give a list, {name}=[{example}]")
    return listed
