"""The other widgets in a real JupyterLab: each control moved, picture and text as is right."""

from __future__ import annotations

import json

import pytest
from driver import changes, opened, picture, status

BOWLS = "import cl_helpers as cl\nbowls = cl.widgets.Bowls(6)\nbowls"
PREDICT = """
import cl_helpers as cl
number = cl.widgets.Predict("How much?")
number
"""
CHOICE = 'choice = cl.widgets.Predict("Which?", ["this", "that"])\nchoice'
ORDER = 'order = cl.widgets.Predict("In which order?", ["EWC", "MAS"], order=True)\norder'
SWEEP = """
import cl_helpers as cl
tasks = cl.permuted(cl.load("digits").first(600, 200), 3)
runs = cl.sweep(cl.EWC(), tasks, lam=[0, 100, 1e6], epochs=3, lr=1e-3, engine=1, progress=False)
sweep = cl.widgets.Sweep(runs)
sweep
"""
IMPORTANCE = """
import cl_helpers as cl
tasks = cl.permuted(cl.load("digits").first(600, 200), 2)
runs = [cl.train(m, tasks, epochs=2, lr=1e-3, progress=False) for m in (cl.EWC(), cl.MAS())]
importance = cl.widgets.Importance(runs, tasks)
importance
"""
SCHEDULE = """
import cl_helpers as cl
[task] = cl.permuted(cl.load("digits").first(600, 200), 1)
how = {"epochs": 2, "batch_size": 50, "optimizer": "sgd"}
schedule = cl.widgets.Schedule(task, {"from scratch": cl.MLP((784, 32, 10))}, target=0.3, **how)
schedule
"""
CURVATURE = """
import cl_helpers as cl
tasks = cl.permuted(cl.load("digits").first(600, 200), 2)
curvature = cl.widgets.Curvature(tasks, epochs=1)
curvature
"""
PROJECTION = "import cl_helpers as cl\nprojection = cl.widgets.Projection()\nprojection"


def test_bowls(notebook):
    page = opened(notebook, [BOWLS])
    view = page.cell(0).locator("div.cl")
    view.locator("svg").wait_for()
    page.screenshot("bowls")
    page.widget("slider", "λ").press("End")  # what is done in the page reaches the kernel
    page.wait_until(lambda: page.ask("print(bowls.lam)").text == "10000.0\n")
    page.ask("bowls.penalty = 'L2'")  # and the other way round
    page.wait_until(lambda: page.widget("radio", "L2").is_checked())
    page.wait_until(lambda: "A is kept" in page.cell(0).get_by_role("status").inner_text())

    # The copy for readers without a kernel is that of the page, and not seen beside it.
    page.wait_until(lambda: page.ask("print('A is kept' in bowls.words)").text == "True\n")
    copy = page.cell(0).locator(".cl-still")
    page.wait_until(lambda: "A is kept" in copy.locator("img").get_attribute("alt"))
    assert not copy.is_visible()
    saved = str(page.save().cells[0].outputs)
    assert "data:image/svg+xml;base64" in saved
    page.shut_down_kernel()
    page.reload()
    page.wait_until(copy.is_visible)
    page.screenshot("bowls-still")


def test_predict(notebook):
    page = opened(notebook, [PREDICT, CHOICE, ORDER, "number.replay(63.2)"])
    assert "You recorded no guess" in str(page.outputs(3))
    page.cell(0).get_by_role("slider").press("End")
    page.cell(0).get_by_role("button", name="Record my guess").click()
    page.wait_until(lambda: page.ask("print(number.guess)").text == "100.0\n")
    page.wait_until(lambda: page.cell(0).get_by_role("slider").is_disabled())
    page.run_cell(3)
    assert "Your guess was 100" in page.pictures(3)[0].alt
    record = page.cell(1).get_by_role("button", name="Record my guess")
    record.click()
    page.wait_until(lambda: "Choose one first" in status(page, 1))
    page.cell(1).get_by_role("radio", name="that").check()
    record.click()
    page.wait_until(lambda: page.ask("print(choice.guess)").text == "that\n")
    record = page.cell(2).get_by_role("button", name="Record my guess")
    page.cell(2).get_by_role("combobox").nth(0).select_option("MAS")
    record.click()
    page.wait_until(lambda: "one place" in status(page, 2))
    page.cell(2).get_by_role("combobox").nth(1).select_option("EWC")
    record.click()
    page.wait_until(lambda: page.ask("print(order.guess)").text == "['MAS', 'EWC']\n")
    page.screenshot("predict")


def test_sweep(notebook):
    page = opened(notebook, [SWEEP])
    view, words = page.cell(0).locator("div.cl"), page.cell(0).locator("p.cl-words")
    view.locator("svg").first.wait_for()
    best = page.ask("print(sweep.best(), sweep.value)").text.split()
    assert best[0] == best[1]
    for key, i in (("End", -1), ("Home", 0)):
        page.widget("slider", "λ").press(key)  # what is done in the page reaches the kernel
        lam = page.ask(f"print(runs[{i}].config['knobs']['lam'] + 0.0)").text
        page.wait_until(lambda lam=lam: page.ask("print(sweep.value + 0.0)").text == lam)
        told = page.ask(f"print(f'{{runs[{i}].average_accuracy:.1%}}')").text.strip()
        page.wait_until(lambda told=told: f"average accuracy {told}" in words.inner_text())
    page.ask("sweep.value = 100")  # and the other way round
    page.wait_until(lambda: words.inner_text().startswith("λ 100:"))
    page.screenshot("sweep")


def test_importance(notebook):
    page = opened(notebook, [IMPORTANCE])
    words = page.cell(0).locator("p.cl-words")
    page.wait_until(lambda: words.count() and words.inner_text().startswith("ewc"))
    page.widget("combobox", "Layer").select_option("fc3")
    page.wait_until(lambda: page.ask("print(importance.layer)").text == "fc3\n")
    page.wait_until(lambda: "131,072 weights" in words.inner_text())
    page.ask("importance.method = importance.methods[1]")
    page.wait_until(lambda: words.inner_text().startswith("mas"))
    page.screenshot("importance-fc3")


def test_schedule(notebook):
    page = opened(notebook, [SCHEDULE])
    page.wait_until(lambda: "Press Run" in status(page))
    changes(
        page,
        lambda: page.widget("combobox", "Schedule").select_option("one-cycle"),
        until=lambda text: "one-cycle" in text,
    )
    changes(page, lambda: page.widget("slider", "lr").press("ArrowRight"))
    before = picture(page)
    page.press("Run")
    page.wait_until(lambda: "after 24" in status(page) and picture(page) != before)
    page.wait_until(lambda: page.widget("button", "Keep").is_enabled())
    page.press("Keep")
    page.wait_until(lambda: "Kept: one-cycle" in page.pictures(0)[0].alt)
    page.press("Clear")
    page.wait_until(lambda: "Kept" not in page.pictures(0)[0].alt)


def test_curvature(notebook):
    page = opened(notebook, [CURVATURE])
    page.wait_until(lambda: "No point yet" in page.pictures(0)[0].alt)
    page.widget("slider", "Learning rate").press("End")
    page.press("Train on two tasks")
    page.wait_until(lambda: status(page).startswith("1: lr 0.2"))
    told = page.ask(
        "b = curvature.trajectories[0].bounds[0]\n"
        "print(f'sharpness {b.sharpness:.1f}, distance {b.distance:.1f}, bound {b.bound:.0f}')"
    ).text.strip()
    assert told in status(page)
    page.wait_until(lambda: told in page.pictures(0)[0].alt)
    page.press("Clear")
    page.wait_until(lambda: "No point yet" in page.pictures(0)[0].alt)


def test_projection(notebook):
    page = opened(notebook, [PROJECTION])
    handle, svg = page.widget("slider", "gradient g"), page.cell(0).locator("svg[role=group]")

    def shown():
        """What is drawn: the tip of every arrow, by colour, in units of the plane."""
        return svg.evaluate(
            """
            svg => [...svg.querySelectorAll("g g")].map(arrow => {
                const head = arrow.querySelector("polygon");
                return head ? head.getAttribute("points").split(" ")[0].split(",").map(Number)
                            : [0, 0];
            })
            """
        )

    def kernel():
        """What the package makes of g, as the kernel has it."""
        return page.ask(
            """
            import json, torch
            from cl_helpers.methods.agem import averaged
            from cl_helpers.methods.gem import projected
            g = torch.tensor(projection.plane.g, dtype=torch.float64)
            old = torch.tensor(projection.old)
            gem = projected(g, old, projection.margin.value)
            tips = [*old, old.mean(0), gem, averaged(g, old.mean(0)), g]
            print(json.dumps([v.tolist() for v in tips]))
            """
        )

    def agrees():
        tips = json.loads(kernel().text)
        return [
            [pytest.approx(100 * x, abs=0.1), pytest.approx(-100 * y, abs=0.1)] for x, y in tips
        ]

    assert shown() == agrees()
    assert page.pictures(0) == []  # the copy is for readers without a kernel
    page.screenshot("projection")

    # By mouse: from its tip to where no old loss objects, and back across an edge.
    def drag(x, y):
        box, tip = svg.bounding_box(), handle.bounding_box()
        scale = box["width"] / (2 * 3.35)
        to = box["x"] + box["width"] / 2 + scale * x, box["y"] + box["height"] / 2 - scale * y
        page.page.mouse.move(tip["x"] + tip["width"] / 2, tip["y"] + tip["height"] / 2)
        page.page.mouse.down()
        page.page.mouse.move(*to, steps=8)
        page.page.mouse.up()

    drag(0.5, 1.5)
    page.wait_until(lambda: "g raises no old loss" in status(page))
    page.wait_until(lambda: json.loads(kernel().text)[-1] == pytest.approx([0.5, 1.5], abs=0.03))
    page.wait_until(lambda: shown() == agrees())
    drag(-0.4, -1.8)
    page.wait_until(lambda: "no step is left" in status(page))
    page.wait_until(lambda: shown() == agrees())
    assert shown()[3] == [0, 0]
    drag(9, 0.1)  # out of the plane: it stays at the rim
    page.wait_until(lambda: json.loads(kernel().text)[-1] == pytest.approx([3, 0.1], abs=0.03))

    # By keyboard, and the keys are not JupyterLab's.
    before, text = json.loads(kernel().text)[-1], status(page)
    told = handle.get_attribute("aria-valuetext")
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowUp", "ArrowDown"):
        handle.press(key)
    moved = pytest.approx([before[0] - 0.2, before[1] + 0.4], abs=1e-6)
    page.wait_until(lambda: json.loads(kernel().text)[-1] == moved)
    page.wait_until(lambda: status(page) != text and shown() == agrees())
    assert handle.get_attribute("aria-valuetext") != told
    assert handle.evaluate("handle => handle === document.activeElement")
    page.widget("slider", "Margin γ").press("End")
    page.wait_until(lambda: "away from both edges" in status(page) and shown() == agrees())
    page.widget("slider", "Angle of g₁ and g₂ (°)").press("End")
    page.wait_until(lambda: shown() == agrees())
    assert status(page) in svg.get_attribute("aria-label")
    page.screenshot("projection-moved")
