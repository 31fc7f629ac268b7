"""The table of labels, memory and time, against one made by hand."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import pytest
import torch

import cl_helpers as cl
from cl_helpers.report.summary import needs_labels, summary

COLUMNS = [
    "kept needs labels",
    "weights in θ",
    "kept between tasks",
    "at work in a task",
    "passes a step",
    "time",
    "share between tasks",
]

# Counted on paper. Kept: Ω and θ*; RWalk also s. At work: SI's θ at the task's start and before the
# step, g, ω; RWalk's the same first three, F, ΔL, the stretch's start and s of this task.
BY_HAND = [
    (cl.Baseline(), None, "0 × θ", "0 × θ"),
    (cl.EWC(), True, "2 × θ", "0 × θ"),
    (cl.EWC(fisher="true"), False, "2 × θ", "0 × θ"),
    (cl.MAS(), False, "2 × θ", "0 × θ"),
    (cl.SI(), True, "2 × θ", "4 × θ"),
    (cl.RWalk(), True, "3 × θ", "7 × θ"),
    (cl.SCP(), False, "2 × θ", "0 × θ"),
    (cl.Joint(), None, "all data", "0 × θ"),
]
NAMES = [method.name + " true" * ("true" in method.knobs.values()) for method, *_ in BY_HAND]


@pytest.fixture
def train(few) -> Callable[..., cl.Run]:
    """A short run that took 10 seconds, one of them between tasks."""

    def run(method, seconds=10.0, data=few):
        model = cl.MLP((784, 16, 10))
        done = cl.train(method, cl.permuted(data, 2), model, epochs=1, progress=False)
        done.seconds, done.end_task_seconds = seconds, 1.0
        return done

    return run


@pytest.fixture
def baseline(train) -> cl.Run:
    return train(cl.Baseline())


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("method", "needs"), [row[:2] for row in BY_HAND], ids=NAMES)
def test_needs_labels(method, needs):
    assert needs_labels(method) is needs
    assert method.task is None  # it was asked of another one like it


@dataclass(eq=False)
class LabelCounts(cl.methods.Quadratic):
    """Ω is a number that the order of the labels does not change: they are only counted."""

    name = "counts"
    label = "Counts"

    def importance_of(self, model, task):
        theta = cl.flat.flatten(model).theta
        return torch.full_like(theta, float(task.train.y.bincount().square().sum()))


def test_a_method_of_your_own():
    assert needs_labels(LabelCounts()) is False


@pytest.mark.parametrize(("method", "needs", "kept", "at_work"), BY_HAND, ids=NAMES)
def test_a_row_as_counted_by_hand(train, baseline, method, needs, kept, at_work):
    run = train(type(method)(**method.knobs), seconds=25.0)
    (row,) = summary(run, baseline).to_dict("records")
    assert list(row) == COLUMNS
    assert row["kept needs labels"] == {None: "–", True: "yes", False: "no"}[needs]
    assert row["weights in θ"] == "12,730"  # 784 · 16 + 16 + 16 · 10 + 10
    assert row["kept between tasks"] == kept
    assert row["at work in a task"] == at_work
    assert row["time"] == "2.5 × baseline"
    assert row["share between tasks"] == "4%"


def test_the_table_grows_and_a_row_is_replaced(train, baseline):
    ewc = train(cl.EWC(lam=100), seconds=30.0)
    assert list(summary(baseline, baseline).index) == ["baseline"]
    table = summary(ewc, baseline)
    assert list(table.index) == ["baseline", "ewc lam=100"]
    assert table.index.name == "method"
    assert list(table["time"]) == ["1.0 × baseline", "3.0 × baseline"]

    baseline.seconds = 20.0
    table = summary(baseline, baseline)
    assert list(table.index) == ["baseline", "ewc lam=100"]
    assert list(table["time"]) == ["1.0 × baseline", "3.0 × baseline"]
    table = summary(ewc, baseline)
    assert list(table["time"]) == ["1.0 × baseline", "1.5 × baseline"]
    assert not table.isna().any(axis=None)


def test_it_is_kept_as_utf8_in_the_file_asked_for(baseline, tmp_path):
    (tmp_path / "sub").mkdir()
    summary(baseline, baseline, file="sub/table.json")
    rows = json.loads((tmp_path / "sub" / "table.json").read_bytes().decode("utf-8"))
    assert rows["baseline"]["kept needs labels"] == "–"
    assert [p.name for p in tmp_path.iterdir()] == ["sub"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"baseline": {"time',
        b"\xff\xfe\x00not text",
        b"[1, 2]",
        b"3",
        b"null",
        b'{"format": 1, "accuracy": [[1]]}',
        b"[" * 100_000,
    ],
)
def test_a_file_that_is_something_else_is_kept(baseline, tmp_path, content):
    file = tmp_path / "course_table.json"
    file.write_bytes(content)
    with pytest.warns(UserWarning, match="is damaged") as said:
        table = summary(baseline, baseline)
    [aside] = {*tmp_path.iterdir()} - {file}
    assert aside.read_bytes() == content
    assert [str(w.message) for w in said] == [
        f"course_table.json is damaged: it is kept as {aside.name}, and a new one begins"
    ]
    for again in (table, summary(baseline, baseline)):  # the second reads what the first wrote
        assert list(again.index) == ["baseline"]
        assert list(again.columns) == COLUMNS


def test_rows_of_an_earlier_version_have_dashes(baseline, tmp_path):
    file = tmp_path / "course_table.json"
    old = {"mas lam=1": {"time": "2.0 × baseline", "remark": "ask Ada"}, "si lam=1": {}}
    file.write_text(json.dumps(old))
    for _ in range(2):
        table = summary(baseline, baseline)
        assert list(table.index) == ["mas lam=1", "si lam=1", "baseline"]
        assert list(table.columns) == [*COLUMNS, "remark"]
        assert [*table["time"]] == ["2.0 × baseline", "–", "1.0 × baseline"]
        assert [*table["remark"]] == ["ask Ada", "–", "–"]
        assert table.loc["mas lam=1", "weights in θ"] == "–"
    kept = json.loads(file.read_bytes())
    assert {name: kept[name] for name in old} == old


def test_where_nothing_can_be_read_or_written(baseline, tmp_path):
    (tmp_path / "course_table.json").mkdir()
    (tmp_path / "a file").touch()
    for file, why in (
        ("course_table.json", "Is a directory"),
        ("no such folder/t.json", "No such file or directory"),
        ("a file/t.json", "Not a directory"),
    ):
        with pytest.warns(UserWarning, match="cannot be written to") as said:
            assert isinstance(summary(baseline, baseline, file), pd.DataFrame)
        assert [str(w.message) for w in said] == [
            f"{file} cannot be written to ({why}): the row of baseline is shown, but not kept; "
            "give another file"
        ]
    assert {p.name for p in tmp_path.iterdir()} == {"course_table.json", "a file"}


def test_a_folder_that_is_read_only(baseline, tmp_path, monkeypatch):
    """Also for root, whom no mode keeps from writing."""

    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.warns(UserWarning, match=r"cannot be written to \(Permission denied\)"):
        assert list(summary(baseline, baseline).index) == ["baseline"]
    assert not list(tmp_path.iterdir())
    (tmp_path / "course_table.json").write_text("damaged")
    with pytest.warns(UserWarning, match=r"cannot be written to \(Permission denied\)"):
        assert list(summary(baseline, baseline).index) == ["baseline"]
    assert (tmp_path / "course_table.json").read_text() == "damaged"


def test_runs_that_cannot_be_compared(baseline, tmp_path):
    stopped = cl.Run.empty(baseline.config, 2)
    for pair in ((stopped, baseline), (baseline, stopped)):
        with pytest.raises(ValueError, match="baseline was stopped early: train it to the end"):
            summary(*pair)
    baseline.save(tmp_path / "run.json")
    read = cl.Run.load(tmp_path / "run.json")
    with pytest.raises(ValueError, match="read from a file"):
        summary(read, baseline)
    assert len(summary(baseline, read)) == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"epochs": 3}, "epochs 3, not 1"),
        ({"looks_back": 0, "precision": "full"}, "precision 'full', not 'fast'; looks_back 0, not"),
        ({"device": "cuda"}, "device 'cuda', not 'cpu'"),
        ({"data": "mnist"}, r"other tasks or data \(tasks\)"),
        ({"tasks_digest": "0"}, r"other tasks or data \(tasks_digest\)"),
    ],
)
def test_a_baseline_of_other_work_is_refused(train, baseline, tmp_path, changed, words):
    run, before = train(cl.EWC(lam=1)), dict(baseline.config)
    baseline.config |= changed
    with pytest.raises(ValueError, match=f"the baseline of ewc lam=1 has {words}.*: train one as"):
        summary(run, baseline)
    assert not list(tmp_path.iterdir())
    baseline.config = before
    assert list(summary(run, baseline).index) == ["ewc lam=1"]


def test_a_baseline_on_other_data_is_refused(train, baseline, few):
    run = train(cl.EWC(), data=few.first(200, 100))
    with pytest.raises(ValueError, match=r"other tasks or data \(.*tasks_digest\)"):
        summary(run, baseline)


def test_ways_to_train_are_compared(baseline, train):
    """As in notebooks 11 to 13."""
    run = train(cl.EWC(lam=1))
    run.config |= {"lr": 0.1, "batch_size": 16, "dropout": 0.25, "schedule": "cosine"}
    assert len(summary(run, baseline)) == 1
