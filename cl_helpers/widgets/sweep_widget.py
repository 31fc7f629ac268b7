"""What λ does, or another knob: the runs of one sweep, value by value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets

from ..formats import format_knob
from ..report.labels import PROBLEM, differing, label
from ..report.plots import method_label
from ..training.run import Run
from .numbers import number, numbers
from .view import View

# How a knob is called, if not by its name, and what it counts.
SYMBOLS = {
    "lam": "λ",
    "xi": "ξ",
    "alpha": "α",
    "epsilon": "ε",
    "interval": "Δt",
    "temperature": "T",
}
UNITS = {"memory": "images stored"}
IMAGES = {"held out": "held-out training images", "test": "test images"}


class Sweep(View):
    """Scrub through λ, or another knob: the run it gave, between stability and plasticity.

    Args:
        runs: of `cl.sweep`, which differ in the knob; one or several methods, any number of seeds.
        on: which images the accuracies are of; the best value is the best on them. "", the default,
            is what the runs say: "held-out training images" or "test images".
        knob: of the methods, what is swept: "lam", "memory", …

    Raises:
        ValueError: no run is complete and has that knob, or the runs differ in more than method,
            knobs and seed, or one is given twice.

    Attributes:
        by: method -> value -> its runs, one a seed.
        method, value: what is looked at, among `by`.
    """

    view = traitlets.Unicode("sweep").tag(sync=True)
    on = traitlets.Unicode().tag(sync=True)
    symbol = traitlets.Unicode().tag(sync=True)
    unit = traitlets.Unicode().tag(sync=True)
    methods: traitlets.List = traitlets.List().tag(sync=True)
    diverged: traitlets.List = traitlets.List(traitlets.Unicode()).tag(sync=True)
    method = traitlets.Unicode().tag(sync=True)
    value = traitlets.Any().tag(sync=True)

    def __init__(self, runs: Sequence[Run], on: str = "", knob: str = "lam"):
        self.by: dict[str, dict[Any, list[Run]]] = {}
        diverged: Counter[tuple[str, Any]] = Counter()
        for run in runs:
            if knob in run.config["knobs"]:
                name, value = _without(knob, run), run.config["knobs"][knob]
                if run.complete:
                    self.by.setdefault(name, {}).setdefault(value, []).append(run)
                elif run.diverged:
                    diverged[name, value] += 1
        symbol, unit = SYMBOLS.get(knob, knob), UNITS.get(knob, "")
        _check_alike(self.by)
        if not self.by:
            raise ValueError(
                f"there is no complete run with a {symbol}: make some with cl.sweep, of "
                f"methods that have the knob {knob!r}, each with a value of its own"
            )

        def describe(value: Any) -> str:
            text = format_knob(knob, value)
            return f"{text} {unit}" if unit else f"{symbol} {text}"

        super().__init__(
            on=on or IMAGES.get(runs[0].config.get("judged_by", ""), ""),
            symbol=symbol,
            unit=unit,
            methods=[
                {
                    "name": name,
                    "label": _method_label(name),
                    "best": self.best(name),
                    "values": [
                        {"value": v, "text": format_knob(knob, v), "words": describe(v)}
                        | _numbers(values[v])
                        for v in sorted(values)
                    ],
                }
                for name, values in self.by.items()
            ],
            diverged=[
                f"{_method_label(name)} with {describe(value)}{f' ({n} seeds)' if n > 1 else ''}"
                for (name, value), n in diverged.items()
            ],
        )
        self.method = next(iter(self.by))

    def best(self, method: str | None = None) -> Any:
        """The value with the highest average accuracy on these images, mean over seeds."""
        values = self.by[self.method if method is None else method]
        return max(values, key=lambda value: _mean(values[value], "average_accuracy"))

    @traitlets.validate("method", "value")
    def _one_of(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        offered = [*(self.by if name == "method" else self.by[self.method])]
        if value not in offered:
            raise traitlets.TraitError(f"{name} is {value!r}: choose one of {offered}")
        return value

    @traitlets.observe("method")
    def _suit_the_method(self, _: object) -> None:
        if self.value not in self.by[self.method]:
            self.value = self.best()


def _check_alike(by: dict[str, dict[Any, list[Run]]]) -> None:
    groups = [group for values in by.values() for group in values.values()]
    unlike = [name for group in groups for name in differing(group)]
    unlike += differing([run for group in groups for run in group], PROBLEM)
    if unlike:
        raise ValueError(
            f"the runs differ in {', '.join(dict.fromkeys(unlike))} too: give those of one sweep"
        )
    for group in groups:
        if any("→" in label(run) for run in group):
            raise ValueError(f"λ of {label(group[0])} was moved in training: leave that run out")
        if len({id(run) for run in group}) < len(group):
            raise ValueError(f"a run of {label(group[0])} is given twice: give each once")


def _without(knob: str, run: Run) -> str:
    """Of what the knob is swept: the method and its other knobs, "ewc" or "ewc fisher=true"."""
    return " ".join(word for word in label(run).split() if not word.startswith(f"{knob}="))


def _method_label(name: str) -> str:
    """The name for people: "EWC", "EWC fisher=true"."""
    method, *knobs = name.split()
    return " ".join([method_label(method), *knobs])


def _mean(runs: Sequence[Run], metric: str) -> float:
    return float(np.mean([getattr(run, metric) for run in runs]))


def _numbers(runs: Sequence[Run]) -> dict[str, Any]:
    """Of runs that differ in the seed: row t has the accuracies on tasks 1 to t, after task t."""
    a = np.mean([run.accuracy for run in runs], axis=0)
    return {
        "seeds": len(runs),
        "average": _mean(runs, "average_accuracy"),
        "forgetting": number(_mean(runs, "forgetting"), 6),
        "accuracy": [numbers(row[: t + 1], 6) for t, row in enumerate(a)],
    }
