"""`train` and `train_steps`: the loop, made fast, timed, and resumed from a checkpoint."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from ..checks import at_least_one, shortened
from ..data.tasks import Task, check_tasks, fingerprint
from ..files import writable
from ..identity import Unidentifiable, fingerprint_of, fingerprint_of_package, name_of
from ..methods import Method, check_method
from ..models.flat import flatten
from ..models.forward import check_weights
from ..models.seeded import Seeded, set_dropout
from ..models.small import mlp_for
from ..speed.cuda_graph import recorded
from ..speed.precision import check_precision, products
from .before import (
    check_fits,
    check_last_batch,
    check_learned,
    check_shapes,
    note_trained,
    warn_if_trained,
)
from .checkpoint import resume, saving
from .costs import Clock, TrackedLearner
from .divergence import AllDiverged
from .events import Event, reached_within
from .loop import Learner, training_loop
from .run import Run
from .settings import Settings, pick_device

NONE = "none: "  # in the place of a fingerprint, before the reason why there is none


def train(
    method: Method,
    tasks: Sequence[Task],
    model: nn.Module | None = None,
    *,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Train a model on one task after the other and return its accuracies.

    Ctrl-C ends training early; the run returned then has what was finished.

    Args:
        method: what is done against forgetting, such as `cl.EWC(lam=100)`.
        tasks: from `permuted`, `rotated` or `split`.
        model: trained in place, from the weights it has. A new `MLP()` or `ResNet18()` takes its
            initial weights from `seed`. None, the default, is the homework's MLP.
        progress: whether to show a progress bar with the time left. Default True.
        settings: those of `cl.Settings` (epochs, batch_size, lr, optimizer, momentum, lr_decay,
            schedule, warm_up, lr_final, dropout, looks_back, learned, seed, device, precision,
            cuda_graph), and `checkpoint` and `every` of `train_steps`.

    Returns:
        The run; `run.accuracy` (T, T), `run.average_accuracy`, `run.forgetting`, … are in [0, 1].

    Raises:
        ValueError: a setting makes no sense, or the method cannot be trained on these tasks.
    """
    events = train_steps(method, tasks, model, **settings)
    start = next(events)
    run = start.run
    with tqdm(
        desc=method.label,
        total=start.n_steps,
        initial=start.step,
        unit="step",
        disable=not progress,
        dynamic_ncols=True,
    ) as bar:
        try:
            for event in events:
                bar.update(event.step - bar.n)
                if event.kind == "epoch":
                    accuracy = np.nanmean(run.history[-1]["accuracy"])
                    bar.set_postfix_str(f"task {event.task + 1}, accuracy {accuracy:.1%}")
        except KeyboardInterrupt:
            tqdm.write(f"{method.label} stopped early: the run holds what was finished.")
    if run.diverged:
        tqdm.write(f"{method.label} {run.outcome}")
    return run


def train_steps(
    method: Method,
    tasks: Sequence[Task],
    model: nn.Module | None = None,
    *,
    checkpoint: str | Path | None = None,
    every: int = 10,
    **settings: Any,
) -> Generator[Event, None, None]:
    """Train like `train`, but yield an event at a time: "start", "step", "epoch", "task".

    `method.lam` may be changed between events and acts from the next step on.

    Args:
        method, tasks, model: as in `train`.
        checkpoint: a file that is written after every task. If it exists, training goes on from it
            and ends with the same bits as without interruption. None, the default, writes none.
        every: steps between two "step" events. Default 10.
        settings: those of `cl.Settings`: epochs, batch_size, lr, optimizer, momentum, lr_decay,
            schedule, warm_up, lr_final, dropout, looks_back, learned, seed, device, precision,
            cuda_graph.

    Returns:
        A generator of `cl.Event`.

    Raises:
        ValueError: a setting makes no sense; the message says which, and what would.
    """
    how = Settings.of(settings)
    at_least_one("every", every)
    there, how = prepared([method], tasks, how)
    learner = new_learner(method, model, there, how, identified_tasks(tasks))
    return events_of(learner, there, how, checkpoint, every)


def prepared(
    methods: Sequence[Method], tasks: Sequence[Task], settings: Settings
) -> tuple[list[Task], Settings]:
    """Check methods and tasks; move the tasks to the device, which the settings then name.

    Args:
        methods: those that will be trained.
        tasks: what they will be trained on.
        settings: `device` may still be "auto".

    Raises:
        ValueError: a method cannot be trained in the scenario of a task, there are no examples, or
            the device cannot be used.
    """
    if torch.is_inference_mode_enabled():
        raise ValueError("torch.inference_mode() is on, in which nothing can be trained: leave it")
    check_tasks(tasks)
    for method in methods:
        check_method(method)
        for task in tasks:
            method.check_task(task)
        check_shapes(method, tasks)
        check_learned(method, tasks, settings.learned)
    for task in tasks:
        if not settings.n_steps(len(task.train)):
            raise ValueError(
                f"batch_size is {settings.batch_size}, but {task.name} has {len(task.train)} "
                "examples, and drop_last leaves no step: choose a smaller batch_size"
            )
    device = pick_device(settings.device)
    check_precision(settings.precision, device)
    return [task.to(device) for task in tasks], replace(settings, device=device)


def new_learner(
    method: Method,
    model: nn.Module | None,
    tasks: Sequence[Task],
    settings: Settings,
    tasks_digest: str,
    together: int = 1,
) -> TrackedLearner:
    """Make a learner: a model with its method, an empty run, and generators from the seed.

    Args:
        method, model: as in `train`.
        tasks, settings: as `prepared` returns them.
        tasks_digest: `identified` of the tasks as they were given.
        together: how many models take their steps together, this one included. Default 1.
    """
    device, seed = torch.device(settings.device), settings.seed
    method_digest = identified(method)
    if model is not None:
        check_weights(model)
    model = with_initial_weights(method, model, tasks, seed).to(device)
    model_digest = identified(model, weights=False)
    masks = torch.Generator(device).manual_seed(seed)
    set_dropout(model, settings.dropout, masks)
    method.rng = torch.Generator().manual_seed(~seed)  # other numbers than those of `order`
    flatten(model)  # refuses weights that cannot be trained
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        check_fits(model, tasks)
        check_last_batch(model, method.stages(tasks), settings)
    config = {
        "method": method.name,
        "class": name_of(type(method)),
        "knobs": method.knobs,
        "method_digest": method_digest,
        "data": tasks[0].data,
        "tasks": [task.name for task in tasks],
        "tasks_digest": tasks_digest,
        "n_train": [len(stage.train) for stage in method.stages(tasks)],
        "scenario": tasks[0].scenario,
        "judged_by": "held out" if getattr(tasks[0].test, "half", "") == "train" else "test",
        "model": str(model),
        "model_digest": model_digest,
        "initial_weights_digest": _of_weights(model),
        **{k: v for k, v in vars(settings).items() if k != "cuda_graph"},
        "optimizer": optimizer_name(settings),
        "device": device.type,
        "together": together,
        "versions": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "cl_helpers": code_noted(method),
        },
    }
    if not (method.kept and method.task is not None):  # else it goes on with the model it holds
        new = config["tasks"][settings.learned :]
        warn_if_trained(model, new, config["initial_weights_digest"])
    run = Run.empty(config, len(tasks))
    run.model, run.method = model, method
    order = torch.Generator().manual_seed(seed)
    faster = partial(
        recorded, methods=[method], generators=[masks], device=device, asked=settings.recordable
    )
    return TrackedLearner(method, model, run, order, masks, faster=faster)


def optimizer_name(settings: Settings) -> str:
    """Name the optimiser of the `settings`; one's own has a digest of its content."""
    make = settings.optimizer
    if isinstance(make, str):
        return make
    name = getattr(getattr(make, "func", make), "__name__", type(make).__name__)
    digest = identified(make)
    return f"{name} {digest if digest.startswith(NONE) else digest[:8]}"


def code_noted(method: Method) -> str:
    """A digest of the code that this package has for `method`, and the Python it is for."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    kind: Any = type(method)  # mypy finds it unhashable, as its instances are
    return f"{fingerprint_of_package(kind)} on {python}"


def identified(thing: object, weights: bool = True) -> str:
    """Compute the fingerprint of `thing`; where there is none, say why, after NONE.

    `weights` says whether the values of parameters and buffers count, as in `fingerprint_of`.
    """
    return _or_reason(partial(fingerprint_of, thing, weights))


def _of_weights(model: nn.Module) -> str:
    return identified(model.state_dict() | dict(model.named_buffers()))


def identified_tasks(tasks: Sequence[Task]) -> str:
    """Compute the fingerprint of `tasks`; where there is none, say why, after NONE."""
    return _or_reason(partial(fingerprint, tasks))


def _or_reason(fingerprint: Callable[[], str]) -> str:
    try:
        return fingerprint()
    except Unidentifiable as error:
        return f"{NONE}{error}"


def with_initial_weights(
    method: Method, model: nn.Module | None, tasks: Sequence[Task], seed: int
) -> nn.Module:
    """Draw the weights of `model` from `seed`, unless it has its own; None is an MLP for `tasks`.

    Raises:
        ValueError: the weights would be new, but the `method` protects those of another run.
    """
    model = mlp_for(tasks) if model is None else model
    if isinstance(model, Seeded) and model.is_untouched():
        if method.kept and method.task is not None:
            raise ValueError(
                f"this {method.label} has been through a run and holds on to its weights: "
                f"make a new one, cl.{type(method).__name__}(...), to begin with new weights"
            )
        model.draw_weights(seed)
    return model


def events_of(
    learner: Learner,
    tasks: Sequence[Task],
    settings: Settings,
    checkpoint: str | Path | None,
    every: int,
) -> Generator[Event, None, None]:
    """Run the training loop, timed, and with a checkpoint after every task.

    What a model or method draws from torch's global generators depends on the run's seed alone, and
    the numbers that others draw from these between two events are what they would be without a run.

    Args:
        learner: from `new_learner`.
        tasks, settings: as `prepared` returns them.
        checkpoint, every: as in `train_steps`.
    """
    done, draws = (0, 0), GlobalDraws(learner.runs[0].config["seed"], settings.device)
    if checkpoint is not None:
        for key, value in learner.run.config.items():
            if (key.endswith("_digest") or key == "optimizer") and NONE in value:
                reason = value.partition(NONE)[2]
                raise Unidentifiable(f"no checkpoint can be written: {reason}")
        if not isinstance(checkpoint, str | Path):
            raise ValueError(f"checkpoint is {shortened(checkpoint)}: give the path of a file")
        writable(Path(checkpoint).parent)
        if Path(checkpoint).exists():
            with draws.of_the_run():
                done = resume(checkpoint, learner)
    events = _at_work(training_loop(learner, tasks, settings, every, done), learner, settings)
    if checkpoint is not None:
        events = saving(events, checkpoint, learner)
    return reached_within(draws.of_the_run, events)


class GlobalDraws:
    """The states that torch's global generators have in a run; `nn.Dropout` draws from these.

    Args:
        seed: of the run.
        device: that it is trained on.
    """

    APART = 0x55555555  # other numbers than those of `order`

    def __init__(self, seed: int, device: str | torch.device):
        self.device = torch.device(device)
        devices = dict.fromkeys([torch.device("cpu"), self.device])
        self.states = [
            torch.Generator(device).manual_seed(seed ^ self.APART).get_state() for device in devices
        ]

    @contextmanager
    def of_the_run(self) -> Iterator[None]:
        """Set them inside this context; outside they are what they were."""
        self.swap()
        try:
            yield
        finally:
            self.swap()

    def swap(self) -> None:
        """Set the generators to the states that are kept here, and keep theirs."""
        on_cuda = self.device.type == "cuda"
        theirs = [
            torch.get_rng_state(),
            *([torch.cuda.get_rng_state(self.device)] if on_cuda else []),
        ]
        torch.set_rng_state(self.states[0])
        if on_cuda:
            torch.cuda.set_rng_state(self.states[1], self.device)
        self.states = theirs


def _at_work(
    events: Generator[Event, None, None], learner: Learner, settings: Settings
) -> Generator[Event, None, None]:
    """The same events. Only between them time is counted and products have their precision."""
    if not isinstance(settings.optimizer, str):
        import_module("torch._dynamo")  # else the optimiser does, and that is no training
    clock, device = Clock(learner.runs), torch.device(settings.device)
    try:
        while True:
            with (
                clock.running(),
                products(settings.precision, device),
                torch.enable_grad(),
                suppress(AllDiverged),
            ):
                event = None
                event = next(events, None)
            if event is None:
                return
            clock.note(event)
            yield event
    finally:
        events.close()
        for run in learner.runs:
            model, method = run.learner
            method.leave_task(model)
            config = run.config
            names, before = config["tasks"], config["initial_weights_digest"]
            note_trained(model, names, before, _of_weights(model))
