"""The widgets without a browser: what is moved on the page is what is drawn and said."""

import re
from itertools import product

import numpy as np
import pytest
from bowl_losses import loss, total
from IPython.display import Markdown
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.path import Path
from scipy.optimize import minimize

import cl_helpers as cl
from cl_helpers.lessons.bowls import PENALTIES
from cl_helpers.report import plots
from cl_helpers.widgets import Bowls, Curvature, Predict, Projection, controls
from cl_helpers.widgets import course_widget as shown
from cl_helpers.widgets.canvas import Canvas
from cl_helpers.widgets.course_widget import _tree


@pytest.fixture(autouse=True)
def asked(monkeypatch) -> list:
    """Whoever asked to be drawn; the tests draw in their own thread."""
    asked: list = []

    def ask(canvas):
        asked.append(canvas)

    monkeypatch.setattr(Canvas, "ask", ask)
    return asked


def draw(widget) -> bytes:
    widget.canvas.draw()
    assert "alert" not in widget.canvas.trouble.value, widget.canvas.trouble.value
    assert len(plots.alt_text(widget.canvas.figure)) > 60
    assert widget.canvas.image.alt == plots.alt_text(widget.canvas.figure)
    return widget.canvas.image.png


def said(widget) -> str:
    """Brought up to date."""
    if hasattr(widget, "canvas"):
        widget.canvas.update()
    return widget.status.value


def moves(widget, asked, **to):
    """Move controls, one after the other: each asks for a picture, and it is another one."""
    before = draw(widget)
    for name, value in to.items():
        asked.clear()
        getattr(widget, name).value = value
        assert widget.canvas in asked, name
        after = draw(widget)
        assert after != before, name
        before = after


# --- what they share ---


def some_widgets(few):
    yield Bowls(1)
    yield Predict("how much?")
    yield Predict("which?", ["a", "b"])
    yield Predict("in which order?", ["a", "b", "c"], order=True)
    yield Projection()
    yield Curvature(cl.permuted(few, 2))


def test_every_control_has_a_name_and_every_box_closes(few):
    for widget in some_widgets(few):
        parts = list(_tree(widget.box))
        named = [w for w in parts if hasattr(w, "disabled")]
        assert len(named) >= 2
        assert all(w.description.strip() for w in named)
        widget.close()
        assert all(w.comm is None for w in parts)


def test_a_cell_that_is_run_again_closes_the_one_before(monkeypatch, capsys):
    place = ["a cell", "first time"]
    monkeypatch.setattr(shown, "_place", lambda: tuple(place))
    monkeypatch.setattr(shown.CourseWidget, "_in_cell", {})
    one, beside, other, again = Bowls(), Predict("?"), Bowls(), Bowls()
    one._ipython_display_(), beside._ipython_display_()
    place[:] = "another cell", "second time"
    other._ipython_display_()
    assert all(w.box.comm is not None for w in (one, beside, other))
    place[:] = "a cell", "third time"
    again._ipython_display_()
    assert [w.box.comm is None for w in (one, beside, other, again)] == [True, True, False, False]
    again._ipython_display_()  # twice in the cell, or the same one in a later run of it
    place[1] = "fourth time"
    again._ipython_display_()
    assert again.box.comm is not None


def test_strength_has_the_stops_it_says_and_one_more():
    by_hand = [0.0, *(float(f"{m}e{e}") for e in range(-4, 4) for m in (1, 2, 5)), 1e4]
    assert [v for _, v in controls.strength(0.0).options] == by_hand
    texts = [text for text, _ in controls.strength(0.3).options]
    assert (texts[0], texts[-1]) == ("off", "10,000")
    assert len(texts) == len(by_hand) + 1
    assert "0.3" in texts
    assert controls.strength(0.3).value == 0.3


# --- Bowls ---

END = re.compile(
    r"ends at \((.*), (.*)\), the star: loss on A (.*), on B (.*), "
    r"together (.*) \(at best (.*)\); (.*)\."
)


def told(widget):
    """(θ₁, θ₂, L_A, L_B, L_A + L_B, best of it), and the verdict."""
    *numbers, verdict = END.search(said(widget)).groups()
    return [float(n) for n in numbers], verdict


def test_bowls_six_figures(asked):
    widget = Bowls(1)
    pictures, texts = [], []
    for name in widget.view.options:
        widget.view.value = name
        pictures.append(draw(widget))
        texts.append(said(widget))
    assert len(set(pictures)) == 6
    assert len(set(texts)) == 6
    assert ["ends at" in text for text in texts] == [False] * 3 + [True] * 3
    assert "B" not in texts[0]
    forgotten, both = "B is learned, A is forgotten.", "both tasks are solved."
    assert [text.split("; ")[-1] for text in texts[3:]] == [forgotten, forgotten, both]
    for view in (0, 7):
        with pytest.raises(ValueError, match="choose 1 to 6"):
            Bowls(view)


def test_bowls_each_control_moves_the_picture(asked):
    widget = Bowls(6)
    moves(widget, asked, lam=5.0, curvature=20, rotation=30, distance=3.1, penalty="exact")
    moves(widget, asked, view="4 · just train on")
    before = draw(widget)
    widget.lam.value = 0.01
    assert draw(widget) == before  # nothing is held: λ does nothing


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("rotation", [0, -35])
def test_bowls_says_what_numerical_minimisation_finds(penalty, rotation):
    widget = Bowls()
    widget.rotation.value, widget.penalty.value, widget.lam.value = rotation, penalty, 0.5
    a, b = widget.tasks
    assert np.linalg.norm(np.subtract(b.optimum, a.optimum)) == pytest.approx(2.5, rel=0.01)
    f = total(a, penalty, 0.5, b)
    end = minimize(f, (0.1, 0.2)).x
    most = minimize(lambda theta: loss(a, theta) + loss(b, theta), (0.1, 0.2)).fun
    la, lb = loss(a, end), loss(b, end)
    numbers, verdict = told(widget)
    np.testing.assert_allclose(numbers, [*end, la, lb, la + lb, most], atol=0.0051)
    np.testing.assert_allclose(widget.end, end, atol=1e-4)
    fates = ["both tasks are solved", "A is kept", "B is learned", "neither is solved"]
    assert verdict.startswith(fates[2 * (la >= 1) + (lb >= 1)])


@pytest.mark.full
def test_bowls_shows_what_the_notebook_asks_to_find():
    widget = Bowls(5)
    both, sums = {}, {}
    for rotation, penalty in product((0, 45), PENALTIES):
        widget.rotation.value, widget.penalty.value = rotation, penalty
        for _, lam in widget.lam.options:
            widget.lam.value = lam
            numbers, verdict = told(widget)
            both[rotation, penalty, lam] = verdict == "both tasks are solved"
            sums[rotation, penalty, lam] = numbers[4]
    lams = [lam for _, lam in widget.lam.options]
    # Along the axes: no λ saves L2, the diagonal is exact.
    assert not any(both[0, "L2", lam] for lam in lams)
    assert both[0, "diagonal", 1.0]
    assert all(sums[0, "diagonal", lam] == sums[0, "exact", lam] for lam in lams)
    # At 45° the diagonal fails, and no better than L2; exact with λ = 1 is the best of all.
    assert not both[45, "diagonal", 1.0]
    best = {p: min(sums[45, p, lam] for lam in lams) for p in PENALTIES}
    assert best["diagonal"] >= best["L2"] > 1.3 * best["exact"]
    assert sums[45, "exact", 1.0] == best["exact"]


# --- Predict ---


def test_predict_a_number():
    widget = Predict("how <much>?", least=10, most=60)
    (slider,) = widget.inputs
    assert [v for _, v in slider.options][:2] == [10, 10.5]
    slider.value = 42.5
    assert widget.guess is None  # not before the button
    assert "no guess. What came out: **51 %**" in widget.replay(51).data
    widget.record_.click()
    assert widget.guess == 42.5
    assert said(widget).startswith("Recorded.")
    assert slider.disabled
    assert widget.record_.disabled
    slider.value = 11
    widget.record_.click()
    assert widget.guess == 42.5
    figure = widget.replay(np.float64(51.25))
    assert plots.alt_text(figure) == (
        "how <much>? Your guess was 42.5 %, the outcome is 51.2 %: 8.75 % apart."
    )
    ax = figure.axes[0]
    assert [line.get_xdata()[0] for line in ax.lines[1:]] == [42.5, 51.25]
    for outcome in ("a lot", None, float("nan"), [1, 2]):
        with pytest.raises(ValueError, match="is no answer to 'how <much>"):
            widget.replay(outcome)


@pytest.mark.parametrize(("guess", "outcome"), [(0, 100), (100, 0), (50, 250), (3, -40)])
def test_predict_shows_both_numbers_whole(guess, outcome):
    widget = Predict("how much?")
    widget.inputs[0].value = guess
    widget.record()
    figure = widget.replay(outcome)
    FigureCanvasAgg(figure).draw()
    renderer = figure.canvas.get_renderer()
    for text in figure.axes[0].texts:
        box = text.get_window_extent(renderer)
        assert 0 <= box.x0 <= box.x1 <= figure.bbox.x1


def test_predict_one_of_several():
    widget = Predict("which?", ["EWC", "MAS"])
    widget.record_.click()
    assert widget.guess is None
    assert "Choose one" in said(widget)
    assert "no guess. What came out: **MAS**" in widget.replay("MAS").data
    widget.inputs[0].value = "EWC"
    widget.record_.click()
    assert widget.replay("EWC").data == "**EWC**: as you guessed."
    assert widget.replay("MAS").data == "**MAS**: you had guessed EWC."
    with pytest.raises(ValueError, match="'SI' is no answer to 'which"):
        widget.replay("SI")


def test_predict_an_order():
    widget = Predict("in which order?", ["a", "b", "c"], order=True)
    for values in (["–", "–", "–"], ["a", "b", "–"], ["a", "b", "b"]):
        for place, value in zip(widget.inputs, values, strict=True):
            place.value = value
        widget.record_.click()
        assert widget.guess is None
        assert "one place" in said(widget)
    widget.inputs[1].value, widget.inputs[2].value = "c", "b"
    widget.record_.click()
    assert widget.guess == ["a", "c", "b"]
    assert all(place.disabled for place in widget.inputs)
    replayed = widget.replay(("a", "b", "c"))
    assert isinstance(replayed, Markdown)
    assert replayed.data.startswith("1 of 3 are")
    assert "| 2 | c | b |" in replayed.data
    for outcome in (["a", "b"], ["a", "b", "d"], ["a", "b", "b"], 3, None):
        with pytest.raises(ValueError, match="is no answer"):
            widget.replay(outcome)
    with pytest.raises(ValueError, match="needs options"):
        Predict("in which order?", order=True)


# --- Projection ---


def tips(widget):
    return {arrow["name"]: np.array(arrow["tip"]) for arrow in widget.plane.arrows}


def test_projection_shows_what_gem_and_agem_make_of_g(asked):
    widget = Projection(g=(0.0, 1.0), angle=60)
    g1, g2 = widget.old
    assert np.degrees(
        np.arccos(g1 @ g2 / np.linalg.norm(g1) / np.linalg.norm(g2))
    ) == pytest.approx(60)
    for g in ([-2.0, -0.95], [2.5, -0.4], [-0.2, -2.0], [1.5, 1.0], [2.2, 0.6]):
        asked.clear()
        widget.plane.g = g
        assert widget.canvas in asked
        seen, r = tips(widget), (g1 + g2) / 2
        gem, agem = widget.gradients.gem, widget.gradients.agem
        nearest = minimize(
            lambda v, g=g: np.sum((v - g) ** 2) / 2,
            np.array([0.1, 1.0]),
            method="SLSQP",
            constraints=[{"type": "ineq", "fun": lambda v, k=k: k @ v} for k in (g1, g2)],
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(gem, nearest.x, atol=1e-5)
        np.testing.assert_allclose(agem, np.array(g) - min(0, r @ g) / (r @ r) * r, atol=1e-12)
        every = [arrow["tip"] for arrow in widget.plane.arrows]
        np.testing.assert_allclose(every, [g1, g2, r, gem, agem, g], atol=1e-12)
        assert set(seen) - {"", "g₁", "g₂", "r"} <= {
            *("g", "g̃ GEM", "g̃ A-GEM", "g̃ of both", "g = g̃ of both", "g = g̃ A-GEM")
        }
        # The words, from the losses themselves: L_k falls by ⟨v, g_k⟩ with a step along −v.
        words = widget.status.value
        hurt = [k for k, g_k in enumerate((g1, g2), 1) if g_k @ g < -1e-9]
        assert words.startswith("g raises the loss of" if hurt else "g raises no old loss")
        assert all(f"task {k}" in words.split(".")[0] for k in hurt)
        after = [k for k, g_k in enumerate((g1, g2), 1) if g_k @ agem < -1e-9]
        assert [k for k in (1, 2) if re.search(rf"A-GEM.*task {k}.* still", words)] == after
        bind = [k for k, g_k in enumerate((g1, g2), 1) if abs(g_k @ gem) < 1e-9]
        both = ["both conditions bind"] if len(bind) == 2 else []
        for said_so in both or [f"condition of task {k} binds" for k in bind]:
            assert said_so in words
        assert words in widget.plane.alt
        draw(widget)


def test_projection_margin_pushes_inwards():
    widget = Projection(g=(-2.0, -0.95), margin=0.4)
    gradients = widget.gradients
    v = np.linalg.solve(widget.old.T, gradients.gem - np.array([-2.0, -0.95]))
    assert (v > 0.4 - 1e-9).all()
    assert (widget.old @ gradients.gem > -1e-9).all()
    before = widget.status.value
    widget.margin.value = 1.0
    assert widget.status.value != before
    assert "away from both edges" in widget.status.value
    assert widget.plane.arrows[3]["tip"] == pytest.approx(tuple(widget.gradients.gem))


@pytest.mark.parametrize("angle", [10, 60, 110, 170])
def test_projection_regions_are_where_the_losses_do_not_rise(angle):
    widget = Projection(angle=angle)
    first, second, both = (Path(r["corners"]) for r in widget.plane.regions)
    x, y = np.meshgrid(np.linspace(-3.3, 3.3, 34), np.linspace(-2.5, 2.5, 26))
    points = np.stack([x.ravel(), y.ravel()], 1)
    below, above = (points @ g_k for g_k in widget.old)
    clear = (abs(below) > 1e-3) & (abs(above) > 1e-3)
    for region, where in (
        (first, below > 0),
        (second, above > 0),
        (both, (below > 0) & (above > 0)),
    ):
        np.testing.assert_array_equal(region.contains_points(points)[clear], where[clear])


@pytest.mark.parametrize("g", [(4.0, 0.0), (0.0, -2.3), (1.0,)])
def test_projection_refuses_what_is_not_on_the_plane(g):
    with pytest.raises(ValueError, match=r"within ±3 and ±2\.2"):
        Projection(g=g)
