"""Curvature without a page: a point is a trajectory, and its numbers are those of `follow`."""

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import traitlets
from toys import PATIENCE, wait_until

import cl_helpers as cl
from cl_helpers.widgets import Curvature

SIZES = (784, 100, 100, 10)


@pytest.fixture(scope="module")
def tasks(few):
    return cl.permuted(few, 3)


@pytest.fixture
def widget(tasks):
    widget = Curvature(tasks, epochs=2, seed=4)
    yield widget
    widget.stop()
    if widget.training:
        assert widget.training.wait(PATIENCE)
    widget.close()


def choose(widget, **regime):
    for name, value in regime.items():
        setattr(widget, name, value)


def test_a_point_is_what_follow_gives(widget, tasks):
    regime = {"lr": 0.1, "batch_size": 16, "dropout": 0.25, "lr_decay": 0.4}
    choose(widget, **regime)
    told = []
    widget.observe(lambda change: told.append(change["new"]), "now")
    widget._take_message({"do": "start"})
    trajectory = widget.wait(PATIENCE)
    same = cl.trajectories.follow(tasks[:2], cl.MLP(SIZES), epochs=2, seed=4, **regime)
    np.testing.assert_array_equal(trajectory.run.accuracy, same.run.accuracy)
    (b,) = same.bounds
    [point] = json.loads(json.dumps(widget.points, allow_nan=False))  # as it goes to the page
    assert regime.items() <= point.items()
    names = ("sharpness", "distance", "bound", "quadratic", "forgetting")
    np.testing.assert_allclose([point[k] for k in names], [getattr(b, k) for k in names])
    accuracy = [point["learned"], point["kept"], point["second"]]
    assert accuracy == [same.run.accuracy[i] for i in ((0, 0), (1, 0), (1, 1))]
    assert widget.doing == "done"
    assert widget.now == {"regime": regime, "task": 2, "step": 76, "n_steps": 76}
    assert all(p["step"] < q["step"] for p, q in pairwise(each for each in told if each))


def test_it_begins_with_what_it_is_given_and_forgets_it(tasks):
    regimes = {"lr": 0.02}, {"lr": 0.05, "batch_size": 16}
    trajectories = [
        cl.trajectories.follow(tasks[:2], cl.MLP(SIZES), epochs=1, **regime) for regime in regimes
    ]
    widget = Curvature(tasks, trajectories=trajectories)
    assert (widget.lr, widget.batch_size, widget.dropout, widget.lr_decay) == (0.02, 128, 0, 1)
    assert [point["lr"] for point in widget.points] == [0.02, 0.05]
    widget._take_message({"do": "clear"})
    assert (widget.points, widget.trajectories) == ([], [])
    assert len(trajectories) == 2  # the caller's list is left alone


def test_stopped_there_is_no_point(widget):
    choose(widget, batch_size=8)
    widget.epochs = 50
    widget.start()
    wait_until(lambda: widget.now.get("step", 0) >= 20)
    assert widget.doing == "running"
    assert widget.now["task"] == 1
    widget.stop()
    assert widget.wait(PATIENCE) is None
    assert (widget.doing, widget.reason, widget.points) == ("stopped", "stopped", [])


INTERRUPTED = """
import os, signal, sys, threading, time, traceback
import cl_helpers as cl
from cl_helpers.widgets.training_thread import TrainingThread

def interrupt_who_waits():
    waiting = lambda: [f.f_code for f, _ in traceback.walk_stack(sys._current_frames()[main])]
    while TrainingThread.wait.__code__ not in waiting():
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
main = threading.main_thread().ident
widget = cl.widgets.Curvature(cl.permuted(cl.load("digits").first(300, 100), 2), epochs=10**5)
widget.start()
threading.Thread(target=interrupt_who_waits).start()
print(widget.wait(), widget.training.over, widget.doing, widget.reason)
"""


def test_interrupting_who_waits_ends_the_run():
    """In a process of its own, once the waiting has begun."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert done.stdout == "None True stopped interrupted\n"


def test_training_that_diverges_says_so(widget):
    widget.lr = 1e6
    widget.start()
    assert widget.wait(PATIENCE) is None
    assert widget.doing == "failed"
    assert "diverged with lr 1e+06, batch 64, dropout 0, decay 1 at step" in widget.trouble[0]
    assert "lower the learning rate" in widget.trouble[0]
    widget.lr = 0.05
    widget.start()
    assert widget.wait(PATIENCE) is not None
    assert widget.trouble == []
    widget.lr = 1e6
    widget.start()
    assert widget.wait(PATIENCE) is None  # and not the one before
    assert len(widget.trajectories) == len(widget.points) == 1


def test_what_makes_no_sense_is_refused(tasks, widget):
    with pytest.raises(ValueError, match="there is 1 task: give two"):
        Curvature(tasks[:1])
    with pytest.raises(ValueError, match="there is no task: give two"):
        Curvature([])
    with pytest.raises(ValueError, match="epochs is 0: choose a whole number"):
        Curvature(tasks, epochs=0)
    alone = cl.trajectories.follow(tasks[:1], cl.MLP(SIZES), epochs=1)
    with pytest.raises(ValueError, match="a trajectory has learned one task: give those of two"):
        Curvature(tasks, trajectories=[alone])
    for name, value in {"lr": 0, "batch_size": 0, "dropout": 1, "across": "luck"}.items():
        with pytest.raises(traitlets.TraitError):
            setattr(widget, name, value)
