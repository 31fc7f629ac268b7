"""The Lab on a page without a kernel: what it says of the state it is given."""

from __future__ import annotations

import csv
import io

import pytest

import cl_helpers as cl


@pytest.fixture(scope="module")
def trained():
    """A Lab with a finished run of EWC and two kept ones, of which one is another experiment."""
    data = cl.load("digits")
    lab = cl.widgets.Lab(data, "quick", method="baseline")
    for method in ("baseline", "ewc"):
        lab.method = method
        lab.start()
        lab.wait(300)
        if method == "baseline":
            lab.keep()
    preset = cl.presets.PRESETS["quick"]
    how = preset.settings(data) | {"epochs": 2, "progress": False}
    lab.kept.append(cl.train(cl.SI(), preset.tasks(data), **how))
    lab._show_kept()
    yield lab
    lab.close()


def living(static, lab, **how):
    """A page on which the Lab is as with a kernel, which here does nothing."""
    page = static(lab, **how)
    page.set(stored=False)
    return page


def now(page) -> str:
    return page.page.locator(".cl-now").first.inner_text()


def test_the_first_line_names_what_trains_whatever_the_controls_say(static, trained):
    page = living(static, trained)
    assert now(page).startswith("EWC · λ 400 · quick · seed 0 · done in")
    news = trained.news | {"step": 10, "task": 1, "left": 12.4, "lam": 50.0}
    page.set(doing="running", news=news, method="si", next_lam=0.8, preset="class", seed=3)
    n = f"{news['n_steps']:,}"
    assert now(page) == (f"EWC · λ 50 · quick · seed 0 · task 2 of 3, step 10 of {n} · 12 s left")
    beside = page.page.locator(".cl-next").inner_text()
    assert "these act when you press Run again" in beside
    assert "SI · λ 0.8 · class · seed 3" in beside
    assert "acts at once" in page.page.locator(".cl-controls").inner_text()
    page.set(doing="paused")
    assert "paused at task 2 of 3" in now(page)
    page.set(doing="stopped", reason="another run was started")
    assert "ended early: another run was started, at task 2" in now(page)
    outcome = "diverged at step 7 of task 1 (loss 12 before; try a smaller learning rate or λ)"
    page.set(doing="done", news=news | {"diverged": True, "outcome": outcome})
    assert now(page).endswith(outcome)
    page.set(news=news | {"stream": "split", "scenario": "class", "lam": None})
    assert "EWC · quick · split, Class-IL · seed 0" in now(page)


def test_other_experiments_are_set_apart_and_not_laid_over(static, trained):
    page = living(static, trained)
    ranked, apart = page.page.locator(".cl-runs ol"), page.page.locator(".cl-runs ul")
    rows = ranked.locator("li").all_inner_texts()
    assert [("EWC" in row, "Baseline" in row) for row in rows] in (
        [(True, False), (False, True)],
        [(False, True), (True, False)],
    )
    shown = [float(row.split("%")[0].split()[-1]) for row in rows]
    assert shown == sorted(shown, reverse=True)
    assert "SI" in apart.inner_text()
    assert "differs: epochs 2" in apart.inner_text()
    markers = page.page.locator(".cl-curves polygon")
    assert markers.count() == 3  # Baseline's averages after each of three tasks, and no SI's
    page.widget("checkbox", "show Baseline").uncheck()
    page.settle()
    assert markers.count() == 0
    assert page.get("hidden") == ["0"]


def test_the_curves_are_those_of_the_state(static, trained):
    page = living(static, trained)
    lines = page.page.locator(".cl-curves polyline").all()
    points = {len(line.get_attribute("points").split()) for line in lines}
    assert {len(series) for series in trained.news["series"]} <= points
    curves = page.page.locator(".cl-curves")
    curves.focus()
    for _ in range(40):
        curves.press("ArrowRight")
    last = [round(100 * series[-1][1], 1) for series in trained.news["series"]]
    text = page.page.locator(".cl-readout").inner_text()
    assert text.endswith(", ".join(f"task {j} {a:.1f}%" for j, a in enumerate(last, 1)) + ".")


def test_digits_flip_as_the_state_says(static, trained):
    page = living(static, trained)
    first = page.page.locator(".cl-grid").first.locator("figure")
    assert first.count() == 20
    seen = [dict(s) for s in trained.news["seen"]]
    seen[0] = seen[0] | {"labels": [3] * 20, "right": [False] * 19 + [True]}
    page.set(news=trained.news | {"seen": seen})
    assert first.all_inner_texts() == ["3 ✗"] * 19 + ["3"]
    assert "1 of 20 right" in page.page.locator(".cl-digits h4").first.inner_text()
    first.nth(0).hover()
    said = page.page.locator(".cl-digits + p").inner_text()
    truth = trained.digits[0]["truth"][0]
    assert said.startswith(f"Number 1 of task 1 is {truth}. The network says ")


def test_runs_go_out_as_csv_and_the_picture_as_svg_and_png(static, trained, tmp_path):
    page = living(static, trained)

    def saved(name):
        with page.page.expect_download() as download:
            page.widget("button", name).click()
        download.value.save_as(tmp_path / name)
        return (tmp_path / name).read_bytes()

    rows = list(csv.DictReader(io.StringIO(saved("CSV").decode())))
    mine = [float(row["accuracy"]) for row in rows if row["run"] == "EWC λ 400"]
    told = [a for row in trained.news["matrix"] for a in row if a is not None]
    assert mine == told
    assert {row["method"] for row in rows} == {"ewc", "baseline", "si"}
    assert b"<svg" in saved("SVG")
    assert saved("PNG")[:4] == b"\x89PNG"


def test_the_stage_is_stepped_through_by_keys_and_fits_a_projector(static, trained):
    page = living(static, trained, width=1280)
    page.page.set_viewport_size({"width": 1280, "height": 720})
    page.page.evaluate("void (clMounted[0].model.send = (m) => (globalThis.sent ??= []).push(m))")
    page.widget("button", "Stage").click()
    page.settle()
    stage = page.page.locator(".cl-stage")
    press = page.page.keyboard.press
    assert "1. Forgetting" in stage.inner_text()
    press("PageDown")
    page.settle()
    assert "2. EWC holds what matters" in stage.inner_text()
    press("PageUp")
    press("4")
    page.settle()
    assert "4. The five side by side" in stage.inner_text()
    press("Space")
    lam = page.get("lam")
    press("ArrowRight")
    assert page.get("lam") > lam
    sent = page.page.evaluate("JSON.parse(JSON.stringify(sent))")
    assert [(m["do"], m["with"]["scene"]) for m in sent] == [("play", 3), ("play", 3)]
    sizes = page.page.evaluate(
        """[...document.querySelectorAll(".cl-stage *")].filter(e => e.checkVisibility()
            && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
            .map(e => [parseFloat(getComputedStyle(e).fontSize), e.tagName, e.textContent])"""
    )
    assert min(sizes)[0] >= 20, min(sizes)
    high = "(e => [e.scrollHeight, e.clientHeight])(document.querySelector('.cl-stage'))"
    assert page.page.evaluate(high) == [720, 720]
    press("Escape")
    assert page.page.locator(".cl-stage").count() == 0


def test_the_halls_guess_is_laid_beside_the_outcome(static, trained):
    page = living(static, trained, width=1280)
    page.widget("button", "Stage").click()
    guess = page.widget("spinbutton", "the hall's guess, in %")
    scene = page.page.locator(".cl-scene")
    guess.fill("140")
    page.widget("button", "Record the guess").click()
    assert "Give a number from 0 to 100." in scene.inner_text()
    guess.fill("30")
    page.widget("button", "Record the guess").click()
    page.settle()
    assert "The outcome" not in scene.inner_text()  # what was trained was another scene, or none
    assert "Nothing pulled the weights back" not in scene.inner_text()
    page.set(played=0)
    left = trained.news["matrix"][-1][0]
    assert f"The hall's guess: 30%. The outcome: {100 * left:.1f}%." in scene.inner_text()
    assert "Nothing pulled the weights back" in scene.inner_text()
    high = "(e => [e.scrollHeight, e.clientHeight])(document.querySelector('.cl-stage'))"
    page.page.set_viewport_size({"width": 1280, "height": 720})
    page.settle()
    assert page.page.evaluate(high) == [720, 720]
    page.set(played=-1)
    assert "The outcome" not in scene.inner_text()


@pytest.mark.parametrize("width", [360, 1920])
def test_nothing_is_cut_off_and_axe_finds_nothing_serious(static, trained, width):
    page = living(static, trained, width=width)
    page.page.locator(".cl-next summary").click()
    assert page.overflow() <= 0
    assert page.serious() == []
    page.page.evaluate("document.body.dataset.theme = 'dark'")
    page.settle()
    assert page.serious() == []


def test_without_a_kernel_it_says_so_and_offers_what_needs_none(static, trained):
    page = static(trained, cl.widgets.Lab(cl.load("digits"), "quick"))
    assert now(page).startswith("EWC · λ 400 · quick · seed 0 · done in")
    assert page.page.locator(".cl-now").nth(1).inner_text() == (
        "Nothing has been trained here. Runs need the notebook."
    )
    buttons = page.page.get_by_role("button").all_inner_texts()
    assert buttons == ["Show code", "CSV", "SVG", "PNG"] * 2
    assert page.page.get_by_role("link").count() == 0
    page.page.evaluate("globalThis.clPlayground = 'playground/index.html'")  # as the site has it
    page.set(words="")
    page.settle()
    link = page.page.get_by_role("link", name="the playground").first
    assert link.get_attribute("href") == "playground/index.html"
    page.widget("checkbox", "show Baseline").uncheck()
    page.settle()
    assert page.get("hidden") == ["0"]
    page.page.locator(".cl-curves").first.press("f")
    assert page.page.locator(".cl-stage").count() == 0


def test_the_accuracy_matrix_is_that_of_the_run(static, trained):
    page = static(trained)
    page.page.get_by_text("Accuracy matrix, in %").click()
    rows = page.page.locator(".cl-matrix tbody tr").all()
    told = [[cell.inner_text() for cell in row.locator("td").all()] for row in rows]
    assert told == [
        [f"{100 * a:.1f}" if j <= t else "" for j, a in enumerate(row)]
        for t, row in enumerate(trained.run.accuracy.round(4))
    ]
