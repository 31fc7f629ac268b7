"""Guesses in the kernel: recorded once, before the outcome, and kept beside the notebook."""

import json
import threading

import numpy as np
import pytest

from cl_helpers.widgets import Predict, guesses


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    return tmp_path


def files(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def guessed(value, *args, **kwargs):
    widget = Predict(*args, **kwargs)
    widget.answer = value
    widget.record()
    return widget


def test_a_number_has_no_guess_before_it_is_touched():
    widget = Predict("how much?", least=10, most=60)
    widget.record()
    assert (widget.answer, widget.guess, widget.note) == (None, None, "Move the slider first.")
    widget.answer = 42.5
    widget.record()
    assert (widget.guess, widget.note) == (42.5, "")
    widget.answer = 11
    widget.record()
    assert widget.guess == 42.5
    assert widget.replay(np.float64(51.25)) is widget
    text = "What came out: 51.2 %. Your guess: 42.5 %. They are 8.75 percentage points apart."
    assert widget.words == text
    assert f"how much? {text}" in widget.copy().data  # without a page
    for outcome in ("a lot", None, float("nan"), [1, 2], True):
        with pytest.raises(ValueError, match=r"is no answer to 'how much\?'"):
            widget.replay(outcome)


def test_one_of_several():
    widget = Predict("which?", ["EWC", "MAS"])
    widget.record()
    assert (widget.guess, widget.note) == (None, "Choose one first.")
    widget.answer = "EWC"
    widget.record()
    assert widget.replay("EWC").words == "What came out: EWC. Your guess: EWC. You were right."
    assert widget.replay("MAS").words == "What came out: MAS. Your guess: EWC."
    with pytest.raises(ValueError, match=r"'SI' is no answer to 'which\?'"):
        widget.replay("SI")


def test_an_order():
    widget = Predict("in which order?", ["a", "b", "c"], order=True)
    for answer in (None, ["a", "b"], ["a", "b", "b"]):
        widget.answer = answer
        widget.record()
        assert (widget.guess, widget.note) == (None, "Give each of them one place.")
    widget.answer = ["a", "c", "b"]
    widget.record()
    assert widget.guess == ["a", "c", "b"]
    text = "What came out: a, then b, then c. Your guess: a, then c, then b."
    assert widget.replay(("a", "b", "c")).words == f"{text} 1 of 3 are in their place."
    for outcome in (["a", "b"], ["a", "b", "d"], ["a", "b", "b"], 3, None):
        with pytest.raises(ValueError, match="is no answer"):
            widget.replay(outcome)
    with pytest.raises(ValueError, match="needs options"):
        Predict("in which order?", order=True)


@pytest.mark.parametrize("from_the_page", [False, True])
def test_an_outcome_on_screen_locks_the_guess(from_the_page):
    widget = Predict("how much?")
    widget.replay(3)
    assert widget.words == "What came out: 3 %. No guess was recorded."
    if from_the_page:
        widget.set_state({"guess": 4.0})
    else:
        widget.answer = 4.0
        widget.record()
    assert widget.guess is None
    assert widget.note == "Not recorded: the outcome has been on screen."


@pytest.mark.parametrize("guess", [0, 7.5])
def test_a_guess_from_the_page_is_recorded_once(guess):
    widget = Predict("how much?")
    widget.set_state({"guess": guess})
    widget.set_state({"guess": 9.0})
    assert widget.guess == Predict("how much?").guess == guess
    widget.set_state({"answer": None, "guess": None, "outcome": None})  # "Guess again"
    assert widget.guess is None
    widget.set_state({"guess": 9.0})
    assert widget.guess == 9


def test_guess_and_outcome_survive_the_kernel(folder):
    guessed(40.0, "how much?").replay(50)
    guessed("b", "which?", ["a", "b"])
    again = Predict("how much?")
    assert (again.guess, again.outcome) == (40, 50)
    assert again.words.startswith("What came out: 50 %. Your guess: 40 %.")
    again.set_state({"answer": None, "guess": None, "outcome": None})
    assert (Predict("how much?").guess, Predict("how much?").outcome) == (None, None)
    assert Predict("which?", ["a", "b"]).guess == "b"
    assert Predict("which?", ["a", "b", "c"]).guess is None  # another question
    assert files(folder) == ["guesses.json"]


def test_a_notebook_has_guesses_of_its_own(folder, monkeypatch):
    for name, value in (("one.ipynb", 1.0), ("two.ipynb", 2.0)):
        monkeypatch.setenv("JPY_SESSION_NAME", str(folder / name))
        guessed(value, "how much?")
        assert Predict("how much?").guess == value
    monkeypatch.setenv("JPY_SESSION_NAME", str(folder / "one.ipynb"))
    assert Predict("how much?").guess == 1
    # A notebook elsewhere started this program, and its name is not ours.
    monkeypatch.setenv("JPY_SESSION_NAME", "/elsewhere/one.ipynb")
    assert Predict("how much?").guess is None


def test_nothing_is_left_where_nothing_was_guessed(folder):
    Predict("how much?").replay(50)
    Predict("which?", ["a", "b"]).set_state({"seen": True})
    assert list(folder.iterdir()) == []
    # Where a page shows the outcome it is locked for good, also if the page comes later.
    widget = Predict("how much?").replay(50)
    widget.set_state({"seen": True})
    assert Predict("how much?").outcome == 50


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"": 3}', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_file_is_set_aside(folder, damage):
    path = folder / "guesses.json"
    path.write_bytes(damage)
    widget = Predict("how much?")
    assert widget.note.startswith("guesses.json could not be read")
    assert path.read_bytes() == damage
    widget.answer = 1.0
    widget.record()
    aside, new = files(folder)
    assert (folder / aside).read_bytes() == damage
    assert new == "guesses.json"
    assert f"It is kept as {aside}." in widget.note
    assert Predict("how much?").guess == 1


@pytest.mark.parametrize("entry", [3, {"guess": "b"}, {"guess": [1]}, {"outcome": {}}])
def test_what_is_no_answer_is_not_taken(folder, entry):
    (folder / "guesses.json").write_text(json.dumps({"": {"how much?": entry}}))
    widget = Predict("how much?")
    assert (widget.guess, widget.outcome) == (None, None)


def test_what_cannot_be_saved_is_said(folder, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(guesses, "replacing", full)
    widget = guessed(1.0, "how much?")
    assert widget.guess == 1
    assert widget.note == "NOT SAVED: [Errno 28] No space left on device"


def test_notebooks_of_a_folder_that_save_at_once_lose_nothing(folder):
    def work(k):
        for i in range(5):
            guesses.Place(folder / "guesses.json", f"{k}.ipynb", f"{i}?").write({"guess": i})

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = json.loads((folder / "guesses.json").read_text())
    assert every == {f"{k}.ipynb": {f"{i}?": {"guess": i} for i in range(5)} for k in range(6)}
