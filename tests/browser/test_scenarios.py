"""Notebook 10 as a student goes through it: a guess, and then two knobs, moved by keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest
from driver import opened

pytestmark = pytest.mark.full
PATH = Path(__file__).parents[2] / "notebooks" / "10_scenarios.ipynb"


LAMS = ("λ off:", "λ 1,000:", "λ 10,000:", "λ 100,000:", "λ 1,000,000:")


def words(page, i):
    """The sentence of the view in that cell; empty before there is one."""
    shown = page.cell(i).locator("p.cl-words")
    return shown.inner_text() if shown.count() else ""


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
    page.wait_until(lambda: f"with {max(ewc)}%" in words(page, i))
    lam = page.widget("slider", "λ")
    seen = []
    for key, start in zip(["Home", *["ArrowRight"] * 4], LAMS, strict=True):
        lam.press(key)
        page.wait_until(lambda start=start: words(page, i).startswith(start))
        seen.append(right(words(page, i)))
    assert seen == ewc
    page.screenshot("scenarios-lam", cell=i)
    page.cell(i).get_by_role("combobox", name="Method").select_option("SI")
    page.wait_until(lambda: f"with {max(si)}%" in words(page, i))

    k = page.cell_that_says('knob="memory"')
    page.cell(k).scroll_into_view_if_needed()
    memory = page.widget("slider", "images stored")
    for key, start, average in (
        ("Home", "10 images stored:", er[0]),
        ("End", "1,000 images stored:", er[-1]),
        ("ArrowLeft", "300 images stored:", er[-2]),
    ):
        memory.press(key)
        page.wait_until(lambda start=start: words(page, k).startswith(start))
        assert right(words(page, k)) == average
    assert "λ" not in page.cell(k).locator("div.cl").inner_text()
    page.screenshot("scenarios-memory", cell=k)
