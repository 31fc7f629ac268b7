"""The widget of schedules without a browser: its curve is the schedule's, its run `cl.train`'s."""

import threading
from copy import deepcopy

import numpy as np
import pytest
import torch
from toys import PATIENCE

import cl_helpers as cl
from cl_helpers.report import plots
from cl_helpers.training.train import train_steps
from cl_helpers.widgets import Schedule
from cl_helpers.widgets import schedule_widget as schedule
from cl_helpers.widgets.canvas import Canvas
from cl_helpers.widgets.schedule_widget import describe_schedule

HOW = {"epochs": 3, "batch_size": 20, "optimizer": "sgd", "momentum": 0.9}
N = 15  # steps: 100 images, 20 a step, three times


@pytest.fixture(autouse=True)
def _draw_here(monkeypatch):
    """The tests draw in their own thread."""
    monkeypatch.setattr(Canvas, "ask", lambda canvas: None)


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


def drawn(widget):
    """The learning rates of the thick line, and the axes below."""
    widget.canvas.draw()
    assert "alert" not in widget.canvas.trouble.value, widget.canvas.trouble.value
    rate, accuracy = widget.canvas.figure.axes
    [thick] = [line for line in rate.lines if line.get_linewidth() == 2.4]
    return thick.get_ydata(), accuracy


def test_a_control_moves_the_curve_before_anything_is_trained(widget):
    rates, _ = drawn(widget)
    x = np.arange(N)
    cosine = 0.02 * (0.01 + 0.99 * (1 + np.cos(np.pi * x / (N - 1))) / 2)
    np.testing.assert_allclose(rates, cosine)
    assert "Press Run" in widget.status.value
    widget.lr.value = 0.1
    np.testing.assert_allclose(drawn(widget)[0], 5 * cosine)
    widget.schedule.value = "exponential"
    widget.final.value = 0.1
    np.testing.assert_allclose(drawn(widget)[0], 0.1 * 0.1 ** (x / (N - 1)))
    widget.warm_up.value = 0.2  # three of the steps
    np.testing.assert_allclose(drawn(widget)[0][:4], [0.025, 0.05, 0.075, 0.1])
    assert "exponential, lr 0.1 to 0.01, warm-up 20%" in widget.status.value
    assert widget.run is None
    assert len(drawn(widget)[1].lines) == 1  # the target


def test_what_has_no_part_in_a_schedule_cannot_be_moved_and_does_nothing(widget):
    widget.warm_up.value = 0.2
    widget.schedule.value = "one-cycle"
    assert widget.warm_up.disabled
    assert not widget.final.disabled
    widget.start()
    assert widget.wait(PATIENCE).config["warm_up"] == 0
    widget.schedule.value = "constant"
    assert widget.final.disabled
    assert not widget.warm_up.disabled
    np.testing.assert_allclose(drawn(widget)[0][3:], 0.02)


@pytest.mark.parametrize("start", ["known", "new"])
def test_a_run_is_what_train_gives(widget, task, start):
    widget.start_.value, widget.seed.value = start, 3
    widget.schedule.value, widget.final.value = "step", 0.1
    before = deepcopy(widget.starts[start])
    widget.start()
    run = widget.wait(PATIENCE)
    how = HOW | {"schedule": "step", "lr": 0.02, "lr_final": 0.1, "seed": 3}
    same = cl.train(cl.Baseline(), [task], deepcopy(before), progress=False, **how)
    np.testing.assert_array_equal(run.curve(), same.curve())
    for p, q in zip(widget.starts[start].parameters(), before.parameters(), strict=True):
        assert torch.equal(p, q)  # it was only copied
    _, accuracy = drawn(widget)
    np.testing.assert_array_equal(accuracy.lines[-1].get_xydata().T, run.curve())


def test_the_step_of_the_target_is_marked_and_told(widget):
    widget.start()
    run = widget.wait(PATIENCE)
    reached = run.steps_to(0.3)
    assert reached in (5, 10, 15)
    _, accuracy = drawn(widget)
    [star] = [line for line in accuracy.lines if line.get_marker() == "*"]
    at = dict(zip(*run.curve(), strict=True))[reached]
    assert star.get_xydata().tolist() == [[reached, at]]
    assert (
        f"30% after {reached:.0f} steps, {run.average_accuracy:.1%} after 15" in widget.status.value
    )
    widget.chart.target = 1.01
    _, accuracy = drawn(widget)
    assert "not reached" in widget.status.value
    assert not [line for line in accuracy.lines if line.get_marker() == "*"]


def test_runs_are_kept_once_and_laid_under_the_next(widget):
    widget.start()
    first = widget.wait(PATIENCE)
    widget.keep()
    widget.keep()
    assert [k.config for k in widget.kept] == [first.config]
    widget.start_.value = "known" if first.config["start"] == "new" else "new"
    widget.lr.value = 0.05
    widget.start()
    second = widget.wait(PATIENCE)
    widget.keep()
    _, accuracy = drawn(widget)
    curves = [line.get_xydata().T for line in accuracy.lines if len(line.get_xdata()) == 4]
    np.testing.assert_array_equal(curves, [first.curve(), second.curve()])
    labels = [text.get_text() for text in widget.canvas.figure.legends[0].get_texts()]
    assert [
        f"{run.average_accuracy:.1%}" in label
        for run, label in zip((first, second), labels, strict=True)
    ]
    assert "Kept: cosine, lr 0.02" in plots.alt_text(widget.canvas.figure)
    widget.clear()
    _, accuracy = drawn(widget)
    assert len([line for line in accuracy.lines if len(line.get_xdata()) == 4]) == 1
    assert widget.clear_.disabled


def test_a_run_that_fails_says_why(task):
    broken = cl.MLP((99, 16, 10), seed=0)  # another number of pixels
    widget = Schedule(task, {"broken": broken}, target=0.5, **HOW)
    widget.start()
    widget.wait(PATIENCE)
    assert 'role="alert"' in widget.canvas.trouble.value
    widget.close()


def test_what_makes_no_sense_is_refused(task):
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


def test_names():
    how = {"schedule": "cosine", "lr": 0.03, "lr_final": 0.01, "warm_up": 0.1}
    assert describe_schedule(how) == "cosine, lr 0.03 to 0.0003, warm-up 10%"
    assert describe_schedule(how | {"schedule": "constant", "warm_up": 0}) == "constant, lr 0.03"


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
    assert widget.training.state == "failed"
