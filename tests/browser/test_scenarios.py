"""Notebook 10 as a student goes through it: a guess, and then two knobs, moved by keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest
from driver import changes, opened, picture, status

pytestmark = pytest.mark.full
PATH = Path(__file__).parents[2] / "notebooks" / "10_scenarios.ipynb"


def right(text):
    """The average accuracy that the text says the runs at the slider have."""
    return float(text.partition("average accuracy ")[2].partition("%")[0])


@pytest.fixture
def page(notebook):
    return opened(notebook, PATH)


def test_scenarios(page):
    swept = page.ask(
        "print(*(f'{100 * r.average_accuracy:.1f}' for r in swept))"  # EWC, SI, ER: five of each
    ).text.split()
    ewc, si, er = (list(map(float, swept[k : k + 5])) for k in (0, 5, 10))

    i = page.cell_that_says("cl.widgets.Sweep(swept)")
    page.cell(i).scroll_into_view_if_needed()
    page.wait_until(lambda: f"with {max(ewc)}%" in status(page, i) and page.pictures(i))
    lam = page.widget("slider", "λ")
    lam.press("Home")
    page.wait_until(lambda: status(page, i).startswith("λ off:"))
    assert right(status(page, i)) == ewc[0]
    seen = [right(changes(page, lambda: lam.press("ArrowRight"), i)) for _ in ewc[1:]]
    assert seen == ewc[1:]
    assert status(page, i).startswith("λ 1,000,000:")
    page.screenshot("scenarios-lam", cell=i)
    before = picture(page, i)
    page.cell(i).get_by_role("combobox", name="Method").select_option("SI")
    page.wait_until(lambda: f"with {max(si)}%" in status(page, i) and picture(page, i) != before)

    k = page.cell_that_says('knob="memory"')
    page.cell(k).scroll_into_view_if_needed()
    memory = page.widget("slider", "images stored")
    for key, words, average in (
        ("Home", "10 images stored:", er[0]),
        ("End", "1,000 images stored:", er[-1]),
        ("ArrowLeft", "300 images stored:", er[-2]),
    ):
        memory.press(key)
        page.wait_until(lambda words=words: status(page, k).startswith(words))
        assert right(status(page, k)) == average
        shown = page.wait_until(lambda words=words: words in page.pictures(k)[0].alt)
        assert shown
    assert "λ" not in page.pictures(k)[0].alt
    page.screenshot("scenarios-memory", cell=k)
