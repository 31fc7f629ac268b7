"""The loop against one written the usual way; λ, seeds, interruption."""

import json
import multiprocessing
import os
import signal
import time
from copy import deepcopy
from dataclasses import dataclass, replace
from errno import ENOSPC
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune

import cl_helpers as cl

SIZES = (784, 16, 10)
SETTINGS = {"epochs": 2, "batch_size": 32, "lr": 1e-3, "progress": False}


def tasks_for(method, few, n_tasks=3):
    """Permuted tasks, in a scenario that the method serves; ten outputs are enough for them."""
    if "domain" in method.scenarios:
        return cl.permuted(few, n_tasks)
    return cl.split(few, 3, scenario=method.scenarios[0], n_tasks=n_tasks)


def run_of(method, few, model=None, n_tasks=3, **settings):
    model = cl.MLP(SIZES) if model is None else model
    return cl.train(method, tasks_for(method, few, n_tasks), model, **(SETTINGS | settings))


def weights(run):
    return torch.cat([p.detach().flatten() for p in run.model.parameters()])


def same_json(a, b, folder):
    """Whether the two runs save the same JSON, but for timings."""

    def content(run):
        run.save(folder / "run.json")
        saved = json.loads((folder / "run.json").read_text())
        for timed in (saved, *saved["history"], *saved["costs"]):
            timed.pop("seconds")
        saved.pop("end_task_seconds")
        return saved

    return content(a) == content(b)


# --- the same as a loop written the usual way ---


@pytest.mark.parametrize(
    ("optimizer", "momentum", "decay", "keep", "drop_last"),
    [
        ("adam", 0.0, 1.0, False, False),
        ("sgd", 0.0, 1.0, False, False),
        ("sgd", 0.8, 0.5, False, False),
        ("adam", 0.0, 0.5, True, False),
        ("sgd", 0.8, 0.5, True, True),
    ],
)
def test_equals_the_usual_loop(few, optimizer, momentum, decay, keep, drop_last):
    tasks = cl.permuted(few, 2)
    run = run_of(
        cl.Baseline(),
        few,
        n_tasks=2,
        optimizer=optimizer,
        momentum=momentum,
        lr_decay=decay,
        optimizer_state="keep" if keep else "fresh",
        drop_last=drop_last,
        seed=4,
    )

    model = cl.MLP(SIZES, seed=4)
    steps = 0
    order = torch.Generator().manual_seed(4)
    for t, task in enumerate(tasks):
        lr = 1e-3 * decay**t
        if not (t and keep):
            adam = partial(torch.optim.Adam, model.parameters())
            sgd = partial(torch.optim.SGD, model.parameters(), momentum=momentum)
            opt = (adam if optimizer == "adam" else sgd)(lr=lr)
        opt.param_groups[0]["lr"] = lr
        x, y = task.train.x, task.train.y
        for _ in range(2):
            for batch in torch.randperm(300, generator=order).split(32):
                if drop_last and len(batch) < 32:
                    continue
                steps += 1
                opt.zero_grad()
                F.cross_entropy(model(x[batch]), y[batch]).backward()
                opt.step()
        for j in range(2):
            right = (model(tasks[j].test.x).argmax(1) == tasks[j].test.y).double().mean().item()
            assert run.accuracy[t, j] == pytest.approx(right)
    assert run.curve()[0][-1] == steps / 2
    theirs = torch.cat([p.detach().flatten() for p in model.parameters()])
    torch.testing.assert_close(weights(run), theirs, rtol=1e-4, atol=1e-6)


def test_a_penalised_run_equals_the_usual_loop_with_autograd(few):
    tasks = cl.permuted(few, 2)
    run = run_of(cl.EWC(lam=50.0), few, n_tasks=2)
    model, method = cl.MLP(SIZES, seed=0), cl.EWC(lam=50.0)
    order = torch.Generator().manual_seed(0)
    for task in tasks:
        method.begin_task(model, task)
        opt = torch.optim.Adam(model.parameters(), lr=1e-3)
        x, y = task.train.x, task.train.y
        for _ in range(2):
            for batch in torch.randperm(300, generator=order).split(32):
                opt.zero_grad()
                method.loss(model, x[batch], y[batch]).backward()
                opt.step()
        method.end_task(model, task)
    theirs = torch.cat([p.detach().flatten() for p in model.parameters()])
    torch.testing.assert_close(weights(run), theirs, rtol=1e-4, atol=1e-6)


def test_joint_training_sees_all_tasks_at_once(few):
    run = run_of(cl.Joint(), few, epochs=4)
    assert np.isnan(run.accuracy[:2]).all()
    assert run.complete
    assert len(run.history) == 4
    assert run.config["n_train"] == [900]
    assert run.average_accuracy > run_of(cl.Baseline(), few, epochs=4).average_accuracy


# --- λ ---


@pytest.mark.parametrize("name", ["ewc", "mas", "si", "rwalk", "scp", "lwf"])
def test_lambda_zero_is_the_baseline_bit_for_bit_and_any_other_is_not(few, name):
    baseline = run_of(cl.Baseline(), few)
    off, on = (run_of(cl.METHODS[name](lam=lam), few) for lam in (0.0, 50.0))
    assert torch.equal(weights(off), weights(baseline))
    np.testing.assert_array_equal(off.accuracy, baseline.accuracy)
    assert not torch.equal(weights(on), weights(baseline))


def test_lambda_changed_in_mid_run_acts_at_the_next_step(few):
    def drive(change_at, to, start):
        method = cl.EWC(lam=start)
        steps = cl.train_steps(
            method, cl.permuted(few, 2), cl.MLP(SIZES), epochs=2, batch_size=30, lr=1e-3, every=1
        )
        for event in steps:
            if event.kind == "step":
                thetas.append(weights(event.run))
                if event.step == change_at:
                    method.lam = to
        return event.run

    thetas = []
    drive(None, None, start=0.0)
    unchanged, thetas = thetas, []
    run = drive(25, 1000.0, start=0.0)
    changed = thetas
    equal = [torch.equal(a, b) for a, b in zip(unchanged, changed, strict=True)]
    # The penalty pulls on nothing at the anchor: the second task begins after step 20.
    assert equal == [True] * 25 + [False] * 15
    assert [h["lam"] for h in run.history] == [0.0, 0.0, 1000.0, 1000.0]


def test_a_strong_penalty_holds_the_weights_where_they_were(few):
    """The tenth of the weights with the largest Ω, with and without λ."""
    sgd = {"optimizer": "sgd", "lr": 0.01, "epochs": 20}
    method = cl.MAS()
    first = run_of(method, few, n_tasks=1, **sgd)
    held = method.omega > method.omega.quantile(0.9)
    strong = 1 / (0.01 * method.omega.max().item())  # the step of the stiffest weight is stable
    free, bound = (run_of(cl.MAS(lam=lam), few, n_tasks=2, **sgd) for lam in (0.0, strong))
    moved = [(weights(run) - weights(first))[held].norm().item() for run in (free, bound)]
    assert moved[1] < 0.5 * moved[0]


# --- seeds ---


@pytest.mark.parametrize("name", cl.METHODS)
def test_same_seed_same_run(few, name, tmp_path):
    a, b, c = (run_of(cl.METHODS[name](), few, seed=s) for s in (7, 7, 8))
    assert torch.equal(weights(a), weights(b))
    assert same_json(a, b, tmp_path)
    assert not torch.equal(weights(a), weights(c))


def test_dropout_follows_the_seed_whatever_else_draws_random_numbers(few):
    def run(disturb):
        steps = cl.train_steps(
            cl.Baseline(), cl.permuted(few, 2), cl.MLP(SIZES, dropout=0.5), epochs=1, lr=1e-3
        )
        run = None
        for event in steps:
            run = event.run
            if disturb:
                torch.rand(3)
        return run

    state = torch.random.get_rng_state()
    a, b = run(disturb=False), run(disturb=True)
    torch.random.set_rng_state(state)
    assert torch.equal(weights(a), weights(b))
    assert not torch.equal(weights(a), weights(run_of(cl.Baseline(), few, n_tasks=2, epochs=1)))


def test_a_model_with_weights_of_its_own_keeps_them(few):
    model = cl.MLP(SIZES, seed=5)
    start = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
    for event in cl.train_steps(cl.Baseline(), cl.permuted(few, 1), model, seed=1, epochs=1):
        if event.kind == "start":
            assert torch.equal(weights(event.run), start)
    assert event.run.model is model


# --- evaluation ---


def test_what_is_evaluated_and_when(few):
    run = run_of(cl.Baseline(), few)
    assert (
        np.isnan(run.accuracy).sum() == 1
    )  # only a[0, 2]: forward transfer needs a[0, 1], a[1, 2]
    assert not np.isnan(run.initial).any()
    assert [len(h["accuracy"]) for h in run.history] == [1, 1, 2, 2, 3, 3]
    assert [(h["task"], h["epoch"]) for h in run.history] == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1),
    ]  # fmt: skip
    for t in range(3):  # the last epoch of a task ends where the task ends
        np.testing.assert_array_equal(run.history[2 * t + 1]["accuracy"], run.accuracy[t, : t + 1])
    untrained = cl.MLP(SIZES, seed=0)
    for j, task in enumerate(cl.permuted(few, 3)):
        assert run.initial[j] == cl.evaluate(cl.Baseline(), untrained, task)


def test_class_il_is_judged_among_the_classes_seen(few):
    """After task 1 only outputs 0 and 1 compete, also for the images of task 2: all wrong."""
    run = cl.train(cl.Baseline(), cl.split(few, 2, scenario="class"), cl.MLP(SIZES), **SETTINGS)
    assert run.accuracy[0, 1] == 0
    assert run.accuracy[0, 0] > 0.5
    assert run.forward_transfer == 0  # before and after: the right output never competes


@pytest.mark.parametrize("scenario", ["task", "domain", "class"])
@pytest.mark.parametrize("name", cl.METHODS)
def test_every_method_runs_in_every_scenario_that_it_serves(few, scenario, name):
    tasks, method = cl.split(few, 5, scenario=scenario), cl.METHODS[name]()
    if scenario not in method.scenarios:
        with pytest.raises(ValueError, match=rf'{method.label} is not made for.*"{scenario}"'):
            cl.train(method, tasks, cl.MLP(SIZES), **SETTINGS)
        return
    run = cl.train(
        method, tasks, cl.MLP(SIZES), **(SETTINGS | {"epochs": 4 if name == "dgr" else 2})
    )
    assert run.complete
    least = {"dgr": 0.2, "lora": 0.15}.get(name, 0.3)  # guessing gives 0.1; LoRA can do little
    assert run.average_accuracy > least
    assert all(torch.isfinite(p).all() for p in run.model.parameters())


def test_evaluation_leaves_the_mode_alone(few):
    model = cl.MLP(SIZES, dropout=0.5)
    model.train()
    task = cl.permuted(few, 1)[0]
    assert cl.evaluate(cl.Baseline(), model, task) == cl.evaluate(cl.Baseline(), model, task)
    assert model.training


# --- interruption ---


def test_ctrl_c_leaves_what_is_finished(few, capsys):
    class Impatient(cl.Baseline):
        steps = 0

        def after_step(self, model):
            self.steps += 1
            if self.steps == 35:  # 20 steps a task: in the second
                raise KeyboardInterrupt

    run = run_of(Impatient(), few, batch_size=30)
    whole = run_of(cl.Baseline(), few, batch_size=30)
    assert not run.complete
    np.testing.assert_array_equal(run.accuracy[0], whole.accuracy[0])
    assert np.isnan(run.accuracy[1:]).all()
    assert len(run.history) == 3
    assert run.average_accuracy == whole.accuracy[0, 0]
    assert "stopped early" in capsys.readouterr().out


def train_until_killed(method, tasks, path):
    """In a process of its own, which dies in the second task."""
    how = {"epochs": 2, "batch_size": 32, "lr": 1e-3, "seed": 3, "every": 1}
    model = cl.MLP(SIZES, dropout=0.2)
    for event in cl.train_steps(method, tasks, model, checkpoint=path, **how):
        if event.task == 1 and event.epoch == 1 and event.kind == "step":
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def forks():
    """Makes processes that have PyTorch from the start: copies of one that has done nothing yet."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cl_helpers"])
    return context


@pytest.mark.parametrize(
    ("name", "knobs"),
    [
        ("er", {"memory": 20}),
        pytest.param("ewc", {"lam": 20.0}, marks=pytest.mark.full),
        pytest.param("icarl", {"memory": 20}, marks=pytest.mark.full),
        pytest.param("si", {"lam": 2.0}, marks=pytest.mark.full),
        pytest.param("rwalk", {"lam": 2.0}, marks=pytest.mark.full),
        pytest.param("baseline", {}, marks=pytest.mark.full),
        pytest.param("lwf", {}, marks=pytest.mark.full),
        pytest.param("gem", {"memory": 20}, marks=pytest.mark.full),
        pytest.param("agem", {"memory": 20}, marks=pytest.mark.full),
        pytest.param("dgr", {"hidden": 20}, marks=pytest.mark.full),
    ],
)
def test_resuming_after_kill_9_gives_the_uninterrupted_bits(few, tmp_path, forks, name, knobs):
    path, method = tmp_path / "run.checkpoint", cl.METHODS[name](**knobs)
    child = forks.Process(target=train_until_killed, args=(method, tasks_for(method, few), path))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert path.exists()

    def run(**settings):
        return run_of(
            cl.METHODS[name](**knobs), few, cl.MLP(SIZES, dropout=0.2), seed=3, **settings
        )

    def first_event():
        return next(
            cl.train_steps(
                cl.METHODS[name](**knobs),
                tasks_for(cl.METHODS[name](), few),
                cl.MLP(SIZES, dropout=0.2),
                epochs=2,
                batch_size=32,
                lr=1e-3,
                seed=3,
                checkpoint=path,
            )
        )

    assert (first_event().step, first_event().task) == (20 if name != "icarl" else 6, 1)
    whole, resumed = run(), run(checkpoint=path)
    assert torch.equal(weights(resumed), weights(whole))
    assert same_json(resumed, whole, tmp_path)
    ended = resumed.method.state(), whole.method.state()
    assert ended[0].pop("ended", None) == ended[1].pop("ended", None)
    torch.testing.assert_close(*ended, rtol=0, atol=0)

    assert first_event().step == first_event().n_steps  # nothing left to do
    finished = run(checkpoint=path)
    assert same_json(finished, whole, tmp_path)
    assert torch.equal(weights(finished), weights(whole))


def test_a_lambda_that_was_moved_is_moved_still_after_resuming(few, tmp_path):
    """λ was moved in the first task, where nothing is held yet; it acts in the second."""

    def events(method, **how):
        settings = {k: v for k, v in SETTINGS.items() if k != "progress"}
        return cl.train_steps(method, cl.permuted(few, 2), cl.MLP(SIZES), **settings, **how)

    def moved(**how):
        method = cl.EWC(lam=0.0)
        for event in events(method, **how):
            if event.kind == "step":
                method.lam = 500.0
            yield event

    path = tmp_path / "run.checkpoint"
    *_, last = moved()
    for event in moved(checkpoint=path):
        if event.kind == "task":
            break
    resumed = cl.EWC(lam=0.0)
    *_, end = events(resumed, checkpoint=path)
    assert resumed.lam == 500.0
    assert torch.equal(weights(end.run), weights(last.run))
    assert [entry["lam"] for entry in end.run.history] == [500.0] * 4
    *_, never = events(cl.EWC(lam=0.0))
    assert not torch.equal(weights(never.run), weights(last.run))


def test_a_checkpoint_of_another_run_is_refused_and_kept(few, tmp_path):
    path = tmp_path / "run.checkpoint"
    run_of(cl.EWC(), few, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match=r"run.checkpoint belongs to a run with lr = 0.001, not 0.1"
    ):
        run_of(cl.EWC(), few, checkpoint=path, lr=0.1)
    with pytest.raises(ValueError, match="method = 'ewc', not 'mas'"):
        run_of(cl.MAS(), few, checkpoint=path)
    drawn, changed, edited = cl.MLP(SIZES, seed=5), cl.MLP(SIZES), cl.EWC()
    changed.scale = 2
    edited.decay = 0.5  # not a field, but it may act
    with pytest.raises(ValueError, match="a model whose code or settings were others"):
        run_of(cl.EWC(), few, drawn, checkpoint=path)
    with pytest.raises(ValueError, match="a model whose code or settings were others"):
        run_of(cl.EWC(), few, changed, checkpoint=path)
    with pytest.raises(ValueError, match="a method whose code or attributes were others"):
        run_of(edited, few, checkpoint=path)
    drawn.seed = None
    with pytest.raises(ValueError, match="other initial weights"):
        run_of(cl.EWC(), few, drawn, checkpoint=path)
    other = cl.permuted(few, 3, seed=9)
    with pytest.raises(ValueError, match="tasks_digest"):
        cl.train(cl.EWC(), other, cl.MLP(SIZES), checkpoint=path, **SETTINGS)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["torch", "cl_helpers"])
def test_a_checkpoint_of_another_version_goes_on_and_says_so(few, tmp_path, name):
    path, tasks = tmp_path / "run.checkpoint", cl.permuted(few, 3)
    how = {k: v for k, v in SETTINGS.items() if k != "progress"} | {"checkpoint": path}
    for event in cl.train_steps(cl.EWC(), tasks, cl.MLP(SIZES), **how):
        if event.kind == "task":
            break
    saved = torch.load(path, weights_only=True)
    saved["config"]["versions"][name] = "0"
    torch.save(saved, path)
    with pytest.warns(UserWarning, match=f"was written by another version of {name}:"):
        assert run_of(cl.EWC(), few, checkpoint=path).complete


DAMAGED = [b"", b"not a checkpoint", b"PK\x03\x04 half a zip", b"\x80\x02.", b"j\x13", b"r\xa1|y^"]


def test_what_an_earlier_version_did_not_note_is_no_other_run(few, tmp_path):
    path = tmp_path / "run.checkpoint"
    whole = run_of(cl.EWC(), few, checkpoint=path)
    saved = torch.load(path, weights_only=False)
    for name in ("scenario", "judged_by"):
        del saved["config"][name]
    torch.save(saved, path)
    again = run_of(cl.EWC(), few, checkpoint=path)  # all is done
    np.testing.assert_array_equal(again.accuracy, whole.accuracy)


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_checkpoint_is_named(few, tmp_path, content):
    path = tmp_path / "run.checkpoint"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"run.checkpoint is not a checkpoint .* delete it"):
        run_of(cl.Baseline(), few, checkpoint=path)


def test_a_checkpoint_with_one_weight_damaged_is_named(few, tmp_path):
    path = tmp_path / "run.checkpoint"
    run = run_of(cl.Baseline(), few, checkpoint=path)
    content = path.read_bytes()
    weight = next(run.learner[0].parameters()).detach().numpy().tobytes()
    assert content.count(weight) == 1
    middle = content.index(weight) + len(weight) // 2
    path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    with pytest.raises(ValueError, match=r"run.checkpoint is not a checkpoint .* damaged"):
        run_of(cl.Baseline(), few, checkpoint=path)


def test_a_checkpoint_that_cannot_be_written_is_an_error_before_anything_is_trained(few, tmp_path):
    (tmp_path / "file").touch()
    method = cl.Baseline()
    with pytest.raises(ValueError, match=r"file cannot be written to .* choose another folder"):
        run_of(method, few, checkpoint=tmp_path / "file" / "run.checkpoint")
    assert method.task is None
    with pytest.raises(ValueError, match="is not a checkpoint that can be read"):
        run_of(method, few, checkpoint=tmp_path)


def test_a_full_disk_ends_checkpoints_and_not_training(few, tmp_path, monkeypatch):
    def full(path):
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr("cl_helpers.training.checkpoint.replacing", full)
    path = tmp_path / "run.checkpoint"
    with pytest.warns(UserWarning, match="could not be written") as said:
        run = run_of(cl.EWC(), few, checkpoint=path)
    [warning] = said
    assert str(warning.message).startswith(
        f"{path} could not be written (No space left on device): training goes on, but"
    )
    np.testing.assert_array_equal(run.accuracy, run_of(cl.EWC(), few).accuracy)


def test_numbers_of_numpy_are_numbers(few, tmp_path):
    """A checkpoint takes them and gives them back, and a run with them can be saved."""
    path = tmp_path / "run.checkpoint"
    numpy = {"lr": np.float64(0.125), "seed": np.int64(3), "batch_size": np.int32(40)}
    python = {"lr": 0.125, "seed": 3, "batch_size": 40}
    first = run_of(cl.SI(xi=np.float32(0.5)), few, checkpoint=path, **numpy)
    first.save(tmp_path / "run.json")
    again = run_of(cl.SI(xi=0.5), few, checkpoint=path, **python)
    np.testing.assert_array_equal(first.accuracy, again.accuracy)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    from cl_helpers.files import replacing

    path = tmp_path / "file"
    path.write_bytes(b"old")

    def write_half():
        with replacing(path) as file:
            file.write(b"ne")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_half()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


# --- events, progress, bad arguments ---


def test_events_come_in_order_and_hold_the_run(few):
    tasks = cl.permuted(few, 2)
    events = list(
        cl.train_steps(cl.Baseline(), tasks, cl.MLP(SIZES), epochs=2, batch_size=100, every=2)
    )
    a_task = ["step", "epoch", "step", "step", "epoch", "task"]
    assert [e.kind for e in events] == ["start", *a_task, *a_task]
    assert [e.step for e in events] == [0, 2, 3, 4, 6, 6, 6, 8, 9, 10, 12, 12, 12]
    assert {e.n_steps for e in events} == {12}
    assert len({id(e.run) for e in events}) == 1
    assert all(e.loss.item() > 0 for e in events[1:])


def test_a_paused_run_does_not_age(few, monkeypatch):
    """By a clock that goes a second forward whenever it is looked at, and a day in each pause."""
    now = 0.0

    def tick():
        nonlocal now
        now += 1
        return now

    monkeypatch.setattr(time, "perf_counter", tick)
    steps = cl.train_steps(cl.Baseline(), cl.permuted(few, 1), cl.MLP(SIZES), epochs=1, every=1)
    run = next(steps).run
    for _ in steps:
        now += 86_400
    assert run.seconds < 1000
    assert run.history[0]["seconds"] < 1000
    assert run.costs[0]["seconds"] < 1000
    assert run.seconds > run.history[0]["seconds"] > 0


def test_progress_bar_shows_or_keeps_silent(few, capsys):
    run_of(cl.Baseline(), few)
    assert capsys.readouterr().err == ""
    run_of(cl.Baseline(), few, progress=True)
    shown = capsys.readouterr().err
    assert "Baseline" in shown
    assert "60/60" in shown
    assert "task 3, accuracy" in shown


def test_the_default_model_has_the_size_that_the_tasks_ask_for(few):
    wide = replace(few, class_names=tuple(map(str, range(12))))
    run = cl.train(cl.Baseline(), cl.permuted(wide, 1), epochs=1, progress=False)
    assert run.model.sizes == (784, 1024, 512, 256, 12)
    assert cl.train(cl.Baseline(), cl.permuted(few, 1), epochs=1, progress=False).model.sizes == (
        784,
        1024,
        512,
        256,
        10,
    )


def test_a_model_that_an_earlier_run_has_trained_on_a_task_is_warned_of(few):
    """As in a loop over methods with one model, or where a cell is run again."""
    model = cl.MLP((784, 8, 10), seed=0)
    start, first, both = deepcopy(model), cl.permuted(few, 1), cl.permuted(few, 2)

    def trained(method, tasks, model=model, learned=0):
        return cl.train(method, tasks, model, epochs=1, learned=learned, progress=False)

    trained(cl.Baseline(), first)
    trained(cl.EWC(), both, learned=1)  # no warning: it goes on with another task
    for method in (cl.EWC(), cl.Joint()):
        with pytest.warns(UserWarning, match="this MLP has been trained on permutation 1 before"):
            trained(method, both)
    trained(cl.EWC(), both, deepcopy(start))
    model.load_state_dict(start.state_dict())
    trained(cl.EWC(), both)
    drawn = cl.MLP((784, 8, 10))
    trained(cl.SI(), first, drawn)
    with pytest.warns(UserWarning, match="this MLP has been trained on permutation 1 before"):
        trained(cl.SI(), first, drawn)


def test_a_used_method_is_refused_for_new_weights_and_goes_on_with_its_own(few):
    method = cl.EWC()
    run = run_of(method, few)
    with pytest.raises(ValueError, match=r"this EWC has been through a run.*cl.EWC\(...\)"):
        run_of(method, few)
    with pytest.raises(ValueError, match=r"this EWC holds on to the weights of another model"):
        run_of(method, few, cl.MLP(run.model.sizes, seed=1))
    more = run_of(method, few, run.model, n_tasks=1)
    assert more.complete
    assert method.tasks_held == 4


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            cl.MLP((64, 10)),
            r"MLP does not take the images of .*, torch.float32 of shape \(1, 1, 28",
        ),
        (cl.MLP().double(), "MLP does not take .* and says: .*(dtype|Double)"),
        (cl.ResNet18(10), "ResNet18 does not take .* and says: .*3 channels"),
    ],
)
def test_a_model_for_other_images_is_named_before_anything_is_trained(few, model, message):
    with pytest.raises(ValueError, match=message):
        run_of(cl.Baseline(), few, model)


def test_joint_training_has_the_first_tasks_learning_rate(few):
    slow, plain = (run_of(cl.Joint(), few, optimizer="sgd", lr_decay=d) for d in (1e-9, 1.0))
    assert torch.equal(weights(slow), weights(plain))


def test_a_penalty_of_ones_own_counts(few):
    class Small(cl.Baseline):
        lam = 2.0

        def penalty(self, model):
            return sum(p.square().sum() for p in model.parameters())

    model, method = cl.MLP(SIZES), Small()
    x, y = cl.permuted(few, 1)[0].train.batch(torch.arange(5))
    expected = F.cross_entropy(model(x), y) + 2 * method.penalty(model)
    torch.testing.assert_close(method.loss(model, x, y), expected)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs is 0: choose a whole number, 1 or more"),
        ({"batch_size": 2.5}, "batch_size is 2.5"),
        ({"lr": -1.0}, "lr is -1.0: choose a number above 0"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"lr_decay": 0}, "lr_decay is 0"),
        ({"optimizer": "lion"}, 'optimizer is \'lion\': choose "adam" or "sgd"'),
        ({"momentum": 0.9}, "Adam has its own"),
        ({"momentum": 1.5, "optimizer": "sgd"}, "momentum is 1.5"),
        ({"momentum": "0.9", "optimizer": "sgd"}, "momentum is '0.9': choose a number"),
        ({"dropout": "none"}, "dropout is 'none': choose a number"),
        ({"seed": 0.5}, "seed is 0.5: choose a whole number"),
        ({"seed": 2**63}, f"seed is {2**63}: choose a whole number below 2⁶³"),
        ({"seed": None}, "seed is None"),
        ({"device": "gpu"}, 'device gpu cannot be used .* try "cpu"'),
    ],
)
def test_bad_arguments_are_named_with_their_cure(few, wrong, message):
    with pytest.raises(ValueError, match=message):
        run_of(cl.Baseline(), few, **wrong)


def test_empty_halves_are_named(few):
    with pytest.raises(ValueError, match="permutation 1 has no examples to train on"):
        cl.train(cl.Baseline(), cl.permuted(few.first(10, 0), 1), progress=False)


@pytest.mark.parametrize(
    ("method", "tasks_of", "model", "message"),
    [
        (cl.EWC, list, cl.MLP(SIZES), r"method is <class .*EWC'>: give one, such as cl.EWC\(\)"),
        ("ewc", list, cl.MLP(SIZES), "method is 'ewc': give one"),
        (cl.EWC(), lambda tasks: tasks[0], cl.MLP(SIZES), "tasks is a Task: give a list"),
        (cl.EWC(), list, cl.MLP((784, 8, 5)), "permutation 1 uses output 9, .* has only 5"),
    ],
)
def test_what_is_no_method_no_tasks_no_model_for_them_is_named(
    few, method, tasks_of, model, message
):
    with pytest.raises(ValueError, match=message):
        cl.train(method, tasks_of(cl.permuted(few, 2)), model, **SETTINGS)


def test_no_tasks_is_an_error():
    with pytest.raises(ValueError, match="there are no tasks"):
        cl.train(cl.Baseline(), [], progress=False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", cl.METHODS)
def test_cuda_agrees_with_the_cpu(few, name):
    cpu, cuda = (
        run_of(cl.METHODS[name](), few, device=d, precision="full") for d in ("cpu", "cuda")
    )
    torch.testing.assert_close(weights(cuda).cpu(), weights(cpu), rtol=1e-2, atol=1e-4)


# --- on real data ---


@pytest.mark.full
def test_methods_remember_real_mnist_better_than_the_baseline(mnist):
    tasks = cl.permuted(mnist.first(6000, 1000), 4)
    runs = {
        name: cl.train(
            method(),
            tasks,
            cl.MLP((784, 100, 10)),
            epochs=2,
            batch_size=64,
            lr=1e-3,
            progress=False,
        )
        for name, method in cl.METHODS.items()
        if name in ("baseline", "ewc", "mas", "si", "rwalk", "scp", "joint")
    }
    baseline, joint = runs.pop("baseline"), runs.pop("joint")
    assert baseline.forgetting > 0.05
    for run in runs.values():
        assert run.forgetting < 0.5 * baseline.forgetting
        assert 0.8 < run.average_accuracy < joint.average_accuracy
    assert baseline.average_accuracy < joint.average_accuracy


@pytest.mark.parametrize(
    ("scenario", "baseline", "er"),
    [
        pytest.param("task", (0.95, 1.0), 0.95, marks=pytest.mark.full),
        pytest.param("domain", (0.6, 0.93), 0.85, marks=pytest.mark.full),
        ("class", (0.1, 0.25), 0.8),
    ],
)
def test_split_digits_in_three_scenarios(digits, scenario, baseline, er):
    """Easy, harder, hopeless without the past: with Class-IL only the last two of ten remain."""
    tasks = cl.split(digits, 2, scenario=scenario)
    model = cl.MLP((784, 64, 2 if scenario == "domain" else 10))
    how = {"epochs": 8, "lr": 1e-3, "batch_size": 32, "progress": False}
    plain, replay, joint = (
        cl.train(method, tasks, deepcopy(model), **how)
        for method in (cl.Baseline(), cl.ER(), cl.Joint())
    )
    assert baseline[0] < plain.average_accuracy <= baseline[1]
    assert replay.average_accuracy > er
    assert joint.average_accuracy > 0.93
    if scenario == "class":
        assert plain.accuracy[-1, :-1].max() < 0.05


class Dropped(nn.Module):
    """Drops units by a layer that draws from torch's global generator."""

    def __init__(self):
        super().__init__()
        self.fc = nn.utils.skip_init(nn.Linear, 784, 10)
        self.dropout = nn.Dropout(0.5)
        nn.init.zeros_(self.fc.weight), nn.init.zeros_(self.fc.bias)

    def forward(self, x):
        return self.fc(self.dropout(x.flatten(1)))


def test_a_resumed_run_with_torchs_dropout_has_the_uninterrupted_bits(few, tmp_path):
    tasks, path = cl.permuted(few, 3), tmp_path / "a"
    how = {k: v for k, v in SETTINGS.items() if k != "progress"}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        whole = cl.train(cl.EWC(), tasks, Dropped(), **SETTINGS)
        torch.manual_seed(3)
        for event in cl.train_steps(cl.EWC(), tasks, Dropped(), checkpoint=path, **how):
            if event.kind == "task":
                break
        torch.manual_seed(99)  # another process, later
        resumed = cl.train(cl.EWC(), tasks, Dropped(), checkpoint=path, **SETTINGS)
    theta = [cl.flat.flatten(run.model).theta for run in (whole, resumed)]
    assert torch.equal(*theta)


def test_a_resumed_run_that_draws_nothing_there_leaves_torchs_generator_alone(few, tmp_path):
    tasks, path = cl.permuted(few, 2), tmp_path / "a"
    cl.train(cl.EWC(), tasks, cl.MLP(SIZES), checkpoint=path, **SETTINGS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        before = torch.get_rng_state()
        cl.train(cl.EWC(), tasks, cl.MLP(SIZES), checkpoint=path, **SETTINGS)
        assert torch.equal(before, torch.get_rng_state())


def test_a_layer_that_somebody_froze_stays_frozen(few):
    class Normed(cl.MLP):
        def __init__(self):
            super().__init__(SIZES)
            self.norm = nn.BatchNorm1d(784)
            self.norm.running_mean += 1
            self.norm.eval()

        def forward(self, x):
            return super().forward(self.norm(x.flatten(1)))

    model = Normed()
    cl.train(cl.EWC(), cl.permuted(few, 2), model, **SETTINGS)
    assert model.norm.running_mean.eq(1).all()
    assert not model.norm.training
    assert model.training
    thawed = Normed().train()
    cl.train(cl.EWC(), cl.permuted(few, 2), thawed, **SETTINGS)
    assert not thawed.norm.running_mean.eq(1).any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_model_of_half_precision_is_refused(few, dtype):
    with pytest.raises(ValueError, match=rf"{dtype}.*"):
        cl.train(cl.Baseline(), cl.permuted(few, 1), cl.MLP(SIZES).to(dtype), **SETTINGS)


@pytest.mark.parametrize("lam", [1e39, 10**40])
def test_a_strength_beyond_float32_is_refused_when_it_is_set(lam):
    with pytest.raises(ValueError, match=r"^λ is 1.*, beyond float32: choose 0 to 3.4e\+38$"):
        cl.EWC(lam=lam)
    method = cl.EWC()
    with pytest.raises(ValueError, match="beyond float32"):
        method.lam = lam
    assert method.lam == 400.0


def test_icarl_without_images_of_a_class_says_so_before_training(few):
    first, second = cl.split(few, 2, "class")[:2]
    with pytest.raises(ValueError, match=r"^iCaRL stores exemplars.*no training images of 2, 3:"):
        cl.train(cl.ICaRL(), [replace(first, classes=(0, 1, 2, 3)), second], **SETTINGS)


class GivesTwo(cl.MLP):
    def forward(self, x):
        return super().forward(x), x


class TakesTheTask(cl.MLP):
    def forward(self, x, task):
        return super().forward(x)


class GivesLabels(cl.MLP):
    def forward(self, x):
        return super().forward(x).argmax(1)


class GivesOneForAll(cl.MLP):
    def forward(self, x):
        return super().forward(x).mean(0)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (GivesTwo, "GivesTwo returns a tuple for 2 inputs: return logits alone, a tensor"),
        (TakesTheTask, r"TakesTheTask does not take .* 1 required positional argument: 'task'"),
        (GivesLabels, "GivesLabels returns torch.int64 .*: return logits, as floats"),
        (GivesOneForAll, r"GivesOneForAll returns .*shape \(10,\) for 2 inputs: return logits"),
    ],
)
def test_what_a_model_should_give_is_said_in_a_line(few, kind, words):
    with pytest.raises(ValueError, match=words) as refused:
        cl.train(cl.EWC(), cl.permuted(few, 2), kind(SIZES), **SETTINGS)
    assert "\n" not in str(refused.value)


def test_an_optimizer_of_ones_own_takes_the_steps(few):
    """Adam as a class is "adam"; weight decay is what a plain loop does with it."""
    tasks = cl.permuted(few, 2)
    ours = run_of(cl.EWC(), few, optimizer=partial(torch.optim.Adam, fused=True))
    theirs = run_of(cl.EWC(), few)
    np.testing.assert_allclose(ours.accuracy, theirs.accuracy, atol=0.011)
    assert ours.config["optimizer"].startswith("Adam ")
    decays = partial(torch.optim.SGD, weight_decay=0.5)
    how = {"epochs": 2, "batch_size": 300, "lr": 0.1, "progress": False}
    run = cl.train(cl.Baseline(), tasks[:1], cl.MLP(SIZES, seed=0), optimizer=decays, **how)
    model = cl.MLP(SIZES, seed=0)
    for _ in range(2):
        loss = F.cross_entropy(model(tasks[0].train.x), tasks[0].train.y)
        grads = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for p, g in zip(model.parameters(), grads, strict=True):
                p.sub_(0.1 * (g + 0.5 * p))
    torch.testing.assert_close(cl.flat.flatten(run.model).theta, cl.flat.flatten(model).theta)


def test_an_optimizer_of_ones_own_follows_schedules_and_is_told_apart(few, tmp_path):
    how = {"epochs": 2, "batch_size": 32, "lr": 0.05, "progress": False, "schedule": "cosine"}
    tasks, both = cl.permuted(few, 2), []
    for optimizer in ("sgd", torch.optim.SGD):
        run = cl.train(cl.EWC(), tasks, cl.MLP(SIZES), optimizer=optimizer, **how)
        both.append(cl.flat.flatten(run.model).theta)
    torch.testing.assert_close(*both)
    run.save(tmp_path / "run.json")
    path = tmp_path / "a"
    decay = [partial(torch.optim.SGD, weight_decay=w) for w in (0.1, 0.2)]
    cl.train(cl.EWC(), tasks, cl.MLP(SIZES), optimizer=decay[0], checkpoint=path, **how)
    with pytest.raises(ValueError, match=r"belongs to a run with optimizer = 'SGD .*', not 'SGD "):
        cl.train(cl.EWC(), tasks, cl.MLP(SIZES), optimizer=decay[1], checkpoint=path, **how)
    swept = [
        cl.sweep(
            cl.EWC(), tasks, cl.MLP(SIZES), optimizer=d, folder=tmp_path / "s", engine=1, **how
        )
        for d in decay
    ]
    assert len(list((tmp_path / "s").iterdir())) == 2
    assert len({runs[0].config["optimizer"] for runs in swept}) == 2


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        ("adamw", 'optimizer is \'adamw\': choose "adam" or "sgd"'),
        (lambda parameters, lr: None, "optimizer made a NoneType: return a torch.optim.Optimizer"),
        (lambda parameters: None, r"optimizer cannot be made of parameters and lr \(TypeError"),
        (partial(torch.optim.SGD, nesterov=True), "cannot be made .*Nesterov"),
    ],
)
def test_what_is_no_optimizer_is_refused_in_a_line(few, optimizer, words):
    with pytest.raises(ValueError, match=words):
        run_of(cl.EWC(), few, optimizer=optimizer)


def plain_net():
    return nn.Sequential(
        nn.Flatten(),
        nn.utils.skip_init(nn.Linear, 784, 16),
        nn.ReLU(),
        nn.utils.skip_init(nn.Linear, 16, 10),
    )


def drawn(model):
    generator = torch.Generator().manual_seed(0)
    for p in model.parameters():
        p.data.copy_(0.05 * torch.randn(p.shape, generator=generator))
    return model


def changed(how):
    model = drawn(plain_net())
    with torch.random.fork_rng(devices=[]):
        how(model)
    return model


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize(
    ("how", "words"),
    [
        (
            lambda m: nn.utils.weight_norm(m[1]),
            r"1.weight is computed by a hook .*parametrizations",
        ),
        (lambda m: nn.utils.spectral_norm(m[1]), r"1.weight is computed by a hook"),
        (lambda m: prune.l1_unstructured(m[3], "weight", 0.5), r"3.weight is computed by .*remove"),
        (lambda m: m.append(nn.LazyLinear(10)), r"4.weight has no shape yet: run one input"),
        (lambda m: m.requires_grad_(False), "Sequential has no parameter that can be trained"),
        (lambda m: m[1].half(), "the parameters differ in type or device"),
    ],
)
def test_weights_that_cannot_be_trained_are_named(few, how, words):
    for train in (cl.train, partial(cl.sweep, engine=1)):
        with pytest.raises(ValueError, match=words) as refused:
            train(cl.EWC(), cl.permuted(few, 2), changed(how), **SETTINGS)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "name", ["baseline", "ewc", "mas", "scp", "si", "rwalk", "gem", "lwf", "er"]
)
@pytest.mark.parametrize(
    "norm", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm]
)
@pytest.mark.filterwarnings("ignore:Sequential is differentiated one example at a time")
def test_weights_made_of_others_are_trained(few, name, norm):
    model = changed(lambda m: norm(m[1]))
    assert cl.train(cl.METHODS[name](), cl.permuted(few, 2), model, **SETTINGS).complete


def test_the_same_object_goes_on_after_an_interruption(few, tmp_path):
    """As when a cell that was interrupted is run again."""
    tasks, path, method = cl.permuted(few, 3), tmp_path / "a", cl.Baseline()
    how = {k: v for k, v in SETTINGS.items() if k != "progress"}
    for event in cl.train_steps(method, tasks, cl.MLP(SIZES), checkpoint=path, **how):
        if event.kind == "task":
            break
    resumed = cl.train(method, tasks, cl.MLP(SIZES), checkpoint=path, **SETTINGS)
    whole = cl.train(cl.Baseline(), tasks, cl.MLP(SIZES), **SETTINGS)
    np.testing.assert_array_equal(resumed.accuracy, whole.accuracy)


@dataclass(eq=False)
class Sized(cl.methods.Quadratic):
    size: object = torch.abs
    lam: float = 1.0
    name, label = "sized", "Sized"

    def importance_of(self, model, task):
        return self.size(cl.flat.flatten(model).theta)


def test_a_knob_that_json_does_not_know_is_named(few, tmp_path):
    how = {"epochs": 1, "engine": 1, "folder": tmp_path, "progress": False}
    for size in (torch.abs, torch.square):
        [run] = cl.sweep(Sized(size), cl.permuted(few, 2), cl.MLP(SIZES), **how)
        assert run.config["knobs"]["size"].startswith(size.__name__)
    assert len(list(tmp_path.iterdir())) == 2
    path = tmp_path / "a"
    runs = [
        cl.train(Sized(), cl.permuted(few, 2), cl.MLP(SIZES), checkpoint=path, **SETTINGS)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(runs[0].accuracy, runs[1].accuracy)


def test_an_optimizer_that_cannot_be_used_is_refused(few, tmp_path):
    model = cl.MLP(SIZES, seed=0)
    for optimizer, words in (
        (lambda _, lr: torch.optim.SGD(model.parameters(), lr), "made one of other parameters"),
        (torch.optim.LBFGS, "LBFGS needs a closure, which no step has"),
    ):
        with pytest.raises(ValueError, match=words):
            cl.train(
                cl.Baseline(), cl.permuted(few, 1), model, **SETTINGS | {"optimizer": optimizer}
            )


# --- the optimiser goes on from task to task ---


@pytest.mark.parametrize("optimizer", ["adam", torch.optim.NAdam])
def test_an_optimizer_that_goes_on_resumes_to_the_same_bits(few, tmp_path, optimizer):
    how = SETTINGS | {"optimizer": optimizer, "optimizer_state": "keep", "dropout": 0.1}
    del how["progress"]
    path = tmp_path / "a.checkpoint"
    for event in cl.train_steps(
        cl.SI(), cl.permuted(few, 3), cl.MLP(SIZES), checkpoint=path, **how
    ):
        if event.kind == "task" and event.task == 1:
            break
    resumed, whole, fresh = (
        cl.train(cl.SI(), cl.permuted(few, 3), cl.MLP(SIZES), progress=False, **(how | more))
        for more in ({"checkpoint": path}, {}, {"optimizer_state": "fresh"})
    )
    assert torch.equal(weights(resumed), weights(whole))
    assert not torch.equal(weights(fresh), weights(whole))
    with pytest.raises(ValueError, match="optimizer_state = 'keep', not 'fresh'"):
        cl.train(
            cl.SI(),
            cl.permuted(few, 3),
            cl.MLP(SIZES),
            checkpoint=path,
            **how | {"optimizer_state": "fresh"},
        )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"optimizer_state": "reset"}, 'optimizer_state is \'reset\': choose "fresh" or "keep"'),
        ({"drop_last": "no"}, "drop_last is 'no': choose True or False"),
        ({"drop_last": True, "batch_size": 301}, "batch_size is 301, but .* has 300 examples"),
    ],
)
def test_how_the_optimizer_goes_on_and_what_is_dropped_is_checked(few, wrong, words):
    with pytest.raises(ValueError, match=words):
        run_of(cl.Baseline(), few, **wrong)
