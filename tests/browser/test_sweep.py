"""Sweep on a page without a kernel: what it draws, says and lets one choose."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from toys import a_run, a_sweep, with_knob

from cl_helpers.widgets import Sweep

# By hand: (mean of the diagonal, last row without its end), seeds averaged.
PLACES = {
    "EWC, λ off": (85, 55),
    "EWC, λ 10": (88, 80),
    "EWC, λ 12": (88.2, 80),
    "EWC, λ 10,000": (70, 88),
    "MAS, λ 0.02": (91, 86),
    "MAS, λ 1": (76, 90),
}
TASKS, VALUES = (
    "accuracy on each task after each task",
    "stability against plasticity of each value",
)


def walked(page, label, n):
    """What the arrow keys read, from point to point."""
    reader, texts = page.widget("slider", label), []
    reader.focus()
    reader.press("Escape")
    for _ in range(40):
        reader.press("ArrowLeft")
    for _ in range(n):
        texts.append(reader.get_attribute("aria-valuetext"))
        assert page.page.locator(".cl-tip").inner_text() == texts[-1]
        reader.press("ArrowRight")
    assert reader.get_attribute("aria-valuetext") == texts[-1]  # the last one
    return texts


def beside(page):
    return sorted(page.page.locator(".cl-at").all_text_contents())


def marks(page, chart, kind="path"):
    """Where the markers of a chart are, line by line, in pixels."""
    middles = """([chart, kind]) =>
        [...document.querySelectorAll("svg.cl-picture svg")[chart]
            .querySelectorAll(`g[aria-label=dot] ${kind}`)]
            .map(mark => mark.getBoundingClientRect())
            .map(({ x, y, width, height }) => [x + width / 2, y + height / 2])"""
    return np.array(page.page.evaluate(middles, [chart, kind]))


def test_by_hand(static):
    page = static(Sweep(a_sweep(), on="held-out images"))
    values = page.widget("slider", "λ")
    assert values.get_attribute("aria-valuetext") == "12"
    assert page.words() == (
        "λ 12: average accuracy 83.2%, forgetting 10.0 points. Best of the sweep: λ 12 with "
        "83.2%, on held-out images."
    )
    assert beside(page) == ["10,000", "12", "off"]  # 10: close
    values.press("Home")
    assert page.words() == (
        "λ off: average accuracy 70.0%, forgetting 30.0 points. Best of the sweep: λ 12 with "
        "83.2%, on held-out images."
    )
    assert walked(page, TASKS, 5) == [
        "task 1 after task 1: 85.0%",
        "task 1 after task 2: 55.0%",
        "task 2 after task 2: 85.0%",
        "average after task 1: 85.0%",
        "average after task 2: 70.0%",
    ]
    texts = walked(page, VALUES, 6)
    for text, (name, (x, y)) in zip(texts, PLACES.items(), strict=True):
        assert text.startswith(f"{name}: plasticity {x:.1f}%, stability {y:.1f}%, average ")
    assert texts[0].endswith("average 70.0%, forgetting 30.0 points (2 seeds)")
    assert page.serious() == []


def test_marks_lie_where_the_numbers_say(static):
    page = static(Sweep(a_sweep()))
    page.widget("slider", "λ").press("Home")
    page.settle()
    star = marks(page, 1)[-1]
    ring = page.page.locator(".cl-ring").bounding_box()
    ring = [ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2]
    drawn, places = marks(page, 1)[:-1], np.array([*PLACES.values()])
    # In proportion: to the right and upwards.
    for axis, sign in ((0, 1), (1, -1)):
        (slope, _), residual, *_ = np.polyfit(places[:, axis], drawn[:, axis], 1, full=True)
        assert sign * slope > 1
        assert residual < 6 * 0.8**2  # a triangle's middle is not that of its box
    np.testing.assert_allclose(star, drawn[2], atol=1.5)
    np.testing.assert_allclose(ring, drawn[0], atol=1)
    discs = marks(page, 0, "circle")
    assert discs[0][1] == pytest.approx(discs[2][1], abs=0.5)  # both 85 %
    assert discs[1][1] > discs[0][1] + 20
    in_discs = page.page.locator("svg.cl-picture svg").nth(0).locator("g[aria-label=text] text")
    assert in_discs.all_text_contents()[-3:] == ["1", "1", "2"]


def test_each_control_and_each_point_chooses(static):
    page = static(Sweep(a_sweep()))
    page.widget("combobox", "Method").select_option("MAS")
    assert (page.get("method"), page.get("value")) == ("mas", 0.02)
    assert page.words().startswith("λ 0.02: average accuracy 88.0%, forgetting 6.0 points.")
    page.widget("slider", "λ").press("End")
    assert page.get("value") == 1
    page.page.mouse.click(*marks(page, 1)[0])  # EWC, off
    assert (page.get("method"), page.get("value")) == ("ewc", 0)
    reader = page.widget("slider", VALUES)
    reader.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "Enter"):
        reader.press(key)
    assert (page.get("method"), page.get("value")) == ("ewc", 10_000)
    assert reader.evaluate("reader => reader === document.activeElement")
    page.page.mouse.move(*marks(page, 1)[5])
    assert "MAS, λ 1:" in page.page.locator(".cl-tip").inner_text()
    page.page.mouse.move(5, 5)
    assert page.page.locator(".cl-tip").count() == 0


def test_variants_and_methods_of_ones_own(static):
    true = a_run("ewc", 0, ((0.9, 0.1), (0.9, 0.9)), 10.0)
    true.config["knobs"]["fisher"] = "true"
    mine = a_run("my_own", 0, ((0.9, 0.1), (0.7, 0.7)), 3.0)
    page = static(Sweep([*a_sweep(), true, mine]))
    names = ["EWC", "MAS", "EWC fisher=true", "my_own"]
    assert page.page.locator(".cl-legend text").all_text_contents() == names
    choice = page.widget("combobox", "Method")
    assert choice.locator("option").all_inner_texts() == names
    seen = set()
    for name in names:
        choice.select_option(name)
        seen.add(page.words())
    assert len(seen) == 4


@pytest.mark.parametrize("spread", [0.3, 0.02, 0.0004, 0.0])
def test_ticks_are_whole_per_cents(static, spread):
    runs = [a_run("ewc", 0, ((0.9, 0), (0.95 - k * spread, 0.9 - k * spread)), k) for k in (0, 1)]
    page = static(Sweep(runs))
    assert page.page.get_by_role("combobox").count() == 0  # one method: nothing to choose
    axes = page.page.locator('svg.cl-picture g[aria-label$="axis tick label"]')
    assert axes.count() == 4
    for texts in [axes.nth(i).locator("text").all_text_contents() for i in range(4)]:
        assert len(set(texts)) == len(texts) >= 2
        assert texts == ["1", "2"] or all(re.fullmatch(r"\d+%", text) for text in texts), texts


@pytest.mark.parametrize(
    ("knob", "values", "slider", "stops", "words"),
    [
        ("memory", (20, 1_000), "images stored", ["20", "1,000"], "1,000 images stored"),
        ("xi", (0.0001, 0.1), "ξ", ["0.0001", "0.1"], "ξ 0.1"),
        ("margin", (0.0, 0.5), "margin", ["0.0", "0.5"], "margin 0.5"),
        ("fisher", ("empirical", "true"), "fisher", ["empirical", "true"], "fisher true"),
    ],
)
def test_any_knob(static, knob, values, slider, stops, words):
    rows = ((0.5, 0.7), (0.7, 0.8))
    runs = [with_knob(knob, v, row, lam=7.0) for v, row in zip(values, rows, strict=True)]
    page = static(Sweep([*a_sweep(), *runs], "held-out images", knob=knob))
    control = page.widget("slider", slider)
    assert control.get_attribute("aria-valuetext") == stops[1]
    assert page.words() == (
        f"{words}: average accuracy 75.0%, forgetting 20.0 points. Best of the sweep: {words} "
        "with 75.0%, on held-out images."
    )
    assert beside(page) == sorted(stops)
    text = page.page.locator("svg.cl-picture").first.text_content()
    assert f"{words}; thick" in text
    assert f"at the points: {slider}" in text
    control.press("Home")
    assert page.words().startswith(f"{words.replace(stops[1], stops[0])}: average accuracy 60.0%")
    assert "λ" not in page.words() + text
    assert page.get("value") == values[0]


def test_where_everything_is_forgotten_it_can_be_read(static):
    """Class-IL: all points at the right edge, and whole discs at 0%."""
    rows = {1e6: (0.0, 0.99), 1e7: (0.1, 0.97), 1e8: (0.9, 0.1)}
    runs = [a_run("ewc", 0, ((0.99, 0), row), lam) for lam, row in rows.items()]
    for width in (360, 900):
        page = static(Sweep(runs), width=width)
        picture = page.page.locator("svg.cl-picture").first.bounding_box()
        assert len(beside(page)) == 3
        boxes = page.page.evaluate(
            "[...document.querySelectorAll('.cl-at')]"
            ".map(text => text.getBoundingClientRect().toJSON())"
        )
        for box in boxes:
            assert picture["x"] <= box["left"]
            assert box["right"] <= picture["x"] + picture["width"]
        page.widget("slider", "λ").press("Home")
        page.settle()
        zero = max(y for _, y in marks(page, 0, "circle"))
        axis = page.page.locator("rect.cl-reader").first.bounding_box()
        assert zero == pytest.approx(axis["y"] + axis["height"], abs=1)
        assert page.overflow() <= 0


def test_runs_that_diverged_are_named_and_one_task_is_drawn(static):
    gone = a_run("ewc", 0, ((0.9, 0.1), (np.nan, np.nan)), 1e6)
    gone.diverged = {"task": 1, "step": 3, "loss": float("nan")}
    one = [a_run("ewc", 0, ((0.9 - lam / 10,),), lam) for lam in (0, 1)]
    page = static(Sweep([*a_sweep(), gone]), Sweep(one))
    assert page.words(0).endswith(" Diverged: EWC with λ 1,000,000.")
    assert "average accuracy 90.0%, forgetting –. Best" in page.words(1)


def test_text_is_at_least_12_pixels(static):
    page = static(Sweep(a_sweep()), width=360)
    sizes = page.page.evaluate(
        "[...document.querySelectorAll('.cl text')]"
        ".map(text => parseFloat(getComputedStyle(text).fontSize))"
    )
    assert min(sizes) >= 12
    assert page.overflow() <= 0


def test_average_is_the_mean_of_what_was_seen(static):
    rng = np.random.default_rng(0)
    a = np.tril(rng.random((4, 4)))
    page = static(Sweep([a_run("ewc", 0, a, lam) for lam in (0, 1)]))
    texts = walked(page, TASKS, 14)
    for t, text in enumerate(texts[10:]):
        assert text == f"average after task {t + 1}: {a[t, : t + 1].mean():.1%}"
    tasks = [(int(text[5]), int(text[18])) for text in texts[:10]]
    assert tasks == [(j, t) for j in (1, 2, 3, 4) for t in range(j, 5)]
    assert all(one != other for one, other in pairwise(texts))
