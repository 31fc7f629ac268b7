"""The Curvature widget without a browser: a point is a trajectory, where its numbers put it."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Annotation
from toys import PATIENCE, wait_until

import cl_helpers as cl
from cl_helpers.report import plots
from cl_helpers.widgets import Curvature
from cl_helpers.widgets.canvas import Canvas
from cl_helpers.widgets.curvature_widget import ACROSS

SIZES = (784, 100, 100, 10)


@pytest.fixture(autouse=True)
def _draw_here(monkeypatch):
    """The tests draw in their own thread."""
    monkeypatch.setattr(Canvas, "ask", lambda canvas: None)


@pytest.fixture(scope="module")
def tasks(few):
    return cl.permuted(few, 3)


@pytest.fixture(scope="module")
def trajectories(tasks):
    regimes = [{"lr": 0.05}, {"lr": 0.05, "batch_size": 16}, {"lr": 0.02}, {"lr": 0.1}]
    return [
        cl.trajectories.follow(tasks[:2], cl.MLP(SIZES), epochs=1, **regime) for regime in regimes
    ]


@pytest.fixture
def widget(tasks):
    widget = Curvature(tasks, epochs=2, seed=4)
    yield widget
    widget.stop()
    if widget.training:
        assert widget.training.wait(PATIENCE)


def choose(widget, **regime):
    for name, value in regime.items():
        widget.sliders[name].value = value


def discs(ax):
    """The places of the numbered points, in their order."""
    labels = [text for text in ax.texts if isinstance(text, Annotation)]
    numbered = [text for text in labels if text.get_ha() == "center"]
    assert [text.get_text() for text in numbered] == [str(i + 1) for i in range(len(numbered))]
    places = [line.get_xydata()[0] for line in ax.lines if line.get_markersize() == 15]
    assert [text.xy for text in numbered] == [tuple(place) for place in places]
    return np.array(places)


def test_a_point_is_what_follow_gives(widget, tasks):
    regime = {"lr": 0.1, "batch_size": 16, "dropout": 0.25, "lr_decay": 0.4}
    choose(widget, **regime)
    widget.start()
    trajectory = widget.wait(PATIENCE)
    same = cl.trajectories.follow(tasks[:2], cl.MLP(SIZES), epochs=2, seed=4, **regime)
    np.testing.assert_array_equal(trajectory.run.accuracy, same.run.accuracy)
    (b,) = same.bounds
    for words in (
        "lr 0.1, batch 16, dropout 0.25, decay 0.4",
        f"sharpness {b.sharpness:.1f}, distance {b.distance:.1f}, bound {b.bound:.0f}",
        f"Forg₁ {b.forgetting:.3f}",
        f"from {same.run.accuracy[0, 0]:.1%} to {same.run.accuracy[1, 0]:.1%}",
    ):
        assert words in widget.status.value
        assert words in plots.alt_text(widget.canvas.figure)
    assert widget.progress.value == 1


def test_points_stand_where_their_numbers_say(tasks, trajectories):
    widget = Curvature(tasks, trajectories=trajectories)
    bounds = [trajectory.bounds[0] for trajectory in trajectories]
    forgetting = [b.forgetting for b in bounds]
    for name, what in ACROSS.items():
        widget.across.value = what
        widget.canvas.draw()
        left, right = widget.canvas.figure.axes
        expected = [[b.distance, b.sharpness] for b in bounds]
        np.testing.assert_allclose(discs(left), expected)
        x = [
            {"bound": b.sharpness * b.distance**2 / 2}.get(what, vars(b).get(what)) for b in bounds
        ]
        np.testing.assert_allclose(discs(right), np.transpose([x, forgetting]))
        assert f"Forg₁ against {name}" in plots.alt_text(widget.canvas.figure)
        told = float(right.get_title().split()[2])
        ranks = [np.argsort(np.argsort(v)) for v in (x, forgetting)]
        assert told == pytest.approx(np.corrcoef(ranks)[0, 1], abs=0.0051)


def test_along_a_dotted_line_the_bound_is_what_it_says(tasks, trajectories):
    widget = Curvature(tasks, trajectories=trajectories)
    widget.canvas.draw()
    left = widget.canvas.figure.axes[0]
    labels = [text for text in left.texts if text.get_ha() != "center"]
    said = {float(text.get_text()): text.xy for text in labels}
    assert len(said) >= 2
    for bound, (distance, sharpness) in said.items():
        assert sharpness * distance**2 / 2 == pytest.approx(bound)
    dotted = [line for line in left.lines if line.get_linestyle() == ":"]
    for line in dotted:
        distance, sharpness = line.get_data()
        np.testing.assert_allclose(sharpness * distance**2 / 2, sharpness[0] * distance[0] ** 2 / 2)


def test_it_begins_with_what_it_is_given_and_forgets_it(tasks, trajectories):
    widget = Curvature(tasks, trajectories=trajectories[:2])
    assert [widget.sliders[n].value for n in ("lr", "batch_size", "dropout", "lr_decay")] == [
        0.05,
        128,
        0.0,
        1.0,
    ]
    widget.canvas.draw()
    assert widget.status.value.startswith("2: lr 0.05, batch 16")
    assert not widget.clear_.disabled
    widget.clear()
    widget.canvas.draw()
    assert widget.clear_.disabled
    assert "No point yet" in plots.alt_text(widget.canvas.figure)
    assert len(discs(widget.canvas.figure.axes[0])) == 0
    assert len(trajectories) == 4  # the caller's list is left alone


def test_stopped_there_is_no_point(widget):
    choose(widget, batch_size=8)
    widget.epochs = 50
    widget.start()
    wait_until(lambda: widget.event is not None and widget.event.step >= 20)
    widget.canvas.draw()
    assert widget.status.value == "training: task 1 of 2"
    assert not widget.stop_.disabled
    widget.stop()
    assert widget.wait(PATIENCE) is None
    assert widget.status.value == "stopped"
    assert widget.stop_.disabled


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
print(widget.wait(), widget.training.over, widget.status.value)
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
    assert done.stdout == "None True interrupted\n"


def test_training_that_diverges_says_so(widget):
    widget.sliders["lr"].offer([("1e6", 1e6)], 1e6)
    widget.start()
    assert widget.wait(PATIENCE) is None
    assert "diverged with lr 1e+06" in widget.canvas.trouble.value
    assert "lower the learning rate" in widget.canvas.trouble.value
    widget.sliders["lr"].offer([("0.05", 0.05)], 0.05)
    widget.start()
    assert widget.wait(PATIENCE) is not None
    assert "diverged" not in widget.canvas.trouble.value
    widget.sliders["lr"].offer([("1e6", 1e6)], 1e6)
    widget.start()
    assert widget.wait(PATIENCE) is None  # and not the one before
    assert len(widget.trajectories) == 1


def test_one_task_is_not_enough(tasks):
    with pytest.raises(ValueError, match="there is 1 task: give two"):
        Curvature(tasks[:1])
    with pytest.raises(ValueError, match="there is no task: give two"):
        Curvature([])
    with pytest.raises(ValueError, match="epochs is 0: choose a whole number"):
        Curvature(tasks, epochs=0)
    alone = cl.trajectories.follow(tasks[:1], cl.MLP(SIZES), epochs=1)
    with pytest.raises(ValueError, match="a trajectory has learned one task: give those of two"):
        Curvature(tasks, trajectories=[alone])


def test_a_trajectory_that_did_not_move_or_is_flat_has_a_place(tasks):
    trajectory = cl.trajectories.follow(tasks[:2], cl.MLP(SIZES), epochs=1, lr=0.05)
    trajectory.bounds = [replace(trajectory.bounds[0], sharpness=0.0, distance=0.0)]
    widget = Curvature(tasks, trajectories=[trajectory])
    widget.canvas.draw()
    left = widget.canvas.figure.axes[0]
    assert discs(left).shape == (1, 2)
    for (low, high), at in zip((left.get_xlim(), left.get_ylim()), discs(left)[0], strict=True):
        assert 0 < low < at < high
