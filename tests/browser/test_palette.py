"""How each method looks in the page: as in the charts of cl_helpers/report/plots.py."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import numpy as np
import pytest

from cl_helpers.report.plots import LOOK, OTHER

FRONT = Path(__file__).parents[2] / "front" / "lib"


@pytest.fixture
def page(browser):
    page = browser.new_page()
    look = (FRONT / "look.css").read_text("utf-8")
    page.set_content(f'<style>{look}</style><body><div class="cl"><i></i></div>')
    source = b64encode((FRONT / "palette.js").read_bytes()).decode()
    module = f"import('data:text/javascript;base64,{source}')"
    page.evaluate(f"{module}.then(module => globalThis.palette = module)")
    yield page
    page.close()


def test_it_is_that_of_the_plots(page):
    look = page.evaluate("Object.entries(palette.LOOK)")
    assert {n: (c, tuple(m) if isinstance(m, list) else m, d) for n, (c, m, d) in look} == LOOK
    assert [name for name, _ in look] == list(LOOK)
    assert tuple(page.evaluate("palette.OTHER")) == OTHER


def test_each_marker_and_dash_is_drawn_apart(page):
    drawn = page.evaluate(
        "[...Object.keys(palette.LOOK), 'mine'].map(name => palette.look(name).corners(5))"
    )
    assert drawn[0] == ""  # joint training has none
    assert len(set(drawn)) == len(LOOK) + 1
    dashes = page.evaluate("Object.keys(palette.LOOK).map(name => palette.look(name).dash)")
    assert len(set(dashes)) == len({dash for _, _, dash in LOOK.values()})
    assert page.evaluate("palette.look('ewc fisher=true').stroke === palette.look('ewc').stroke")


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_colours_stand_out(page, theme):
    """Contrast with the paper of WCAG 2.1; in the light theme the plots' own colours."""
    page.emulate_media(color_scheme="dark")  # only "auto" asks the reader's system
    page.evaluate(f"document.body.dataset.theme = '{theme}'")
    rgb = page.evaluate(
        """
        [...Object.keys(palette.LOOK).map(name => palette.look(name).stroke), "var(--cl-paper)"]
            .map(colour => {
                const probe = document.querySelector("i");
                probe.style.color = colour;
                const context = document.createElement("canvas").getContext("2d");
                context.fillStyle = getComputedStyle(probe).color;
                context.fillRect(0, 0, 1, 1);
                return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
            })
        """
    )
    *colours, paper = rgb
    if theme == "light":
        own = [[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c, _, _ in LOOK.values()]
        far = np.abs(np.array(colours) - own).max()
        assert far <= 0x1C  # black is the ink
        return
    assert max(paper) < 0x20
    for name, colour in zip(LOOK, colours, strict=True):
        assert contrast(colour, paper) >= 3.5, name


def contrast(one, other):
    def luminance(rgb):
        parts = [c / 255 for c in rgb]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted([luminance(one), luminance(other)], reverse=True)
    return (high + 0.05) / (low + 0.05)
