"""The closed forms of the two bowls, against losses written out and minimised numerically."""

import numpy as np
import pytest
from bowl_losses import A, B, loss, second_derivatives, total
from scipy.optimize import minimize

from cl_helpers.lessons import bowls
from cl_helpers.lessons.bowls import PENALTIES, Bowl

ALONG = Bowl((-1.1, -0.6), curvature=12)  # its valley is the θ₁ axis
SOME = [(a, penalty, lam) for a in (A, ALONG) for penalty in PENALTIES for lam in (0.0, 0.3, 20.0)]


def slope(f, theta, h=1e-5):
    return np.array([(f(theta + h * e) - f(theta - h * e)) / (2 * h) for e in np.eye(2)])


def best(f):
    return minimize(f, (0.2, 0.1), method="BFGS", options={"gtol": 1e-7}).x


@pytest.mark.parametrize("bowl", [A, B, ALONG, Bowl((0, 0), 1), Bowl((2, 1), 30, -90)])
def test_a_bowl_is_what_it_says(bowl):
    h = bowl.hessian
    np.testing.assert_allclose(h, second_derivatives(bowl), atol=1e-6)
    assert np.linalg.det(h) == pytest.approx(1)
    values, vectors = np.linalg.eigh(h)
    np.testing.assert_allclose(values, (bowl.curvature**-0.5, bowl.curvature**0.5))
    if bowl.curvature > 1:  # flat along `degrees`
        turn = np.radians(bowl.degrees)
        assert abs(vectors[:, 0] @ (np.cos(turn), np.sin(turn))) == pytest.approx(1)
    points = np.random.default_rng(0).normal(size=(3, 4, 2))
    by_hand = [[loss(bowl, theta) for theta in row] for row in points]
    np.testing.assert_allclose(bowl.loss(points), by_hand)


@pytest.mark.parametrize(("a", "penalty", "lam"), SOME)
def test_the_end_is_where_the_loss_is_least(a, penalty, lam):
    end = bowls.end(a, B, penalty, lam)
    np.testing.assert_allclose(end, best(total(a, penalty, lam)), atol=1e-5)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_two_limits(penalty):
    np.testing.assert_allclose(bowls.end(A, B, penalty, 0), B.optimum)
    held = B.optimum if penalty == "none" else A.optimum
    np.testing.assert_allclose(bowls.end(A, B, penalty, 1e9), held, atol=1e-6)


def test_exact_at_one_is_what_all_data_would_give():
    end = best(lambda theta: loss(A, theta) + loss(B, theta))
    np.testing.assert_allclose(bowls.joint(A, B), end, atol=1e-5)
    np.testing.assert_allclose(bowls.end(A, B, "exact", 1), end, atol=1e-5)


def test_the_diagonal_is_all_when_the_valley_lies_along_an_axis():
    for degrees in (0, 90):
        a = Bowl(A.optimum, 12, degrees)
        one, other = (bowls.end(a, B, p, 3) for p in ("diagonal", "exact"))
        np.testing.assert_allclose(one, other)
    between = Bowl(A.optimum, 12, 45)
    one, other = (bowls.end(between, B, p, 3) for p in ("diagonal", "exact"))
    assert np.linalg.norm(one - other) > 0.3
    # There it cannot even tell the weights apart.
    diagonal = bowls.importance(between, "diagonal")
    np.testing.assert_allclose(diagonal, diagonal[0, 0] * np.eye(2))


@pytest.mark.parametrize(("a", "penalty", "lam"), SOME)
def test_the_path_is_gradient_flow(a, penalty, lam):
    """dθ/dt = −∇: each job of a fine path lies along −∇ at its middle."""
    path = bowls.path(a, B, penalty, lam, n=2000)
    assert path.shape == (2000, 2)
    np.testing.assert_allclose(path[0], a.optimum)
    np.testing.assert_allclose(path[-1], bowls.end(a, B, penalty, lam))
    f = total(a, penalty, lam)
    for before, after in zip(path[1:-2:50], path[2:-1:50], strict=True):
        move, down = after - before, -slope(f, (before + after) / 2)
        if np.linalg.norm(down) > 1e-3:
            angle = move @ down / np.linalg.norm(move) / np.linalg.norm(down)
            assert angle == pytest.approx(1, abs=1e-5)
    # None of it is left out of the 120 points that are drawn.
    pieces = np.linalg.norm(np.diff(bowls.path(a, B, penalty, lam), axis=0), axis=1)
    assert pieces.max() < 0.1 * np.linalg.norm(path[0] - path[-1]) + 1e-12


def test_what_makes_no_sense_is_said():
    for do in (bowls.end, bowls.path):
        with pytest.raises(ValueError, match="'l2': choose none, L2, diagonal, exact"):
            do(A, B, "l2", 1)
        for lam in (-1, np.nan, np.inf):
            with pytest.raises(ValueError, match="choose 0 ≤ λ"):
                do(A, B, "L2", lam)
    for curvature in (0, -2, np.nan):
        with pytest.raises(ValueError, match="curvature is"):
            Bowl((0, 0), curvature)
