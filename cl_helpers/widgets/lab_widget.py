"""The Lab: every method, λ while it trains, runs overlaid, and what the network forgets."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import traitlets

from ..data.datasets import Dataset, load
from ..data.tasks import SCENARIOS, Scenario, Task
from ..methods import METHODS, pick_method, serving
from ..models.small import MLP, mlp_for
from ..training.events import Event
from ..training.presets import PRESETS, STREAMS, pick_preset, pick_stream
from ..training.run import Run
from ..training.train import train_steps
from .lab_recipe import code, source
from .lab_runs import differs, summary
from .lab_watch import Watch
from .numbers import number, numbers
from .scenes import read_scenes
from .training_view import TrainingView

NEXT = ("method", "preset", "stream", "scenario", "seed", "epochs", "lr", "optimizer", "dropout")
SIZE = ("preset", "stream", "scenario")


class Lab(TrainingView):
    """Train in the background; move λ, pause, stop, and lay runs over each other.

    λ acts on the run in training, at its next step. Everything else acts on the next run.

    Args:
        data: images; None takes `cl.load("auto")`.
        preset: "quick", "class" or "full"; None as everywhere.
        method: to begin with; a name in `cl.METHODS`.
        stream, scenario: to begin with; as in `cl.presets.Preset.tasks`.
        keep: runs to compare with, from `cl.train` or `cl.Run.load`.
        scenes: a YAML file of scenes for the stage; None takes the five that ship (`scenes.py`).

    Attributes:
        run: the latest run; its `model` and `method` are there to be looked at.
        kept: runs that were kept.
        event: the latest event of the run in training.
    """

    ACTIONS = ("start", "stop", "pause", "resume", "keep", "clear", "play")
    SETTINGS = (*NEXT, "lam", "scene")

    view = traitlets.Unicode("lab").tag(sync=True)
    lam = traitlets.Float(0.0, min=0.0).tag(sync=True)
    method = traitlets.Unicode().tag(sync=True)
    preset = traitlets.Enum(list(PRESETS)).tag(sync=True)
    stream = traitlets.Enum(list(STREAMS)).tag(sync=True)
    scenario = traitlets.Enum(list(SCENARIOS)).tag(sync=True)
    seed = traitlets.Int(0, min=0).tag(sync=True)
    epochs = traitlets.Int(1, min=1).tag(sync=True)
    lr = traitlets.Float(1e-3).tag(sync=True)
    optimizer = traitlets.Enum(["adam", "sgd"], "adam").tag(sync=True)
    dropout = traitlets.Float(0.0).tag(sync=True)
    offered: traitlets.List = traitlets.List().tag(sync=True)  # [label, name] of methods
    next_lam = traitlets.Float(None, allow_none=True).tag(sync=True)  # None: it has none
    news: traitlets.Dict = traitlets.Dict().tag(sync=True)  # of the run in training
    digits: traitlets.List = traitlets.List().tag(sync=True)  # test images in sight
    weights: traitlets.Dict = traitlets.Dict().tag(sync=True)  # of the first layer, as pixels
    runs: traitlets.List = traitlets.List().tag(sync=True)  # those kept
    hidden: traitlets.List = traitlets.List().tag(sync=True)  # ids of runs switched off
    recipe = traitlets.Unicode().tag(sync=True)
    scenes: traitlets.List = traitlets.List().tag(sync=True)
    scene = traitlets.Int(-1).tag(sync=True)  # the one on the stage
    guesses: traitlets.Dict = traitlets.Dict().tag(sync=True)  # of the hall: scene -> guess
    played = traitlets.Int(-1).tag(sync=True)  # the scene whose runs have all ended

    def __init__(
        self,
        data: Dataset | None = None,
        preset: str | None = None,
        *,
        method: str = "ewc",
        stream: str = "permuted",
        scenario: Scenario = "domain",
        keep: Sequence[Run] = (),
        scenes: str | Path | None = None,
    ):
        pick_method(method, scenario), pick_stream(stream)  # or say what is wrong
        self.data = load("auto") if data is None else data
        self.kept: list[Run] = list(keep)
        self.run: Run | None = None
        self.event: Event | None = None
        self.watch: Watch | None = None
        self.playing = -1  # the scene that the run in training is of
        self.scenes_of: dict[int, set[int]] = {}  # by id of a kept run; -1: it was kept by hand
        self.waiting: list[str] = []  # methods of a scene, still to be trained
        self.moves: list[tuple[float, float]] = []  # (place in tasks, λ), still to be made
        self._scenes = read_scenes(scenes)
        size = {"preset": pick_preset(preset).name, "stream": stream, "scenario": scenario}
        super().__init__(method=method, scenes=[scene.shown for scene in self._scenes], **size)
        self._suit_the_size()
        self._suit_the_scenario()
        self.tuned = self.next_lam = self._tuned_lam()
        self.lam = self.next_lam or 0.0
        self._show_kept()
        self.observe(self._suit_the_size, ["preset", "stream"])
        self.observe(self._suit_the_scenario, "scenario")
        self.observe(self._suit_the_lam, ["method", *SIZE])
        self.observe(self._note_the_lam, "lam")

    # ---- what the page asks for; also from code ----

    def start(self) -> None:
        """Train with the settings on the page. A run in progress, of any Lab, is stopped."""
        self._leave_the_scene()
        self._start()

    def pause(self) -> None:
        """Hold after the step in progress, until `resume`."""
        if self.training:
            self.training.pause()
        self._say_what_it_does()

    def resume(self) -> None:
        if self.training:
            self.training.resume()
        self._say_what_it_does()

    def stop(self) -> None:
        self._leave_the_scene()
        super().stop()

    def wait(self, timeout: float | None = None) -> Run | None:
        super().wait(timeout)
        return self.run

    def keep(self) -> None:
        """Lay the latest run over those to come."""
        self._keep(-1)

    def _keep(self, scene: int) -> None:
        """Keep it for a scene, or by hand (-1)."""
        run = self.run
        if run is None or not run.complete:
            return
        same = next((k for k in self.kept if k.config == run.config), None)
        if same is None:
            same = replace(run, model=None, method=None)
            self.kept.append(same)
        self.scenes_of.setdefault(id(same), set()).add(scene)
        self._show_kept()

    def clear(self) -> None:
        """Forget the kept runs."""
        self.kept.clear()
        self.scenes_of.clear()
        self.hidden = []
        self._show_kept()

    def play(self) -> None:
        """Play the scene on the stage: its settings, its runs one after another, its moves of λ.

        Raises:
            ValueError: no scene is on the stage.
        """
        if not 0 <= self.scene < len(self._scenes):
            known = f"0 to {len(self._scenes) - 1}"
            raise ValueError(f"scene is {self.scene}: set it to one of {known} first")
        scene = self._scenes[self.scene]
        if self.trains:
            self.stop()
        for run in [run for run in self.kept if self.scenes_of.get(id(run)) == {self.scene}]:
            self.kept.remove(run)
            del self.scenes_of[id(run)]
        for name, value in scene.settings.items():
            setattr(self, name, value)
        first, *self.waiting = scene.methods
        self.method = first
        self._suit_the_lam()  # not what it was moved to in the scene before
        if scene.lam is not None:
            self.next_lam = scene.lam
        self.moves, self.playing, self.played = list(scene.moves), self.scene, -1
        self._start()

    def _leave_the_scene(self) -> None:
        self.waiting, self.moves, self.playing, self.played = [], [], -1, -1

    # ---- the settings of the next run ----

    def _suit_the_size(self, _: object = None) -> None:
        settings = PRESETS[self.preset].settings(self.data, self.stream)
        self.epochs, self.lr = settings["epochs"], settings["lr"]

    def _suit_the_scenario(self, _: object = None) -> None:
        """Offer what serves it; a method that does is left as it is."""
        offered = serving(self.scenario)
        self.offered = [[method.label, name] for name, method in offered.items()]
        if self.method not in offered:
            self.method = next(iter(offered))

    def _suit_the_lam(self, change: Mapping[str, Any] | None = None) -> None:
        """With another method, or size, comes its λ; one that was chosen is left to the method."""
        tuned = self._tuned_lam()
        chosen = change is not None and change["name"] in SIZE and self.next_lam != self.tuned
        self.tuned = tuned
        if not (chosen and tuned is not None):
            self.next_lam = tuned
        if not self.trains:
            self.lam = self.next_lam or 0.0

    def _note_the_lam(self, change: Mapping[str, Any]) -> None:
        """The slider is the λ of the run in training; and of the next one, if that is alike."""
        if self.next_lam is not None and (not self.trains or self._next_is_alike()):
            self.next_lam = change["new"]

    def _next_is_alike(self) -> bool:
        now = self.news
        return bool(now) and all(now.get(name) == getattr(self, name) for name in ("method", *SIZE))

    def _tuned_lam(self) -> float | None:
        """λ of the method at the size on the page; None if it has none."""
        method = PRESETS[self.preset].method(self.method, self.stream, self.scenario)
        return method.lam if "lam" in method.knobs else None

    def _start(self) -> None:
        asked = {name: getattr(self, name) for name in NEXT}
        lam = self.next_lam
        preset = PRESETS[asked["preset"]]
        tasks = preset.tasks(self.data, asked["stream"], asked["scenario"])
        self.event, self.watch, self.run = None, None, None
        about = {"label": METHODS[asked["method"]].label, "lam": lam, "n_tasks": len(tasks)}
        self.news, self.recipe = asked | about, ""
        self.digits, self.weights = [], {}
        if lam is not None:
            self.lam = lam
        self._begin(lambda: self._events(asked, lam, tasks))

    # ---- in the training thread ----

    def _events(
        self, asked: dict[str, Any], lam: float | None, tasks: Sequence[Task]
    ) -> Generator[Event, None, None]:
        method = METHODS[asked["method"]]()
        if lam is not None:
            method.lam = lam
        size = {name: asked[name] for name in SIZE}
        dropout = asked["dropout"]
        model = MLP(mlp_for(tasks).sizes, dropout=dropout) if dropout else None
        settings = PRESETS[asked["preset"]].settings(self.data, asked["stream"])
        settings |= {name: asked[name] for name in ("epochs", "lr", "optimizer", "seed")}
        for event in train_steps(method, tasks, model, every=1, **settings):
            if event.kind == "start":
                how = size | {"data": source(self.data), "lam_at": [], "dropout": dropout}
                event.run.config["lab"] = how | {"model": repr(model.sizes) if model else None}
                if self.is_latest:
                    device = next(event.run.learner[0].parameters()).device
                    self.watch = Watch(event.run, [task.to(device) for task in tasks])
                    self.run = event.run
                    self._show_kept()
            yield event

    def _take_event(self, event: Event) -> None:
        watch, method = self.watch, event.run.learner[1]
        if watch is None or watch.run is not event.run:
            return  # a new run was asked for: this is the last step of the one before
        self.event = event
        place = _place(event.step, watch.ends)
        while self.moves and place >= self.moves[0][0]:
            self.lam = self.moves.pop(0)[1]
        lam = self.lam
        if "lam" in method.knobs and lam != method.lam and event.step < event.n_steps:
            method.lam = lam
            watch.moved.append([event.step, lam])
            event.run.config["lab"]["lam_at"].append([event.step, lam])
        if watch.take(event):
            self._tell(event)

    def _tell(self, event: Event) -> None:
        """Send the page all there is to the run in training, in one message."""
        run, watch = event.run, self.watch
        assert watch is not None
        method = run.learner[1]
        self.news = self.news | {
            "lam": method.lam if "lam" in method.knobs else None,
            "task": event.task,
            "epoch": event.epoch,
            "step": event.step,
            "n_steps": event.n_steps,
            "seconds": round(run.seconds, 1),
            "left": watch.clock.left(event),
            "ends": watch.ends,
            "series": [list(points) for points in watch.series],
            "moved": list(watch.moved),
            "matrix": numbers(run.accuracy),
            "average": number(run.average_accuracy),
            "forgetting": number(run.forgetting),
            "seen": watch.seen,
        }
        if self.digits is not watch.digits:
            self.digits = watch.digits
        if self.weights is not watch.weights:
            self.weights = watch.weights

    def _ended(self) -> None:
        training = self.training
        if training is None or not training.is_current_thread:
            return
        run, event = self.run, self.event
        if run is not None and event is not None:
            self._tell(event)
            self.news = self.news | {
                "outcome": run.outcome,
                "diverged": run.diverged is not None,
                "summary": summary(run, "now"),
            }
            self.recipe = code(run)
        super()._ended()
        playing = self.playing >= 0 and run is not None and run.complete
        if playing:
            self._keep(self.playing)
        if playing and self.waiting:
            self.method = self.waiting.pop(0)
            self._suit_the_lam()
            self._start()
            return
        if playing:
            self.played = self.playing
        if self.next_lam is not None and not self._next_is_alike():
            self.lam = self.next_lam

    # ---- what the page is told beside ----

    def _show_kept(self) -> None:
        """Tell the page what was kept, and in what each differs from the run in training."""
        beside = self.run or (self.kept[-1] if self.kept else None)
        self.runs = [
            summary(run, str(i))
            | {
                "differs": [] if beside is None else differs(run, beside),
                "scenes": sorted(self.scenes_of.get(id(run), ())),
            }
            for i, run in enumerate(self.kept)
        ]


def _place(step: int, at: Sequence[int]) -> float:
    """Where a step is, in tasks: 2.5 is half-way through the third."""
    return float(np.interp(step, at, np.arange(len(at))))
