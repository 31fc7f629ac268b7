"""The playground, opened from its folder: it trains in the page, and λ holds what it knows."""

from __future__ import annotations

import re
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from static_page import AXE, serious

PAGE = Path(__file__).parents[2] / "site" / "pages" / "playground" / "index.html"


@pytest.fixture
def opened(browser):
    pages = []

    def open_page(address="", width=360):
        page = browser.new_page(viewport={"width": width, "height": 780})
        pages.append(page)
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        page.route(re.compile("^https?:"), lambda route: pytest.fail(route.request.url))
        page.goto(f"file://{PAGE}{address}")
        return page

    yield open_page
    for page in pages:
        page.close()


def end(page):
    """Accuracy on the first task when it was learned and at the end, and on the last one."""
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_function("/it has forgotten|it remembers/.test(document.body.textContent)")
    return [int(v) for v in re.findall(r"(\d+)%", page.locator(".cl-now").inner_text())][:3]


def test_it_forgets_and_ewc_holds(opened):
    page = opened()
    learned, left, latest = end(page)
    assert learned > 80
    assert latest > 80
    assert left < 70
    page.get_by_role("radio", name="EWC").check()
    page.get_by_role("button", name="Run", exact=True).wait_for()
    learned_with, left_with, latest_with = end(page)
    assert learned_with == learned  # nothing is held in the first task: the same to the bit
    assert left_with > left + 10
    assert latest_with > 75


def test_a_guess_is_made_before_and_said_after(opened):
    page = opened()
    guess = page.get_by_role("spinbutton", name="your guess, in %")
    guess.fill("40")
    guess.press("Enter")
    end(page)
    words = page.locator(".cl-now").inner_text()
    left = int(re.search(r"to (\d+)%", words)[1])
    assert f"You had guessed 40%: {left - 40} too low." in words
    assert guess.is_disabled()
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("!document.querySelector('input[type=number]').disabled")
    assert guess.input_value() == ""


def test_the_address_opens_the_same_thing_elsewhere(opened):
    page = opened()
    page.get_by_role("radio", name="SI").check()
    page.get_by_role("radio", name="3", exact=True).check()
    page.get_by_role("slider", name="λ").press("ArrowRight")
    page.wait_for_function("location.hash.includes('lam=1')")
    other = opened(f"#{page.url.split('#')[1]}")
    assert other.get_by_role("radio", name="SI").is_checked()
    assert other.get_by_role("radio", name="3").is_checked()
    assert other.get_by_role("slider", name="λ").get_attribute("aria-valuetext") == "1"
    assert end(page) == end(other)


@pytest.mark.parametrize("address", ["#method=magic&tasks=99&lam=-3&seed=x", "#%%%", "#lam=1e99"])
def test_an_address_that_makes_no_sense_opens_the_usual(opened, address):
    page = opened(address)
    page.get_by_role("radio", name="nothing").wait_for()
    assert page.get_by_role("radio", name="nothing").is_checked()
    assert page.get_by_role("radio", name="2", exact=True).is_checked()


def test_it_pauses_steps_and_begins_again(opened):
    page = opened()
    steps = "document.querySelector('.cl-now').textContent"
    page.get_by_role("button", name="Step").click()
    page.wait_for_function(f"{steps}.startsWith('Task 1')")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("button", name="Pause").click()
    curve = page.locator(".cl-curves polyline").first
    page.wait_for_timeout(200)
    before = curve.get_attribute("points")
    page.wait_for_timeout(300)
    assert curve.get_attribute("points") == before
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function(f"{steps}.startsWith('A new network')")


@pytest.mark.parametrize("width", [360, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_and_axe_finds_nothing_serious(opened, width, scheme):
    page = opened(width=width)
    page.emulate_media(color_scheme=scheme)
    page.get_by_role("button", name="Step").click()
    page.locator(".cl-digits figure").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    if AXE.exists():
        assert serious(page) == []


def test_in_class_il_replay_holds_what_no_penalty_holds(opened):
    page = opened("#stream=split&tasks=3")
    learned, left, _ = end(page)
    assert learned > 95
    assert left < 10
    page.get_by_role("radio", name="EWC").check()
    assert end(page)[1] < 10
    page.get_by_role("radio", name="replay").check()
    page.get_by_role("slider", name="old digits kept, in all").wait_for()
    assert not page.get_by_role("slider", name="λ").is_visible()
    assert end(page)[1] > 50
    names = page.locator(".cl-runs .cl-name").all_inner_texts()
    assert names[0] == "replay, 100 digits"
    assert set(names[1:]) == {"nothing", "EWC, λ 50"}
    page.get_by_role("radio", name="shuffled pixels").check()  # another experiment
    page.get_by_text("Other experiments").wait_for()


def test_ten_digits_make_five_tasks_of_two(opened):
    page = opened("#tasks=6&stream=split")
    assert page.get_by_role("radio", name="5", exact=True).is_checked()


def test_memory_and_learning_rate_act_while_it_trains(opened):
    """The sentence tells how many digits are kept; a rate of 0.05 ruins what 0.005 had learned."""
    page = opened("#method=er&tasks=2")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_function("document.querySelector('.cl-now').textContent.startsWith('Task 2')")
    page.get_by_role("slider", name="old digits kept, in all").press("Home")
    page.get_by_text("More settings").click()
    page.get_by_role("slider", name="learning rate").press("End")
    page.wait_for_function(
        "/forgotten|remembers/.test(document.querySelector('.cl-now').textContent)"
    )
    words = page.locator(".cl-now").inner_text()
    assert "10 old digits were kept at last, after changes" in words
    assert "memory=10" in page.url
    assert "lr=0.05" in page.url


def test_the_stage_plays_a_scene_and_lays_the_guess_beside_the_outcome(opened):
    page = opened(width=1280)
    page.get_by_role("button", name="Stage").click()
    press, scene = page.keyboard.press, page.locator(".cl-scene")
    press("PageDown")
    scene.get_by_text("2. EWC holds what matters").wait_for()
    press("PageUp")
    scene.get_by_text("1. Forgetting").wait_for()
    page.get_by_role("spinbutton", name="the hall's guess, in %").fill("30")
    press("Enter")
    press("Space")  # keys are the stage's again
    page.wait_for_function(
        "document.querySelector('.cl-scene').textContent.includes('The outcome')"
    )
    [guess, outcome] = re.findall(r"guess: (\d+)%. The outcome: (\d+\.\d)%", scene.inner_text())[0]
    assert guess == "30"
    assert "The loss knows the task in training alone." in scene.inner_text()
    left = int(re.search(r"to (\d+)%", page.locator(".cl-now").inner_text())[1])
    assert abs(float(outcome) - left) <= 0.5
    press("2")
    page.wait_for_function("/Held by EWC/.test(document.querySelector('.cl-now').textContent)")
    page.wait_for_function(
        "!document.querySelector('.cl-scene').textContent.includes('The outcome')"
    )
    assert "The loss knows" not in scene.inner_text()
    for _ in range(40):
        press("ArrowRight")
    slider = page.get_by_role("slider", name="λ")
    assert slider.get_attribute("aria-valuetext") == "10,000"  # the slider's last stop
    assert slider.input_value() == slider.get_attribute("max")
    high = "(e => [e.scrollHeight, e.clientHeight])(document.querySelector('.cl-stage'))"
    assert page.evaluate(high) == [780, 780]
    press("Escape")
    assert page.locator(".cl-stage").count() == 0


def test_the_link_is_there_to_be_shared(opened):
    page = opened("#method=si&tasks=3")
    page.get_by_text("Share this").click()
    page.get_by_text("on a web server its link gets a QR code").wait_for()
    assert page.get_by_role("textbox", name="link to this").input_value() == page.url


def test_the_qr_code_is_the_link(browser):
    """Read by a library for such codes, also after a choice has changed the address."""
    page = browser.new_page()
    page.route(
        "http://play.test/*",
        lambda route: route.fulfill(
            path=PAGE.with_name(route.request.url.split("#")[0].rpartition("/")[2])
        ),
    )
    page.goto("http://play.test/index.html#method=ewc&tasks=4")
    page.get_by_text("Share this").click()
    for last in ("tasks=4", "lam=100"):
        code = page.get_by_role("img", name=re.compile(f"QR code of .*method=ewc.*{last}$"))
        read = zxingcpp.read_barcodes(Image.open(BytesIO(code.screenshot())))
        assert [found.text for found in read] == [page.url]
        page.get_by_role("slider", name="λ").press("ArrowRight")
    page.close()


def test_the_weights_of_the_first_layer_move_and_are_held(opened):
    """How far each has moved in this task, and Ω, black until the first task has ended."""
    page = opened("#method=ewc")
    bright = """(i) => {
        const canvas = document.querySelectorAll(".cl-weights canvas")[i];
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.filter((v, k) => k % 4 === 0 && v > 60).length;
    }"""
    page.get_by_text("how strongly each is held: nothing yet").wait_for()
    assert page.evaluate(bright, 0) == page.evaluate(bright, 1) == 0
    end(page)
    assert page.evaluate(bright, 0) > 100
    assert page.evaluate(bright, 1) > 100
    page.get_by_role("radio", name="replay").check()  # which holds no weight
    page.wait_for_function("document.querySelectorAll('.cl-weights figure')[1].hidden")


def test_a_run_can_be_stepped_to_its_end(opened):
    page = opened()
    page.evaluate(
        """() => { const step = [...document.querySelectorAll("button")]
            .find((b) => b.textContent === "Step"); for (let i = 0; i < 540; i++) step.click(); }"""
    )
    page.get_by_role("button", name="Run again").wait_for()
    assert page.get_by_role("button", name="Step").is_disabled()
    assert page.locator(".cl-runs .cl-name").all_inner_texts() == ["nothing"]


def test_lam_is_said_as_it_was(opened):
    """Chosen before it begins it is no move; moved when all is over it changes nothing."""
    page = opened("#method=ewc")
    page.get_by_role("slider", name="λ").press("ArrowRight")
    latest = end(page)[2]
    words = page.locator(".cl-now").inner_text()
    assert words.startswith("Held by EWC, λ 100: ")
    assert page.locator(".cl-runs .cl-name").all_inner_texts() == ["EWC, λ 100"]
    page.get_by_role("slider", name="λ").press("Home")
    page.wait_for_function("location.hash.includes('lam=0')")
    assert page.locator(".cl-now").inner_text() == words
    assert latest > 60


def test_a_guess_stays_while_one_chooses_and_a_wrong_one_is_not_taken(opened):
    page = opened()
    guess = page.get_by_role("spinbutton", name="your guess, in %")
    guess.fill("150")
    guess.press("Enter")
    assert not guess.evaluate("(input) => input.checkValidity()")
    guess.fill("62.5")
    guess.press("Enter")
    page.get_by_role("radio", name="EWC").check()
    page.get_by_role("radio", name="3", exact=True).check()
    assert guess.input_value() == "62.5"
    end(page)
    assert "You had guessed 62.5%: " in page.locator(".cl-now").inner_text()


def test_on_a_phone_all_can_be_touched_and_there_is_no_stage(browser):
    context = browser.new_context(
        viewport={"width": 740, "height": 360}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(PAGE.as_uri())
    page.get_by_role("radio", name="EWC").locator("..").tap()
    page.get_by_role("button", name="Run", exact=True).tap()
    page.get_by_text("Task 2:").wait_for()
    assert not page.get_by_role("button", name="Stage").is_visible()
    heights = page.locator(
        "button, select, summary, .cl-among label, input[type=range]"
    ).evaluate_all(
        """(all) => all.filter((e) => e.checkVisibility())
            .map((e) => e.getBoundingClientRect().height)"""
    )
    assert min(heights) >= 39.5
    context.close()


def test_no_run_is_lost_when_the_tasks_change(opened):
    """Of other tasks it is set apart, and is back when these are chosen again."""
    page = opened()
    end(page)
    page.get_by_role("radio", name="3", exact=True).check()
    page.get_by_text("Other experiments, not to be compared with these").wait_for()
    page.get_by_text("differs: 2 tasks").wait_for()
    page.get_by_role("radio", name="2", exact=True).check()
    page.get_by_text("Other experiments").wait_for(state="detached")
    assert page.locator(".cl-runs ol .cl-name").all_inner_texts() == ["nothing"]


def test_a_digit_that_one_points_at_is_said(opened):
    """By keyboard too: what it is, and three labels with their shares."""
    page = opened()
    page.get_by_role("button", name="Step", exact=True).click()
    page.get_by_text("Task 1: it learns").wait_for()
    digits = page.locator(".cl-digits figure")
    digits.nth(0).focus()
    page.keyboard.press("ArrowRight")
    words = page.locator(".cl-digits + p").inner_text()
    assert re.fullmatch(
        r"Number 2 of task 1 is \d\. The network says (\d: \d+%, ){2}\d: \d+%\.", words
    )
    label = digits.nth(1).locator("figcaption").inner_text()[0]
    assert f"says {label}: " in words


def test_a_scene_is_shown_new_before_it_is_played(opened):
    page = opened("#method=si&tasks=2", width=1280)
    end(page)
    page.get_by_role("button", name="Stage").click()
    page.locator(".cl-now", has_text="A new network").wait_for()
    for scene, address in enumerate(["method=none", "method=ewc", "lam=50", "method=l2", "split"]):
        page.wait_for_function(f"location.hash.includes({address!r}) || {scene} === 0")
        assert "tasks=5" in page.url
        page.keyboard.press("PageDown")


def test_task_numbers_stay_inside_the_axes(opened):
    """Three tasks at 0 % end in the same place."""
    page = opened("#stream=split&tasks=4")
    end(page)
    ends = page.locator(".cl-curves > g .cl-number")
    low = page.locator(".cl-curves text", has_text="0%").first
    assert sorted(ends.all_text_contents()) == ["1", "2", "3", "4"]
    heights = sorted(float(text.get_attribute("y")) for text in ends.all())
    assert all(q - p > 11 for p, q in pairwise(heights))
    assert heights[-1] <= float(low.get_attribute("y")) + 1
