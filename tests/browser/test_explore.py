"""The other widgets in a real JupyterLab: each control moved, picture and text as is right."""

from __future__ import annotations

import json

import pytest
from driver import changes, opened, picture, status, words

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
    best = page.ask(
        "print(sweep.best(), max(runs, key=lambda r: r.average_accuracy).config['knobs']['lam'])"
    )
    assert len(set(best.text.split())) == 1
    text = changes(
        page,
        lambda: page.widget("slider", "λ").press("Home" if "off" not in status(page) else "End"),
    )
    for key in ("End", "Home"):
        page.widget("slider", "λ").press(key)
        i = 0 if key == "Home" else -1
        told = page.ask(f"print(f'{{runs[{i}].average_accuracy:.1%}}')").text.strip()
        page.wait_until(lambda told=told: f"average accuracy {told}" in status(page))
    assert text
    page.screenshot("sweep")


def test_importance(notebook):
    page = opened(notebook, [IMPORTANCE])
    assert "ewc" in status(page)
    page.screenshot("importance")
    before = picture(page)
    page.widget("combobox", "Pixels as seen by").select_option("permutation 2")
    page.wait_until(lambda: picture(page) != before)
    changes(
        page,
        lambda: page.widget("combobox", "Layer").select_option("fc3"),
        until=lambda text: "131,072 weights" in text,
    )
    assert page.widget("combobox", "Pixels as seen by").is_disabled()
    changes(
        page,
        lambda: page.widget("combobox", "Method").select_option(index=1),
        until=lambda text: text.startswith("mas"),
    )
    page.screenshot("importance-fc3")


def test_schedule(notebook):
    page = opened(notebook, [SCHEDULE])
    page.wait_until(lambda: "Press Run" in words(page))
    page.widget("combobox", "Schedule").select_option("one-cycle")
    page.widget("slider", "lr").press("ArrowRight")
    page.wait_until(lambda: "one-cycle, lr 0.02 to" in words(page))
    page.press("Run")
    page.wait_until(lambda: "after 24." in words(page))
    page.wait_until(lambda: page.widget("button", "Keep").is_enabled())
    told = page.ask("print(f'{schedule.run.average_accuracy:.1%} after 24')").text.strip()
    assert told in words(page)
    page.press("Keep")
    page.wait_until(lambda: "1 run is kept." in words(page))
    page.screenshot("schedule")
    page.press("Clear")
    page.wait_until(lambda: "kept" not in words(page))
    assert page.ask("print(schedule.kept)").text == "[]\n"


def test_curvature(notebook):
    page = opened(notebook, [CURVATURE])
    page.wait_until(lambda: "No point yet" in words(page))
    page.widget("slider", "Learning rate").press("End")
    page.press("Train on two tasks")
    page.wait_until(lambda: words(page).startswith("1: lr 0.2"))
    told = page.ask(
        "b = curvature.trajectories[0].bounds[0]\n"
        "print(f'sharpness {b.sharpness:.1f}, distance {b.distance:.1f}, bound {b.bound:.0f}')"
    ).text.strip()
    assert told in words(page)
    page.screenshot("curvature")
    page.press("Clear")
    page.wait_until(lambda: "No point yet" in words(page))


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
