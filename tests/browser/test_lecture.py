"""The Lab in a real JupyterLab: what a lecturer does with it, and what goes wrong in a hall."""

from __future__ import annotations

import json

import pytest

LAB = """
    import cl_helpers as cl
    lab = cl.widgets.Lab(cl.load("digits"), "class", method="{method}")
    lab
"""
CELLS = [LAB.format(method="ewc"), "print('ran to the end')"]
OTHER = LAB.replace("lab", "other").format(method="baseline")


def state(notebook) -> dict:
    """What the kernel knows of the Lab."""
    return json.loads(
        notebook.ask(
            """
            import json
            print(json.dumps({
                "state": lab.training.state if lab.training else "none",
                "training": id(lab.training),
                "step": lab.event.step if lab.event else 0,
                "moved": lab.watch.moved if lab.watch else [],
                "kept": len(lab.kept),
                "lam": lab.lam,
                "accuracy": str(lab.run.accuracy.tolist()) if lab.run else "",
            }))
            """.replace("\n            ", "\n")
        ).text
    )


def start(notebook):
    """Press Run, until the kernel has heard it: the page may still show the run before."""
    before = state(notebook)["training"]
    notebook.press("Run")
    notebook.wait_until(lambda: state(notebook)["training"] != before)


def finish(notebook):
    notebook.wait_until(lambda: state(notebook)["state"] == "done")
    notebook.wait_until(says(notebook, "done in"))


def reach(notebook, step):
    notebook.wait_until(lambda: state(notebook)["step"] >= step)


def come_to_rest(notebook):
    """Until the step and the picture that were under way are there."""

    def seen():
        return state(notebook)["step"], curves(notebook)

    before = None
    while before != (before := seen()):
        notebook.page.wait_for_timeout(1000)


def says(notebook, text):
    """Whether `text` is in the Lab's first line."""
    return notebook.page.locator(".cl-now").filter(has_text=text).first.is_visible


def curves(notebook, i=0):
    """All that is drawn of the curves."""
    return notebook.cell(i).locator("svg.cl-curves").inner_html()


@pytest.fixture
def lab(notebook):
    lab = notebook(CELLS)
    lab.run_all()
    assert lab.errors() == []
    lab.wait_until(says(lab, "press Run"))
    return lab


def test_other_tasks(lab):
    lab.cell(0).get_by_text("More settings").click()
    method = lab.widget("combobox", "Method")
    assert "iCaRL" not in method.locator("option").all_inner_texts()
    lab.widget("combobox", "Stream").select_option("split")
    lab.widget("combobox", "Scenario").select_option("Class-IL")
    lab.wait_until(lambda: "iCaRL" in method.locator("option").all_inner_texts())
    assert method.locator("option:checked").inner_text() == "EWC"
    lab.screenshot("lab-tasks")
    method.select_option("iCaRL")
    start(lab)
    lab.wait_until(says(lab, "iCaRL · class · split, Class-IL · seed 0"))
    reach(lab, 1)
    assert lab.ask("print(lab.run.config['tasks'])").text == "['0 1', '2 3', '4 5', '6 7', '8 9']\n"
    lab.press("Stop")
    lab.wait_until(says(lab, "ended early: stopped"))


@pytest.mark.full
def test_a_lecture(lab):
    assert says(lab, "Nothing has been trained")()
    lab.ask("lab.epochs = 9")  # 108 steps a task
    start(lab)
    reach(lab, 110)
    lab.move_slider_by_keyboard("λ", "ArrowRight", "ArrowRight")
    lab.wait_until(lambda: [lam for _, lam in state(lab)["moved"]][-1:] == [1_000])
    by_keyboard = state(lab)["moved"][-1]
    lab.drag_slider("λ", 0.2)
    lab.wait_until(lambda: state(lab)["moved"][-1][1] < 1)
    lab.wait_until(lambda: f"λ {state(lab)['moved'][-1][1]:g}" in curves(lab))
    first = curves(lab)
    lab.wait_until(lambda: curves(lab) != first)  # it goes on
    lab.screenshot("lab-running")

    lab.press("Pause")
    lab.wait_until(says(lab, "paused at task"))
    come_to_rest(lab)
    still, step = curves(lab), state(lab)["step"]
    assert lab.ask("print(6 * 7)").text == "42\n"  # the kernel is free
    lab.run_cell(1)
    assert lab.outputs(1)[0]["text"] == "ran to the end\n"
    lab.page.wait_for_timeout(1500)
    assert (curves(lab), state(lab)["step"]) == (still, step)
    lab.press("Resume")
    finish(lab)
    disturbed = state(lab)["accuracy"]

    lab.press("Keep")
    lab.wait_until(lambda: state(lab)["kept"] == 1)
    lab.ask("lab.lam = 400.0")
    start(lab)  # the same, undisturbed
    finish(lab)
    assert state(lab)["moved"] == []
    assert state(lab)["accuracy"] != disturbed
    before = by_keyboard[0] // 108  # tasks that had ended by then
    rows = [json.loads(a.replace("nan", "null")) for a in (disturbed, state(lab)["accuracy"])]
    assert rows[0][:before] == rows[1][:before]

    lab.widget("combobox", "Method").select_option("SI")
    lab.wait_until(lambda: state(lab)["lam"] == 0.8)
    start(lab)
    reach(lab, 150)
    lab.press("Stop")
    lab.wait_until(says(lab, "ended early: stopped"))
    assert state(lab)["state"] == "stopped"
    kept = lab.cell(0).locator(".cl-runs")
    lab.wait_until(lambda: "EWC λ 400 → " in kept.inner_text())
    lab.press("Show code")
    lab.wait_until(lambda: lab.page.get_by_text("cl.SI(lam=0.8)").is_visible())
    lab.screenshot("lab-kept-and-code")
    lab.press("Clear")
    lab.wait_until(lambda: "→" not in kept.inner_text())
    lab.wait_until(lambda: lab.ask("print('Accuracy on task' in lab.words)").text == "True\n")

    saved = lab.save()
    outputs = saved.cells[0].outputs
    assert len(outputs) == 2, [str(o)[:600] for o in outputs]
    [_, copy] = outputs
    assert 'alt="Accuracy on task' in copy.data["text/html"]
    assert lab.path.stat().st_size < 1_000_000


@pytest.mark.full
def test_reload_restart_and_run_again(lab):
    start(lab)
    reach(lab, 50)
    lab.save()
    lab.reload()
    lab.wait_until(says(lab, "of 5"))  # the same Lab, still training
    step = state(lab)["step"]
    lab.move_slider_by_keyboard("λ", "ArrowRight")
    lab.wait_until(lambda: state(lab)["moved"])
    assert state(lab)["step"] > step
    before = curves(lab)
    lab.wait_until(lambda: curves(lab) != before)
    lab.restart_kernel()
    lab.run_all()
    assert lab.errors() == []
    start(lab)
    reach(lab, 20)
    lab.press("Stop")
    lab.wait_until(says(lab, "ended early"))


@pytest.mark.full
def test_two_labs_and_a_cell_that_is_run_again(notebook):
    lab = notebook([*CELLS, OTHER])
    lab.run_all()
    assert lab.errors() == []
    lab.cell(0).get_by_role("button", name="Run", exact=True).click()
    reach(lab, 20)
    lab.cell(2).get_by_role("button", name="Run", exact=True).click()
    lab.wait_until(says(lab, "another run was started"))
    threads = "import threading; print([t.name for t in threading.enumerate()].count('training'))"
    lab.wait_until(lambda: lab.ask(threads).text == "1\n")
    lab.run_cell(2)  # in the middle of its run
    lab.wait_until(lambda: lab.ask(threads).text == "0\n")
    nothing = lab.cell(2).get_by_text("Nothing has been trained")
    lab.wait_until(nothing.is_visible)
    assert lab.cell(2).locator(".cl-lab").count() == 1
    assert lab.errors() == []


def test_an_interrupt_ends_the_run_with_one_message(lab):
    start(lab)
    reach(lab, 20)
    lab.interrupt_kernel()
    lab.wait_until(says(lab, "ended early: interrupted"))
    assert lab.ask("print('alive')").text == "alive\n"
    assert lab.errors() == []
    start(lab)
    reach(lab, 20)
    lab.press("Stop")
    lab.wait_until(says(lab, "ended early: stopped"))


@pytest.mark.full
def test_an_error_in_training_is_shown_with_its_cause(lab):
    lab.ask(
        "sound = cl.EWC.end_task\n"
        "def end_task(self, model, task):\n"
        "    try: {}['Ω']\n"
        "    except KeyError as cause: raise RuntimeError('no Ω today') from cause\n"
        "cl.EWC.end_task = end_task"
    )
    start(lab)
    alert = lab.cell(0).get_by_role("alert")
    lab.wait_until(alert.inner_text)
    assert "RuntimeError: no Ω today" in alert.inner_text()
    assert "because of KeyError: 'Ω'" in alert.inner_text()
    lab.screenshot("lab-error")
    lab.ask("cl.EWC.end_task = sound")


def test_every_control_has_a_name(lab):
    lab.cell(0).get_by_text("More settings").click()
    names = {
        "combobox": ["Method", "Preset", "Stream", "Scenario", "Optimiser", "Dropout"],
        "slider": ["λ"],
        "spinbutton": ["Seed", "Epochs", "Learning rate"],
        "button": [
            *("Run", "Pause", "Stop", "Keep", "Clear", "Show code", "CSV", "SVG", "PNG", "Stage")
        ],
    }
    for role, every in names.items():
        for name in every:
            lab.wait_until(lambda role=role, name=name: lab.widget(role, name).is_visible())
        shown = lab.cell(0).locator(".jp-OutputArea").get_by_role(role)
        assert shown.count() == len(every)  # none without a name
    assert lab.widget("slider", "λ").get_attribute("aria-valuetext") == "400"
    lab.screenshot("lab-more")


def test_the_stage_is_led_by_keys_alone(lab):
    """As with a presenter's remote, and JupyterLab's own shortcuts stay out of it."""
    lab.widget("button", "Stage").press("Enter")
    scene = lab.page.locator(".cl-scene h2")
    press = lab.page.keyboard.press
    for i, key in enumerate(("", "PageDown", "PageDown"), 1):
        if key:
            press(key)
        lab.wait_until(lambda i=i: scene.inner_text().startswith(f"{i}. "))
    lab.screenshot("stage")
    press("2")
    lab.wait_until(lambda: state(lab)["state"] == "running")
    assert lab.ask("print(lab.run.config['method'] if lab.run else 'ewc')").text == "ewc\n"
    reach(lab, 5)
    press("ArrowRight")
    lab.wait_until(lambda: state(lab)["lam"] == 500)
    press("Space")
    lab.wait_until(lambda: state(lab)["state"] == "paused")
    press("Space")
    lab.wait_until(lambda: state(lab)["state"] == "running")
    press("Escape")
    lab.wait_until(lambda: lab.page.locator(".cl-stage").count() == 0)
    lab.press("Stop")
    lab.wait_until(says(lab, "ended early: stopped"))
    assert len(lab.save().cells) == len(CELLS)  # the keys made no cell, and took none away
