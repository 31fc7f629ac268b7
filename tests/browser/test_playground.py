"""The playground, opened from its folder: it trains in the page, and λ holds what it knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
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
    return [int(v) for v in re.findall(r"(\d+)%", page.locator(".cl-now").inner_text())]


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
    assert "You had guessed 40%." in page.locator(".cl-now").inner_text()
    assert guess.is_disabled()
    page.get_by_role("button", name="Start again").click()
    page.wait_for_function("!document.querySelector('input[type=number]').disabled")
    assert guess.input_value() == ""


def test_the_address_opens_the_same_thing_elsewhere(opened):
    page = opened()
    page.get_by_role("radio", name="SI").check()
    page.get_by_role("radio", name="3").check()
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
    page.get_by_role("button", name="Start again").click()
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
