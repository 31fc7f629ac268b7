"""Curvature on a page without a kernel: a point stands where its numbers put it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.stats import spearmanr

import cl_helpers as cl
from cl_helpers.widgets import Curvature

WHATS = "bound", "quadratic", "sharpness", "distance"
REGIME = {"lr": 0.1, "batch_size": 16, "dropout": 0.25, "lr_decay": 0.4}
FACTORS, FORGETTING = 0, 1  # the charts


def a_point(sharpness, distance, forgetting, **regime):
    return {
        **REGIME,
        **regime,
        "sharpness": sharpness,
        "distance": distance,
        "bound": sharpness * distance**2 / 2,
        "quadratic": distance / 100,
        "forgetting": forgetting,
        "learned": 0.9,
        "kept": 0.625,
        "second": 0.8,
    }


POINTS = [  # with ties in sharpness, and in forgetting
    a_point(20.0, 3.0, 0.5),
    a_point(5.0, 7.0, 0.2, lr=0.02),
    a_point(5.0, 2.0, -0.1),
    a_point(1.5, 9.0, 0.5),
    a_point(2.5, 1.2, 0.0),
]


@pytest.fixture
def widget(few):
    widget = Curvature(cl.permuted(few, 2))
    widget.points = POINTS
    return widget


def discs(page, chart):
    """The places of the numbered discs, in the chart's units."""
    return page.page.evaluate(
        """(chart) => {
            const svg = document.querySelectorAll("svg.cl-picture svg")[chart];
            return [...svg.querySelectorAll("[aria-label=dot] circle")].map((disc) =>
                [["x", "cx"], ["y", "cy"]].map(([axis, at]) =>
                    svg.scale(axis).invert(Number(disc.getAttribute(at)))));
        }""",
        chart,
    )


def test_it_says_what_came_of_the_latest(static, widget):
    page = static(widget)
    assert page.words() == (
        "5: lr 0.1, batch 16, dropout 0.25, decay 0.4: sharpness 2.5, distance 1.2, bound 2, "
        "quadratic term 0.012; Forg₁ 0.000, task 1 from 90.0% to 62.5%, task 2 80.0%."
    )


@pytest.mark.parametrize("what", WHATS)
def test_points_stand_where_their_numbers_say(static, widget, what):
    page = static(widget)
    page.widget("combobox", "Against forgetting").select_option(index=WHATS.index(what))
    page.settle()
    expected = [[p["distance"], p["sharpness"]] for p in POINTS]
    np.testing.assert_allclose(discs(page, FACTORS), expected, rtol=1e-3)
    x, y = ([p[name] for p in POINTS] for name in (what, "forgetting"))
    np.testing.assert_allclose(discs(page, FORGETTING), np.transpose([x, y]), atol=1e-3)
    title = page.page.locator("svg.cl-picture svg").nth(FORGETTING).text_content()
    told = float(re.search(r"Rank correlation (\S+) of 5 regimes", title)[1])
    assert told == pytest.approx(spearmanr(x, y).statistic, abs=0.0051)


def test_along_a_dotted_line_the_bound_is_what_it_says(static, widget):
    page = static(widget)
    found = page.page.evaluate(
        """() => {
            const svg = document.querySelector("svg.cl-picture svg");
            const [x, y] = [svg.scale("x"), svg.scale("y")];
            const lines = [...svg.querySelectorAll("[aria-label=line] path")];
            const texts = [...svg.querySelectorAll("[aria-label=text]")]
                .map((g) => [...g.querySelectorAll("text")].map((t) => t.textContent));
            return [lines.map((line) => line.getAttribute("d").match(/[-\\d.]+,[-\\d.]+/g)
                .map((pair) => pair.split(",").map(Number))
                .map(([px, py]) => [x.invert(px), y.invert(py)])), texts];
        }"""
    )
    lines, texts = found
    [said] = [words for words in texts if len(words) == len(lines) and words[0] != "1"]
    assert len(lines) >= 3
    for line, text in zip(lines, said, strict=True):
        distance, sharpness = np.transpose(line)
        np.testing.assert_allclose(sharpness * distance**2 / 2, float(text), rtol=0.01)


def test_too_few_points_or_equal_ones_have_no_correlation(static, widget):
    page = static(widget)
    right = page.page.locator("svg.cl-picture svg").nth(FORGETTING)
    page.set(points=POINTS[:3])
    assert "Rank correlation: from four points on" in right.text_content()
    page.set(points=[POINTS[0]] * 4)
    assert "All are equal: no rank correlation" in right.text_content()
    page.set(points=[])
    assert page.words() == "No point yet."
    assert discs(page, FACTORS) == []


def test_a_trajectory_that_did_not_move_has_a_place_and_a_word(static, widget):
    page = static(widget)
    page.set(points=[a_point(0.0, 0.0, 0.0)])
    np.testing.assert_allclose(discs(page, FACTORS), [[1e-6, 1e-6]], rtol=1e-3)
    assert "On the left, what is below 0.000001 is shown there." in page.words()


def test_points_tell_their_regime_by_pointer_and_keyboard(static, widget):
    page = static(widget)
    left = page.widget("slider", "Sharpness against distance; arrow keys read its points")
    left.focus()
    left.press("Home")
    left.press("ArrowRight")
    assert left.get_attribute("aria-valuetext").startswith("2: lr 0.02, batch 16,\ndropout 0.25")
    tip = page.page.locator(".cl-tip")
    assert "sharpness 5.0, distance 7.0" in tip.inner_text()
    left.blur()
    right = page.page.locator("svg.cl-picture svg").nth(FORGETTING)
    right.locator("circle").nth(3).hover(force=True)  # what reads lies over it
    assert "sharpness 1.5, distance 9.0" in tip.inner_text()


def test_what_trains_is_not_offered_without_a_kernel(static, widget):
    page = static(widget)
    assert page.page.get_by_role("button").count() == 0
    assert page.widget("slider", "Learning rate").count() == 0
    assert page.page.locator(".cl-note").inner_text() == "Runs need the notebook."
    now = {"regime": REGIME, "task": 2, "step": 30, "n_steps": 40}
    page.set(stored=False, doing="running", now=now)
    assert page.page.locator(".cl-note").inner_text() == (
        "In training: lr 0.1, batch 16, dropout 0.25, decay 0.4, task 2 of 2. "
        "What you choose now is for the next run."
    )
    page.set(doing="stopped", reason="interrupted")
    assert page.words().startswith("Interrupted: it gave no point.")


@pytest.mark.parametrize("width", [360, 900, 1920])
def test_it_fits(static, widget, width):
    page = static(widget, width=width)
    assert page.overflow() == 0
    assert page.serious() == []
