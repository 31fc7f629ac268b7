"""The other widgets in a real JupyterLab: each control moved, picture and text as is right."""

from __future__ import annotations

from driver import opened, words

BOWLS = "import cl_helpers as cl\nbowls = cl.widgets.Bowls(6)\nbowls"
PREDICT = """
import cl_helpers as cl
number = cl.widgets.Predict("How much?")
number
"""
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
    page = opened(notebook, [PREDICT, "number.replay(63.2)"])
    record = page.cell(0).get_by_role("button", name="Record my guess")
    page.wait_until(lambda: "none can be now" in page.cell(1).inner_text())
    assert not record.is_visible()  # the outcome has been on screen
    page.cell(0).get_by_role("button", name="Guess again").click()
    page.cell(0).get_by_role("slider").press("End")
    record.click()
    page.wait_until(lambda: page.ask("print(number.guess)").text == "100.0\n")
    page.run_cell(1)
    page.wait_until(lambda: "Your guess: 100 %" in page.cell(1).inner_text())
    page.screenshot("predict")
    page.restart_kernel()
    page.run_cell(0)
    page.wait_until(lambda: "What came out: 63.2 %. Your guess: 100 %" in page.cell(0).inner_text())
    assert not record.is_visible()


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
    page.widget("slider", "gradient g").press("Shift+ArrowUp")
    page.wait_until(lambda: page.ask("print(projection.gradients.g)").text == "[-2.0, -0.45]\n")
    page.ask("projection.margin = 1.0")
    page.wait_until(lambda: "away from both edges" in page.cell(0).inner_text())
    page.screenshot("projection")
