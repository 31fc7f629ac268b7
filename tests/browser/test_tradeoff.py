"""TradeOff on a page without a kernel, against numerical minimisation."""

from __future__ import annotations

import re
from itertools import product

import pytest
from scipy.optimize import minimize_scalar
from static_page import number

from cl_helpers.widgets import TradeOff

TOLD = re.compile(r"θ = (.*), the star: loss on A (.*), on B (.*), together (.*) \(at best (.*)\)")


def test_it_says_where_numerical_minimisation_ends(static):
    page = static(TradeOff())
    for lam, fisher in product((0, 0.1, 1, 5, 100), (0.1, 2.0, 8.0)):
        page.set(lam=lam, fisher=fisher)

        def a(theta, fisher=fisher):
            return fisher / 2 * (theta + 1) ** 2

        def b(theta):
            return (theta - 1) ** 2 / 2

        end = minimize_scalar(lambda theta: b(theta) + lam * a(theta)).x  # noqa: B023
        best = minimize_scalar(lambda theta: a(theta) + b(theta)).fun
        told = [number(v) for v in TOLD.search(page.words()).groups()]
        assert told == pytest.approx([end, a(end), b(end), a(end) + b(end), best], abs=0.0051)


def test_lam_and_curvature_move_the_minimum(static):
    page = static(TradeOff())
    places = []
    for name, key in (("λ", "End"), ("Curvature F of A", "End"), ("λ", "Home")):
        page.widget("slider", name).press(key)
        places.append(number(TOLD.search(page.words()).group(1)))
    assert places == pytest.approx([-1 + 2 / 201, -1 + 2 / 801, 1], abs=0.0051)
    assert "A is forgotten" in page.words()


@pytest.mark.parametrize("width", [360, 900, 1920])
def test_it_fits(static, width):
    page = static(TradeOff(), width=width)
    assert page.overflow() <= 0
    assert page.cut_off() == []
    page.page.locator("svg.cl-picture").hover()  # numbers at the pointer
    assert "loss of A" in page.page.locator(".cl-tip").inner_text()


def test_its_numbers_are_read_by_keyboard(static):
    page = static(TradeOff())
    page.set(lam=2, fisher=4)
    reader = page.widget("slider", "Losses, weight by weight; arrow keys read them")
    reader.press("End")
    for key in ("Shift+ArrowLeft", "ArrowRight"):
        reader.press(key)
    theta = 2.2 - 9 * 4.4 / 220
    a, b = 2 * (theta + 1) ** 2, (theta - 1) ** 2 / 2
    told = [theta, a, b, 2 * a, b + 2 * a]
    lines = reader.get_attribute("aria-valuetext").split("\n")
    assert [number(line.split()[-1]) for line in lines] == pytest.approx(told, abs=0.0051)
