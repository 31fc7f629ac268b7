"""Importance on a page without a kernel: the colours of its cells, its numbers and its sentence."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from scipy.stats import spearmanr
from toys import of_shape, random_omega, with_omega

import cl_helpers as cl
from cl_helpers.widgets import Importance
from cl_helpers.widgets.pixels import as_pixels


def three(few):
    runs = [
        with_omega(random_omega(seed, (20, 784), (10, 20)), name)
        for seed, name in enumerate(("ewc", "mas", "si"))
    ]
    return runs, Importance(runs, cl.permuted(few, 2))


def colours(page, nth=0):
    """(rows, columns, 3), 0 … 255, of an image in the picture: the map, or the legend's bar."""
    return np.array(
        page.page.evaluate(
            """
            async nth => {
                const image = new Image();
                image.src = document.querySelectorAll("image.cl-cells")[nth].getAttribute("href");
                await image.decode();
                const canvas = document.createElement("canvas");
                [canvas.width, canvas.height] = [image.width, image.height];
                const context = canvas.getContext("2d");
                context.drawImage(image, 0, 0);
                return Array.from({ length: image.height }, (_, i) => Array.from(
                    { length: image.width },
                    (_, j) => [...context.getImageData(j, i, 1, 1).data].slice(0, 3)));
            }
            """,
            nth,
        )
    )


def inferno(parts):
    """As Matplotlib has it."""
    return 255 * colormaps["inferno"](parts)[..., :3]


def hovered(page, i, j, rows, columns):
    reader = page.widget("slider", "Ω, cell by cell")
    box = reader.bounding_box()
    page.page.mouse.move(
        box["x"] + (j + 0.5) / columns * box["width"], box["y"] + (i + 0.5) / rows * box["height"]
    )
    return page.page.locator(".cl-tip").inner_text()


def number(text):
    """What 4.57 × 10⁻⁶ is."""
    text = text.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-"))
    m, power = re.fullmatch(r"(?:([\d.]+))?(?: × )?(?:10(-\d+))?", text).groups()
    return float(m or 1) * 10.0 ** float(power or 0)


def test_cells_are_coloured_by_the_logarithm_and_read(static, few):
    runs, widget = three(few)
    widget.layer = "1"
    page = static(widget)
    omega = runs[0].method.importance["1.weight"].numpy()
    omega_over_top = np.maximum(omega / omega.max(), 1e-5)
    assert np.abs(colours(page) - inferno(1 + np.log10(omega_over_top) / 5)).max() <= 8
    for i, j in ((0, 0), (9, 19), (3, 7)):
        text = hovered(page, i, j, 10, 20)
        assert text.startswith(f"from unit {j + 1} to unit {i + 1}: ")
        assert number(text.split(": ")[1]) == pytest.approx(omega[i, j], rel=0.006)
    assert "a cell is a weight" in page.page.locator("svg.cl-picture").first.text_content()


def test_pixels_are_coloured_in_proportion_as_each_task_sees_them(static, few):
    runs, widget = three(few)
    page = static(widget)
    omega = runs[0].method.importance["0.weight"]
    for task in widget.tasks.values():
        page.widget("combobox", "Pixels as seen by").select_option(task.name)
        page.settle()
        pixels = as_pixels(omega.sum(0), task).numpy()
        assert np.abs(colours(page) - inferno(pixels / pixels.max())).max() <= 8
        text = hovered(page, 4, 9, 28, 28)
        assert text.startswith("pixel in row 5, column 10: ")
        assert number(text.split(": ")[1]) == pytest.approx(pixels[4, 9], rel=0.006)
        assert task.name in page.page.locator(".cl-title").first.text_content()


def test_arrow_keys_read_cell_by_cell_from_the_largest(static, few):
    runs, widget = three(few)
    widget.layer = "1"
    page = static(widget)
    omega = runs[0].method.importance["1.weight"].numpy()
    i, j = np.unravel_index(omega.argmax(), omega.shape)
    reader = page.widget("slider", "Ω, cell by cell")
    page.page.keyboard.press("Tab")
    reader.focus()
    assert f"from unit {j + 1} to unit {i + 1}: " in reader.get_attribute("aria-valuetext")
    for _ in range(30):
        reader.press("ArrowLeft")
        reader.press("ArrowUp")
    reader.press("ArrowDown")
    reader.press("ArrowRight")
    text = reader.get_attribute("aria-valuetext")
    assert text.startswith("from unit 2 to unit 2: ")
    assert number(text.split(": ")[1]) == pytest.approx(omega[1, 1], rel=0.006)


def test_legend_says_what_the_colours_mean(static, few):
    runs, widget = three(few)
    widget.layer = "1"
    page = static(widget)
    top = float(runs[0].method.importance["1.weight"].max())
    frame, *ticks = page.page.evaluate(
        """[...document.querySelectorAll("rect.cl-reader, .cl-tick")].map(each => {
            const box = each.getBoundingClientRect();
            return { y: box.y, height: box.height, text: each.textContent };
        }).sort((p, q) => q.height - p.height)"""
    )
    for tick in ticks:
        below_top = tick["y"] + tick["height"] / 2 - frame["y"]
        decades = np.log10(top / number(tick["text"]))
        assert below_top / frame["height"] == pytest.approx(decades / 5, abs=0.02)
    assert len(ticks) == 5
    bar = colours(page, 1)
    assert np.abs(bar[[0, -1], 0] - inferno(np.array([1.0, 0.0]))).max() <= 8


def test_each_control_and_the_sentence(static, few):
    runs, widget = three(few)
    page = static(widget)
    page.widget("combobox", "Method").select_option("mas lam=100")
    page.widget("combobox", "Layer").select_option("1")
    page.settle()
    assert page.widget("combobox", "Pixels as seen by").is_disabled()
    omega = runs[1].method.importance["1.weight"].numpy()
    share = np.sort(omega.ravel())[-2:].sum() / omega.sum()
    flat = [run.method.importance["1.weight"].flatten() for run in runs]
    r = [[spearmanr(a, b).statistic for a in flat] for b in flat]
    pairs = f"mas and ewc {r[1][0]:.2f}, si and ewc {r[2][0]:.2f}, si and mas {r[2][1]:.2f}"
    assert page.words() == (
        f"mas lam=100, 1: the most important 1 % of the 200 weights hold {share:.0%} of Ω. "
        f"Rank correlation: {pairs}."
    ).replace("-0.00", "0.00").replace("-", "−")
    page.widget("combobox", "Layer").select_option("0")
    page.settle()
    assert not page.widget("combobox", "Pixels as seen by").is_disabled()
    assert page.serious() == []


def test_blocks_of_a_large_layer_are_named(static):
    omega = random_omega(0, (128, 200))["0.weight"]
    page = static(Importance([with_omega({"w.weight": omega})], cl.permuted(of_shape(1, 4, 4), 1)))
    assert page.page.get_by_role("combobox").count() == 0  # nothing to choose
    text = hovered(page, 1, 63, 64, 64)
    assert text.startswith("from units 197–200 to units 3–4: ")
    assert number(text.split(": ")[1]) == pytest.approx(float(omega[2:4, 196:].mean()), rel=0.006)
    picture = page.page.locator("svg.cl-picture").first.text_content()
    assert "a cell is the mean of up to 2 × 4 weights" in picture


def test_omega_that_is_zero_and_names_that_repeat(static, few):
    zero = with_omega({"0.weight": torch.zeros(4, 784)})
    omega = random_omega(0, (6, 784))
    same = [with_omega(omega), with_omega(omega), with_omega(omega, gamma=2)]
    tasks = cl.permuted(few, 1)
    page = static(Importance([zero, zero], tasks), Importance(same, tasks), width=360)
    assert page.words(0) == (
        "ewc lam=100, 0: Ω of the 3,136 weights is zero. Rank correlation: ewc (2) and ewc –."
    )
    assert page.words(1).endswith(
        "Rank correlation: ewc (2) and ewc 1.00, ewc gamma=2 and ewc 1.00, "
        "ewc gamma=2 and ewc (2) 1.00."
    )
    assert page.overflow() <= 0
