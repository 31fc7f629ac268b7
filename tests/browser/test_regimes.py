"""Notebook 11 as a student goes through it: guesses, then regimes of one's own as points."""

from __future__ import annotations

from pathlib import Path

import pytest
from driver import opened, words

pytestmark = pytest.mark.full
PATH = Path(__file__).parents[2] / "notebooks" / "11_training_regimes.ipynb"


@pytest.fixture
def page(notebook):
    return opened(notebook, PATH)


def test_regimes(page):
    g, r = page.cell_that_says("cl.widgets.Predict("), page.cell_that_says("guess.replay(")
    page.cell(g).scroll_into_view_if_needed()
    page.cell(g).get_by_role(
        "button", name="Guess again"
    ).first.click()  # Run All showed the outcome
    page.cell(g).get_by_role("radio", name="stable, and it is less sharp").check()
    page.cell(g).get_by_role("button", name="Record my guess").first.click()
    page.wait_until(lambda: page.ask("print(guess.guess)").text.startswith("stable, and"))
    page.run_cell(r)
    page.wait_until(lambda: "Your guess: stable, and" in page.cell(r).inner_text())

    i = page.cell_that_says("cl.widgets.Curvature(")
    page.cell(i).scroll_into_view_if_needed()
    page.wait_until(lambda: words(page, i).startswith("6: lr 0.1, batch 16"))
    page.screenshot("regimes", cell=i)

    # By keyboard, and then by the button: a seventh point, with the numbers that train gives.
    page.widget("slider", "Learning rate").press("End")
    page.widget("slider", "Batch size").press("End")
    page.widget("slider", "Decay per task").press("Home")
    page.press("Train on two tasks")
    page.wait_until(lambda: words(page, i).startswith("7: "))
    assert words(page, i).startswith("7: lr 0.2, batch 128, dropout 0, decay 0.2: sharpness")
    same = page.ask(
        """
        regime = {"lr": 0.2, "batch_size": 128, "dropout": 0.0, "lr_decay": 0.2}
        [b] = cl.trajectories.follow(tasks[:2], cl.MLP(sizes), epochs=epochs, **regime).bounds
        print(f"sharpness {b.sharpness:.1f}, distance {b.distance:.1f}, bound {b.bound:.0f}")
        """
    ).text.strip()
    assert same in words(page, i)
    page.widget("combobox", "Against forgetting").select_option("distance ‖δ‖")
    right = page.cell(i).locator("svg.cl-picture svg").last
    page.wait_until(lambda: "distance ‖δ‖" in right.text_content())

    # Small batches take long enough to be stopped.
    page.widget("slider", "Batch size").press("Home")
    page.press("Train on two tasks")
    page.wait_until(lambda: words(page, i).startswith("In training: task"))
    page.press("Stop")
    page.wait_until(lambda: words(page, i).startswith("Stopped: it gave no point. 7: "))
    page.screenshot("regimes-seven", cell=i)
    page.press("Clear")
    page.wait_until(lambda: words(page, i).endswith("No point yet: choose a regime and train."))
    assert page.widget("button", "Clear").is_disabled()
