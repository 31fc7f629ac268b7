"""The runs of a sweep that are on disk: under which names, and what tells them from what is asked.

A name is made of method, λ and seed, and of a digest of all that decides the result. The device is
not among that: what was trained on another machine is the same run.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm.auto import tqdm

from ..data.tasks import Task, fingerprint
from ..files import set_aside, writable
from ..identity import fingerprint_of
from ..methods import Method
from ..models.seeded import Seeded
from ..training.run import Run, finite
from ..training.settings import LATER, OUTCOME, Settings
from ..training.train import code_noted, identified, identified_tasks, optimizer_name
from .older_runs import older_digests


@dataclass(frozen=True, eq=False)
class Member:
    """One run of a sweep: its method, its seed, and the file it is saved in.

    Args:
        method, seed: of the run.
        path: of the file; None, the default, saves nothing.
    """

    method: Method
    seed: int
    path: Path | None = None

    @property
    def checkpoint(self) -> Path | None:
        """File that the run in training is saved in; None if its folder does not exist here."""
        if self.path is None or not self.path.parent.exists():
            return None
        return self.path.with_suffix(".checkpoint")


class StoredRuns:
    """The folder of a sweep's runs.

    Args:
        folder: it is made if it is not there. None stores nothing and finds nothing.
        tasks, model, settings: of all runs of the sweep; the seed is that of each run.

    Raises:
        Unidentifiable: nothing says whether a stored run is the one that is asked for.
    """

    def __init__(
        self,
        folder: str | Path | None,
        tasks: Sequence[Task],
        model: nn.Module,
        settings: Settings,
    ):
        if not isinstance(folder, str | Path | None):
            raise ValueError(f"folder is {folder!r}: give the path of one")
        self.home = None if folder is None else writable(Path(folder).absolute())
        self.tasks, self.model, self.settings = tasks, model, settings
        if self.home is None:
            return
        self.there = {*os.listdir(self.home)}
        runs = sorted(name for name in self.there if name.endswith(".json"))
        self.alike = {name.rpartition("-")[0] + "-": name for name in runs}
        drawn = isinstance(model, Seeded) and model.is_untouched()  # the seed fixes its weights
        # A newer setting counts only if it is not at its default: so older runs are still found.
        at_default = {k for k in LATER if getattr(settings, k) == getattr(Settings, k)}
        chosen = {k: getattr(settings, k) for k in OUTCOME if k not in at_default}
        self.shared = fingerprint(tasks), fingerprint_of(model, weights=not drawn), chosen
        self.older = older_digests(tasks, model, drawn, settings)

    def members(self, methods_and_seeds: Iterable[tuple[Method, int]]) -> list[Member]:
        """Each run with the file that it is saved in."""
        members = [Member(method, seed) for method, seed in methods_and_seeds]
        if self.home is None:
            return members
        methods = {id(m.method): m.method for m in members}  # two may be equal and act otherwise
        digests = {key: fingerprint_of((m, *self.shared))[:8] for key, m in methods.items()}
        return [
            replace(m, path=self.home / f"{_start(m)}{digests[id(m.method)]}.json") for m in members
        ]

    def find(self, members: Sequence[Member]) -> dict[Member, Run]:
        """Read those runs that are there; say in a line what differs from what is asked.

        A file with another run than its name says, copied or edited, is set aside.
        """
        found, elsewhere = {}, Counter[str]()
        if self.home is None:
            return {}
        for member in members:
            if name := self._name_of(member):
                run = Run.load(self.home / name)
                if wrong := self._wrong(run, member, name):
                    self._set_aside(name, wrong)
                    continue
                found[member] = run
                elsewhere.update(self._elsewhere(run, member.method))
        for words, n in elsewhere.items():
            tqdm.write(f"{n} of {len(members)} runs are there, trained {words}")
        lines = (self._another(member) for member in members if member not in found)
        if line := next(filter(None, lines), None):  # the first alone: the others are alike
            tqdm.write(line)
        return found

    def _name_of(self, member: Member) -> str | None:
        """The file of the run, if it is there, perhaps with a name of earlier versions."""
        assert member.path is not None
        if member.path.name in self.there:
            return member.path.name
        if _start(member) not in self.alike:
            return None
        old = (f"{_start(member)}{digest}.json" for digest in self.older(member.method))
        return next((name for name in old if name in self.there), None)

    @cached_property
    def _asked(self) -> dict[str, Any]:
        """The settings, as a file has them."""
        settings = {k: getattr(self.settings, k) for k in OUTCOME}
        settings["optimizer"] = optimizer_name(self.settings)
        return json.loads(json.dumps(finite(settings)))

    def _wrong(self, run: Run, member: Member, name: str) -> str:
        """Say in what the `run` in the file `name` is not the one that is asked for; else ""."""
        assert member.path is not None
        config = {"method": member.method.name, "seed": member.seed} | self._asked
        if name == member.path.name:  # with earlier names went other digests
            config["tasks_digest"] = self.shared[0]
        wrong = [
            f"{key} {there[key]!r}, not {value!r}"
            for asked, there in (
                (config, run.config),
                (json.loads(json.dumps(finite(member.method.knobs))), run.config.get("knobs", {})),
            )
            for key, value in asked.items()
            if key in there and there[key] != value
        ]
        if len(run.accuracy) != len(self.tasks):
            wrong.append(f"{len(run.accuracy)} tasks, not {len(self.tasks)}")
        if not run.complete and not run.diverged:
            wrong.append(run.outcome)
        return "; ".join(wrong)

    def _set_aside(self, name: str, wrong: str) -> None:
        assert self.home is not None
        aside = set_aside(self.home / name)
        self.there.discard(name)
        self.alike = {start: other for start, other in self.alike.items() if other != name}
        tqdm.write(
            f"{name} is not the run that its name says ({wrong}): it is kept as {aside.name}, and "
            "the one asked for is trained"
        )

    def _elsewhere(self, run: Run, method: Method) -> Iterator[str]:
        """What was other when `run` was trained, and does not count."""
        device, there = torch.device(self.settings.device).type, run.config.get("device")
        versions = run.config.get("versions", {})
        torchs, ours = versions.get("torch"), versions.get("cl_helpers")
        if there != device:
            yield f"on {there}, not {device}"
        if torchs != torch.__version__:
            yield f"with torch {torchs}, not {torch.__version__}"
        code, _, python = str(ours or "").partition(" on ")
        code_here, _, python_here = code_noted(method).partition(" on ")
        if python == python_here and code != code_here:
            yield (
                f"with other code of cl_helpers' {type(method).__name__}: delete "
                f"{method.name}-*.json in {self.home} to train again"
            )

    def _another(self, member: Member) -> str | None:
        """Say how a run of the same method, λ and seed differs; None if there is none."""
        assert self.home is not None
        name = self.alike.get(_start(member))
        if name is None:
            return None
        try:
            there = Run.load(self.home / name).config
        except ValueError:  # it is not the one that is asked for
            return None
        there, asked = there | there.get("knobs", {}), self._config(member.method)
        differs = [key for key in asked if key in there and there[key] != asked[key]]
        texts = [
            key if key.endswith("digest") else f"{key} {there[key]!r}, not {asked[key]!r}"
            for key in differs
            if not (key == "method_digest" and member.method.knobs.keys() & {*differs})
        ]
        how = "; ".join(texts) or "in what was not noted then"
        return f"{name} is another run ({how}): it is kept, and the one asked for is trained"

    def _config(self, method: Method) -> dict[str, Any]:
        """What the config of a run will have, as far as it is known before."""
        settings = {k: getattr(self.settings, k) for k in OUTCOME}
        return (
            settings
            | method.knobs
            | {
                "optimizer": optimizer_name(self.settings),
                "method_digest": identified(method),
                "tasks_digest": identified_tasks(self.tasks),
                "model_digest": identified(self.model, weights=False),
            }
        )


def _start(member: Member) -> str:
    """The name of a run, but for its digest."""
    method = member.method
    lam = f"-lam{method.lam:g}" if "lam" in method.knobs else ""
    return f"{method.name}{lam}-seed{member.seed}-"
