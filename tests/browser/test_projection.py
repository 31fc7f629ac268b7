"""Projection on a page without a kernel: arrows, regions and words, against a quadratic program."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.path import Path
from scipy.optimize import lsq_linear

from cl_helpers.widgets import Projection

SCALE = 720 / 6.7  # pixels a unit, on a wide page


def plane(points):
    """Points (n, 2) from the text of an SVG."""
    x, y = np.array([point.split(",") for point in points.split()], dtype=float).T
    return np.stack([x / SCALE - 3.35, 2.55 - y / SCALE], 1)


def tips(page):
    """The tip of every arrow that is drawn: of g₁, g₂, r, GEM, A-GEM and g."""
    arrows = page.page.locator("svg.cl-picture g g")
    found = arrows.evaluate_all(
        "all => all.map(g => g.querySelector('polygon')?.getAttribute('points'))"
    )
    return np.array([plane(points)[0] if points else (0, 0) for points in found])


def nearest(g, old, margin=0.0):
    """GEM's dual as its paper has it: bounded least squares."""
    if (old @ g >= 0).all():
        return np.asarray(g)
    v = lsq_linear(old.T, -np.asarray(g), (margin, np.inf), method="bvls", tol=1e-14).x
    return old.T @ v + g


CASES = [(-2, -0.95), (2.5, -0.4), (-0.2, -2), (1.5, 1), (2.2, 0.6), (-2.9, 0.1), (0.3, -0.2)]


@pytest.mark.parametrize("margin", [0.0, 0.4])
@pytest.mark.parametrize("angle", [20, 60, 110, 170])
def test_it_draws_and_says_what_the_quadratic_program_gives(static, margin, angle):
    widget = Projection((0.0, 1.0), margin=margin, angle=angle)
    page, (g1, g2) = static(widget), widget.old
    assert g1 @ g2 / np.linalg.norm(g1) / np.linalg.norm(g2) == pytest.approx(
        np.cos(np.radians(angle))
    )
    for g in CASES:
        page.set(g=list(g))
        widget.g = list(map(float, g))
        r, words = (g1 + g2) / 2, page.words()
        gem, agem = nearest(g, widget.old, margin), np.array(g) - min(0, r @ g) / (r @ r) * r
        dot = np.linalg.norm(gem) >= 0.02  # shorter ones are dots
        np.testing.assert_allclose(tips(page), [g1, g2, r, dot * gem, agem, g], atol=0.002)
        np.testing.assert_allclose(widget.gradients.gem, gem, atol=1e-5)
        np.testing.assert_allclose(widget.gradients.agem, agem, atol=1e-12)
        # From the losses themselves: L_k falls by ⟨v, g_k⟩ with a step along −v.
        hurt = [k for k, g_k in enumerate((g1, g2), 1) if g_k @ g < -1e-9]
        assert words.startswith("g raises the loss of" if hurt else "g raises no old loss")
        assert all(f"task {k}" in words.split(".")[0] for k in hurt)
        if hurt:
            after = [k for k, g_k in enumerate((g1, g2), 1) if g_k @ agem < -1e-9]
            assert [k for k in (1, 2) if re.search(rf"A-GEM.*task {k}.* still", words)] == after
            bind = [k for k, g_k in enumerate((g1, g2), 1) if abs(g_k @ gem) < 1e-5]
            told = {
                (): "γ keeps it away from both edges",
                (1,): "condition of task 1 binds",
                (2,): "condition of task 2 binds",
                (1, 2): "both conditions bind, and no step is left",
            }
            assert told[tuple(bind)] in words


@pytest.mark.parametrize("angle", [10, 60, 110, 170])
def test_regions_are_where_the_losses_do_not_rise(static, angle):
    widget = Projection(angle=angle)
    page = static(widget)
    drawn = page.page.locator("svg.cl-picture > g > polygon").all()
    regions = [Path(plane(each.get_attribute("points"))) for each in drawn]
    x, y = np.meshgrid(np.linspace(-3.3, 3.3, 34), np.linspace(-2.5, 2.5, 26))
    points = np.stack([x.ravel(), y.ravel()], 1)
    one, two = (points @ g_k for g_k in widget.old)
    clear = (abs(one) > 1e-2) & (abs(two) > 1e-2)
    wanted = (one > 0, two > 0, (one > 0) & (two > 0))
    for region, where in zip(regions, wanted, strict=True):
        np.testing.assert_array_equal(region.contains_points(points)[clear], where[clear])


def test_g_is_dragged_by_its_tip_and_moved_by_keys(static):
    page = static(Projection())
    tip = page.widget("slider", "gradient g")
    page.drag(tip, 2.5 * SCALE, -2.45 * SCALE)
    assert page.get("g") == pytest.approx([0.5, 1.5], abs=0.03)
    assert page.words().startswith("g raises no old loss")
    page.drag(tip, 900, 0)  # out of the plane: it stays at the rim
    assert page.get("g") == pytest.approx([3, 1.5], abs=0.03)
    x, y = page.get("g")
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowDown", "ArrowUp"):
        tip.press(key)
    page.settle()
    assert page.get("g") == pytest.approx([x - 0.2, y - 0.4])
    assert tip.get_attribute("aria-valuetext") == f"{x - 0.2:.2f} to the right, {y - 0.4:.2f} up"


@pytest.mark.parametrize("width", [360, 900])
def test_names_are_whole(static, width):
    page = static(Projection((-3.0, 0.0), angle=10), width=width)
    assert page.cut_off() == []
    assert page.overflow() <= 0


@pytest.mark.parametrize("g", [(4.0, 0.0), (0.0, -2.3), (1.0,)])
def test_it_refuses_what_is_not_on_the_plane(g):
    with pytest.raises(ValueError, match=r"within ±3 and ±2\.2"):
        Projection(g=g)
