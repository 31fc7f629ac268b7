"""The Lab: every method, λ while it trains, runs overlaid."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from html import escape
from typing import Any

import ipywidgets as widgets
import torch

from ..data.datasets import Dataset, load
from ..data.tasks import SCENARIOS, Scenario, Task
from ..data.views import SplitView
from ..methods import METHODS, pick_method, serving
from ..models.small import MLP, mlp_for
from ..speed.precision import products
from ..training.evaluation import accuracies, as_of
from ..training.events import Event
from ..training.presets import PRESETS, STREAMS, pick_preset, pick_stream
from ..training.run import Run
from ..training.train import train_steps
from .accessible import Status
from .canvas import Canvas
from .controls import buttons, choice, number, row, strength, strengths
from .lab_chart import Curves, LabChart
from .lab_recipe import code, source
from .training_thread import TrainingThread
from .training_widget import TrainingWidget

SAMPLE = 200  # test images a task that are looked at between epochs


class Lab(TrainingWidget):
    """Train in the background; move λ, pause, stop, and lay runs over each other.

    Args:
        data: images; None takes `cl.load("auto")`.
        preset: "quick", "class" or "full"; None as everywhere.
        method: to begin with; a name in `cl.METHODS`.
        stream, scenario: to begin with; as in `cl.presets.Preset.tasks`.
        keep: runs to compare with, from `cl.train` or `cl.Run.load`.

    Attributes:
        run: the latest run; its `model` and `method` are there to be looked at.
        kept: runs that were kept.
    """

    def __init__(
        self,
        data: Dataset | None = None,
        preset: str | None = None,
        *,
        method: str = "ewc",
        stream: str = "permuted",
        scenario: Scenario = "domain",
        keep: Sequence[Run] = (),
    ):
        self.data = load("auto") if data is None else data
        self.kept: list[Run] = list(keep)
        self.run: Run | None = None
        self.curves: Curves | None = None
        self.event: Event | None = None
        self.chart = LabChart()
        self.canvas = Canvas(self.chart.figure, self._update)

        pick_method(method, scenario), pick_stream(stream)  # or say what is wrong
        self.method = choice("Method", _methods(scenario), method)
        self.lam = strength(0.0)
        self.preset = choice("Preset", list(PRESETS), pick_preset(preset).name)
        self.seed = number("Seed", 0, whole=True, least=0)
        self.stream = choice("Stream", list(STREAMS), stream)
        self.scenario = choice("Scenario", list(SCENARIOS), scenario)
        self.epochs = number("Epochs", 1, whole=True, least=1)
        self.lr = number("Learning rate", 1e-3)
        self.optimizer = choice("Optimiser", ["adam", "sgd"], "adam")
        self.dropout = choice("Dropout", [0.0, 0.1, 0.25, 0.5], 0.0)
        self.start_, self.pause_, self.stop_, self.keep_, self.clear_, self.code_ = buttons(
            ("Run", self.start),
            ("Pause", self._pause_or_resume),
            ("Stop", self.stop),
            ("Keep", self.keep),
            ("Clear", self.clear),
            ("Show code", self._show_code),
        )
        self.progress = widgets.FloatProgress(max=1.0, tooltip="done", layout={"width": "120px"})
        self.status, self.rest = Status(), widgets.HTML()
        self.shown_code = widgets.HTML()

        self.method.observe(self._suit_the_method, "value")
        self.scenario.observe(self._suit_the_scenario, "value")
        for size in (self.preset, self.stream):
            size.observe(self._suit_the_size, "value")
        for size in (self.preset, self.stream, self.scenario):
            size.observe(self._suit_the_lam, "value")
        self._suit_the_method()
        self._suit_the_size()
        self.more = widgets.ToggleButton(
            description="More settings", tooltip="tasks, epochs, learning rate, optimiser, dropout"
        )
        more = widgets.VBox(
            [
                row(self.stream, self.scenario),
                row(self.epochs, self.lr, self.optimizer, self.dropout),
            ]
        )
        more.layout.display = "none"
        self.more.observe(
            lambda on: setattr(more.layout, "display", "" if on["new"] else "none"), "value"
        )
        self.box = widgets.VBox(
            [
                row(self.method, self.lam, self.preset, self.seed, self.more),
                more,
                row(self.start_, self.pause_, self.stop_, self.progress, self.status, self.rest),
                row(self.keep_, self.clear_, self.code_),
                self.shown_code,
                self.canvas.box,
            ]
        )

    # ---- what the buttons do; also from code ----

    def start(self, *_: object) -> None:
        """Train with the settings on the page. A run in progress, of any Lab, is stopped."""
        asked = {name: getattr(self, name).value for name in ("preset", "stream", "scenario")}
        settings = self._settings() | {
            "epochs": self.epochs.value,
            "lr": self.lr.value,
            "optimizer": self.optimizer.value,
            "seed": self.seed.value,
        }
        self.event, self.curves, self.run = None, None, None
        self.shown_code.value = ""
        chosen = self.method.value, self.lam.value, asked, settings, self.dropout.value
        self._begin(partial(self._events, *chosen))

    def pause(self) -> None:
        """Hold after the step in progress, until `resume`."""
        if self.training:
            self.training.pause()
        self.canvas.ask()

    def resume(self) -> None:
        if self.training:
            self.training.resume()
        self.canvas.ask()

    def wait(self, timeout: float | None = None) -> Run | None:
        super().wait(timeout)
        return self.run

    def keep(self, *_: object) -> None:
        """Lay the latest run over those to come."""
        run = self.run
        if run is not None and run.config not in [k.config for k in self.kept]:
            if run.complete:
                self.kept.append(replace(run, model=None, method=None))
            self.canvas.ask()

    def clear(self, *_: object) -> None:
        """Forget the kept runs."""
        self.kept.clear()
        self.canvas.ask()

    def _pause_or_resume(self, _: object) -> None:
        paused = self.training is not None and self.training.state == "paused"
        self.resume() if paused else self.pause()

    def _show_code(self, _: object) -> None:
        """The lines that give the latest run again."""
        shown = self.shown_code.value
        self.shown_code.value = (
            "" if shown or self.run is None else f"<pre>{escape(code(self.run))}</pre>"
        )

    def _suit_the_method(self, _: object = None) -> None:
        self.lam_of, name = "", self.method.value  # nobody's, while it is being changed
        self.tuned = lam = self._tuned_lam()
        self.lam.disabled = lam is None
        if self.trains and self.run is not None and self.run.config["method"] == name:
            self.tuned = lam = self.run.learner[1].lam  # back to the run in progress
        self.lam.offer(strengths(lam or 0.0), lam or 0.0)
        self.lam_of = name

    def _tuned_lam(self) -> float | None:
        """λ of the method at the size on the page; None if it has none."""
        preset, name = PRESETS[self.preset.value], self.method.value
        method = preset.method(name, self.stream.value, self.scenario.value)
        return method.lam if "lam" in method.knobs else None

    def _suit_the_lam(self, _: object) -> None:
        """With another size comes its λ, unless another one was chosen."""
        if self.lam.value == self.tuned:
            self._suit_the_method()

    def _suit_the_scenario(self, _: object) -> None:
        """Offer what serves it; a method that does is left as it is."""
        name, lam = self.method.value, self.lam.value
        chosen = self.tuned is not None and lam != self.tuned
        self.method.options = offered = list(_methods(self.scenario.value).items())
        if name in dict(offered).values():
            self.method.value = name
            if chosen:
                self.lam.offer(strengths(lam), lam)

    def _suit_the_size(self, _: object = None) -> None:
        settings = self._settings()
        self.epochs.value, self.lr.value = settings["epochs"], settings["lr"]

    def _settings(self) -> dict[str, Any]:
        return PRESETS[self.preset.value].settings(self.data, self.stream.value)

    # ---- in the training thread ----

    def _events(
        self,
        name: str,
        lam: float,
        asked: dict[str, Any],
        settings: dict[str, Any],
        dropout: float,
    ) -> Generator[Event, None, None]:
        method = METHODS[name]()
        if "lam" in method.knobs:
            method.lam = lam
        preset = PRESETS[asked["preset"]]
        tasks = preset.tasks(self.data, asked["stream"], asked["scenario"])
        model = MLP(mlp_for(tasks).sizes, dropout=dropout) if dropout else None
        for event in train_steps(method, tasks, model, every=1, **settings):
            if event.kind == "start":
                how = asked | {"data": source(self.data), "lam_at": []}
                how["model"] = repr(model.sizes) if model else None
                how["dropout"] = dropout
                event.run.config["lab"] = how
                device = next(event.run.learner[0].parameters()).device
                self._samples = _samples([task.to(device) for task in tasks])
                if self.is_latest:
                    self.curves, self.run = Curves(event.run), event.run
            yield event

    def _take_event(self, event: Event) -> None:
        curves, (model, method) = self.curves, event.run.learner
        if curves is None or curves.run is not event.run:
            return  # a new run was asked for: this is the last step of the one before
        self.event = event
        lam, mine = self.lam.value, self.lam_of == method.name and "lam" in method.knobs
        if mine and lam != method.lam and event.step < event.n_steps:
            method.lam = lam
            curves.moved.append((event.step, method.lam))
            event.run.config["lab"]["lam_at"].append([event.step, method.lam])
        if event.kind == "step" and curves.looks_at(event.step):
            now = [as_of(self._samples[event.task], task) for task in self._samples]
            with products(event.run.config["precision"], next(model.parameters()).device):
                on = accuracies([event.run.learner], now[: event.task + 1])[0]
            curves.points.append((event.step, on, False))
        elif event.kind == "epoch":
            curves.points.append((event.step, event.run.history[-1]["accuracy"], True))
        if event.kind != "step" or event.step % 5 == 0:
            self.canvas.ask()

    # ---- in the drawing thread ----

    def _update(self) -> None:
        n_tasks = PRESETS[self.preset.value].n_tasks
        if self.curves is not None:
            n_tasks = len(self.curves.run.accuracy)
        self.chart.update(self.curves, n_tasks, self.kept)
        training, run, event = self.training, self.run, self.event
        stopping = training is not None and bool(training.reason)
        live = self.trains
        for button, usable in (
            (self.pause_, live and not stopping),
            (self.stop_, live and not stopping),
            (self.keep_, not live and run is not None and run.complete),
            (self.code_, run is not None),
            (self.clear_, bool(self.kept)),
        ):
            button.disabled = not usable
        paused = training is not None and training.state == "paused"
        self.pause_.description = "Resume" if paused else "Pause"
        self.status.value = _where(training, event)
        self.rest.value = ""
        if event is not None:
            self.progress.value = event.step / event.n_steps
            if live and not paused:
                left = event.run.seconds * (event.n_steps / max(1, event.step) - 1)
                epochs = event.run.config["epochs"]
                self.rest.value = f"· epoch {event.epoch + 1} of {epochs} · {left:.0f} s left"


def _methods(scenario: Scenario) -> dict[str, str]:
    """Label -> name, of those that serve it."""
    return {m.label: name for name, m in serving(scenario).items()}


def _where(training: TrainingThread | None, event: Event | None) -> str:
    """What is going on, in a line."""
    if training is None:
        return "Choose a method and press Run; λ can be moved while it trains."
    place = "" if event is None else f"task {event.task + 1} of {len(event.run.accuracy)}"
    step = "" if event is None else f", step {event.step} of {event.n_steps}"
    match training.state:
        case "running" if training.reason:
            return f"stopping: {place}"
        case "running":
            return place or "starting"
        case "paused":
            return f"paused at {place}{step}"
        case "done":
            if event is None or event.run.diverged:
                return "" if event is None else event.run.outcome
            return f"done in {event.run.seconds:.0f} s"
        case "failed":
            return f"failed at {place}{step}" if place else "failed"
        case _:
            return f"ended early: {training.reason}" + (place and f", at {place}{step}")


def _samples(tasks: Sequence[Task]) -> list[Task]:
    """The tasks with a few of their test images, from all over."""

    few = []
    for task in tasks:
        assert isinstance(task.test, SplitView)
        rows = torch.linspace(0, len(task.test) - 1, min(SAMPLE, len(task.test)))
        few.append(replace(task, test=task.test.only(rows.long().to(task.test.device))))
    return few
