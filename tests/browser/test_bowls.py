"""Bowls on a page without a kernel: what it draws and says, against numerical minimisation."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest
from bowl_losses import loss, total
from scipy.optimize import minimize
from static_page import number

from cl_helpers.lessons.bowls import PENALTIES, path
from cl_helpers.widgets import Bowls

END = re.compile(
    r"ends at \((.*), (.*)\), the star: loss on A (.*), on B (.*), "
    r"together (.*) \(at best (.*)\); (.*)\."
)


def told(page):
    """(θ₁, θ₂, L_A, L_B, L_A + L_B, best of it), and the verdict."""
    *numbers, verdict = END.search(page.words()).groups()
    return [number(n) for n in numbers], verdict


def test_six_figures(static):
    page = static(Bowls(1))
    figure = page.widget("combobox", "Figure")
    texts, penalties = [], []
    for i in range(6):
        figure.select_option(index=i)
        texts.append(page.words())
        penalties.append(page.get("penalty"))
    assert len(set(texts)) == 6
    assert ["ends at" in text for text in texts] == [False] * 3 + [True] * 3
    assert "B" not in texts[0]
    assert penalties == ["none"] * 4 + ["L2", "diagonal"]
    assert penalties == [Bowls(i + 1).penalty for i in range(6)]
    forgotten, both = "B is learned, A is forgotten.", "both tasks are solved."
    assert [text.split("; ")[-1] for text in texts[3:]] == [forgotten, forgotten, both]


@pytest.mark.parametrize("penalty", PENALTIES)
def test_it_says_what_numerical_minimisation_finds(static, penalty):
    widget = Bowls(6)
    widget.penalty, widget.lam, widget.degrees_a = penalty, 0.5, -35.0
    widget.a, widget.curvature_a, widget.curvature_b = [-1.5, 0.3], 20.0, 5.0
    a, b = widget.tasks
    end = minimize(total(a, penalty, 0.5, b), (0.1, 0.2)).x
    best = minimize(lambda theta: loss(a, theta) + loss(b, theta), (0.1, 0.2)).fun
    la, lb = loss(a, end), loss(b, end)
    numbers, verdict = told(static(widget))
    np.testing.assert_allclose(numbers, [*end, la, lb, la + lb, best], atol=0.0051)
    np.testing.assert_allclose(widget.end, end, atol=1e-4)
    fates = ["both tasks are solved", "A is kept", "B is learned", "neither is solved"]
    assert verdict.startswith(fates[2 * (la >= 1) + (lb >= 1)])


def test_green_is_shown_where_a_search_finds_a_point_that_solves_both(static):
    widget = Bowls(3)
    page = static(widget)
    found = set()
    for gap, degrees in product((0.5, 1.3, 2.4), (0.0, 45.0, 80.0)):
        widget.a, widget.b, widget.degrees_a = [-gap, -gap], [gap, gap], degrees
        page.set(a=widget.a, b=widget.b, degrees_a=degrees)
        a, b = widget.tasks
        plane = np.stack(np.meshgrid(np.linspace(-5, 5, 400), np.linspace(-5, 5, 400)), -1)
        both = bool((np.maximum(a.loss(plane), b.loss(plane)) < 0.98).any())
        assert ("Green: where both are" in page.words()) == both
        found.add(both)
    assert found == {True, False}


def test_each_handle_is_dragged_and_moved_by_keys(static):
    page = static(Bowls(6))
    a, b = (page.widget("slider", f"minimum of task {name}") for name in "AB")
    page.drag(a, 50, 0)
    (x, y), scale = page.get("a"), (900 - 32) / 8.6  # pixels a unit
    assert x == pytest.approx(-1.08 + 50 / scale, abs=0.03)
    assert y == pytest.approx(-0.62, abs=0.02)
    b.press("ArrowUp")
    b.press("Shift+ArrowLeft")
    assert page.get("b") == pytest.approx([0.58, 0.72])
    axis = page.widget("slider", "flat direction of task A: turn it, stretch it")
    axis.press("ArrowRight")
    axis.press("ArrowUp")
    assert (page.get("degrees_a"), page.get("curvature_a")) == (5, 13)
    page.drag(axis, 0, -200)
    assert 30 < page.get("degrees_a") < 70
    star, before = page.widget("slider", "where training ends: pull it, it changes λ"), page.words()
    star.press("ArrowRight")
    assert page.get("lam") == 2
    assert page.words() != before
    page.drag(star, -300, 100)  # towards θ*_A
    assert page.get("lam") > 2


def test_the_way_is_the_gradient_flow(static):
    widget = Bowls(6)
    page = static(widget)
    page.widget("slider", "Way").press("Home")
    assert "After 0% of the way θ is at (−1.08, −0.62)" in page.words()
    points = page.page.locator("polyline").last.get_attribute("points")
    assert len(points.split()) == 2  # nothing of it is gone yet
    page.set(walked=1)
    drawn = page.page.locator("polyline").last.get_attribute("points").split()
    scale = (900 - 32) / 8.6
    x, y = np.array([point.split(",") for point in drawn], dtype=float).T
    way = path(*widget.tasks, "diagonal", 1.0, n=len(drawn))
    np.testing.assert_allclose(x / scale - 4.3, way[:, 0], atol=0.002)
    np.testing.assert_allclose(2.6 - y / scale, way[:, 1], atol=0.002)


def test_what_the_notebook_asks_to_find(static):
    page = static(Bowls(5))
    lams = page.page.evaluate("[0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 100, 1000]")
    sums, both = {}, {}
    for degrees, penalty, lam in product((0, 45), PENALTIES[1:], lams):
        page.set(degrees_a=degrees, penalty=penalty, lam=lam)
        numbers, verdict = told(page)
        sums[degrees, penalty, lam] = numbers[4]
        both[degrees, penalty, lam] = verdict == "both tasks are solved"
    # Along the axes the diagonal is exact; at 45° it fails, and no better than L2.
    assert both[0, "diagonal", 1]
    assert all(sums[0, "diagonal", lam] == sums[0, "exact", lam] for lam in lams)
    best = {p: min(sums[45, p, lam] for lam in lams) for p in PENALTIES[1:]}
    assert not both[45, "diagonal", 1]
    assert sums[45, "exact", 1] == best["exact"]
    assert min(best["diagonal"], best["L2"]) > 1.3 * best["exact"]
