"""The widgets without a browser: what is moved on the page is what is drawn and said."""

import re
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from bowl_losses import loss, total
from IPython.display import Markdown
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.path import Path
from scipy.optimize import minimize
from scipy.stats import spearmanr
from toys import a_run

import cl_helpers as cl
from cl_helpers.lessons.bowls import PENALTIES
from cl_helpers.report import plots
from cl_helpers.widgets import Bowls, Importance, Predict, Projection, Sweep, controls
from cl_helpers.widgets import course_widget as shown
from cl_helpers.widgets.canvas import Canvas
from cl_helpers.widgets.course_widget import _tree
from cl_helpers.widgets.importance_widget import _blocks


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
    yield Sweep(SWEEP)
    yield Importance([with_omega({"1.weight": torch.ones(4, 784)})], cl.permuted(few, 2))
    yield Projection()


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


# --- Sweep ---

SWEEP = [
    a_run("ewc", 0, ((0.9, 0.1), (0.5, 0.9)), 0.0),
    a_run("ewc", 1, ((0.8, 0.1), (0.6, 0.8)), 0.0),
    a_run("ewc", 0, ((0.9, 0.1), (0.8, 0.86)), 10.0),
    a_run("ewc", 0, ((0.9, 0.1), (0.8, 0.864)), 12.0),
    a_run("ewc", 0, ((0.9, 0.1), (0.88, 0.5)), 10_000.0),
    a_run("ewc", 1, ((0.99, 0.99), (np.nan, np.nan)), 5.0),  # stopped
    a_run("mas", 0, ((0.92, 0.2), (0.86, 0.9)), 0.02),
    a_run("mas", 0, ((0.92, 0.2), (0.9, 0.6)), 1.0),
]
# By hand: (mean of the diagonal, last row without its end), seeds averaged.
PLACES = {
    "ewc": {0.0: (85, 55), 10.0: (88, 80), 12.0: (88.2, 80), 10_000.0: (70, 88)},
    "mas": {0.02: (91, 86), 1.0: (76, 90)},
}


def test_sweep_by_hand():
    baseline = a_run("baseline")
    baseline.config["knobs"] = {}
    widget = Sweep([*SWEEP, baseline], on="held-out images")
    assert list(widget.by) == ["ewc", "mas"]
    assert (widget.best("ewc"), widget.best("mas")) == (12, 0.02)
    assert widget.slider.texts == ["off", "10", "12", "10,000"]
    assert widget.slider.value == 12
    draw(widget)
    _, right = widget.canvas.figure.axes
    for line, places in zip(right.lines, PLACES.values(), strict=False):
        np.testing.assert_allclose(line.get_xydata(), list(places.values()))
    star, ring = (line.get_xydata()[0] for line in right.lines[-2:])
    np.testing.assert_allclose([star, ring], [(88.2, 80)] * 2)
    assert sorted(text.get_text() for text in right.texts) == ["10,000", "12", "off"]  # 10: close

    widget.slider.value = 0.0
    draw(widget)
    assert said(widget) == (
        "λ off: average accuracy 70.0%, forgetting 30.0 points. Best of the sweep: λ 12 with "
        "83.2%, on held-out images."
    )
    left, right = widget.canvas.figure.axes
    np.testing.assert_allclose(right.lines[-1].get_xydata(), [(85, 55)])
    discs, numbers = left.lines[0:4:2], left.lines[1:4:2]
    for line in (*discs[:1], *numbers[:1]):
        np.testing.assert_allclose(line.get_xydata(), [(1, 0.85), (2, 0.55)])
    np.testing.assert_allclose(discs[1].get_xydata(), [(2, 0.85)])
    assert [n.get_marker() for n in numbers] == ["$1$", "$2$"]
    assert {d.get_markerfacecolor() for d in discs} == {"white"}
    np.testing.assert_allclose(left.lines[4].get_ydata(), (0.85, 0.7))


def test_sweep_each_control_moves_the_picture(asked):
    widget = Sweep(SWEEP)
    moves(widget, asked, slider=10_000.0, method="mas")
    assert widget.slider.texts == ["0.02", "1"]
    assert widget.slider.value == 0.02
    assert said(widget).startswith("λ 0.02: average accuracy 88.0%, forgetting 6.0 points.")
    assert "MAS" in plots.alt_text(widget.canvas.figure)
    moves(widget, asked, slider=1.0, method="ewc")
    assert widget.slider.value == 12


def test_sweep_tells_variants_of_a_method_apart_from_seeds():
    true = a_run("ewc", 0, ((0.9, 0.1), (0.9, 0.9)), 10.0)
    true.config["knobs"]["fisher"] = "true"
    mine = a_run("my_own", 0, ((0.9, 0.1), (0.7, 0.7)), 3.0)
    widget = Sweep([*SWEEP, true, mine])
    assert list(widget.by) == ["ewc", "mas", "ewc fisher=true", "my_own"]
    assert len(widget.by["ewc"][10.0]) == 1
    assert [text for text, _ in widget.method.options] == [
        "EWC",
        "MAS",
        "EWC fisher=true",
        "my_own",
    ]
    for name in widget.by:
        widget.method.value = name
        draw(widget)


@pytest.mark.parametrize("spread", [0.3, 0.02, 0.0004, 0.0])
def test_sweep_ticks_are_whole_per_cents(spread):
    runs = [a_run("ewc", 0, ((0.9, 0), (0.95 - k * spread, 0.9 - k * spread)), k) for k in (0, 1)]
    widget = Sweep(runs)
    draw(widget)
    left, right = widget.canvas.figure.axes
    for axis in (left.yaxis, right.xaxis, right.yaxis):
        ticks = {label.get_text() for label in axis.get_ticklabels()}
        assert len(ticks) == len(axis.get_ticklabels())
        assert all(re.fullmatch(r"\d+%", tick) for tick in ticks), ticks


@pytest.mark.parametrize("runs", [[], SWEEP[5:6], [a_run("baseline")]])
def test_sweep_without_runs_says_so(runs):
    for run in runs:
        if run.config["method"] == "baseline":
            run.config["knobs"] = {}
    with pytest.raises(ValueError, match="no complete run with a λ"):
        Sweep(runs)


def with_knob(knob, value, name, last_row, **others):
    run = a_run(name, 0, ((0.9, 0.1), last_row))
    run.config["knobs"] = {knob: value} | others
    return run


@pytest.mark.parametrize(
    ("knob", "values", "slider", "stops", "words"),
    [
        ("memory", (20, 1_000), "images stored", ["20", "1,000"], "1,000 images stored"),
        ("xi", (0.0001, 0.1), "ξ", ["0.0001", "0.1"], "ξ 0.1"),
        ("margin", (0.0, 0.5), "margin", ["0.0", "0.5"], "margin 0.5"),
        ("fisher", ("empirical", "true"), "fisher", ["empirical", "true"], "fisher true"),
    ],
)
def test_sweep_of_any_knob(asked, knob, values, slider, stops, words):
    rows = ((0.5, 0.7), (0.7, 0.8))
    runs = [with_knob(knob, v, "my_own", r, lam=7.0) for v, r in zip(values, rows, strict=True)]
    widget = Sweep([*SWEEP, *runs], "held-out images", knob=knob)
    assert list(widget.by) == ["my_own lam=7"]
    assert (widget.slider.description, widget.slider.texts) == (slider, stops)
    assert widget.best() == widget.slider.value == values[1]
    assert said(widget) == (
        f"{words}: average accuracy 75.0%, forgetting 20.0 points. Best of the sweep: {words} "
        "with 75.0%, on held-out images."
    )
    draw(widget)
    left, right = widget.canvas.figure.axes
    assert words in left.get_title()
    assert slider in right.get_title()
    assert sorted(text.get_text() for text in right.texts) == sorted(stops)
    np.testing.assert_allclose(right.lines[0].get_xydata(), [(80, 50), (85, 70)])
    moves(widget, asked, slider=values[0])
    assert said(widget).startswith(f"{words.replace(stops[1], stops[0])}: average accuracy 60.0%")
    assert "λ" not in said(widget) + plots.alt_text(widget.canvas.figure)


def test_sweep_without_that_knob_says_so():
    with pytest.raises(ValueError, match=r"no complete run with a memory: .* the knob 'memory'"):
        Sweep(SWEEP, knob="memory")
    with pytest.raises(ValueError, match=r"no complete run with a ξ: .* the knob 'xi'"):
        Sweep(SWEEP, knob="xi")


def test_sweep_where_everything_is_forgotten_can_be_read():
    """Class-IL: all points at the right edge, and whole discs at 0%."""
    rows = {1e6: (0.0, 0.99), 1e7: (0.1, 0.97), 1e8: (0.9, 0.1)}
    runs = [a_run("ewc", 0, ((0.99, 0), row), lam) for lam, row in rows.items()]
    widget = Sweep(runs)
    draw(widget)
    left, right = widget.canvas.figure.axes
    FigureCanvasAgg(widget.canvas.figure).draw()
    assert len(right.texts) == 3
    for text in right.texts:
        assert text.get_window_extent().x1 <= right.bbox.x1, text
    assert not left.lines[0].get_clip_on()
    assert left.get_ylim()[0] == 0


# --- Importance ---


def with_omega(omega, name="ewc", **knobs):
    run = a_run(name)
    run.config["knobs"] |= knobs
    run.method = SimpleNamespace(importance=omega)
    return run


def random_omega(seed, *shapes):
    generator = torch.Generator().manual_seed(seed)
    return {f"{i}.weight": torch.rand(*s, generator=generator) ** 3 for i, s in enumerate(shapes)}


def of_shape(channels, height, width) -> cl.Dataset:
    images = torch.zeros(4, channels, height, width, dtype=torch.uint8)
    one, labels = torch.ones(channels, 1, 1), torch.arange(4) % 2
    return cl.Dataset("noise", images, labels, images, labels, ("a", "b"), one, one)


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 3, 5), (3, 4, 2)])
def test_pixels_are_put_back_where_the_image_has_them(shape):
    """A hot pixel is followed through the task's own transform, forwards."""
    _, height, width = shape
    tasks = cl.permuted(of_shape(*shape), 3)
    for task, (row, column) in zip(tasks, [(1, 1), (2, 1), (0, 0)], strict=True):
        image = torch.zeros(1, *shape)
        image[..., row, column] = 1
        seen = image if task.train.transform is None else task.train.transform(image)
        omega = 0.5 * seen.flatten(1).repeat(6, 1)  # six units, every channel
        widget = Importance([with_omega({"0.weight": omega})], tasks)
        pixels = widget.pixels(omega, task)
        assert pixels.shape == (height, width)
        assert pixels[row, column] == 6 * 0.5 * shape[0]
        assert pixels.sum() == pixels[row, column]
        widget.view.value = task.name
        draw(widget)
        np.testing.assert_allclose(widget.canvas.figure.axes[0].images[0].get_array(), pixels)


def test_importance_each_control_moves_the_picture(asked, few):
    shapes = (20, 784), (10, 20)
    runs = [with_omega(random_omega(s, *shapes), n) for s, n in enumerate(("ewc", "mas", "si"))]
    widget = Importance(runs, cl.permuted(few, 2))
    moves(widget, asked, method="mas lam=100", view="permutation 2", layer="1")
    assert widget.view.disabled  # nothing but the first layer has pixels
    assert "mas lam=100, 1:" in said(widget)
    omega = runs[1].method.importance["1.weight"]
    heat = widget.canvas.figure.axes[0].images[0].get_array()
    np.testing.assert_allclose(heat, omega.clamp(1e-5 * omega.max()))
    share = np.sort(omega.numpy().ravel())[-2:].sum() / omega.numpy().sum()
    assert f"1 % of the 200 weights hold {share:.0%} of Ω" in said(widget)
    widget.layer.value = "0"
    draw(widget)
    assert not widget.view.disabled
    # Every weight of a small layer is ranked.
    flat = [run.method.importance["0.weight"].flatten().numpy() for run in runs]
    by_scipy = [[spearmanr(a, b).statistic for a in flat] for b in flat]
    np.testing.assert_allclose(widget.agreement("0"), by_scipy, atol=1e-12)
    assert f"mas and ewc {by_scipy[0][1]:.2f}" in said(widget)


def test_agreement_of_a_large_layer_is_that_of_a_sample():
    one, other = random_omega(0, (300, 400), (300, 400)).values()
    pair = [with_omega({"w.weight": one}), with_omega({"w.weight": one + other}, "si")]
    widget = Importance(pair, cl.permuted(of_shape(1, 20, 20), 1))
    exact = spearmanr(*(r.method.importance["w.weight"].flatten() for r in pair)).statistic
    np.testing.assert_allclose(widget.agreement("w"), [[1, exact], [exact, 1]], atol=0.02)


@pytest.mark.parametrize("shape", [(5, 7), (96, 96), (200, 130), (192, 97), (1024, 10)])
def test_blocks_by_brute_force(shape):
    v = np.random.default_rng(0).random(shape)
    edges = [[k * n // min(n, 96) for k in range(min(n, 96) + 1)] for n in shape]
    by_hand = [
        [v[a:b, c:d].mean() for c, d in zip(edges[1], edges[1][1:], strict=False)]
        for a, b in zip(edges[0], edges[0][1:], strict=False)
    ]
    np.testing.assert_allclose(_blocks(v), by_hand)


def test_importance_of_a_first_layer_that_reads_no_pixels(few):
    """After convolutions, say."""
    omega = random_omega(0, (3, 1, 5, 5), (6, 50), (10, 6))
    widget = Importance([with_omega(omega)], cl.permuted(few, 1))
    assert list(widget.layer.options) == ["1", "2"]
    draw(widget)
    assert widget.view.disabled


def test_importance_names_that_repeat(few):
    first, second = cl.permuted(few, 2)
    omega = random_omega(0, (6, 784))
    runs = [with_omega(omega), with_omega(omega), with_omega(omega, gamma=2)]
    widget = Importance(runs, [first, second, second, first])
    assert list(widget.method.options) == ["ewc lam=100", "ewc lam=100 (2)", "ewc lam=100 gamma=2"]
    names = ["permutation 1", "permutation 2", "permutation 2 (2)", "permutation 1 (2)"]
    assert list(widget.view.options) == names
    drawn = []
    for name in names:
        widget.view.value = name
        draw(widget)
        drawn.append(np.array(widget.canvas.figure.axes[0].images[0].get_array()))
    np.testing.assert_array_equal(drawn[0], drawn[3])
    np.testing.assert_array_equal(drawn[1], drawn[2])
    assert not np.array_equal(drawn[0], drawn[1])
    assert "ewc lam=100 (2) and ewc lam=100 1.00" in said(widget)


def test_importance_of_real_runs(few):
    tasks = cl.permuted(few, 2)
    how = {"epochs": 1, "lr": 1e-2, "progress": False}
    runs = [cl.train(m, tasks, cl.MLP((784, 16, 10)), **how) for m in (cl.EWC(), cl.MAS())]
    widget = Importance(runs, tasks)
    for layer in widget.layer.options:
        widget.layer.value = layer
        draw(widget)
    with pytest.raises(ValueError, match="baseline has no Ω"):
        Importance([cl.train(cl.Baseline(), tasks, cl.MLP((784, 16, 10)), **how)], tasks)


def test_importance_says_what_is_missing(few):
    tasks = cl.permuted(few, 1)
    with pytest.raises(ValueError, match="ewc lam=100 has no Ω"):
        Importance([a_run()], tasks)  # read from a file
    with pytest.raises(ValueError, match="different models"):
        Importance([with_omega(random_omega(0, (n, 784))) for n in (4, 5)], tasks)
    for given in (([], tasks), ([with_omega(random_omega(0, (4, 784)))], [])):
        with pytest.raises(ValueError, match="at least one run"):
            Importance(*given)


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
