"""Credit on a page without a kernel: SI's sums along gradient descent, computed with NumPy."""

from __future__ import annotations

import re

import numpy as np
import pytest
from static_page import number

from cl_helpers.lessons.bowls import Bowl
from cl_helpers.widgets import Credit

NUMBER = r"(-?\d+\.\d+)"
TOLD = re.compile(
    rf"After (\d+) of (\d+) steps the credit is ω₁ = {NUMBER} and ω₂ = {NUMBER}, together "
    rf"{NUMBER}; the loss fell by {NUMBER}"
)


def by_numpy(widget, steps):
    """SI's credit, the exact one by fine integration along each step, and the fall."""
    bowl, theta = Bowl((0, 0), widget.curvature, widget.degrees), np.array(widget.start)
    credit, exact, began = np.zeros(2), np.zeros(2), bowl.loss(theta)
    for _ in range(steps):
        move = -widget.lr * bowl.hessian @ theta
        credit -= bowl.hessian @ theta * move
        between = theta + np.linspace(0, 1, 1001)[:, None] * move
        exact -= np.trapezoid(between @ bowl.hessian, axis=0, dx=1 / 1000) * move
        theta = theta + move
    return credit, exact, began - bowl.loss(theta)


@pytest.mark.parametrize("lr", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("walked", [0.5, 1.0])
def test_the_sums_are_those_of_numpy(static, lr, walked):
    widget = Credit(lr=lr)
    widget.walked, widget.start, widget.degrees = walked, [-1.5, -0.4], -30.0
    words = static(widget).words()
    told = [number(v) for v in TOLD.search(words).groups()]
    assert told[:2] == [round(walked * 4 / lr), 4 / lr]
    credit, exact, fall = by_numpy(widget, int(told[0]))
    np.testing.assert_allclose(told[2:], [*credit, credit.sum(), fall], atol=0.0006)
    assert exact.sum() == pytest.approx(fall)  # the mean of both gradients is exact on a bowl
    one, two = re.search(rf"exact: {NUMBER} and {NUMBER}\.", words).groups()
    np.testing.assert_allclose([number(one), number(two)], exact, atol=0.0006)


def test_the_sum_tends_to_the_fall_with_shorter_steps(static):
    page, excess = static(Credit()), []
    rate = page.widget("slider", "Learning rate η")
    rate.press("End")
    for _ in range(8):
        *_, total, fall = (number(v) for v in TOLD.search(page.words()).groups())
        excess.append(total / fall - 1)
        rate.press("ArrowLeft")
    assert page.get("lr") == 0.01
    assert excess == sorted(excess, reverse=True)
    assert excess[0] > 0.5
    assert excess[-1] < 0.03


def test_bars_are_as_long_as_the_numbers(static):
    page = static(Credit(lr=0.2))
    bars = page.page.locator("svg.cl-picture rect[style]").all()
    lengths = [float(bar.get_attribute("width")) for bar in bars]
    *_, one, two, _, fall = (number(v) for v in TOLD.search(page.words()).groups())
    wanted = np.array([one, two, one, two, fall])
    np.testing.assert_allclose(np.array(lengths) / lengths[0], wanted / one, rtol=0.002)


def test_the_start_is_dragged_and_the_path_scrubbed(static):
    page = static(Credit())
    start = page.widget("slider", "where training begins")
    page.drag(start, 100, 30)
    scale = 760 / 5.2
    assert page.get("start") == pytest.approx([-2 + 100 / scale, 0.9 - 30 / scale], abs=0.03)
    start.press("ArrowUp")
    page.widget("slider", "Path").press("Home")
    assert page.words().startswith("After 0 of 80 steps the credit is ω₁ = 0.000")
    page.page.emulate_media(reduced_motion="reduce")
    page.widget("button", "▶ Walk").click()
    assert page.words().startswith("After 80 of 80 steps")


@pytest.mark.parametrize("width", [360, 900, 1920])
def test_it_fits(static, width):
    page = static(Credit(lr=0.5), width=width)
    assert page.overflow() <= 0
    assert page.cut_off() == []
