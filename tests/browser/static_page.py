"""A page without a kernel, on which views are drawn from their state alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page

import cl_helpers

FRONT = Path(cl_helpers.__file__).parent / "widgets" / "front"
ORIGIN = "http://views.test/"  # nobody's: what is asked of it is answered from FRONT
AXE = Path(__file__).parents[2] / "front" / "node_modules" / "axe-core" / "axe.min.js"
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Views</title>
<meta name="viewport" content="width=device-width"><body data-theme="light"><main>{}</main>
<script src="views.js"></script>"""


def number(text: str) -> float:
    """What a page writes, with a true minus sign."""
    return float(text.replace("−", "-"))


def serious(page: Page) -> list[str]:
    """What axe-core finds against assistive use, serious or worse."""
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{rule['id']}: {rule['nodes'][0]['html'][:200]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]


class StaticPage:
    """The still copies of `views` on a page, made live by front/host.js; errors end the test."""

    def __init__(self, browser: Browser, *views: Any, width: int = 900):
        self.page = browser.new_page(viewport={"width": width, "height": 900})
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        body = _PAGE.format("".join(view.copy().data for view in views))
        self.page.route(
            f"{ORIGIN}**",
            lambda route: (
                route.fulfill(path=FRONT / route.request.url.rsplit("/", 1)[-1])
                if route.request.url.endswith(".js")
                else route.fulfill(body=body, content_type="text/html")
            ),
        )
        self.page.goto(ORIGIN)
        self.page.wait_for_function("globalThis.clMounted")
        self.settle()

    def settle(self) -> None:
        """Until two frames have been drawn."""
        frames = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        self.page.evaluate(frames)
        assert self.errors == []

    def get(self, name: str, i: int = 0) -> Any:
        return self.page.evaluate("([i, name]) => clMounted[i].model.get(name)", [i, name])

    def set(self, i: int = 0, **values: Any) -> None:
        """Other state, as if it came from a kernel."""
        self.page.evaluate(
            "([i, values]) => Object.entries(values).forEach(v => clMounted[i].model.set(...v))",
            [i, values],
        )
        self.settle()

    def serious(self) -> list[str]:
        """What axe-core finds on the page; skips where there is none."""
        if not AXE.exists():
            pytest.skip("needs axe-core: make front")
        return serious(self.page)

    def words(self, i: int = 0) -> str:
        """The sentence that says what is seen."""
        self.settle()
        return self.page.locator("div.cl > p.cl-words").nth(i).inner_text()

    def widget(self, role: Any, name: str) -> Locator:
        return self.page.get_by_role(role, name=name, exact=True)

    def drag(self, handle: Locator, dx: float, dy: float) -> None:
        """Take a handle by its middle and pull it by so many pixels."""
        box = handle.bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + dx, y + dy, steps=5)
        self.page.mouse.up()
        self.settle()

    def cut_off(self) -> list[str]:
        """Which texts of the pictures do not lie within them."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll("svg.cl-picture")].flatMap(svg => {
                const { left, right, top, bottom } = svg.getBoundingClientRect();
                return [...svg.querySelectorAll("text")].filter(text => {
                    const box = text.getBoundingClientRect();
                    return box.left < left || box.right > right
                        || box.top < top || box.bottom > bottom;
                }).map(text => text.textContent);
            })"""
        )

    def overflow(self) -> int:
        """How many pixels the page is wider than its window."""
        return self.page.evaluate("document.documentElement.scrollWidth - innerWidth")

    def close(self) -> None:
        self.page.close()
