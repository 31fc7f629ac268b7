"""Notebook 12 as a student goes through it: an order guessed, a schedule moved, run and kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from driver import opened, words

pytestmark = pytest.mark.full
PATH = Path(__file__).parents[2] / "notebooks" / "12_lr_schedules.ipynb"


@pytest.fixture
def page(notebook):
    return opened(notebook, PATH)


def test_schedules(page):
    i = page.cell_that_says("cl.widgets.Predict")
    page.cell(i).get_by_role("button", name="Guess again").click()  # Run All showed the outcome
    order = ["learning rate", "seed", "start", "schedule"]
    for cause in order:
        page.cell(i).get_by_role("button", name=f"{cause}: no place").click()
    page.cell(i).get_by_role("button", name="Record my guess").click()
    page.wait_until(lambda: page.ask("print(guess.guess)").text.strip() == str(order))
    k = page.cell_that_says("guess.replay")
    page.run_cell(k)
    page.wait_until(lambda: "are in their place" in page.cell(k).inner_text())

    w = page.cell_that_says("cl.widgets.Schedule")
    page.cell(w).scroll_into_view_if_needed()
    page.wait_until(lambda: "Press Run" in words(page, w))
    page.widget("slider", "lr").press("ArrowRight")
    page.wait_until(lambda: "cosine, lr 0.02 to 0.0002" in words(page, w))
    page.widget("combobox", "Schedule").select_option("one-cycle")
    page.wait_until(lambda: page.widget("slider", "warm_up").is_disabled())

    page.press("Run")
    done = re.compile(r"one-cycle, lr 0.02 to 0.0002, pretrained: 80% .*, ([\d.]+)% after 60\.")
    first = page.wait_until(lambda: done.search(words(page, w))).group(1)
    page.wait_until(lambda: page.widget("button", "Keep").is_enabled())
    page.press("Keep")
    page.wait_until(lambda: "1 run is kept." in words(page, w))

    page.widget("combobox", "Start").select_option("from scratch")
    page.widget("combobox", "Schedule").select_option("constant")
    page.wait_until(lambda: page.widget("slider", "lr_final").is_disabled())
    page.press("Run")
    note = page.cell(w).locator(".cl-note")
    page.wait_until(lambda: "What you choose now is for the next run." in note.inner_text())
    done = re.compile(r"constant, lr 0.02, from scratch: 80% .*, ([\d.]+)% after 60\.")
    page.wait_until(lambda: done.search(words(page, w)))
    # The first run still lies under the second.
    legend = page.cell(w).locator(".cl-legend")
    assert f"{first}%" in legend.text_content()
    page.screenshot("schedules", cell=w)
    page.press("Clear")
    page.wait_until(lambda: "kept" not in words(page, w))
    page.press("Run")  # and again, stopped by whoever runs the cell once more
    page.run_cell(w)
    page.wait_until(lambda: "Press Run" in words(page, w))
    assert page.errors() == []
