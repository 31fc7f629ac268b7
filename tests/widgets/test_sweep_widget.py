"""Sweep in the kernel: which runs it takes, and what it makes of them for the page."""

from __future__ import annotations

import json

import numpy as np
import pytest
from toys import a_run, a_sweep, with_knob
from traitlets import TraitError

from cl_helpers.widgets import Sweep


def test_methods_and_values_and_which_is_best():
    baseline = a_run("baseline")
    baseline.config["knobs"] = {}
    widget = Sweep([*a_sweep(), baseline])
    assert {name: list(values) for name, values in widget.by.items()} == {
        "ewc": [0, 10, 12, 10_000],
        "mas": [0.02, 1],
    }
    assert (widget.best("ewc"), widget.best("mas"), widget.best()) == (12, 0.02, 12)
    assert (widget.method, widget.value) == ("ewc", 12)
    ewc, mas = widget.methods
    assert [v["text"] for v in ewc["values"]] == ["off", "10", "12", "10,000"]
    assert (ewc["best"], mas["best"]) == (12, 0.02)
    first = ewc["values"][0]
    assert (first["seeds"], first["accuracy"]) == (2, [[0.85], [0.55, 0.85]])
    assert (first["average"], first["forgetting"]) == (pytest.approx(0.7), pytest.approx(0.3))


def test_the_value_is_one_of_its_method():
    widget = Sweep(a_sweep())
    widget.method = "mas"
    assert widget.value == 0.02
    widget.set_state({"method": "ewc", "value": 0})  # as from the page
    assert (widget.method, widget.value) == ("ewc", 0)
    with pytest.raises(TraitError, match=r"value is 3: choose one of \[0.0, 10.0"):
        widget.value = 3
    with pytest.raises(TraitError, match="method is 'si': choose one of"):
        widget.method = "si"


def test_variants_of_a_method_are_apart_and_seeds_are_not():
    true = a_run("ewc", 0, ((0.9, 0.1), (0.9, 0.9)), 10.0)
    true.config["knobs"]["fisher"] = "true"
    mine = a_run("my_own", 0, ((0.9, 0.1), (0.7, 0.7)), 3.0)
    widget = Sweep([*a_sweep(), true, mine])
    assert list(widget.by) == ["ewc", "mas", "ewc fisher=true", "my_own"]
    assert len(widget.by["ewc"][10.0]) == 1
    assert [m["label"] for m in widget.methods] == ["EWC", "MAS", "EWC fisher=true", "my_own"]


@pytest.mark.parametrize(
    ("config", "on"),
    [
        ({"judged_by": "held out"}, "held-out training images"),
        ({"judged_by": "test"}, "test images"),
        ({}, ""),
    ],
)
def test_it_says_which_images_the_runs_were_judged_by(config, on):
    runs = a_sweep()
    for run in runs:
        run.config |= config
    assert Sweep(runs).on == on
    assert Sweep(runs, on="digits of mine").on == "digits of mine"


def test_runs_of_several_sweeps_are_refused():
    runs = a_sweep()
    runs[0].config |= {"judged_by": "held out"}
    runs[1].config |= {"judged_by": "test"}
    with pytest.raises(ValueError, match="differ in judged_by too: give those of one sweep"):
        Sweep(runs)
    again = a_sweep()
    with pytest.raises(ValueError, match="a run of ewc lam=10 is given twice: give each once"):
        Sweep([*again, again[2]])
    again[2].history = [{"lam": 10.0}, {"lam": 20.0}]
    with pytest.raises(ValueError, match="λ of ewc lam=10→20 was moved in training: leave"):
        Sweep(again)


def test_runs_that_diverged_are_named():
    gone = [a_run("ewc", seed, ((0.9, 0.1), (np.nan, np.nan)), 1e6) for seed in (0, 1)]
    for run in gone:
        run.diverged = {"task": 1, "step": 3, "loss": float("nan")}
    assert Sweep([*a_sweep(), *gone[:1]]).diverged == ["EWC with λ 1,000,000"]
    assert Sweep([*a_sweep(), *gone]).diverged == ["EWC with λ 1,000,000 (2 seeds)"]


def test_the_state_is_json_without_nan():
    """One task: nothing is forgotten."""
    widget = Sweep([a_run("ewc", 0, ((0.9,),), lam) for lam in (0, 1)])
    assert json.loads(json.dumps(widget.state, allow_nan=False))["methods"][0]["best"] == 0


@pytest.mark.parametrize("runs", [[], a_sweep()[5:6], [a_run("baseline")]])
def test_without_runs_it_says_so(runs):
    for run in runs:
        if run.config["method"] == "baseline":
            run.config["knobs"] = {}
    with pytest.raises(ValueError, match="no complete run with a λ"):
        Sweep(runs)


def test_without_that_knob_it_says_so():
    with pytest.raises(ValueError, match=r"no complete run with a memory: .* the knob 'memory'"):
        Sweep(a_sweep(), knob="memory")
    with pytest.raises(ValueError, match=r"no complete run with a ξ: .* the knob 'xi'"):
        Sweep(a_sweep(), knob="xi")


def test_other_knobs_are_part_of_the_name():
    runs = [with_knob("memory", n, lam=7.0) for n in (20, 1_000)]
    widget = Sweep([*a_sweep(), *runs], knob="memory")
    assert list(widget.by) == ["my_own lam=7"]
    assert widget.value == 20
    assert [v["words"] for v in widget.methods[0]["values"]] == [
        "20 images stored",
        "1,000 images stored",
    ]
