"""The Lab without a browser: its runs are those of `cl.train`, and its code gives them again."""

import ctypes
import gc
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from html import unescape
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from ipywidgets.widgets.widget import _instances
from toys import PATIENCE, stands_still, wait_until

import cl_helpers as cl
from cl_helpers.training.presets import PRESETS
from cl_helpers.widgets.accessible import Slider
from cl_helpers.widgets.course_widget import _tree
from cl_helpers.widgets.lab_chart import Curves, settled


@contextmanager
def ended(lab):
    """The lab, and no run of it left afterwards."""
    yield lab
    lab.stop()
    if lab.training:
        assert lab.training.wait(PATIENCE)


@pytest.fixture
def lab(digits):
    with ended(cl.widgets.Lab(digits, "quick")) as lab:
        yield lab


@pytest.fixture
def brief(few):
    """A lab whose runs are nine steps of the usual model."""
    with ended(cl.widgets.Lab(few, "quick")) as lab:
        lab.epochs.value = 1
        yield lab


def reach(lab, step):
    wait_until(lambda: lab.event is not None and lab.event.step >= step)


def again(lab) -> cl.Run:
    """The run that the code on the page gives."""
    lab._show_code(None)
    code = unescape(lab.shown_code.value.removeprefix("<pre>").removesuffix("</pre>"))
    names: dict = {}
    exec(code, names)
    return names["run"]


def test_a_run_is_what_train_gives(lab, digits):
    lab.start()
    run = lab.wait(PATIENCE)
    preset = PRESETS["quick"]
    same = cl.train(cl.EWC(), preset.tasks(digits), progress=False, **preset.settings(digits))
    np.testing.assert_array_equal(run.accuracy, same.accuracy)
    assert lab.training.state == "done"
    assert "done in" in lab.status.value


def test_the_settings_on_the_page_are_the_runs(lab):
    lab.method.value = "si"
    lab.seed.value, lab.epochs.value, lab.lr.value = 3, 2, 0.01
    lab.optimizer.value, lab.dropout.value = "sgd", 0.25
    lab.lam.value = 0.05
    lab.start()
    run = lab.wait(PATIENCE)
    told = {k: run.config[k] for k in ("method", "seed", "epochs", "lr", "optimizer")}
    assert told == {"method": "si", "seed": 3, "epochs": 2, "lr": 0.01, "optimizer": "sgd"}
    assert run.method.lam == 0.05
    assert run.model.dropout.p == 0.25
    np.testing.assert_array_equal(again(lab).accuracy, run.accuracy)


def test_lam_acts_at_the_next_step_and_the_code_repeats_it(lab):
    lab.lam.value = 10.0
    lab.start()
    reach(lab, 25)
    lab.pause()
    wait_until(lambda: stands_still(lab.training))
    step = lab.event.step
    lab.lam.value = 5_000.0
    lab.resume()
    run = lab.wait(PATIENCE)
    ((moved, lam),) = lab.curves.moved
    assert lam == 5_000.0
    assert step <= moved <= step + 1  # the step that was under way when it was paused
    assert "λ was set to 5,000 after" in cl.plots.alt_text(lab.canvas.figure)
    repeated = again(lab)
    np.testing.assert_array_equal(repeated.accuracy, run.accuracy)
    assert f"{moved}: 5000.0" in lab.shown_code.value
    undisturbed = cl.widgets.Lab(lab.data, "quick")
    undisturbed.lam.value = 10.0
    undisturbed.start()
    assert not np.array_equal(undisturbed.wait(PATIENCE).accuracy, run.accuracy)


def test_the_methods_on_offer_are_those_that_serve_the_scenario(lab):
    offered = lambda: [name for _, name in lab.method.options]  # noqa: E731
    assert offered() == [name for name in cl.METHODS if name != "icarl"]
    lab.lam.value = 10.0
    lab.scenario.value = "class"
    assert offered() == list(cl.METHODS)
    assert (lab.method.value, lab.lam.value) == ("ewc", 10.0)  # as they were
    lab.method.value = "icarl"
    lab.scenario.value = "task"
    assert "icarl" not in offered()
    assert lab.method.value in offered()


@pytest.mark.full
def test_another_scenario_leaves_the_run_in_progress_alone(lab):
    lab.lam.value = 10.0
    lab.start()
    reach(lab, 5)
    lab.scenario.value, lab.stream.value = "class", "split"
    run = lab.wait(PATIENCE)
    assert run.method.lam == 10.0
    assert not lab.curves.moved
    assert {(task, lab.run.config["lab"]["scenario"]) for task in run.config["tasks"]} == {
        (f"permutation {t}", "domain") for t in (1, 2, 3)
    }


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_other_tasks_and_the_code_that_repeats_them(lab, dropout):
    lab.stream.value, lab.scenario.value = "split", "class"
    assert lab.epochs.value == PRESETS["quick"].settings(lab.data, "split")["epochs"]
    lab.method.value, lab.dropout.value = "icarl", dropout
    lab.start()
    run = lab.wait(PATIENCE)
    assert run.config["tasks"] == ["0 1", "2 3", "4 5"]
    assert run.model.sizes[-1] == 6
    np.testing.assert_array_equal(again(lab).accuracy, run.accuracy)
    lab.keep()
    lab.canvas.draw()
    assert "Kept runs: icarl split class" in cl.plots.alt_text(lab.canvas.figure)


def test_looks_let_compete_what_competes_now(lab):
    """With Class-IL the baseline forgets at once; among the old classes alone it would often be
    right by chance."""
    lab.stream.value, lab.scenario.value, lab.method.value = "split", "class", "baseline"
    lab.start()
    lab.wait(PATIENCE)
    late = [(a, exact) for step, a, exact in lab.curves.points if step > lab.curves.ends[2] + 5]
    assert {exact for _, exact in late} == {True, False}
    assert all(a[0] < 0.05 for a, _ in late)
    alone = cl.evaluate(lab.run.method, lab.run.model, cl.split(lab.data, 2, scenario="task")[0])
    assert alone > 0.4


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"method": "icarl"}, 'iCaRL is not made for scenario="domain"'),
        ({"method": "magic"}, "method is 'magic': choose among"),
        ({"stream": "mixed"}, "stream is 'mixed': choose permuted, rotated, split"),
        ({"scenario": "all"}, "scenario is 'all': choose"),
    ],
)
def test_a_lab_that_cannot_be_made_says_why(digits, asked, message):
    with pytest.raises(ValueError, match=message):
        cl.widgets.Lab(digits, "quick", **asked)


def test_looks_come_four_times_a_task_and_not_at_the_end_of_an_epoch():
    run = cl.Run.empty({"epochs": 2, "batch_size": 10, "n_train": [100, 200, 15]}, 3)
    curves = Curves(run)
    assert curves.ends == [0, 20, 60, 64]
    looks = [step for step in range(1, 65) if curves.looks_at(step)]
    assert looks == [5, 15, 30, 50, 61, 63]  # 10, 20, 40, 60, 62 and 64 end epochs


def test_choosing_another_method_leaves_the_run_in_progress_alone(lab):
    lab.start()
    reach(lab, 5)
    lab.method.value = "mas"
    assert lab.lam.value == cl.MAS().lam
    run = lab.wait(PATIENCE)
    assert run.method.lam == cl.EWC().lam
    assert not lab.curves.moved


@pytest.mark.parametrize("method", ["baseline", "joint"])
def test_what_has_no_lam_has_no_slider(lab, method):
    lab.method.value = method
    assert lab.lam.disabled
    lab.start()
    assert lab.wait(PATIENCE).complete


def test_with_another_size_comes_its_lam_unless_one_was_chosen(lab):
    lab.method.value = "mas"
    for size, lam in (("class", 0.08), ("full", 0.02), ("class", 0.08)):
        lab.preset.value = size
        assert lab.lam.value == lam == PRESETS[size].method("mas").lam
    lab.stream.value = "rotated"  # for which none was tuned
    assert lab.lam.value == cl.MAS().lam
    lab.lam.value = 0.0
    lab.preset.value = "full"
    assert lab.lam.value == 0.0
    lab.method.value = "si"
    assert lab.lam.value == cl.SI().lam
    for control, value in (("stream", "permuted"), ("scenario", "class"), ("preset", "class")):
        getattr(lab, control).value = value
        assert lab.lam.value == cl.SI().lam
    lab.scenario.value = "domain"
    assert lab.lam.value == PRESETS["class"].method("si").lam
    lab.lam.value = 0.0
    lab.scenario.value = "task"
    assert lab.lam.value == 0.0


@pytest.mark.full
def test_lam_can_be_off(lab, digits):
    lab.lam.value = 0.0
    lab.start()
    run = lab.wait(PATIENCE)
    preset = PRESETS["quick"]
    plain = cl.train(cl.Baseline(), preset.tasks(digits), progress=False, **preset.settings(digits))
    np.testing.assert_array_equal(run.accuracy, plain.accuracy)
    assert ("off", 0.0) in lab.lam.options


def test_pause_stands_still(lab):
    lab.start()
    reach(lab, 5)
    lab.pause()
    wait_until(lambda: stands_still(lab.training))
    step, steps = lab.event.step, lab.event.n_steps
    time.sleep(0.5)
    assert lab.event.step == step < steps
    wait_until(lambda: "paused at task 1" in lab.status.value)
    drawn = lab.canvas.drawn
    time.sleep(1.0)  # longer than from one picture to the next
    assert lab.canvas.drawn <= drawn + 1  # the one under way
    assert "paused at task 1" in lab.status.value
    assert lab.pause_.description == "Resume"
    lab.resume()
    assert lab.wait(PATIENCE).complete


def test_stop_keeps_what_was_finished(lab):
    lab.start()
    wait_until(lambda: lab.event is not None and lab.event.task == 1)
    lab.stop()
    run = lab.wait(PATIENCE)
    assert not np.isnan(run.accuracy[0, 0])
    assert not run.complete
    assert "ended early: stopped" in lab.status.value
    lab.keep()
    assert not lab.kept


def test_kept_runs_are_laid_over_and_hold_no_model(lab):
    lab.start()
    first = lab.wait(PATIENCE)
    lab.keep()
    lab.keep()  # twice is once
    lab.method.value = "baseline"
    lab.start()
    lab.wait(PATIENCE)
    lab.keep()
    lab.canvas.draw()
    assert [run.config["method"] for run in lab.kept] == ["ewc", "baseline"]
    assert lab.kept[0].model is None
    text = cl.plots.alt_text(lab.canvas.figure)
    assert f"ewc lam=400 {first.average_accuracy:.1%}; baseline" in text
    lab.clear()
    lab.canvas.draw()
    assert "Kept" not in cl.plots.alt_text(lab.canvas.figure)


def test_the_second_lab_stops_the_first(lab, digits):
    other = cl.widgets.Lab(digits, "quick", method="baseline")
    lab.start()
    reach(lab, 3)
    other.start()
    assert other.wait(PATIENCE).complete
    lab.canvas.draw()
    assert "another run was started" in lab.status.value


def test_closing_ends_the_run_and_the_widgets(lab):
    lab.start()
    reach(lab, 3)
    lab.close()
    assert lab.training.wait(PATIENCE)
    assert lab.training.reason == "its cell was run again"
    assert lab.canvas.image.comm is None


def test_an_error_is_shown_with_its_cause(lab, monkeypatch):
    def end_task(self, model, task):
        try:
            raise KeyError("no such weight")
        except KeyError as cause:
            raise RuntimeError("Ω <cannot> be made") from cause

    monkeypatch.setattr(cl.EWC, "end_task", end_task)
    lab.start()
    lab.wait(PATIENCE)
    told = lab.canvas.trouble.value
    assert "RuntimeError: Ω &lt;cannot&gt; be made" in told
    assert "because of KeyError" in told
    assert Path(__file__).name in told  # where, on click
    assert "failed at task 1" in lab.status.value
    monkeypatch.undo()
    lab.start()
    assert lab.wait(PATIENCE).complete
    assert "RuntimeError" not in lab.canvas.trouble.value


def test_a_setting_that_makes_no_sense_is_told(lab):
    lab.lr.value = 0.0
    lab.start()
    lab.wait(PATIENCE)
    assert "ValueError: lr is 0.0: choose a number above 0" in lab.canvas.trouble.value
    assert lab.status.value == "failed"


def test_stopped_before_it_began(lab):
    lab.start()
    lab.pause()
    lab.stop()
    lab.wait(PATIENCE)
    assert lab.status.value.startswith("ended early: stopped")


@pytest.mark.full
def test_going_to_another_method_and_back_leaves_lam_as_it_was(lab):
    lab.lam.value = 10.0
    lab.start()
    reach(lab, 5)
    lab.method.value = "mas"
    lab.method.value = "ewc"
    assert lab.lam.value == 10.0
    assert lab.wait(PATIENCE).method.lam == 10.0
    assert not lab.curves.moved


@pytest.mark.full
def test_a_run_restarted_in_the_middle_copies_no_frame_before_its_end(lab):
    lab.start()
    reach(lab, 5)
    before = lab.training
    lab.start()
    assert before.wait(PATIENCE)
    assert not lab.canvas.copying
    assert lab.wait(PATIENCE).complete
    assert lab.canvas.copying


@pytest.mark.full
def test_the_code_knows_which_part_of_the_data(digits):
    part = cl.widgets.Lab(digits.first(300, 100), "quick")
    part.start()
    run = part.wait(PATIENCE)
    np.testing.assert_array_equal(again(part).accuracy, run.accuracy)


@pytest.mark.full
def test_a_kept_run_tells_where_lam_was_moved_to(lab):
    lab.lam.value = 10.0
    lab.start()
    reach(lab, 5)
    lab.lam.value = 5_000.0
    lab.wait(PATIENCE)
    lab.keep()
    lab.canvas.draw()
    assert "Kept runs: ewc lam=10 → 5,000" in cl.plots.alt_text(lab.canvas.figure)


def test_a_closed_lab_leaves_no_models_behind(digits):
    before = set(_instances)
    lab = cl.widgets.Lab(digits, "quick")
    lab.canvas.draw()
    lab.close()
    assert set(_instances) == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_run_on_cuda_is_looked_at_on_cuda(lab):
    lab.start()
    assert lab.wait(PATIENCE).complete


@pytest.mark.full
def test_runs_leave_nothing_behind(brief):
    models = []
    for _ in range(4):
        brief.start()
        models.append(weakref.ref(brief.wait(PATIENCE).model))
    gc.collect()
    assert [m() is None for m in models] == [True, True, True, False]
    assert len([t for t in threading.enumerate() if t.name in ("training", "drawing")]) <= 2


@pytest.mark.full
def test_twenty_runs_need_no_more_memory_than_a_few(brief):
    def megabytes():
        gc.collect()
        with suppress(OSError, AttributeError):  # glibc's
            ctypes.CDLL("libc.so.6").malloc_trim(0)  # what it holds back is not in use
        return psutil.Process().memory_info().rss / 2**20

    sizes = []
    for _ in range(24):
        brief.start()
        brief.wait(PATIENCE)
        sizes.append(megabytes())
    model = sum(p.nbytes for p in brief.run.model.parameters()) / 2**20
    # A leak adds in every run; what the allocator takes and gives back goes up and down.
    early, late = sizes[6:12], sizes[18:]
    assert (np.median(late) - np.median(early)) / 12 < model / 2


def test_every_control_has_a_name(lab):
    controls = [w for w in _tree(lab.box) if hasattr(w, "disabled") or isinstance(w, Slider)]
    assert len(controls) > 12
    assert all(w.description for w in controls)
    lab.canvas.draw()
    assert lab.canvas.image.alt == cl.plots.alt_text(lab.canvas.figure)


def test_of_changes_close_together_the_last_is_marked():
    moved = [(10, 1.0), (12, 2.0), (14, 5.0), (90, 0.0), (91, 1.0)]
    assert settled(moved, close=5) == [(14, 5.0), (91, 1.0)]
    assert settled(moved[:1], close=5) == [(10, 1.0)]
    assert settled([], close=5) == []
