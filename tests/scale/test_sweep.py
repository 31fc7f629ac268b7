"""Sweeps: each member is the run it would be alone, wherever it is trained and whoever dies."""

import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from errno import ENOSPC
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from dask.distributed import Client, KilledWorker, LocalCluster
from loky.process_executor import TerminatedWorkerError
from torch import nn

import cl_helpers as cl
from cl_helpers.data import datasets as data
from cl_helpers.scale import engines
from cl_helpers.scale.older_runs import older_digests
from cl_helpers.scale.stacked import StackedLearner
from cl_helpers.scale.sweep import Chunk, Member
from cl_helpers.training.settings import Settings

SIZES = (784, 16, 10)
HOW = {"epochs": 2, "batch_size": 32, "lr": 1e-3, "progress": False}
GRID = {"lam": [0.0, 30000.0], "seeds": [0, 1]}


@pytest.fixture(scope="module")
def tasks(few):
    return cl.permuted(few, 2)


@pytest.fixture(scope="module")
def alone(tasks):
    """EWC with each λ and seed, trained one by one; no two can be taken for each other."""
    runs = [
        cl.train(cl.EWC(lam=lam), tasks, cl.MLP(SIZES), seed=seed, **HOW)
        for lam in GRID["lam"]
        for seed in GRID["seeds"]
    ]
    for a, b in combinations(runs, 2):
        assert np.nanmax(abs(a.accuracy - b.accuracy)) > 0.05
    return runs


def sweep(tasks, methods=None, **how):
    return cl.sweep(methods or cl.EWC(), tasks, cl.MLP(SIZES), **(HOW | GRID | how))


def assert_same(runs, others, atol=0.011):
    """The same runs, but for one test image of a hundred that may fall to either side."""
    assert len(runs) == len(others)
    for a, b in zip(runs, others, strict=True):
        for key in {*a.config, *b.config} - {"together", "class", "method_digest"}:
            assert a.config[key] == b.config[key], key
        np.testing.assert_allclose(a.accuracy, b.accuracy, atol=atol)
        np.testing.assert_allclose(a.initial, b.initial, atol=atol)
        for now, then in zip(a.history, b.history, strict=True):
            assert (now["task"], now["epoch"], now["lam"]) == (
                then["task"],
                then["epoch"],
                then["lam"],
            )
            np.testing.assert_allclose(now["accuracy"], then["accuracy"], atol=atol)


# --- in this process ---


@pytest.mark.parametrize("together", [1, 3, None])
def test_each_member_is_the_run_it_would_be_alone(tasks, alone, together):
    runs = sweep(tasks, engine=1, together=together)
    assert_same(runs, alone, atol=0.0 if together == 1 else 0.011)
    assert [r.config["knobs"]["lam"] for r in runs] == [0.0, 0.0, 30000.0, 30000.0]
    assert [r.config["seed"] for r in runs] == [0, 1, 0, 1]
    assert {r.config["together"] for r in runs} == {1: {1}, 3: {2}, None: {4}}[together]
    assert all(r.model is None and r.method is None for r in runs)


@pytest.mark.parametrize(("mixed", "together"), [(False, [1, 1, 1]), (True, [2, 2, 1])])
def test_methods_are_swept_in_turn_and_left_as_they_were(tasks, mixed, together):
    methods = [cl.Baseline(), cl.SI(lam=3.0), cl.Joint()]
    runs = sweep(tasks, methods, lam=None, seeds=[4], engine=1, mixed=mixed)
    assert [r.config["method"] for r in runs] == ["baseline", "si", "joint"]
    assert [r.config["together"] for r in runs] == together  # joint training has other stages
    assert runs[1].config["knobs"]["lam"] == 3.0
    assert methods[1].task is None
    one_by_one = [cl.train(m, tasks, cl.MLP(SIZES), seed=4, **HOW) for m in methods]
    assert_same(runs, one_by_one, atol=0.011 if mixed else 0.0)


def test_a_model_that_draws_random_numbers_is_trained_alone(tasks):
    runs = cl.sweep(cl.EWC(), tasks, cl.MLP(SIZES, dropout=0.5), engine=1, **GRID, **HOW)
    one = cl.train(cl.EWC(lam=30000.0), tasks, cl.MLP(SIZES, dropout=0.5), seed=1, **HOW)
    assert {r.config["together"] for r in runs} == {1}
    np.testing.assert_array_equal(runs[3].accuracy, one.accuracy)


def test_a_model_with_weights_of_its_own_begins_with_them_in_every_run(tasks):
    model = cl.MLP(SIZES, seed=5)
    before = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
    runs = cl.sweep(cl.EWC(), tasks, model, engine=1, **GRID, **HOW)
    assert len({r.config["initial_weights_digest"] for r in runs}) == 1
    assert torch.equal(torch.cat([p.detach().flatten() for p in model.parameters()]), before)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"engine": 0}, "engine is 0: choose a whole number, 1 or more"),
        ({"engine": "tcp://127.0.0.1:9"}, "no Dask scheduler answers there"),
        ({"engine": "nonsense"}, "engine is 'nonsense', and no Dask scheduler"),
        ({"together": 0}, "together is 0"),
        ({"seed": 3}, r"seed is 3, but a sweep has several: seeds=\[…\]"),
        ({"methods": cl.Baseline()}, "Baseline has no λ"),
        ({"lam": [-1.0]}, "λ is -1.0"),
        ({"lam": 1.0}, r"lam is 1.0: give a list, lam=\[100.0\]"),
        ({"lam": []}, r"lam is \[\]: give a list"),
        ({"lam": [1.0, 1]}, r"EWC\(lam=1.0, .*\) is asked for twice"),
        ({"seeds": 3}, r"seeds is 3: give a list, seeds=\[0\]"),
        ({"seeds": [0.5]}, "seed is 0.5: choose a whole number"),
        ({"seeds": [2**63]}, f"seed is {2**63}"),
        ({"seeds": [0, 0]}, "seeds holds 0 twice"),
        ({"methods": cl.EWC}, "method is <class .*: give one"),
        ({"methods": [cl.EWC]}, "method is <class .*: give one"),
        ({"engine": None}, "engine is None"),
        ({"epochs": 0}, "epochs is 0"),
        ({"epoch": 3}, "epoch is not a setting: choose among epochs, batch_size, drop_last, lr"),
        ({"device": "abacus"}, "device abacus cannot be used"),
        ({"folder": __file__}, "cannot be written to"),
    ],
)
def test_bad_arguments_are_named(tasks, wrong, message):
    with pytest.raises(ValueError, match=message):
        sweep(tasks, **wrong)


def test_a_method_that_has_been_through_a_run_is_refused(tasks):
    method = cl.EWC()
    cl.train(method, tasks, cl.MLP(SIZES), **HOW)
    with pytest.raises(ValueError, match="this EWC has been through a run: make a new one"):
        sweep(tasks, method, engine=1)


class AsksForValues(cl.MLP):
    def forward(self, x):
        return super().forward(x) if x.max() > 0 else x


class DropsImages(cl.MLP):
    def forward(self, x):
        return super().forward(nn.functional.dropout2d(x, 0.5, training=self.training))


@pytest.mark.filterwarnings("ignore:AsksForValues is differentiated one example at a time")
@pytest.mark.parametrize("kind", [AsksForValues, DropsImages])
def test_a_model_that_cannot_be_mapped_is_trained_alone(tasks, kind):
    torch_state = torch.random.get_rng_state()
    runs = cl.sweep(cl.EWC(), tasks, kind(SIZES, seed=1), engine=1, **GRID, **HOW)
    torch.random.set_rng_state(torch_state)  # dropout2d draws from it
    assert {r.config["together"] for r in runs} == {1}


# --- on disk ---


class Renamed(cl.EWC):
    """The same name, the same knobs."""


def test_what_is_on_disk_is_not_trained_again(tasks, tmp_path, alone, monkeypatch):
    first = sweep(tasks, folder=tmp_path, lam=[0.0], engine=1)
    assert len(list(tmp_path.glob("ewc-lam0-seed*.json"))) == 2

    def forbidden(self, *_):
        raise AssertionError("trained again")

    with monkeypatch.context() as patch:
        patch.setattr(StackedLearner, "begin_task", forbidden)
        with pytest.raises(AssertionError, match="trained again"):
            sweep(tasks, lam=[1.0], folder=tmp_path, engine=1)
        again = sweep(tasks, lam=[0.0], folder=tmp_path, engine=1)
    assert_same(again, first, atol=0.0)
    assert_same(sweep(tasks, folder=tmp_path, engine=1), alone)
    assert len(list(tmp_path.iterdir())) == 4  # no checkpoint is left


@pytest.mark.filterwarnings("ignore:AsksForValues is differentiated one example at a time")
def test_files_tell_settings_tasks_models_and_knobs_apart(few, tmp_path):
    tasks, how = cl.permuted(few, 2), {**HOW, "epochs": 1, "engine": 1, "folder": tmp_path}
    relabelled = replace(few, train_labels=few.train_labels.flip(0))
    variants = [
        (cl.EWC(), tasks, cl.MLP(SIZES), {}),
        (Renamed(), tasks, cl.MLP(SIZES), {}),
        (cl.EWC(), cl.permuted(relabelled, 2), cl.MLP(SIZES), {}),
        (cl.EWC(), tasks, cl.MLP(SIZES, seed=0), {}),
        (cl.EWC(), tasks, AsksForValues(SIZES, seed=0), {}),
        (cl.EWC(fisher="true"), tasks, cl.MLP(SIZES), {}),
        (cl.EWC(), tasks[:1], cl.MLP(SIZES), {}),
        (cl.EWC(), tasks, cl.MLP((784, 17, 10)), {}),
        (cl.EWC(), tasks, cl.MLP(SIZES, seed=1), {}),
        (cl.EWC(), tasks, cl.MLP(SIZES), {"lr": 1e-2}),
        (cl.EWC(), tasks, cl.MLP(SIZES), {"precision": "full"}),
        (cl.EWC(), tasks, cl.MLP(SIZES), {"seeds": [7]}),
    ]
    for n, (method, on, model, more) in enumerate(variants, start=1):
        for _ in range(2):
            cl.sweep(method, on, model, **(how | more))
            assert len(list(tmp_path.iterdir())) == n
    cl.sweep(cl.EWC(), tasks, cl.MLP(SIZES), **how, device="cpu", momentum=0.0)
    assert len(list(tmp_path.iterdir())) == n  # said or left to the default: the same run


class ByOne(cl.methods.Quadratic):
    """Somebody's own method, with knobs that are no fields."""

    name, label = "by one", "By one"

    def __init__(self, lam, decay=1.0):
        self.lam, self.decay = lam, decay

    def importance_of(self, model, task):
        return torch.full_like(cl.flat.flatten(model).theta, self.decay)


EDITED = """
class Mine(cl.methods.Quadratic):
    name = label = "mine"
    lam = 1e6

    def importance_of(self, model, task):
        return torch.{}(cl.flat.flatten(model).theta)
"""


class Owned(cl.data.views.DatasetView):
    """Somebody's own examples, in NumPy arrays."""

    device = torch.device("cpu")

    def __init__(self, x, y):
        self.images, self.labels = x, y

    def __len__(self):
        return len(self.labels)

    x = property(lambda self: torch.from_numpy(self.images))
    y = property(lambda self: torch.from_numpy(self.labels))

    def batch(self, index):
        return self.x[index], self.y[index]

    def to(self, device):
        return self


def owned(few, flip):
    """Two tasks in somebody's own classes; `flip` turns the labels round."""
    x, y = (v.numpy() for v in (few.train_images.float() / 255, few.train_labels))
    view = Owned(x, y[::-1].copy() if flip else y)
    return [cl.Task(f"task {t}", "mine", view, view, tuple(range(10))) for t in range(2)]


def edited(how):
    """The class as it is after somebody has written `how` into it."""
    names = {"cl": cl, "torch": torch, "__name__": "__main__"}
    exec(EDITED.format(how), names)
    return names["Mine"]()


NET = """
class Net(MLP):
    def forward(self, x):
        return {} * MLP.forward(self, x)
"""


def as_somebody_writes(factor):
    """A model that differs in its code alone."""
    names = {"MLP": cl.MLP, "__name__": "__main__"}
    exec(NET.format(factor), names)
    return names["Net"](SIZES)


def test_what_somebody_has_changed_is_trained_again(few, tmp_path):
    """A method's code, its attributes, examples and a model's code; the same is found again."""
    tasks, how = cl.permuted(few, 2), {**HOW, "engine": 1, "folder": tmp_path, "epochs": 1}

    def accuracy(method, on, model):
        [run] = cl.sweep(method, on, model, **how)
        return run.accuracy.tolist()

    variants = [
        lambda: (edited("ones_like"), tasks, cl.MLP(SIZES)),
        lambda: (edited("zeros_like"), tasks, cl.MLP(SIZES)),
        lambda: (ByOne(1e6), tasks, cl.MLP(SIZES)),
        lambda: (ByOne(1e6, decay=0.0), tasks, cl.MLP(SIZES)),
        lambda: (cl.Baseline(), owned(few, flip=False), cl.MLP(SIZES)),
        lambda: (cl.Baseline(), owned(few, flip=True), cl.MLP(SIZES)),
        lambda: (cl.Baseline(), tasks, as_somebody_writes(1)),
        lambda: (cl.Baseline(), tasks, as_somebody_writes(3)),
    ]
    for n, variant in enumerate(variants, start=1):
        first = accuracy(*variant())
        assert len(list(tmp_path.iterdir())) == n
        method, on, model = variant()
        fresh = cl.train(method, on, model, **HOW | {"epochs": 1}).accuracy.tolist()
        assert accuracy(*variant()) == first == fresh
        assert len(list(tmp_path.iterdir())) == n


def test_what_cannot_be_identified_is_refused_before_training(tasks, tmp_path):
    method = cl.EWC()
    method.lock = threading.Lock()
    with pytest.raises(ValueError, match=r"_thread.lock .* give the class .* fingerprint\(\)"):
        sweep(tasks, method, folder=tmp_path)
    with pytest.raises(ValueError, match=r"no checkpoint can be written: .*_thread.lock"):
        cl.train(method, tasks, cl.MLP(SIZES), checkpoint=tmp_path / "a", **HOW)
    assert not list(tmp_path.iterdir())
    assert cl.train(method, tasks, cl.MLP(SIZES), **HOW).complete


def test_what_was_trained_elsewhere_is_found_and_says_so(tasks, tmp_path, capsys):
    [run] = sweep(tasks, folder=tmp_path, lam=[0.0], seeds=[0], engine=1)
    [path] = tmp_path.iterdir()
    run.config["device"] = "cuda"
    run.config["versions"]["torch"] = "1.0"
    run.save(path)
    capsys.readouterr()
    [again] = sweep(tasks, folder=tmp_path, lam=[0.0], seeds=[0], engine=1)
    assert again.config["device"] == "cuda"
    said = capsys.readouterr().out
    assert "1 of 1 runs are there, trained on cuda, not cpu" in said
    assert f"1 of 1 runs are there, trained with torch 1.0, not {torch.__version__}" in said


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"lr": 0.01}, "lr 0.001, not 0.01"),
        ({"drop_last": True, "epochs": 1}, "epochs 2, not 1; drop_last False, not True"),
        ({"optimizer": torch.optim.NAdam}, "optimizer 'adam', not 'NAdam "),
        ({"methods": cl.EWC(anchors="separate")}, r"\(anchors 'latest', not 'separate'\)"),
        ({"model": cl.MLP((784, 20, 10))}, r"model_digest\)"),
        ({"tasks": 3}, r"tasks_digest\)"),
    ],
)
def test_why_a_stored_run_is_not_the_one_asked_for_is_said_once(
    few, tasks, tmp_path, capsys, changed, words
):
    grid = {"lam": [0.0], "folder": tmp_path, "engine": 1}
    sweep(tasks, **grid)
    [path, _] = sorted(tmp_path.iterdir())
    assert capsys.readouterr().out == ""
    changed = dict(changed)
    tasks = cl.permuted(few, changed.pop("tasks", 2))
    model, methods = changed.pop("model", cl.MLP(SIZES)), changed.pop("methods", cl.EWC())
    cl.sweep(methods, tasks, model, **(HOW | GRID | grid | changed))
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert re.search(words, said[0])
    assert said[0].startswith(f"{path.name} is another run (")
    assert len([*tmp_path.iterdir()]) == 4


@pytest.mark.parametrize("together", [1, 4])
def test_on_a_full_disk_no_finished_run_is_lost(tasks, alone, tmp_path, monkeypatch, together):
    """The first run is saved; then there is no room, also for checkpoints."""
    save, saved = cl.Run.save, []

    def full(*_):
        raise OSError(ENOSPC, "No space left on device")

    def until_full(run, path):
        full() if saved else saved.append(path)
        save(run, path)

    monkeypatch.setattr(cl.Run, "save", until_full)
    monkeypatch.setattr("cl_helpers.training.checkpoint.replacing", full)
    with pytest.warns(UserWarning, match="3 runs could not") as said:
        runs = sweep(tasks, folder=tmp_path, engine=1, together=together)
    assert_same(runs, alone)
    texts = [str(w.message) for w in said]
    assert texts[-1] == (
        f"3 runs could not be saved in {tmp_path} (No space left on device): save them yourself, "
        "run.save(path)"
    )
    assert len(texts) == 1 + 4 * (together == 1)  # one for the checkpoint of each run
    assert [*tmp_path.iterdir()] == saved


def stopped(path):
    """Make of the run in the file one that was stopped after its first task."""
    run = cl.Run.load(path)
    run.accuracy[1] = np.nan
    run.save(path)


def shorter(path):
    """Make of the run in the file one of its first task alone."""
    run = cl.Run.load(path)
    run.accuracy, run.initial = run.accuracy[:1, :1], run.initial[:1]
    run.save(path)


def with_config(**changed):
    """What changes the config of the run in a file."""

    def edit(path):
        run = cl.Run.load(path)
        knobs = run.config["knobs"] | changed.get("knobs", {})
        run.config |= changed | {"knobs": knobs}
        run.save(path)

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (stopped, "stopped after 1 of 2 tasks"),
        (shorter, "1 tasks, not 2"),
        (with_config(method="mas"), "method 'mas', not 'ewc'"),
        (with_config(epochs=77), "epochs 77, not 2"),
        (with_config(seed=5, lr=1.0), "seed 5, not 0; lr 1.0, not 0.001"),
        (with_config(knobs={"lam": 3.0}), "lam 3.0, not 0.0"),
        (with_config(tasks_digest="0"), "tasks_digest '0', not '"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_set_aside(tasks, tmp_path, capsys, edit, words):
    grid = {"lam": [0.0], "seeds": [0], "folder": tmp_path, "engine": 1}
    [first] = sweep(tasks, **grid)
    [path] = tmp_path.iterdir()
    edit(path)
    content = path.read_bytes()
    capsys.readouterr()
    [run] = sweep(tasks, **grid)
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{path.name} is not the run that its name says ({words}")
    [aside] = {*tmp_path.iterdir()} - {path}
    assert f"it is kept as {aside.name}, and the one asked for is trained" in line
    assert aside.read_bytes() == content
    assert_same([run], [first], atol=0.0)
    assert_same(sweep(tasks, **grid), [first], atol=0.0)
    assert capsys.readouterr().out == ""  # found


def test_a_copied_file_does_not_answer_for_another_seed(tasks, tmp_path, alone, capsys):
    sweep(tasks, lam=[0.0], seeds=[0], folder=tmp_path, engine=1)
    [path] = tmp_path.iterdir()
    shutil.copy(path, tmp_path / path.name.replace("seed0", "seed1"))
    runs = sweep(tasks, lam=[0.0], folder=tmp_path, engine=1)
    assert_same(runs, alone[:2])
    assert "(seed 0, not 1): it is kept as " in capsys.readouterr().out


def test_a_run_that_diverged_is_found_again(tasks, tmp_path, capsys):
    how = {"lam": [0.0], "seeds": [0], "engine": 1, "optimizer": "sgd", "lr": 1e18}
    [run] = sweep(tasks, folder=tmp_path, **how)
    assert run.diverged
    [path] = tmp_path.iterdir()
    capsys.readouterr()
    assert sweep(tasks, folder=tmp_path, **how)[0].diverged == run.diverged
    assert [*tmp_path.iterdir()] == [path]
    assert capsys.readouterr().out == ""


@dataclass(eq=False)
class Confusing(cl.Baseline):
    """Its knobs have the names of settings and of what a config holds."""

    name = label = "confusing"
    lr: float = 3.0
    seed: int = 7
    size: float = float("inf")


def test_knobs_are_not_taken_for_settings(tasks, tmp_path, capsys):
    for _ in range(2):
        sweep(tasks, Confusing(), lam=None, seeds=[0], folder=tmp_path, engine=1)
    assert len([*tmp_path.iterdir()]) == 1
    assert capsys.readouterr().out == ""


class Scaled(torch.optim.SGD):
    """Divides the gradient by its norm: what is one parameter to it must be one model's."""

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad.div_(p.grad.norm())
        return super().step(closure)


def test_an_optimizer_of_ones_own_sees_one_model(tasks):
    runs = sweep(tasks, seeds=[0], engine=1, optimizer=Scaled)
    assert [run.config["together"] for run in runs] == [1, 1]
    alone = cl.train(cl.EWC(lam=0.0), tasks, cl.MLP(SIZES), optimizer=Scaled, **HOW)
    np.testing.assert_array_equal(runs[0].accuracy, alone.accuracy)


HOMEWORK = Path(__file__).parents[2] / "experiments" / "homework"


@pytest.mark.parametrize("name", ["baseline", "ewc", "mas", "si", "rwalk", "scp", "joint"])
def test_runs_of_earlier_versions_are_found(mnist, tmp_path, name):
    """Those of the homework, which were stored before a method's code had a fingerprint."""
    [old] = HOMEWORK.glob(f"{name}-*seed1-*.json")
    shutil.copy(old, tmp_path)
    full = cl.presets.PRESETS["full"]
    found = cl.sweep(
        cl.METHODS[name](), full.tasks(mnist), seeds=[1], folder=tmp_path, engine=1,
        **full.settings(mnist),
    )  # fmt: skip
    np.testing.assert_array_equal(found[0].accuracy, cl.Run.load(old).accuracy)
    assert [path.name for path in tmp_path.iterdir()] == [old.name]


def test_what_somebody_has_set_on_an_object_is_no_run_of_earlier_versions(mnist, tmp_path):
    """Nothing is trained: where such a run would be is asked for."""
    full = cl.presets.PRESETS["full"]
    tasks, how = full.tasks(mnist), Settings.of(full.settings(mnist))

    def found(method, model):
        digests = older_digests(tasks, model, True, how)(method)
        return any([*HOMEWORK.glob(f"*-seed1-{digest}.json")] for digest in digests)

    assert found(cl.RWalk(), cl.MLP())
    method, model, hooked = cl.RWalk(), cl.MLP(), cl.MLP()
    method.importance_of = lambda model, task: None
    model.forward = lambda x: x
    hooked.fc1.register_forward_hook(lambda module, args, out: 2 * out)
    assert not found(method, cl.MLP())
    assert not found(cl.RWalk(), model)
    assert not found(cl.RWalk(), hooked)
    assert not found(cl.RWalk(alpha=0.99), cl.MLP())


KILLED = """
import os, signal, sys
import cl_helpers as cl

from cl_helpers.training.loop import Learner

begin_task = Learner.begin_task

def killed(self, task, settings, stage):
    finished = [name for name in os.listdir(sys.argv[1]) if name.endswith("json")]
    if stage == 1 and len(finished) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    begin_task(self, task, settings, stage)

Learner.begin_task = killed
tasks = cl.permuted(cl.load("digits").first(300, 100), 2)
cl.sweep(cl.EWC(), tasks, cl.MLP((784, 16, 10)), lam=[0.0, 30000.0], seeds=range(5), epochs=2,
         batch_size=32, lr=1e-3, folder=sys.argv[1], engine=1, together=1)
"""


def test_a_sweep_killed_half_way_goes_on_where_it_was(tasks, tmp_path, alone):
    """Killed in the second task of its fourth run."""
    child = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path], stderr=subprocess.DEVNULL, check=False
    )
    assert child.returncode == -signal.SIGKILL
    finished = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    assert len(finished) == 3
    runs = sweep(tasks, folder=tmp_path, seeds=range(5), engine=1)
    assert_same([run for run in runs if run.config["seed"] < 2], alone)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert len(list(tmp_path.glob("*.json"))) == 10


# --- in local processes ---


class Mortal(cl.EWC):
    """Kills the process it is trained in, as often as there are files to delete."""

    lives = ""

    def begin_task(self, model, task):
        super().begin_task(model, task)
        if self.tasks_held and self.lam:
            for life in os.listdir(self.lives):
                with suppress(FileNotFoundError):  # somebody else's
                    os.remove(os.path.join(self.lives, life))
                    os.kill(os.getpid(), signal.SIGKILL)


class Faulty(cl.EWC):
    def end_task(self, model, task):
        raise ZeroDivisionError("in the student's own method")


def mortal(folder, lives):
    """In a class of its own, so that cloudpickle sends the folder along with it."""
    folder.mkdir()
    for life in range(lives):
        (folder / str(life)).touch()
    return type("Mortal", (Mortal,), {"lives": str(folder)})()


def test_local_processes_give_the_same_runs(tasks, alone, tmp_path):
    runs = sweep(tasks, engine=2, folder=tmp_path)
    assert_same(runs, alone)
    assert {r.config["together"] for r in runs} == {2}
    assert len(list(tmp_path.glob("*.json"))) == 4
    assert list(tmp_path.glob("*.checkpoint")) == []


@pytest.mark.parametrize(("gigabytes", "most"), [(0.5, 1), (2.5, 2), (1000, 1000)])
def test_there_are_no_more_processes_than_memory_and_cores_for_them(monkeypatch, gigabytes, most):
    class Memory:
        available = int(gigabytes * 2**30)

    monkeypatch.setattr(engines.psutil, "virtual_memory", lambda: Memory)
    monkeypatch.setattr(engines.loky, "cpu_count", lambda only_physical_cores: 8)
    with engines.workers("local", torch.device("cpu")) as pool:
        assert pool.n == min(8, most)


@pytest.mark.full
def test_a_local_process_that_dies_costs_time_not_results(tasks, alone, tmp_path):
    method = mortal(tmp_path / "lives", 1)
    runs = sweep(tasks, method, engine=2, together=1, folder=tmp_path / "runs")
    assert not os.listdir(tmp_path / "lives")
    assert_same(runs, alone, atol=0.0)


@pytest.mark.full
def test_processes_that_die_again_and_again_are_given_up(tasks, tmp_path):
    with pytest.raises(TerminatedWorkerError):
        sweep(tasks, mortal(tmp_path / "lives", 99), lam=[5.0], engine=2, together=1)


def test_processes_that_die_with_something_finished_in_between_are_not_given_up(monkeypatch):
    """Six times in all, but never with nothing finished since the last."""

    def one_and_then_death(executor, left):
        i = min(left)
        yield i, [f"run {i}"]
        raise TerminatedWorkerError

    monkeypatch.setattr(engines, "_finished", one_and_then_death)
    workers = engines.Workers(2, lambda n: None, local=True)
    done = workers.each([["a job"]] * 6, lambda part: None)
    assert list(done) == [(i, [f"run {i}"]) for i in range(6)]


class Unsendable(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} and {b}")


class Complaining(cl.EWC):
    def end_task(self, model, task):
        raise Unsendable("this", "that")


@pytest.mark.full
def test_an_error_that_cannot_be_pickled_comes_out_in_words(tasks):
    with pytest.raises(RuntimeError, match="Unsendable: this and that"):
        sweep(tasks, Complaining(), engine=2)


CTRL_C = """
import os, signal, sys
import cl_helpers as cl

save = cl.Run.save

def saved(run, path):
    save(run, path)
    os.kill(os.getpid(), signal.SIGINT)

cl.Run.save = saved
tasks = cl.permuted(cl.load("digits"), 2)
runs = cl.sweep(cl.EWC(), tasks, seeds=range(6), epochs=3, folder=sys.argv[1], engine=2)
print(len(runs), "runs")
"""


@pytest.mark.full
def test_ctrl_c_stops_the_processes_and_keeps_what_is_finished(tmp_path):
    """Ctrl-C comes when the first runs are there; the others are in training or wait."""
    done = subprocess.run(
        [sys.executable, "-c", CTRL_C, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    finished = len(list(tmp_path.glob("*.json")))
    assert 1 <= finished < 6
    told = done.stdout + done.stderr
    assert f"stopped early: {finished} of 6 runs are finished" in told


@pytest.mark.parametrize("engine", [1, pytest.param(2, marks=pytest.mark.full)])
def test_an_error_in_a_run_comes_out(tasks, engine):
    with pytest.raises(ZeroDivisionError, match="in the student's own method"):
        sweep(tasks, Faulty(), engine=engine)


@pytest.mark.parametrize("shape", [{}, {"n_tasks": 10}])
def test_the_data_set_is_not_sent_along(digits, shape):
    member = Member(cl.EWC(), 0, None)
    chunk = Chunk([member], cl.permuted(digits, **shape), cl.MLP(SIZES), Settings())
    sent = pickle.dumps(chunk)
    assert len(sent) < 200_000 < digits.train_images.numel()
    (one, *_, other) = pickle.loads(sent).tasks
    assert one.train.dataset is other.train.dataset
    assert torch.equal(one.train.dataset.train_images, digits.train_images)
    assert torch.equal(one.test.dataset.test_labels, digits.test_labels)


def test_a_part_of_the_data_arrives_as_that_part_and_changed_data_as_changed(digits):
    part = pickle.loads(pickle.dumps(digits.first(100, 50).first(200, 20)))
    assert torch.equal(part.train_images, digits.train_images[:100])
    assert torch.equal(part.test_labels, digits.test_labels[:20])
    changed = replace(digits.first(100, 50), train_labels=torch.zeros(100, dtype=torch.long))
    in_place = cl.load("digits").first(100, 50)
    in_place.train_labels[:] = 0
    for data_set in (changed, in_place):
        sent = pickle.dumps(data_set)
        assert len(sent) < 2 * 150 * 784  # that part alone
        arrived = pickle.loads(sent)
        assert not arrived.train_labels.any()
        assert torch.equal(arrived.test_images, digits.test_images[:50])
    assert cl.load("digits").train_labels.any()  # everybody has a copy of their own
    copy = deepcopy(digits)
    copy.train_labels[:] = 0
    assert digits.train_labels.any()


# --- on a Dask cluster ---


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes on this machine."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster


def times_loaded():
    return data._once.cache_info().misses


def test_a_cluster_gives_the_same_runs_and_loads_the_data_once(cluster, tasks, alone, tmp_path):
    runs = sweep(tasks, engine=cluster.scheduler_address, together=1, folder=tmp_path)
    assert_same(runs, alone)
    assert len(list(tmp_path.glob("*.json"))) == 4
    with Client(cluster) as client:
        assert_same(sweep(tasks, engine=client), alone)  # a Client is as good as an address
        assert set(client.run(times_loaded).values()) == {1}


@pytest.mark.full
def test_a_worker_killed_in_mid_run_costs_time_not_results(cluster, tasks, alone, tmp_path):
    method = mortal(tmp_path / "lives", 1)
    runs = sweep(tasks, method, engine=cluster.scheduler_address, together=1, folder=tmp_path)
    assert not os.listdir(tmp_path / "lives")
    assert_same(runs, alone, atol=0.0)


@pytest.mark.full
def test_what_kills_every_worker_is_an_error_and_not_an_endless_wait(cluster, tasks, tmp_path):
    with pytest.raises(KilledWorker):
        sweep(
            tasks,
            mortal(tmp_path / "lives", 99),
            lam=[5.0],
            seeds=[0],
            engine=cluster.scheduler_address,
        )
