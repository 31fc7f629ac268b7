"""The figures of notebook 11 show the numbers of the trajectories they are given."""

from itertools import combinations

import numpy as np
import pytest
from legible import assert_legible, texts_of
from matplotlib.backends.backend_agg import FigureCanvasAgg

import cl_helpers as cl
from cl_helpers.analysis.curvature import Plane
from cl_helpers.lessons.figures import landscapes
from cl_helpers.report import plots
from cl_helpers.report.plots import LOOK

SIZES = (784, 8, 10)


@pytest.fixture(scope="module")
def trajectories(few):
    tasks = cl.permuted(few, 4)
    regimes = {"plastic": {"lr": 0.05}, "stable": {"lr": 0.1, "batch_size": 32, "lr_decay": 0.4}}
    return {
        name: cl.trajectories.follow(tasks, cl.MLP(SIZES), epochs=3, seed=1, **regime)
        for name, regime in regimes.items()
    }


def out_of_view(figure):
    """Labels of ticks that matplotlib keeps and does not draw."""
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not low <= tick.get_loc() <= high:
                    yield tick.label1


def can_be_read(figure):
    FigureCanvasAgg(figure).draw()
    assert len(plots.alt_text(figure)) > 80
    unseen = set(out_of_view(figure))
    texts = [(text, box) for text, box in texts_of(figure) if text not in unseen]
    assert len(texts) > 10
    assert_legible(figure, texts)


def test_bounds(trajectories):
    figure = landscapes.bounds(trajectories)
    can_be_read(figure)
    for ax, trajectory in zip(figure.axes, trajectories.values(), strict=True):
        bound, forgetting, quadratic, second_order = (line.get_ydata() for line in ax.lines[:4])
        distance = [float((w - trajectory.weights[0]).norm()) for w in trajectory.weights[1:]]
        np.testing.assert_allclose(
            bound, trajectory.sharpness(0) * np.square(distance) / 2, rtol=1e-3
        )
        loss = trajectory.loss(0)
        lost = [loss(w) - loss(trajectory.weights[0]) for w in trajectory.weights[1:]]
        np.testing.assert_allclose(forgetting, lost, atol=1e-5)
        np.testing.assert_allclose(quadratic, [b.quadratic for b in trajectory.bounds])
        slope = [
            float(loss.gradient(trajectory.weights[0]) @ (w - trajectory.weights[0]))
            for w in trajectory.weights[1:]
        ]
        np.testing.assert_allclose(second_order - quadratic, slope, atol=1e-5)
        assert ax.lines[0].get_xdata().tolist() == [2, 3, 4]
        assert f"bound {bound[-1]:.1f}" in plots.alt_text(figure)


def test_line(trajectories):
    figure = landscapes.line(trajectories)
    can_be_read(figure)
    for ax, trajectory in zip(figure.axes, trajectories.values(), strict=True):
        t = ax.lines[0].get_xdata()
        ends = [int(np.argmin(abs(t - end))) for end in (0, 1)]
        np.testing.assert_allclose(t[ends], [0, 1], atol=1e-9)
        for task, line in enumerate(ax.lines[:2]):
            expected = [trajectory.loss(task)(w) for w in trajectory.weights[:2]]
            np.testing.assert_allclose(line.get_ydata()[ends], expected, rtol=1e-4)
        one, parabola = ax.lines[0].get_ydata(), ax.lines[2].get_ydata()
        near = slice(ends[0] - 2, ends[0] + 3)
        np.testing.assert_allclose(parabola[near], one[near], rtol=2e-3)  # Taylor's, around θ₁*
        np.testing.assert_allclose(
            parabola[ends[1]] - one[ends[0]], trajectory.bounds[0].second_order
        )


def test_settings():
    found = {  # forgetting falls with sharpness, and grows with distance and with the bound
        f"lr {k}": {"sharpness": 8.0 / k, "distance": 2.0 * k, "forgetting": 0.1 * k}
        for k in (1, 2, 4)
    }
    figure = landscapes.settings(found)
    can_be_read(figure)
    for ax, x in zip(figure.axes, ([8, 4, 2], [2, 4, 8], [16, 32, 64]), strict=True):
        dots = ax.lines[1]
        np.testing.assert_allclose(dots.get_xdata(), x)
        np.testing.assert_allclose(dots.get_ydata(), [0.1, 0.2, 0.4])
    assert [ax.get_title()[-5:] for ax in figure.axes] == ["−1.00", "+1.00", "+1.00"]
    assert "-1.00 with the sharpness, +1.00 with the distance" in plots.alt_text(figure)


def test_plane(trajectories):
    planes, points = {}, {}
    for name, trajectory in trajectories.items():
        three = trajectory.weights[:3]
        planes[name] = Plane.through(*three), trajectory.loss(0), trajectory.loss(1)
        points[name] = dict(zip(("θ₁*", "θ₂*", "joint"), three, strict=True))
    good = 1.5 * trajectories["plastic"].loss(0)(trajectories["plastic"].weights[0])
    figure = landscapes.plane(planes, points, good, n=9)
    can_be_read(figure)
    spans = []
    for ax, trajectory in zip(figure.axes, trajectories.values(), strict=True):
        places = np.array([line.get_xydata()[0] for line in ax.lines])
        for i, j in combinations(range(3), 2):
            apart = float((trajectory.weights[i] - trajectory.weights[j]).norm())
            assert np.linalg.norm(places[i] - places[j]) == pytest.approx(apart, rel=1e-4)
        spans.append([np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())])
        (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
        assert all(x0 < x < x1 and y0 < y < y1 for x, y in places)
        shaded = ax.collections[0].get_paths()  # where task 1's loss is below `good`
        inside = any(path.contains_point(places[0]) for path in shaded)
        assert inside == (trajectory.loss(0)(trajectory.weights[0]) < good)
        inside = any(path.contains_point(places[2]) for path in shaded)
        assert inside == (trajectory.loss(0)(trajectory.weights[2]) < good)
    np.testing.assert_allclose(spans, spans[0][0])  # one scale for all


def test_evolution():
    curves = {"Naive SGD": [[90, 70, 50], [92, 74, 58]], "Stable SGD": [[80, 78, 76]]}
    rows = [
        {"method": m, "seeds": [{"curve": curve} for curve in c]} for m, c in curves.items()
    ] + [{"method": "Multi-task", "seeds": [{"curve": [None, None, 88.0]}]}]
    figure = landscapes.evolution({"permuted": rows, "cifar": rows})
    can_be_read(figure)
    naive, stable, joint = figure.axes[0].lines
    np.testing.assert_allclose(naive.get_ydata(), [91, 72, 54])
    np.testing.assert_allclose(stable.get_ydata(), [80, 78, 76])
    np.testing.assert_allclose(joint.get_ydata(), [88, 88])
    assert naive.get_color() == LOOK["baseline"][0]
    band = figure.axes[0].collections[0].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == (50, 92)
    assert "Naive SGD 54.0, Stable SGD 76.0, Multi-task 88.0" in plots.alt_text(figure)


def test_what_cannot_be_drawn_is_refused(trajectories, few):
    alone = {"alone": cl.trajectories.follow(cl.permuted(few, 1), cl.MLP(SIZES), epochs=1)}
    assert alone["alone"].bounds == []
    for draw in (landscapes.bounds, landscapes.line):
        with pytest.raises(ValueError, match="alone has learned 1 task: give two"):
            draw(trajectories | alone)
    with pytest.raises(ValueError, match="n is 3: choose 4 or more"):
        landscapes.plane({}, {}, 1.0, n=3)
