"""The command line as a user meets it: real processes, real exit codes."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import torch
from toys import a_run

import cl_helpers as cl
from cl_helpers import cli
from cl_helpers.cli import print_tables, write_tables
from cl_helpers.report.tables import costs, metrics_table, table
from experiments.tuning.tune import GRID, tune


def command(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "cl_helpers", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "120"} | environment,
        check=False,
    )


@pytest.fixture
def here(monkeypatch, capsys):
    """The same in this process, where the imports have been paid for."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["cl_helpers", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, stopped.value.code or 0, out, err)

    return command


QUICK = ("compare", "--data", "digits", "--preset", "quick")


def test_compare_leaves_a_table_a_figure_and_the_runs(tmp_path, here):
    asked = (
        "--seeds",
        "0,1",
        "--methods",
        "baseline,ewc,joint",
        "--engine",
        "1",
        "--out",
        tmp_path,
    )
    first = here(*QUICK, *asked)
    assert first.returncode == 0, first.stderr
    assert "6.0/6 runs" in first.stderr  # the progress bar
    for word in ("average accuracy", "baseline", "ewc lam=", "joint", "±"):
        assert word in first.stdout
    runs = [cl.Run.load(path) for path in tmp_path.glob("*.json")]
    assert sorted((r.config["method"], r.config["seed"]) for r in runs) == [
        (m, s) for m in ("baseline", "ewc", "joint") for s in (0, 1)
    ]
    assert all(r.complete for r in runs)
    ours = 2 * 4 * sum(p.numel() for p in cl.MLP().parameters()) / 1e6  # Ω and θ*
    [ewc] = [line for line in first.stdout.splitlines() if "importance, anchor" in line]
    assert f"{ours:.1f}" in ewc
    assert "1.0 + 1.0" in ewc
    assert (tmp_path / "average_accuracy.png").read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.checkpoint"))
    markdown = (tmp_path / "table.md").read_text()
    first_line, *others = markdown.splitlines()
    assert first_line == (
        'digits, permuted, scenario="domain": 3 tasks of up to 600 images, 1 epochs each, '
        "preset quick, seeds 0, 1"
    )
    assert first_line in " ".join(first.stdout.split())
    assert [line[:10] for line in others] == [
        "", "| method |", "| --- | --", "| baseline", "| ewc lam=", "| joint | ", "",
        "| method |", "| --- | --", "| baseline", "| ewc lam=", "| joint | ",
    ]  # fmt: skip

    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")}
    again = here(*QUICK, *asked)
    assert again.returncode == 0
    assert "0.0/6 runs" not in again.stderr
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.json")} == times
    assert (tmp_path / "table.md").read_text() == markdown

    changed = ("--methods", "ewc", "--lam", "3", "--epochs", "2", "--engine", "1")
    charts = {name: (tmp_path / f"{name}.png").read_bytes() for name in cli.CHARTS}
    other = here(*QUICK, *changed, "--out", tmp_path)
    assert other.returncode == 0
    kept = "it is kept as table-1.md, average_accuracy-1.png, forgetting-1.png"
    assert f"table.md was of another experiment: {kept}" in " ".join(other.stdout.split())
    assert (tmp_path / "table-1.md").read_text() == markdown
    assert {name: (tmp_path / f"{name}-1.png").read_bytes() for name in charts} == charts
    now = (tmp_path / "table.md").read_text()
    assert "2 epochs each, preset quick, seeds 0\n\n| method |" in now
    assert set(times) < set(tmp_path.glob("*.json"))  # other settings, another file
    assert "lam=3" in other.stdout


@pytest.mark.parametrize("scenario", ["domain", "class"])
def test_all_methods_are_those_that_serve_the_scenario(tmp_path, monkeypatch, scenario):
    asked = {}

    def sweep(methods, tasks, **_):
        asked.update(methods=[m.name for m in methods], tasks=tasks)
        return []

    monkeypatch.setattr(cli, "sweep", sweep)
    arguments = ("--stream", "split", "--scenario", scenario, "--out", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["cl_helpers", *QUICK, *arguments])
    with pytest.raises(SystemExit):
        cli.main()
    served = [name for name in cl.METHODS if name != "icarl" or scenario == "class"]
    assert asked["methods"] == served
    assert [(len(t.classes), t.scenario) for t in asked["tasks"]] == [(2, scenario)] * 3


def test_split_tasks_with_class_il_are_compared(tmp_path, here):
    split = ("--stream", "split", "--scenario", "class", "--engine", "1")
    done = here(*QUICK, *split, "--methods", "baseline,icarl", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    runs = {r.config["method"]: r for r in map(cl.Run.load, tmp_path.glob("*.json"))}
    assert runs["baseline"].accuracy[2, 0] < 0.1 < runs["icarl"].accuracy[2, 0]
    assert "Linear(in_features=256, out_features=6" in runs["icarl"].config["model"]


def test_a_mistake_is_one_line_and_exit_2_in_a_real_shell(tmp_path):
    done = command(*QUICK, "--lam", "nan", "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--methods", "ewc,magic"), "method is 'magic': choose among baseline, ewc, mas"),
        (("--methods", "icarl"), 'iCaRL is not made for scenario="domain": give it tasks with'),
        (("--scenario", "all"), "scenario is 'all': choose"),
        (("--stream", "mixed"), "stream is 'mixed': choose permuted, rotated, split"),
        (("--lam", "-1"), "λ is -1.0: choose a number, 0 (off) or larger"),
        (("--lam", "ewc=nan"), "λ is nan"),
        (("--lam", "ewc=much"), "λ is 'much'"),
        (("--lam", "joint=1"), "λ is given for 'joint'"),
        (("--lam", "1", "--methods", "baseline,joint"), "λ is given for 'baseline,joint'"),
        (("--device", "meta"), "device meta cannot be used"),
        (("--preset", "huge"), "preset is 'huge': choose quick, class, full"),
        (("--data", "emnist"), "data set is 'emnist'"),
        (("--seeds", "0,x"), "seed is 'x'"),
        (("--epochs", "0"), "epochs is 0"),
        (("--epochs", "many"), "epochs is 'many': choose a whole number"),
        (("--device", "abacus"), "device abacus cannot be used"),
        (("--engine", "0"), "engine is 0: choose a whole number, 1 or more"),
        (("--engine", "nowhere"), "engine is 'nowhere', and no Dask scheduler answers there"),
        (("--out", "/proc/nowhere"), "/proc/nowhere cannot be written to"),
        (("--out", __file__), "cannot be written to"),
        (("--colour", "red"), "--colour"),
        (("comprae",), "comprae"),
    ],
)
def test_what_the_user_got_wrong_is_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(sys, "argv", ["cl_helpers", *QUICK, "--out", str(tmp_path), *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


INTERRUPTED = """
import os, signal
from cl_helpers import cli
from cl_helpers.cli import print_tables, write_tables
from cl_helpers.training.loop import Learner

begin_task = Learner.begin_task

def interrupted(self, task, settings, stage):
    if self.method.name == "ewc" and stage == 1:
        os.kill(os.getpid(), signal.SIGINT)
    begin_task(self, task, settings, stage)

Learner.begin_task = interrupted
cli.main()
"""


@pytest.mark.full
def test_ctrl_c_keeps_what_is_finished_and_the_next_call_goes_on(tmp_path, here):
    """A process of its own is interrupted as its second method begins its second task."""
    arguments = [*QUICK, "--engine", "1"]  # one after the other
    both = [*arguments, "--methods", "baseline,ewc", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *both],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    assert "baseline" in done.stdout  # the table of what is finished
    assert [p.name.split("-")[0] for p in tmp_path.glob("*.json")] == ["baseline"]
    (checkpoint,) = tmp_path.glob("ewc*.checkpoint")

    assert here(*both).returncode == 0
    assert not checkpoint.exists()
    (path,) = tmp_path.glob("ewc*.json")
    whole = here(*arguments, "--methods", "ewc", "--out", tmp_path / "whole")
    assert whole.returncode == 0
    (other,) = (tmp_path / "whole").glob("ewc*.json")
    np.testing.assert_array_equal(cl.Run.load(path).accuracy, cl.Run.load(other).accuracy)


@pytest.mark.full
def test_info_says_what_machine_and_times_to_expect(tmp_path):
    done = command("info", CL_DATA=str(tmp_path))
    assert done.returncode == 0, done.stderr
    for word in (torch.__version__, str(tmp_path), "not there", "preset class", "a method"):
        assert word in done.stdout


def test_info_names_damaged_data(tmp_path, monkeypatch, here):
    monkeypatch.setattr(cli, "seconds_a_step", lambda: 0.001)
    monkeypatch.setenv("CL_DATA", str(tmp_path))
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    done = here("info")
    assert done.returncode == 0, done.stderr
    assert "damaged" in done.stdout


def test_table_is_mean_and_deviation_over_seeds():
    runs = [a_run(seed=0), a_run(seed=1, accuracy=((0.9, 0.1), (0.5, 0.8))), a_run("mas", lam=1.0)]
    frame = table(runs)
    assert list(frame.index) == ["ewc lam=100", "mas lam=1"]
    row = frame.loc["ewc lam=100"]
    assert row["average_accuracy", "mean"] == pytest.approx(0.70)
    assert row["average_accuracy", "sd"] == pytest.approx(pd.Series([0.75, 0.65]).std())
    assert row["forgetting", "mean"] == pytest.approx(0.3)


def test_a_table_of_another_experiment_is_kept_under_a_free_name(tmp_path):
    table = tmp_path / "table.md"
    assert cli.keep_others(tmp_path, "mnist") == ""  # nothing is there
    for old in ("mnist\n\n| a |\n", "| method | of an earlier version |\n"):
        table.write_text(old)
        assert cli.keep_others(tmp_path, "mnist") == ""
        assert [*tmp_path.iterdir()] == [table]
    mine = {"table.md": "my notes", "average_accuracy.png": "a", "forgetting-1.png": "f"}
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    assert cli.keep_others(tmp_path, "mnist") == "table-1.md, average_accuracy-1.png"
    table.write_bytes(b"\xff\xfe")
    assert cli.keep_others(tmp_path, "mnist") == "table-2.md"
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {
        "table-1.md": b"my notes",
        "average_accuracy-1.png": b"a",
        "forgetting-1.png": b"f",
        "table-2.md": b"\xff\xfe",
    }


def test_a_table_is_headed_by_what_its_rows_are(tmp_path, capsys):
    rows = pd.DataFrame({"ewc": {"64": "+1.9"}})
    for frame, heading in ((rows, "method"), (rows.rename_axis(index="examples"), "examples")):
        write_tables(tmp_path / "table.md", frame)
        assert (tmp_path / "table.md").read_text().startswith(f"| {heading} | ewc |\n| --- |")
        print_tables(frame)
        assert heading in capsys.readouterr().out


@pytest.mark.parametrize("program", ["diagonal", "pathint", "scenarios"])
def test_ctrl_c_leaves_the_table_of_an_experiment(few, tmp_path, monkeypatch, program):
    """Its rows would be those of other runs, or of too few."""
    module = import_module(f"experiments.{program}.{program}")
    monkeypatch.setattr(module, "RESULTS" if program == "scenarios" else "FOLDER", tmp_path)
    monkeypatch.setattr(cl, "load", lambda name: few.first(100, 50))
    monkeypatch.setattr(module, "hold_out", lambda tasks, n: tasks, raising=False)
    monkeypatch.setattr(cl, "sweep", lambda *_, **__: [a_run()])  # one is finished
    (tmp_path / "table.md").write_text("as it was")
    with pytest.raises(SystemExit) as ended:
        (module.fill if program == "scenarios" else module.main)()
    assert ended.value.code == 130
    assert (tmp_path / "table.md").read_text() == "as it was"


def test_another_regime_is_no_further_seed():
    runs = [a_run("baseline", seed=0), a_run("baseline", seed=1), a_run("baseline", seed=0)]
    for run, lr, decay in zip(runs, (0.1, 0.1, 0.05), (1.0, 1.0, 0.8), strict=True):
        run.config |= {"lr": lr, "lr_decay": decay, "batch_size": 10}
    for frame in (table(runs), costs(runs)):
        assert list(frame.index) == [
            "baseline lam=100 lr=0.1 lr_decay=1",
            "baseline lam=100 lr=0.05 lr_decay=0.8",
        ]
    assert table(runs)["average_accuracy", "sd"].isna().tolist() == [False, True]


def test_a_setting_that_a_run_is_too_old_to_have_is_at_its_default():
    runs = [a_run("baseline", seed=0), a_run("baseline", seed=1)]
    runs[1].config |= {"schedule": "constant", "warm_up": 0.0, "lr_final": 0.01, "dropout": None}
    assert list(table(runs).index) == ["baseline lam=100"]


def test_another_model_is_no_further_seed():
    runs = [a_run("baseline", seed=0), a_run("baseline", seed=1)]
    for run, model in zip(runs, ("MLP(…)", "ResNet18(…)"), strict=True):
        run.config["model"] = model
    with pytest.raises(ValueError, match="runs of baseline lam=100 have different models"):
        table(runs)


def test_figures_to_be_read_are_per_cent_and_a_dash_where_there_is_none():
    alone = a_run("joint", accuracy=((np.nan, np.nan), (0.5, 0.75)))
    runs = [a_run(seed=0), a_run(seed=1, accuracy=((0.9, 0.1), (0.5, 0.8))), alone]
    assert [list(row) for row in metrics_table(runs).itertuples()] == [
        ["ewc lam=100", "70.00 ± 7.07", "30.00 ± 14.14", "-30.00 ± 14.14", "12 ± 0"],
        ["joint lam=100", "62.50", "–", "–", "12"],
    ]


def costly(name, seconds, stored, stages=2, **told):
    run = a_run(name, **told)
    run.config["n_train"] = [200 // stages] * stages
    run.costs = [
        {"task": t, "seconds": s, "forward": 1 + t, "backward": 1.25 + t, "stored": stored}
        for t, s in zip(range(2 - stages, 2), seconds, strict=True)
    ]
    return run


def test_costs_are_those_of_the_last_task_and_seconds_a_mean_over_tasks_and_seeds():
    mega = 10**6
    runs = [
        costly("ewc", (1.0, 4.0), {"importance": 2 * mega, "anchor": mega // 2}),
        costly("ewc", (2.0, 5.0), {"importance": 2 * mega, "anchor": mega // 2}, seed=1),
        costly("joint", (9.0,), {}, stages=1),  # one stage, two tasks
        costly("baseline", (1.0, 1.0), {}),
        a_run("mas"),  # of a file that has none
    ]
    assert [list(row) for row in costs(runs).itertuples()] == [
        ["ewc lam=100", "importance, anchor 2.5", "2.0 + 2.2", "3.0"],
        ["joint lam=100", "all data", "2.0 + 2.2", "4.5"],
        ["baseline lam=100", "–", "2.0 + 2.2", "1.0"],
        ["mas lam=100", "–", "–", "–"],
    ]


def test_defaults_are_the_best_of_what_was_tuned_or_in_it():
    for name, settings in GRID.items():
        default = cl.METHODS[name]().knobs
        assert default in [default | setting for setting in settings]


def test_ctrl_c_ends_the_tuning(few, tmp_path, monkeypatch):
    def interrupt(self, model):
        if self.lam == 2.0:
            raise KeyboardInterrupt

    monkeypatch.setitem(GRID, "mas", [{"lam": lam} for lam in (1.0, 2.0, 3.0)])
    monkeypatch.setattr(cl.MAS, "after_step", interrupt)
    runs = tune("mas", cl.permuted(few, 2), tmp_path, epochs=1, engine=1, progress=False)
    assert [r.config["knobs"]["lam"] for r in runs] == [1.0]


def test_joint_alone_has_a_table_and_no_forgetting(tmp_path, here):
    done = here(*QUICK, "--engine", "1", "--methods", "joint", "--seeds", "0,0", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 runs" in " ".join(done.stdout.split())  # a long path wraps the line
    assert not (tmp_path / "forgetting.png").exists()


def test_tuning_never_sees_the_test_set(digits, tmp_path, monkeypatch):
    """The test labels are poisoned: whoever looked at them would score nothing."""
    from experiments.tuning import tune as tuning

    monkeypatch.setattr(tuning, "N_VALIDATION", 300)
    monkeypatch.setitem(GRID, "ewc", [{"lam": 0.0}, {"lam": 20.0}])
    part = digits.first(1400, 100)
    poisoned = replace(part, test_labels=(part.test_labels + 1) % 10)
    how = {"epochs": 3, "lr": 1e-3, "engine": 1, "progress": False}
    held = tuning.judged_by_held_out("full", poisoned)
    runs = tune("ewc", held, tmp_path, **how)
    assert min(r.average_accuracy for r in runs) > 0.8
    assert all(
        json.loads(p.read_text())["config"]["n_train"] == [1100] * 5
        for p in tmp_path.glob("*.json")
    )
