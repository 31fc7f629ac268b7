"""The controls of the widgets, made in one place so that they look and are named alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from ..formats import format_lam
from .accessible import Slider

_STYLE = {"description_width": "initial"}


def choice(name: str, options: Sequence[Any] | Mapping[str, Any], value: Any) -> widgets.Dropdown:
    """A drop-down list."""
    shown = list(options.items()) if isinstance(options, Mapping) else list(options)
    return widgets.Dropdown(
        options=shown, value=value, description=name, style=_STYLE, layout={"width": "auto"}
    )


def number(
    name: str, value: float, *, whole: bool = False, least: float = 0.0
) -> widgets.BoundedFloatText | widgets.BoundedIntText:
    """A number to type."""
    kind, most = (widgets.BoundedIntText, 10**6) if whole else (widgets.BoundedFloatText, 1e6)
    return kind(
        value, min=least, max=most, description=name, style=_STYLE, layout={"width": "150px"}
    )


def slider(name: str, least: float, most: float, step: float, value: float) -> Slider:
    """A number to slide."""
    n = round((most - least) / step)
    stops = [round(least + i * step, 9) for i in range(n + 1)]
    nearest = min(stops, key=lambda stop: abs(stop - value))
    return Slider(name, [(f"{stop:g}", stop) for stop in stops], nearest)


def strength(value: float) -> Slider:
    """λ: off, then 1, 2, 5 a decade from 0.0001 to 10,000; `value` is one of the stops."""
    return Slider("λ", strengths(value), value)


def strengths(value: float) -> list[tuple[str, float]]:
    """What `strength` offers, with their texts."""
    stops = {m * 10.0**e for e in range(-4, 4) for m in (1, 2, 5)} | {0.0, 10.0**4, value}
    return [(format_lam(stop), stop) for stop in sorted(stops)]


def buttons(*labels: tuple[str, Callable[[Any], None]]) -> list[widgets.Button]:
    """Buttons, each from what it says and what it does; the first is what one is here for."""
    made: list[widgets.Button] = []
    for text, act in labels:
        style = "" if made else "primary"
        button = widgets.Button(description=text, button_style=style, layout={"width": "auto"})
        button.on_click(act)
        made.append(button)
    return made


def row(*children: widgets.Widget) -> widgets.HBox:
    """Side by side, in as many lines as the page needs."""
    return widgets.HBox(children, layout={"flex_flow": "row wrap", "align_items": "center"})
