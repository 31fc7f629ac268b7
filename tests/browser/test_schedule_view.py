"""Schedule on a page without a kernel: what it draws and says, from runs with known numbers."""

from __future__ import annotations

import numpy as np
import pytest

import cl_helpers as cl
from cl_helpers.training.schedules import SCHEDULES, factors
from cl_helpers.widgets import Schedule

N = 60
RUN = {
    "schedule": "cosine",
    "lr": 0.02,
    "lr_final": 0.01,
    "warm_up": 0.0,
    "start_from": "new",
    "seed": 0,
    "steps": [0, 20, 40, 60],
    "accuracy": [0.1, 0.75, 0.82, 0.9],
    "complete": True,
    "diverged": None,
}
SLOW = RUN | {"schedule": "step", "seed": 3, "warm_up": 0.1, "accuracy": [0.1, 0.3, 0.5, 0.7]}


@pytest.fixture
def widget(few):
    [task] = cl.permuted(few, 1)
    starts = {"new": cl.MLP((784, 16, 10)), "old": cl.MLP((784, 16, 10))}
    widget = Schedule(task, starts, target=0.8, lr=0.02, epochs=4, batch_size=20)
    assert widget.n_steps == N
    return widget


def lines(page, chart, marks="[aria-label=line] path"):
    """The corners of each line of a chart, in its own units."""
    return page.page.evaluate(
        """([chart, marks]) => {
            const svg = document.querySelectorAll("svg.cl-picture svg")[chart];
            const [x, y] = [svg.scale("x"), svg.scale("y")];
            return [...svg.querySelectorAll(marks)].map((path) =>
                path.getAttribute("d").match(/[-\\d.e]+,[-\\d.e]+/g).map((pair) => {
                    const [px, py] = pair.split(",").map(Number);
                    return [x.invert(px), y.invert(py)];
                }));
        }""",
        [chart, marks],
    )


def rates(page):
    """The learning rate of each step, as the arrow keys read it."""
    chart = page.widget("slider", "Learning rate of each step; arrow keys read its points")
    chart.press("Home")
    told = []
    for _ in range(N):
        told.append(chart.get_attribute("aria-valuetext"))
        chart.press("ArrowRight")
    assert [text.split(":")[0] for text in told] == [f"step {i + 1}" for i in range(N)]
    return [float(text.split("lr ")[1]) for text in told]


def test_a_control_moves_the_curve_at_once(static, widget):
    page = static(widget)
    assert page.words() == "Learning rate: cosine, lr 0.02 to 0.0002."
    i = np.arange(N)
    cosine = 0.02 * (0.01 + 0.99 * (1 + np.cos(np.pi * i / (N - 1))) / 2)
    np.testing.assert_allclose(rates(page), cosine, rtol=0.006)
    for key in ("ArrowRight", "ArrowRight"):
        page.widget("slider", "lr").press(key)
    page.widget("combobox", "Schedule").select_option("exponential")
    page.widget("slider", "warm_up").press("ArrowRight")
    assert page.words() == "Learning rate: exponential, lr 0.05 to 0.0005, warm-up 5%."
    expected = 0.05 * factors("exponential", N, warm_up=0.05).numpy()
    np.testing.assert_allclose(rates(page), expected, rtol=0.006)
    [asked] = lines(page, 0)
    drawn = np.unique(np.round(np.array(asked)[:, 1], 6))
    assert drawn.max() == pytest.approx(0.05, rel=0.01)
    assert drawn.min() == pytest.approx(0.0005, abs=2e-4)
    assert page.get("stored")


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_has_no_part_in_a_schedule_cannot_be_moved(static, widget, schedule):
    widget.schedule, widget.warm_up, widget.lr_final = schedule, 0.2, 0.5
    page = static(widget)
    disabled = [page.widget("slider", name).is_disabled() for name in ("lr_final", "warm_up")]
    assert disabled == [schedule == "constant", schedule == "one-cycle"]
    used = {"warm_up": 0.0 if disabled[1] else 0.2, "final": 0.01 if disabled[0] else 0.5}
    np.testing.assert_allclose(rates(page), 0.02 * factors(schedule, N, **used).numpy(), rtol=0.006)


def test_runs_are_drawn_and_told(static, widget):
    widget.latest, widget.kept_runs = RUN, [RUN, SLOW]
    page = static(widget)
    assert page.words() == (
        "cosine, lr 0.02 to 0.0002, new: 80% after 40 steps, 90.0% after 60. 2 runs are kept."
    )
    slow, latest = lines(page, 1)  # what is kept and is the latest is drawn once
    for drawn, run in ((slow, SLOW), (latest, RUN)):
        np.testing.assert_allclose(drawn, np.transpose([run["steps"], run["accuracy"]]), atol=0.01)
    legend = page.page.locator(".cl-legend").text_content()
    assert "new: ★ 40 steps, 90.0%" in legend
    assert "step, lr 0.02 to 0.0002, warm-up 10%" in legend
    assert "new, seed 3: never, 70.0%" in legend
    page.set(lr=0.05, seed=4)
    assert "Shaded: cosine, lr 0.05 to 0.0005, new, seed 4." in page.words()
    page.set(latest=RUN | {"accuracy": [0.1, 0.2, 0.3, 0.79]}, kept_runs=[])
    assert "80% not reached, 79.0% after 60" in page.words()
    assert "★" not in page.page.locator(".cl-legend").text_content()


def test_a_star_stands_where_the_target_is_first_reached(static, widget):
    widget.latest = RUN
    page = static(widget)
    star = """() => {
        const svg = document.querySelectorAll("svg.cl-picture svg")[1];
        const [star] = [...svg.querySelectorAll("[aria-label=dot]")].at(-1).children;
        const [px, py] = star.getAttribute("transform").match(/[-\\d.]+/g).map(Number);
        return [svg.scale("x").invert(px), svg.scale("y").invert(py)];
    }"""
    assert page.page.evaluate(star) == pytest.approx([40, 0.82], abs=0.01)


def test_a_run_that_diverged_says_where_and_what_to_try(static, widget):
    lost = {"task": 0, "step": 22, "loss": 31.4159}
    widget.latest = RUN | {"steps": [0, 20], "accuracy": [0.1, 0.2], "complete": False}
    page = static(widget)
    assert "80% not yet reached, 20.0% after 20, where it was stopped." in page.words()
    page.set(latest=widget.latest | {"diverged": lost})
    assert (
        "diverged at step 23, after a loss of 31.4. Try a lower lr, or a warm-up." in page.words()
    )
    assert "✗ diverged" in page.page.locator("svg.cl-picture").text_content()
    page.set(
        latest=widget.latest | {"diverged": {"task": 0, "step": 0, "loss": None, "inputs": "x"}}
    )
    assert "diverged at step 1. The images hold NaN or ∞." in page.words()


def test_what_trains_is_named_and_controls_are_for_the_next_run(static, widget):
    page = static(widget)
    assert page.page.get_by_role("button").count() == 0
    assert "Runs need the notebook." in page.page.locator("main").inner_text()
    running = RUN | {"steps": [0, 20], "accuracy": [0.1, 0.2], "complete": False}
    page.set(stored=False, doing="running", latest=running, schedule="step")
    assert page.page.locator(".cl-note").inner_text() == (
        "In training: cosine, lr 0.02 to 0.0002, new, step 20 of 60. "
        "What you choose now is for the next run."
    )
    assert "20.0% after 20 so far. Next run: step, lr 0.02 to 0.0002, new." in page.words()


def test_points_are_read_by_keyboard(static, widget):
    widget.latest = RUN
    page = static(widget)
    chart = page.widget("slider", "Accuracy after each epoch; arrow keys read its points")
    assert chart.get_attribute("aria-valuetext") == "4 points"
    chart.press("End")
    text = "cosine, lr 0.02 to 0.0002\nnew, step 60: 90.0%"
    assert chart.get_attribute("aria-valuetext") == text
    assert page.page.locator(".cl-tip").inner_text() == text
    page.set(latest=RUN | {"accuracy": [0.1, 0.75, 0.82, 0.85]})  # what is read is what is drawn
    assert chart.get_attribute("aria-valuetext") == text.replace("90.0%", "85.0%")
    page.set(latest=RUN | {"steps": [0, 20], "accuracy": [0.1, 0.75], "complete": False})
    assert chart.get_attribute("aria-valuetext") == "2 points"
    page.set(latest=RUN)
    chart.press("Home")
    assert chart.get_attribute("aria-valuetext").endswith("step 0: 10.0%")


@pytest.mark.parametrize("width", [360, 900, 1920])
def test_it_fits(static, widget, width):
    widget.latest, widget.kept_runs = RUN, [SLOW, SLOW | {"schedule": "exponential"}]
    page = static(widget, width=width)
    assert page.overflow() == 0
    assert page.serious() == []
    assert "<svg" in page.page.evaluate(
        "new Promise(done => setTimeout(() => done(clMounted[0].model.get('still')), 900))"
    )
