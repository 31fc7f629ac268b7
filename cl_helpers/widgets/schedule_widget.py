"""The learning rate of each step, and the run that it gives, on the same steps."""

from __future__ import annotations

import numbers
from collections.abc import Generator, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import traitlets
from torch import nn

from ..data.tasks import Task
from ..methods import Baseline
from ..training.events import Event
from ..training.run import Run
from ..training.schedules import SCHEDULES
from ..training.settings import Settings
from ..training.train import train_steps
from .training_view import TrainingView

HOW = ("schedule", "lr", "lr_final", "warm_up", "start_from", "seed")


class Schedule(TrainingView):
    """Choose a schedule, see its learning rate at once, run it, and lay runs over each other.

    Args:
        task: what is learned; the accuracies are on its test examples.
        starts: name -> the model to begin with, of which a copy is trained.
        target: accuracy; the step at which it is reached is marked.
        schedule, lr: to begin with.
        settings: of `cl.train`, as far as they are no control: epochs, batch_size, optimizer, …

    Raises:
        ValueError: there is nothing to start with, or a setting makes no sense, or is a control.

    Attributes:
        schedule, lr, lr_final, warm_up, seed: of the next run, as `cl.train` takes them.
        start_from: the name of the model that the next run begins with.
        run: the latest run.
        kept: runs that were kept.
    """

    ACTIONS: ClassVar[tuple[str, ...]] = ("start", "stop", "keep", "clear")
    SETTINGS: ClassVar[tuple[str, ...]] = HOW

    view = traitlets.Unicode("schedule").tag(sync=True)
    schedule = traitlets.Enum(tuple(SCHEDULES)).tag(sync=True)
    lr = traitlets.Float(min=1e-12).tag(sync=True)
    lr_final = traitlets.Float(Settings.lr_final, min=1e-12, max=1.0).tag(sync=True)
    warm_up = traitlets.Float(0.0, min=0.0, max=0.99).tag(sync=True)
    start_from = traitlets.Unicode().tag(sync=True)
    seed = traitlets.Int(0, min=0).tag(sync=True)
    starts_from: traitlets.List = traitlets.List(traitlets.Unicode()).tag(sync=True)
    target = traitlets.Float().tag(sync=True)
    n_steps = traitlets.Int().tag(sync=True)
    latest = traitlets.Instance(dict, allow_none=True).tag(sync=True)
    kept_runs: traitlets.List = traitlets.List().tag(sync=True)

    def __init__(
        self,
        task: Task,
        starts: Mapping[str, nn.Module],
        *,
        target: float,
        schedule: str = "cosine",
        lr: float = 0.01,
        **settings: Any,
    ):
        if not starts:
            raise ValueError('starts is empty: give a model by name, {"from scratch": cl.MLP()}')
        _check_target(target)
        for name in ("lr_final", "warm_up", "seed"):
            if name in settings:
                raise ValueError(f"{name} is {settings[name]}: leave it out, it is a control")
        how = Settings.of(settings | {"schedule": schedule, "lr": lr})  # or say what is wrong
        self.task, self.starts, self.settings = task, dict(starts), settings
        self.run: Run | None = None
        self.kept: list[Run] = []
        super().__init__(
            schedule=schedule,
            lr=how.lr,
            start_from=next(iter(starts)),
            starts_from=list(starts),
            target=float(target),
            n_steps=how.n_steps(len(task.train)),
        )

    @traitlets.validate("start_from")
    def _known(self, proposal: Any) -> str:
        if proposal["value"] not in self.starts:
            raise traitlets.TraitError(
                f"start_from is {proposal['value']!r}: choose {', '.join(self.starts)}"
            )
        return proposal["value"]

    @property
    def asked(self) -> dict[str, Any]:
        """The settings on the page, as `cl.train` takes them."""
        asked = {name: getattr(self, name) for name in HOW if name != "start_from"}
        # What has no part in it is left at its default, and its control cannot be moved.
        unused = {"constant": "lr_final", "one-cycle": "warm_up"}.get(self.schedule)
        return asked | ({unused: getattr(Settings, unused)} if unused else {})

    def start(self) -> None:
        """Train with the settings on the page; a run in progress is stopped."""
        self.run, self.latest = None, None
        self._begin(partial(self._events, self.start_from, self.settings | self.asked))

    def wait(self, timeout: float | None = None) -> Run | None:
        super().wait(timeout)
        return self.run

    def keep(self) -> None:
        """Lay the latest run under those to come."""
        run = self.run
        if run is not None and run.complete and run.config not in [k.config for k in self.kept]:
            self.kept.append(replace(run, model=None, method=None))
            self.kept_runs = [_numbers(kept) for kept in self.kept]

    def clear(self) -> None:
        """Forget the kept runs."""
        self.kept.clear()
        self.kept_runs = []

    # ---- in the training thread ----

    def _events(self, start: str, settings: dict[str, Any]) -> Generator[Event, None, None]:
        model = deepcopy(self.starts[start])
        for event in train_steps(Baseline(), [self.task], model, **settings):
            if event.kind == "start":
                event.run.config["start_from"] = start
                if self.is_latest:
                    self.run = event.run
            yield event
        if self.is_latest:
            self.latest = _numbers(event.run)  # of one that diverged there was no last event

    def _take_event(self, event: Event) -> None:
        if event.kind != "step" and self.is_latest:
            self.latest = _numbers(event.run)


def _numbers(run: Run) -> dict[str, Any]:
    """What the page draws of a run."""
    steps, accuracy = run.curve()
    return {name: run.config[name] for name in HOW} | {
        "steps": steps.tolist(),
        "accuracy": [None if np.isnan(a) else float(a) for a in accuracy],
        "complete": run.complete,
        "diverged": run.diverged,
    }


def _check_target(target: float) -> None:
    if not (isinstance(target, numbers.Real) and 0 < target <= 1):
        raise ValueError(f"target is {target!r}: choose 0 < target ≤ 1, an accuracy")
