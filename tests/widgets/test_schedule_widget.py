"""Schedule without a page: its runs are `cl.train`'s, and what goes to the page is theirs."""

import json
import threading
from copy import deepcopy

import numpy as np
import pytest
import torch
import traitlets
from toys import PATIENCE

import cl_helpers as cl
from cl_helpers.training.train import train_steps
from cl_helpers.widgets import Schedule
from cl_helpers.widgets import schedule_widget as schedule

HOW = {"epochs": 3, "batch_size": 20, "optimizer": "sgd", "momentum": 0.9}


@pytest.fixture(scope="module")
def task(digits):
    return cl.tasks.hold_out(cl.permuted(digits.first(300, 100), 1), 200)[0]


@pytest.fixture
def widget(task):
    starts = {"known": cl.MLP((784, 16, 10), seed=7), "new": cl.MLP((784, 16, 10))}
    widget = Schedule(task, starts, target=0.3, lr=0.02, **HOW)
    yield widget
    if widget.training:
        widget.stop()
        assert widget.training.wait(PATIENCE)
    widget.close()


def ask(widget, what, **settings):
    """As the page does when a button is clicked."""
    widget._take_message({"do": what, "with": settings})


def test_what_has_no_part_in_a_schedule_does_nothing(widget):
    widget.warm_up, widget.lr_final, widget.schedule = 0.2, 0.5, "one-cycle"
    widget.start()
    assert {"warm_up": 0, "lr_final": 0.5}.items() <= widget.wait(PATIENCE).config.items()
    widget.schedule = "constant"
    widget.start()
    assert {"warm_up": 0.2, "lr_final": 0.01}.items() <= widget.wait(PATIENCE).config.items()


@pytest.mark.parametrize("start", ["known", "new"])
def test_a_run_is_what_train_gives(widget, task, start):
    assert widget.n_steps == 15  # 100 images, 20 a step, three times
    before = deepcopy(widget.starts[start])
    asked = {"schedule": "step", "lr": 0.02, "lr_final": 0.1, "warm_up": 0, "seed": 3}
    ask(widget, "start", **asked, start_from=start)
    run = widget.wait(PATIENCE)
    how = HOW | {"schedule": "step", "lr": 0.02, "lr_final": 0.1, "seed": 3}
    same = cl.train(cl.Baseline(), [task], deepcopy(before), progress=False, **how)
    np.testing.assert_array_equal(run.curve(), same.curve())
    for p, q in zip(widget.starts[start].parameters(), before.parameters(), strict=True):
        assert torch.equal(p, q)  # it was only copied
    latest = json.loads(json.dumps(widget.latest, allow_nan=False))  # as it goes to the page
    np.testing.assert_array_equal([latest["steps"], latest["accuracy"]], same.curve())
    assert latest["complete"]
    assert latest["diverged"] is None
    assert (asked | {"start_from": start}).items() <= latest.items()


def test_the_page_is_told_after_every_epoch(widget):
    told = []
    widget.observe(lambda change: told.append(change["new"]), "latest")
    widget.start()
    widget.wait(PATIENCE)
    ends = [latest["steps"][-1] for latest in told]
    assert sorted(set(ends)) == ends[:4] == [0, 5, 10, 15]
    assert [latest["complete"] for latest in told][-1]


def test_runs_are_kept_once_until_they_are_cleared(widget):
    widget.start()
    first = widget.wait(PATIENCE)
    ask(widget, "keep")
    ask(widget, "keep")
    assert [k.config for k in widget.kept] == [first.config]
    assert widget.kept[0].model is None
    assert widget.kept_runs == [widget.latest]
    widget.start_from, widget.lr = "new", 0.05
    widget.start()
    second = widget.wait(PATIENCE)
    widget.keep()
    assert [k["accuracy"] for k in widget.kept_runs] == [
        r.curve()[1].tolist() for r in (first, second)
    ]
    ask(widget, "clear")
    assert (widget.kept, widget.kept_runs) == ([], [])
    assert widget.latest["lr"] == 0.05


def test_a_run_that_is_not_complete_is_not_kept(widget):
    widget.keep()
    widget.lr = 1e30
    widget.start()
    run = widget.wait(PATIENCE)
    assert widget.doing == "done"
    assert widget.latest["diverged"] == run.diverged
    assert run.diverged["step"] < 5
    assert widget.latest["steps"] == [0]
    widget.keep()
    assert widget.kept_runs == []


def test_a_run_that_fails_says_why(task):
    broken = cl.MLP((99, 16, 10), seed=0)  # another number of pixels
    widget = Schedule(task, {"broken": broken}, target=0.5, **HOW)
    widget.start()
    widget.wait(PATIENCE)
    assert widget.doing == "failed"
    assert "Error" in widget.trouble[0]
    widget.close()


def test_what_makes_no_sense_is_refused(task, widget):
    with pytest.raises(ValueError, match="starts is empty: give a model by name"):
        Schedule(task, {}, target=0.5)
    with pytest.raises(ValueError, match="schedule is 'linear'"):
        Schedule(task, {"new": cl.MLP()}, target=0.5, schedule="linear")
    for target in (80, "80%"):
        with pytest.raises(ValueError, match=f"target is {target!r}: choose 0 < target"):
            Schedule(task, {"new": cl.MLP()}, target=target)
    with pytest.raises(ValueError, match="seed is 3: leave it out, it is a control"):
        Schedule(task, {"new": cl.MLP()}, target=0.5, seed=3)
    with pytest.raises(ValueError, match="lr is 0"):
        Schedule(task, {"new": cl.MLP()}, target=0.5, lr=0)
    for name, value in {"lr": 0, "warm_up": 1, "lr_final": 2, "seed": -1, "schedule": "x"}.items():
        with pytest.raises(traitlets.TraitError):
            setattr(widget, name, value)
    with pytest.raises(traitlets.TraitError, match="start_from is 'old': choose known, new"):
        widget.start_from = "old"


def test_a_run_that_was_replaced_before_it_began_is_not_shown(widget, monkeypatch):
    at_work, go_on = threading.Event(), threading.Event()

    def slowly(*arguments, **settings):
        at_work.set()
        go_on.wait(PATIENCE)
        yield from train_steps(*arguments, **settings)

    monkeypatch.setattr(schedule, "train_steps", slowly)
    widget.start()
    assert at_work.wait(PATIENCE)

    def failing(*_, **__):
        raise ValueError("no such luck")
        yield

    monkeypatch.setattr(schedule, "train_steps", failing)
    widget.start()
    go_on.set()
    assert widget.wait(PATIENCE) is None
    assert widget.latest is None
    assert widget.doing == "failed"
