"""The Lab without a browser: its runs are those of `cl.train`, and its code gives them again."""

import base64
import ctypes
import gc
import re
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from ipywidgets.widgets.widget import _instances
from toys import PATIENCE, stands_still, wait_until

import cl_helpers as cl
from cl_helpers.training.events import Event
from cl_helpers.training.presets import PRESETS
from cl_helpers.widgets import lab_watch
from cl_helpers.widgets.lab_watch import Clock
from cl_helpers.widgets.scenes import read_scenes


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
        lab.epochs = 1
        yield lab


def reach(lab, step):
    wait_until(lambda: lab.event is not None and lab.event.step >= step)


def again(lab) -> cl.Run:
    """The run that the code on the page gives."""
    names: dict = {}
    exec(lab.recipe, names)
    return names["run"]


def test_a_run_is_what_train_gives(lab, digits):
    lab.start()
    run = lab.wait(PATIENCE)
    preset = PRESETS["quick"]
    same = cl.train(cl.EWC(), preset.tasks(digits), progress=False, **preset.settings(digits))
    np.testing.assert_array_equal(run.accuracy, same.accuracy)
    assert lab.doing == lab.training.state == "done"
    assert lab.news["average"] == pytest.approx(same.average_accuracy, abs=1e-4)
    assert lab.news["outcome"] == "complete"


def test_the_settings_on_the_page_are_the_runs(lab):
    lab.method = "si"
    lab.seed, lab.epochs, lab.lr = 3, 2, 0.01
    lab.optimizer, lab.dropout = "sgd", 0.25
    lab.lam = 0.05
    lab.start()
    run = lab.wait(PATIENCE)
    told = {k: run.config[k] for k in ("method", "seed", "epochs", "lr", "optimizer")}
    assert told == {"method": "si", "seed": 3, "epochs": 2, "lr": 0.01, "optimizer": "sgd"}
    assert run.method.lam == 0.05
    assert run.model.dropout.p == 0.25
    np.testing.assert_array_equal(again(lab).accuracy, run.accuracy)


def test_lam_acts_at_the_next_step_and_the_code_repeats_it(lab):
    lab.lam = 10.0
    lab.start()
    reach(lab, 25)
    lab.pause()
    wait_until(lambda: stands_still(lab.training))
    step = lab.event.step
    lab.lam = 5_000.0
    lab.resume()
    run = lab.wait(PATIENCE)
    ((moved, lam),) = lab.news["moved"]
    assert lam == lab.news["lam"] == 5_000.0
    assert step <= moved <= step + 1  # the step that was under way when it was paused
    repeated = again(lab)
    np.testing.assert_array_equal(repeated.accuracy, run.accuracy)
    assert f"{moved}: 5000.0" in lab.recipe
    undisturbed = cl.widgets.Lab(lab.data, "quick")
    undisturbed.lam = 10.0
    undisturbed.start()
    assert not np.array_equal(undisturbed.wait(PATIENCE).accuracy, run.accuracy)


def test_the_methods_on_offer_are_those_that_serve_the_scenario(lab):
    offered = lambda: [name for _, name in lab.offered]  # noqa: E731
    assert offered() == [name for name in cl.METHODS if name != "icarl"]
    lab.lam = 10.0
    lab.scenario = "class"
    assert offered() == list(cl.METHODS)
    assert (lab.method, lab.lam) == ("ewc", 10.0)  # as they were
    lab.method = "icarl"
    lab.scenario = "task"
    assert "icarl" not in offered()
    assert lab.method in offered()


@pytest.mark.full
def test_another_scenario_leaves_the_run_in_progress_alone(lab):
    lab.lam = 10.0
    lab.start()
    reach(lab, 5)
    lab.scenario, lab.stream = "class", "split"
    run = lab.wait(PATIENCE)
    assert run.method.lam == 10.0
    assert not lab.news["moved"]
    assert {(task, lab.run.config["lab"]["scenario"]) for task in run.config["tasks"]} == {
        (f"permutation {t}", "domain") for t in (1, 2, 3)
    }


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_other_tasks_and_the_code_that_repeats_them(lab, dropout):
    lab.stream, lab.scenario = "split", "class"
    assert lab.epochs == PRESETS["quick"].settings(lab.data, "split")["epochs"]
    lab.method, lab.dropout = "icarl", dropout
    lab.start()
    run = lab.wait(PATIENCE)
    assert run.config["tasks"] == ["0 1", "2 3", "4 5"]
    assert run.model.sizes[-1] == 6
    np.testing.assert_array_equal(again(lab).accuracy, run.accuracy)
    lab.keep()
    assert [run["label"] for run in lab.runs] == ["iCaRL"]


def test_looks_let_compete_what_competes_now(lab, monkeypatch):
    """With Class-IL the baseline forgets at once; among the old classes alone it would often be
    right by chance."""
    monkeypatch.setattr(lab_watch, "LOOK", 0.0)
    lab.stream, lab.scenario, lab.method = "split", "class", "baseline"
    lab.start()
    lab.wait(PATIENCE)
    late = [
        (a, exact) for step, a, exact in lab.news["series"][0] if step > lab.news["ends"][2] + 5
    ]
    assert {exact for _, exact in late} == {1, 0}
    assert all(a < 0.05 for a, _ in late)
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


def test_choosing_another_method_leaves_the_run_in_progress_alone(lab):
    lab.start()
    reach(lab, 5)
    lab.method = "mas"
    assert (lab.lam, lab.next_lam) == (cl.EWC().lam, cl.MAS().lam)
    lab.lam = 1_000.0  # of what is training
    assert lab.next_lam == cl.MAS().lam
    run = lab.wait(PATIENCE)
    assert run.method.lam == 1_000.0
    assert lab.news["method"] == "ewc"
    assert lab.lam == cl.MAS().lam  # of the next one, now that nothing trains


@pytest.mark.parametrize("method", ["baseline", "joint"])
def test_what_has_no_lam_has_none_on_the_page(lab, method):
    lab.method = method
    assert lab.next_lam is None
    lab.start()
    assert lab.news["lam"] is None
    assert lab.wait(PATIENCE).complete


def test_with_another_size_comes_its_lam_unless_one_was_chosen(lab):
    lab.method = "mas"
    for size, lam in (("class", 0.08), ("full", 0.02), ("class", 0.08)):
        lab.preset = size
        assert lab.lam == lam == PRESETS[size].method("mas").lam
    lab.stream = "rotated"  # for which none was tuned
    assert lab.lam == cl.MAS().lam
    lab.lam = 0.0
    lab.preset = "full"
    assert lab.lam == 0.0
    lab.method = "si"
    assert lab.lam == cl.SI().lam
    for control, value in (("stream", "permuted"), ("scenario", "class"), ("preset", "class")):
        setattr(lab, control, value)
        assert lab.lam == cl.SI().lam
    lab.scenario = "domain"
    assert lab.lam == PRESETS["class"].method("si").lam
    lab.lam = 0.0
    lab.scenario = "task"
    assert lab.lam == 0.0


@pytest.mark.full
def test_lam_can_be_off(lab, digits):
    lab.lam = 0.0
    lab.start()
    run = lab.wait(PATIENCE)
    preset = PRESETS["quick"]
    plain = cl.train(cl.Baseline(), preset.tasks(digits), progress=False, **preset.settings(digits))
    np.testing.assert_array_equal(run.accuracy, plain.accuracy)


def test_pause_stands_still(lab):
    lab.start()
    reach(lab, 5)
    lab.pause()
    wait_until(lambda: stands_still(lab.training))
    step, steps = lab.event.step, lab.event.n_steps
    time.sleep(0.5)
    assert lab.event.step == step < steps
    assert lab.doing == "paused"
    lab.resume()
    assert lab.doing == "running"
    assert lab.wait(PATIENCE).complete


def test_stop_keeps_what_was_finished(lab):
    lab.start()
    wait_until(lambda: lab.event is not None and lab.event.task == 1)
    lab.stop()
    run = lab.wait(PATIENCE)
    assert not np.isnan(run.accuracy[0, 0])
    assert not run.complete
    assert (lab.doing, lab.reason) == ("stopped", "stopped")
    lab.keep()
    assert not lab.kept


def test_kept_runs_are_laid_over_and_hold_no_model(lab):
    lab.start()
    first = lab.wait(PATIENCE)
    lab.keep()
    lab.keep()  # twice is once
    lab.method = "baseline"
    lab.start()
    lab.wait(PATIENCE)
    lab.keep()
    assert [run.config["method"] for run in lab.kept] == ["ewc", "baseline"]
    assert lab.kept[0].model is None
    assert [run["label"] for run in lab.runs] == ["EWC λ 400", "Baseline"]
    assert lab.runs[0]["average"] == pytest.approx(first.average_accuracy, abs=1e-4)
    assert [run["differs"] for run in lab.runs] == [[], []]
    lab.clear()
    assert not lab.runs


def test_the_second_lab_stops_the_first(lab, digits):
    other = cl.widgets.Lab(digits, "quick", method="baseline")
    lab.start()
    reach(lab, 3)
    other.start()
    assert other.wait(PATIENCE).complete
    assert (lab.doing, lab.reason) == ("stopped", "another run was started")


def test_closing_ends_the_run_and_the_widgets(lab):
    lab.start()
    reach(lab, 3)
    lab.close()
    assert lab.training.wait(PATIENCE)
    assert lab.training.reason == "its cell was run again"
    assert lab.comm is None


def test_an_error_is_shown_with_its_cause(lab, monkeypatch):
    def end_task(self, model, task):
        try:
            raise KeyError("no such weight")
        except KeyError as cause:
            raise RuntimeError("Ω <cannot> be made") from cause

    monkeypatch.setattr(cl.EWC, "end_task", end_task)
    lab.start()
    lab.wait(PATIENCE)
    error, cause, where = lab.trouble
    assert error == "RuntimeError: Ω <cannot> be made"
    assert cause == "KeyError: 'no such weight'"
    assert Path(__file__).name in where
    assert (lab.doing, lab.news["task"]) == ("failed", 0)
    monkeypatch.undo()
    lab.start()
    assert lab.wait(PATIENCE).complete
    assert not lab.trouble


def test_a_setting_that_makes_no_sense_is_told(lab):
    lab.lr = 0.0
    lab.start()
    lab.wait(PATIENCE)
    assert lab.trouble[0] == "ValueError: lr is 0.0: choose a number above 0"
    assert lab.doing == "failed"


def test_stopped_before_it_began(lab):
    lab.start()
    lab.pause()
    lab.stop()
    lab.wait(PATIENCE)
    assert (lab.doing, lab.reason) == ("stopped", "stopped")


@pytest.mark.full
def test_going_to_another_method_and_back_leaves_lam_as_it_was(lab):
    lab.lam = 10.0
    lab.start()
    reach(lab, 5)
    lab.method = "mas"
    lab.method = "ewc"
    assert lab.lam == 10.0
    assert lab.wait(PATIENCE).method.lam == 10.0
    assert not lab.news["moved"]


@pytest.mark.full
def test_the_code_knows_which_part_of_the_data(digits):
    part = cl.widgets.Lab(digits.first(300, 100), "quick")
    part.start()
    run = part.wait(PATIENCE)
    np.testing.assert_array_equal(again(part).accuracy, run.accuracy)


@pytest.mark.full
def test_a_kept_run_tells_where_lam_was_moved_to(lab):
    lab.lam = 10.0
    lab.start()
    reach(lab, 5)
    lab.lam = 5_000.0
    lab.wait(PATIENCE)
    lab.keep()
    assert lab.runs[0]["label"] == "EWC λ 10 → 5,000"


def test_a_closed_lab_leaves_no_models_behind(digits):
    before = set(_instances)
    lab = cl.widgets.Lab(digits, "quick")
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
    assert len([t for t in threading.enumerate() if t.name == "training"]) <= 1


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


# --- what the page is told ---


def test_what_is_said_of_a_run_is_what_trains_not_what_is_chosen(lab):
    lab.lam = 10.0
    lab.start()
    reach(lab, 5)
    lab.method, lab.preset, lab.seed = "si", "class", 7
    told = {name: lab.news[name] for name in ("label", "lam", "preset", "seed", "n_tasks")}
    assert told == {"label": "EWC", "lam": 10.0, "preset": "quick", "seed": 0, "n_tasks": 3}
    assert lab.doing == "running"


def test_what_the_page_asks_for_brings_its_settings(lab):
    with_ = {"method": "mas", "seed": 3, "lam": 0.5, "kept": "nothing of the page's"}
    lab._take_message({"do": "start", "with": with_})
    run = lab.wait(PATIENCE)
    assert (run.config["method"], run.config["seed"], run.method.lam) == ("mas", 3, 0.5)
    assert lab.kept == []
    before = lab.training
    lab._take_message({"do": "close"})  # not for the page to ask
    assert lab.training is before
    assert lab.comm is not None
    lab._take_message({"do": "start", "with": {"preset": "huge"}})
    assert "huge" in lab.trouble[0]


def test_kept_runs_of_other_experiments_say_in_what_they_differ(lab, digits):
    preset = PRESETS["quick"]
    how = preset.settings(digits) | {"progress": False}
    same = cl.train(cl.Baseline(), preset.tasks(digits), **how | {"seed": 5})
    longer = cl.train(cl.Baseline(), preset.tasks(digits), **how | {"epochs": 2})
    fewer = cl.train(cl.Baseline(), preset.tasks(digits.first(300, 100)), **how)
    other = cl.train(cl.Baseline(), preset.tasks(digits, "split", "class"), **how)
    lab.kept += [same, longer, fewer, other]
    lab.start()
    lab.wait(PATIENCE)
    told = [run["differs"] for run in lab.runs]
    assert told[0] == []  # another seed is the same experiment
    assert told[1] == ["epochs 2"]
    assert "300 training images a task" in told[2]
    assert "3 tasks" in told[3]


def test_a_diverged_run_says_where_and_what_to_try(lab):
    lab.method, lab.lr, lab.optimizer = "baseline", 1e6, "sgd"
    lab.start()
    run = lab.wait(PATIENCE)
    assert lab.news["diverged"]
    assert re.search(r"diverged at step \d+ of task 1 .*try a smaller learning rate", run.outcome)
    assert lab.news["outcome"] == run.outcome
    assert lab.news["summary"]["average"] is None


def test_the_digits_in_sight_are_told_as_the_network_sees_them(lab, digits):
    lab.start()
    run = lab.wait(PATIENCE)
    first, last = lab.digits
    assert (first["task"], last["task"]) == (0, 2)
    tasks = PRESETS["quick"].tasks(digits)
    for shown, seen in zip(lab.digits, lab.news["seen"], strict=True):
        test = tasks[shown["task"]].test
        rows = torch.linspace(0, len(test) - 1, 20).long()
        x, y = test.batch(rows)
        assert shown["truth"] == y.tolist()
        with torch.no_grad():
            shares = torch.softmax(run.model.eval()(x), 1)
        assert seen["labels"] == shares.argmax(1).tolist()
        assert seen["right"] == (shares.argmax(1) == y).tolist()
        np.testing.assert_allclose(seen["shares"], shares, atol=0.0051)
    raw = digits.images("test")[torch.linspace(0, len(test) - 1, 20).long()].float()
    drawn = np.frombuffer(base64.b64decode(first["images"][0]), np.uint8).reshape(28, 28)
    grey = (255 * (raw[0, 0] - raw.min()) / (raw.max() - raw.min())).numpy()
    assert np.abs(drawn.astype(float) - grey).max() <= 1.01  # before it is permuted


def test_the_weights_in_sight_are_moved_in_the_task_and_held(lab):
    lab.start()
    run = lab.wait(PATIENCE)
    held, moved = (
        np.frombuffer(base64.b64decode(lab.weights[name]), "<f4") for name in ("held", "moved")
    )
    np.testing.assert_allclose(held, run.method.importance["fc1.weight"].sum(0), rtol=1e-5)
    far = run.model.fc1.weight.detach() - lab.watch.before
    np.testing.assert_allclose(moved, (far**2).mean(0).sqrt(), rtol=1e-5)


@pytest.mark.parametrize(
    ("left", "steps", "evaluations", "ends"),
    [(100 * 0.01 + 2 * 0.2 + 0.5, 0.01, 0.2, 0.5), (100 * 0.02, 0.02, 0.0, 0.0)],
)
def test_the_time_left_is_the_sum_of_what_is_still_to_be_done(left, steps, evaluations, ends):
    """Two tasks of one epoch of 100 steps; the first is over."""
    run = cl.Run.empty({"epochs": 1, "batch_size": 10, "n_train": [1000, 1000]}, 2)
    clock, now = Clock(run), 0.0

    def event(kind, task, step):
        return Event(kind, task, 0, step, 200, (run,))

    clock.take(event("start", 0, 0), now)
    for step in range(1, 101):
        now += steps * (1 if step % 10 else 1.0001)
        clock.take(event("step", 0, step), now)
        if step == 5:
            assert clock.left(event("step", 0, step)) is None  # nothing to tell it from
    now += evaluations
    clock.take(event("epoch", 0, 100), now)
    now += ends
    clock.take(event("task", 0, 100), now)
    assert clock.left(event("task", 0, 100)) == pytest.approx(left, rel=0.01)


# --- scenes ---


def test_a_scene_plays_its_runs_and_moves_lam(few, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "- title: Two\n  runs: [ewc, si]\n  lam: 10\n  moves: {1: 500}\n"
        "  set: {preset: quick, epochs: 1, seed: 4}\n"
    )
    with ended(cl.widgets.Lab(few, "quick", scenes=file)) as lab:
        lab.scene = 0
        lab.play()
        wait_until(lambda: lab.run is not None and lab.run.config["method"] == "si")
        si = lab.wait(PATIENCE)
        ewc, _ = lab.kept
        assert [run["scenes"] for run in lab.runs] == [[0], [0]]
        assert lab.played == 0
        assert ewc.config["seed"] == si.config["seed"] == 4
        [(step, lam)] = ewc.config["lab"]["lam_at"]
        assert (step, lam) == (ewc.config["n_train"][0] // 32 + 1, 500.0)
        assert ewc.config["knobs"]["lam"] == 10.0
        assert si.method.lam == cl.SI().lam


def test_a_scene_begins_with_its_own_lam_and_replaces_its_own_runs_alone(few, tmp_path):
    """λ that the scene before moved is none of its business, and what was kept by hand stays."""
    file = tmp_path / "mine.yaml"
    how = "  runs: [ewc]\n  set: {preset: quick, epochs: 1}\n"
    file.write_text(f"- title: One\n  moves: {{1: 9000}}\n{how}- title: Two\n{how}")
    tuned = cl.presets.PRESETS["quick"].method("ewc").lam
    with ended(cl.widgets.Lab(few, "quick", scenes=file)) as lab:
        lab.epochs = 1
        lab.start()
        by_hand = lab.wait(PATIENCE)
        lab.keep()
        for scene in (0, 1, 0):
            lab.scene = scene
            lab.play()
            assert lab.played == -1
            wait_until(lambda scene=scene: lab.played == scene)
        assert [run.config["knobs"]["lam"] for run in lab.kept] == [tuned, tuned]
        assert [run["scenes"] for run in lab.runs] == [[-1, 1], [0]]
        assert lab.kept[0].config == by_hand.config
        lab.keep()  # the scene's run, by hand now
        assert [run["scenes"] for run in lab.runs] == [[-1, 1], [-1, 0]]
        lab.clear()
        lab.keep()
        assert [run["scenes"] for run in lab.runs] == [[-1]]


def test_the_scenes_that_ship_are_five_and_no_other_can_be_played(lab):
    assert len(lab.scenes) == len(read_scenes()) == 5
    for scene in (-1, 5):
        lab.scene = scene
        with pytest.raises(ValueError, match=f"scene is {scene}: set it to one of 0 to 4"):
            lab.play()
    assert lab.training is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no scenes"),
        ("- title: [", "cannot be read as YAML"),
        ("- 3", "scene 1 is 3: give title, say and runs"),
        ("- title: A", "scene 1 has no runs"),
        ("- title: A\n  runs: [ewcc]", "scene 1: method is 'ewcc': choose among"),
        ("- title: A\n  runs: [ewc]\n  sett: {}", "the key is 'sett': choose"),
        ("- title: A\n  runs: [ewc]\n  set: {presett: quick}", "the setting is 'presett': choose"),
        ("- title: A\n  runs: [ewc]\n  set: {preset: huge}", "preset is 'huge': choose quick"),
        ("- title: A\n  runs: [ewc]\n  set: {seed: -1}", "seed is -1: give a number"),
        ("- title: A\n  runs: [ewc]\n  moves: {2: -1}", "λ or its place is -1"),
        ("- title: A\n  runs: [ewc]\n  lam: .nan", "λ or its place is nan"),
        ("- title: A\n  runs: [icarl]", "iCaRL is not made for"),
        ("- title: A\n  runs: [ewc]\n  outcome: fame", "outcome is 'fame': choose"),
    ],
)
def test_a_scene_that_makes_no_sense_is_refused(tmp_path, text, message):
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        read_scenes(file)
    assert "bad.yaml" in str(refused.value)
