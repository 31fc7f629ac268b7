"""Predict on a page without a kernel: no guess before a touch, or after the outcome."""

from __future__ import annotations

import pytest

from cl_helpers.widgets import Predict

ORDER = ["start", "learning rate", "schedule"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def press(page, name):
    page.widget("button", name).click()
    page.settle()


def test_a_number(static):
    page = static(Predict("How much?", least=10, most=60))
    slider = page.widget("slider", "Your guess")
    assert slider.get_attribute("aria-valuetext") == "–"
    press(page, "Record my guess")
    assert page.get("guess") is None
    assert page.words().startswith("Move the slider first.")
    slider.press("Home")  # where it is: that is a guess too
    assert page.get("answer") == 10
    slider.press("End")
    slider.press("ArrowLeft")
    page.settle()
    assert slider.get_attribute("aria-valuetext") == "59.5 %"
    assert "Move" not in page.words()
    press(page, "Record my guess")
    assert page.get("guess") == 59.5
    assert slider.is_disabled()
    assert page.words() == "Recorded. Now run on and see."
    press(page, "Guess again")
    assert page.get("guess") is None
    assert slider.get_attribute("aria-valuetext") == "–"


@pytest.mark.parametrize(("guess", "outcome"), [(0.0, 100), (100.0, 0), (50.0, 250), (3.0, -40)])
@pytest.mark.parametrize("width", [360, 900])
def test_guess_and_outcome_lie_on_a_line(static, guess, outcome, width):
    widget = Predict("How much?")
    widget.answer = guess
    widget.record()
    page = static(widget.replay(outcome), width=width)
    assert page.words() == (
        f"What came out: {outcome} %. Your guess: {guess:.0f} %. "
        f"They are {abs(outcome - guess):.0f} percentage points apart."
    )
    assert page.overflow() <= 0
    assert page.cut_off() == []
    whole, *places = page.page.evaluate(
        """() => {
            const svg = document.querySelector("svg.cl-picture");
            const { left, width } = svg.getBoundingClientRect();
            return [width, ...[...svg.querySelectorAll("[aria-label=dot]")].map(dot => {
                const box = dot.getBoundingClientRect();
                return (box.left + box.right) / 2 - left;
            })];
        }"""
    )
    least, most = min(0, outcome), max(100, outcome)
    wanted = [16 + (whole - 32) * (v - least) / (most - least) for v in (guess, outcome)]
    assert places == pytest.approx(wanted, abs=1)


def test_one_of_several(static):
    page = static(Predict("Which?", ["this", "that"]))
    press(page, "Record my guess")
    assert page.words().startswith("Choose one first.")
    page.widget("radio", "this").focus()
    page.page.keyboard.press("ArrowDown")
    press(page, "Record my guess")
    assert page.get("guess") == "that"
    assert page.widget("radio", "this").is_disabled()
    page.set(outcome="that")
    assert page.words() == "What came out: that. Your guess: that. You were right."


def test_an_order_by_keyboard(static):
    page = static(Predict("In which order?", ORDER, order=True))
    for name in ("schedule", "start"):
        page.widget("button", f"{name}: no place").press("Enter")
    press(page, "Record my guess")
    assert page.words().startswith("Give each of them one place.")
    page.widget("button", "learning rate: no place").press(" ")
    last = page.widget("button", "learning rate: place 3")
    assert last.evaluate("item => item === document.activeElement")
    page.page.keyboard.press("ArrowUp")
    page.page.keyboard.press("ArrowUp")  # it keeps the focus as it moves
    page.page.keyboard.press("ArrowUp")
    assert page.get("answer") == ["learning rate", "schedule", "start"]
    page.widget("button", "schedule: place 2").click()  # takes it out
    assert page.get("answer") == ["learning rate", "start"]
    page.widget("button", "schedule: no place").click()
    press(page, "Record my guess")
    assert page.get("guess") == ["learning rate", "start", "schedule"]
    page.set(outcome=["learning rate", "schedule", "start"])
    assert page.words().endswith("1 of 3 are in their place.")
    rows = page.page.locator("tr").all_inner_texts()
    assert [row.split("\t") for row in rows[1:]] == [
        ["1", "learning rate ✓", "learning rate"],
        ["2", "start", "schedule"],
        ["3", "schedule", "start"],
    ]


@pytest.mark.parametrize("outcome", [63.24, "b", ["b", "a"]])
def test_after_the_outcome_nothing_can_be_guessed(static, outcome):
    options = None if isinstance(outcome, float) else ["a", "b"]
    page = static(Predict("?", options, order=isinstance(outcome, list)).replay(outcome))
    assert not page.widget("button", "Record my guess").is_visible()
    for role in ("slider", "radio", "group"):
        assert page.page.get_by_role(role).count() == 0
    assert "What came out" in page.words()
    page.set(stored=False)  # where somebody could have guessed
    assert page.words().endswith("No guess was recorded, and none can be now.")
