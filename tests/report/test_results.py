"""Stored results come with the command that made them, and a wrong name says what there is."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import cl_helpers as cl
from cl_helpers.report import labels

stored = import_module("cl_helpers.report.results")
HOMEWORK = Path(__file__).parents[2] / "experiments" / "homework"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "FOLDER", tmp_path)
    return tmp_path


def test_what_is_stored_is_read(folder):
    content = {"command": "make λ", "rows": np.array([[1.0, np.nan], [0.5, 1.0]])}
    stored.store_results("one", content)
    assert cl.load_results("one") == {"command": "make λ", "rows": [[1.0, None], [0.5, 1.0]]}
    assert [p.name for p in folder.iterdir()] == ["one.json"]


def test_what_is_not_stored(folder):
    with pytest.raises(ValueError, match="'two' is not among the stored results: there is nothing"):
        cl.load_results("two")
    for name in ("one", "also"):
        (folder / f"{name}.json").write_text("{}")
    with pytest.raises(ValueError, match="there is also, one"):
        cl.load_results("two")


def test_stored_runs_are_those_of_the_experiment():
    """`python experiments/ship.py` was the last that was done."""
    runs = cl.load_runs("homework")
    paths = sorted(HOMEWORK.glob("*.json"))
    assert len(runs) == len(paths) > 0
    for run, whole in zip(runs, map(cl.Run.load, paths), strict=True):
        assert run.config.items() <= whole.config.items()
        np.testing.assert_array_equal(run.accuracy, whole.accuracy)
        np.testing.assert_array_equal(run.initial, whole.initial)
        assert labels.label(run) == labels.label(whole)


def test_stored_runs_say_preset_and_seeds():
    results, runs = cl.load_results("homework"), cl.load_runs("homework")
    size = cl.presets.pick_preset(results["preset"])
    for run in runs:
        assert (run.config["epochs"], run.config["lr"]) == (size.epochs, size.lr)
        assert run.config["knobs"].get("lam") == size.lam.get(run.config["method"])
    for method in {run.config["method"] for run in runs}:
        mine = [run.config["seed"] for run in runs if run.config["method"] == method]
        assert sorted(mine) == results["seeds"] == [0, 1, 2]


def test_every_file_says_how_it_was_made():
    for path in stored.FOLDER.glob("*.json"):
        assert cl.load_results(path.stem)["command"].strip()
