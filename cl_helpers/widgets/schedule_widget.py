"""The learning rate of each step, and the run that it gives, on the same steps."""

from __future__ import annotations

import numbers
from collections.abc import Generator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import ipywidgets as widgets
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter
from torch import nn

from ..data.tasks import Task
from ..methods import Baseline
from ..report import plots
from ..training.events import Event
from ..training.run import Run
from ..training.schedules import SCHEDULES, factors
from ..training.settings import Settings
from ..training.train import train_steps
from .accessible import Slider, Status
from .canvas import Canvas
from .controls import buttons, choice, number, row
from .training_widget import TrainingWidget

NOW = "#0072B2"
# colour, marker, dashes of the runs that were kept, in turn
KEPT = [look for name, look in plots.LOOK.items() if name in ("mas", "si", "rwalk", "scp", "er")]


class Schedule(TrainingWidget):
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
        run: the latest run.
        kept: runs that were kept.
    """

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
        self.task, self.starts, self.target = task, dict(starts), target
        self.settings = settings
        self.n_steps = how.epochs * -(-len(task.train) // how.batch_size)
        self.run: Run | None = None
        self.kept: list[Run] = []

        self.schedule = choice("Schedule", list(SCHEDULES), schedule)
        self.lr = Slider("lr", _stops(-4, 0, lr), lr)
        self.final = Slider("lr_final", _stops(-4, 0, 0.01), 0.01)
        parts = [i / 20 for i in range(11)]
        self.warm_up = Slider("warm_up", [(f"{part:.0%}", part) for part in parts], 0.0)
        self.start_ = choice("Start", list(self.starts), next(iter(self.starts)))
        self.seed = number("Seed", 0, whole=True)
        self.run_, self.stop_, self.keep_, self.clear_ = buttons(
            ("Run", self.start), ("Stop", self.stop), ("Keep", self.keep), ("Clear", self.clear)
        )
        self.status = Status()
        self.chart = ScheduleChart(target, self.n_steps)
        self.canvas = Canvas(self.chart.figure, self._update)
        for control in (self.schedule, self.lr, self.final, self.warm_up):
            control.observe(self._suit, "value")
        self._suit()
        self.box = widgets.VBox(
            [
                row(self.schedule, self.lr, self.final, self.warm_up),
                row(self.start_, self.seed, self.run_, self.stop_, self.keep_, self.clear_),
                self.status,
                self.canvas.box,
            ]
        )

    @property
    def asked(self) -> dict[str, Any]:
        """The settings on the page, as `cl.train` takes them."""
        asked = {
            "schedule": self.schedule.value,
            "lr": self.lr.value,
            "lr_final": self.final.value,
            "warm_up": self.warm_up.value,
        }
        # What has no part in it is left at its default, and its control cannot be moved.
        unused = {"constant": "lr_final", "one-cycle": "warm_up"}.get(self.schedule.value)
        return asked | ({unused: getattr(Settings, unused)} if unused else {})

    def start(self, *_: object) -> None:
        """Train with the settings on the page; a run in progress is stopped."""
        self.run = None
        settings = self.settings | self.asked | {"seed": self.seed.value}
        self._begin(partial(self._events, self.start_.value, settings))

    def wait(self, timeout: float | None = None) -> Run | None:
        super().wait(timeout)
        return self.run

    def keep(self, *_: object) -> None:
        """Lay the latest run under those to come."""
        run = self.run
        if run is not None and run.complete and run.config not in [k.config for k in self.kept]:
            self.kept.append(replace(run, model=None, method=None))
        self.canvas.ask()

    def clear(self, *_: object) -> None:
        """Forget the kept runs."""
        self.kept.clear()
        self.canvas.ask()

    def _suit(self, _: object = None) -> None:
        self.final.disabled = self.schedule.value == "constant"
        self.warm_up.disabled = self.schedule.value == "one-cycle"
        self.canvas.ask()

    # ---- in the training thread ----

    def _events(self, start: str, settings: dict[str, Any]) -> Generator[Event, None, None]:
        model = deepcopy(self.starts[start])
        for event in train_steps(Baseline(), [self.task], model, **settings):
            if event.kind == "start":
                event.run.config["start"] = start
                if self.is_latest:
                    self.run = event.run
            yield event

    def _take_event(self, event: Event) -> None:
        if event.kind in ("epoch", "task"):
            self.canvas.ask()

    # ---- in the drawing thread ----

    def _update(self) -> None:
        run, live = self.run, self.trains
        self.status.value = self.chart.update(self.asked, run, list(self.kept))
        self.stop_.disabled = not live
        self.keep_.disabled = live or run is None or not run.complete
        self.clear_.disabled = not self.kept


class ScheduleChart:
    """Above the learning rate of each step, below the accuracy after it."""

    def __init__(self, target: float, n_steps: int) -> None:
        self.target, self.n_steps = target, n_steps
        self.figure = plots.blank(9.4, 5.2)
        self.figure.set_dpi(100)

    def update(self, asked: dict[str, Any], run: Run | None, kept: Sequence[Run]) -> str:
        """Draw what is asked for, the latest run and those kept; the outcome in words."""
        figure, (rate, accuracy) = self.figure, self._axes()
        handles = []
        for k, other in enumerate(kept):
            if run is not None and other.config == run.config:
                continue  # it is drawn as the latest
            colour, marker, dash = KEPT[k % len(KEPT)]
            look = {"color": colour, "linestyle": dash, "linewidth": 1.5}
            rate.plot(*self._rates(other.config), drawstyle="steps-mid", **look)
            handles += self._draw(accuracy, other, marker=marker, **look)
        planned = self._rates(asked)
        rate.fill_between(*planned, color=NOW, alpha=0.12, linewidth=0, step="mid")
        rate.plot(*planned, color=NOW, linewidth=2.4, drawstyle="steps-mid")
        if run is not None:
            handles += self._draw(accuracy, run, color=NOW, linewidth=2.4, marker="o")
            if not _is(run, asked):
                rate.plot(
                    *self._rates(run.config), color=NOW, linewidth=1, linestyle=":",
                    drawstyle="steps-mid",
                )  # fmt: skip
        rate.set_ylim(0, None)
        if handles:
            figure.legend(
                handles=handles, loc="outside lower left", ncols=2, frameon=False, fontsize=9.5
            )
        now = f"Learning rate: {describe_schedule(asked)}"
        words = (
            self._describe_run(run)
            if run is not None and run.history
            else "Press Run to train with it"
        )
        beside = "; ".join(self._describe_run(other) for other in kept)
        plots.described(
            figure,
            f"Above, the learning rate of each of {self.n_steps} steps; below, the accuracy after "
            f"each epoch. {now}. {words}." + (f" Kept: {beside}." if kept else ""),
        )
        return words if run is not None and run.history else f"{now}. {words}."

    def _axes(self) -> tuple[Any, Any]:
        figure = self.figure
        figure.clear()
        rate, accuracy = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.7])
        for ax in (rate, accuracy):
            plots.frame(ax)
        rate.set_ylabel("learning rate")
        accuracy.set(xlim=(0, self.n_steps), ylim=(0, 1.02), xlabel="step", ylabel="accuracy")
        accuracy.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        accuracy.axhline(self.target, color="#666666", linewidth=1, linestyle=(0, (4, 3)))
        words = f"target {self.target:.0%}"
        accuracy.text(self.n_steps, self.target - 0.015, words, ha="right", va="top")
        return rate, accuracy

    def _rates(self, how: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        curve = factors(
            how["schedule"], self.n_steps, warm_up=how["warm_up"], final=how["lr_final"]
        )
        return np.arange(1, self.n_steps + 1), how["lr"] * curve.numpy()

    def _draw(self, ax: Any, run: Run, marker: str, **look: Any) -> list[Line2D]:
        """Its accuracy, and where it first is that of the target."""
        steps, accuracy = run.curve()
        reached = run.steps_to(self.target)
        if np.isfinite(reached):
            ax.axvline(reached, ymax=self.target / 1.02, color=look["color"], linewidth=0.8)
            at = accuracy[list(steps).index(reached)]
            ax.plot(reached, at, "*", color=look["color"], markersize=15, markeredgecolor="white")
        return ax.plot(steps, accuracy, marker=marker, markersize=4, label=self._label(run), **look)

    def _label(self, run: Run) -> str:
        _, accuracy = run.curve()
        reached = run.steps_to(self.target)
        never = "diverged" if run.diverged else "never" if run.complete else "not yet"
        speed = f"{reached:.0f} steps" if np.isfinite(reached) else never
        return f"{_run_name(run)}: {speed}, {accuracy[-1]:.1%}"

    def _describe_run(self, run: Run) -> str:
        """What a run was, and what came of it."""
        if run.diverged:
            return f"{_run_name(run)}: {run.outcome}"
        steps, accuracy = run.curve()
        reached = run.steps_to(self.target)
        speed = f"after {reached:.0f} steps" if np.isfinite(reached) else "not reached"
        return f"{_run_name(run)}: {self.target:.0%} {speed}, {accuracy[-1]:.1%} after {steps[-1]}"


def _run_name(run: Run) -> str:
    seed = run.config["seed"]
    return f"{describe_schedule(run.config)}, {run.config['start']}" + (
        f", seed {seed}" if seed else ""
    )


def describe_schedule(how: Mapping[str, Any]) -> str:
    """A schedule in words: "cosine, lr 0.03 to 0.0003, warm-up 10%"."""
    to = "" if how["schedule"] == "constant" else f" to {how['lr'] * how['lr_final']:.2g}"
    warm = f", warm-up {how['warm_up']:.0%}" if how["warm_up"] else ""
    return f"{how['schedule']}, lr {how['lr']:g}{to}{warm}"


def _is(run: Run, asked: Mapping[str, Any]) -> bool:
    return all(run.config[name] == value for name, value in asked.items())


def _check_target(target: float) -> None:
    if not (isinstance(target, numbers.Real) and 0 < target <= 1):
        raise ValueError(f"target is {target!r}: choose 0 < target ≤ 1, an accuracy")


def _stops(least: int, most: int, value: float) -> list[tuple[str, float]]:
    """1, 2, 3, 5 a decade from 10^least to 10^most, and `value`."""
    stops = {m * 10.0**e for e in range(least, most) for m in (1, 2, 3, 5)} | {10.0**most}
    stops = {float(f"{stop:.1g}") for stop in stops} | {value}
    return [(f"{stop:g}", stop) for stop in sorted(stops)]
