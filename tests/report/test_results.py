"""Stored results come with the command that made them, and a wrong name says what there is."""

import json
from importlib import import_module

import pytest

import cl_helpers as cl

stored = import_module("cl_helpers.report.results")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "FOLDER", tmp_path)
    return tmp_path


def test_what_is_stored_is_read(folder):
    (folder / "one.json").write_text(json.dumps({"command": "make λ", "rows": [1]}), "utf-8")
    assert cl.load_results("one") == {"command": "make λ", "rows": [1]}


def test_what_is_not_stored(folder):
    with pytest.raises(ValueError, match="'two' is not among the stored results: there is nothing"):
        cl.load_results("two")
    for name in ("one", "also"):
        (folder / f"{name}.json").write_text("{}")
    with pytest.raises(ValueError, match="there is also, one"):
        cl.load_results("two")


def test_every_file_says_how_it_was_made():
    for path in stored.FOLDER.glob("*.json"):
        assert cl.load_results(path.stem)["command"].strip()
