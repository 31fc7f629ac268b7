"""Page elements that assistive software can read, where ipywidgets has none.

The handles of its sliders have no accessible name, its images no alt text, and a line of HTML that
is replaced as a whole is not announced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets

_SLIDER = """
function render({ model, el }) {
  const label = document.createElement("span");
  const input = document.createElement("input");
  const output = document.createElement("span");
  input.type = "range";
  input.min = 0;
  el.classList.add("cl-slider");
  input.dataset.lmSuppressShortcuts = "true";  // the arrow keys are ours, not JupyterLab's
  el.append(label, input, output);
  const draw = () => {
    const texts = model.get("texts"), index = model.get("index");
    label.textContent = model.get("description");
    input.setAttribute("aria-label", model.get("description"));
    input.max = texts.length - 1;
    input.value = index;
    input.disabled = model.get("disabled");
    input.setAttribute("aria-valuetext", texts[index]);
    output.textContent = texts[index];
  };
  input.addEventListener("input", () => {
    model.set("index", input.valueAsNumber);
    model.save_changes();
  });
  model.on("change", draw);
  draw();
}
export default { render };
"""

_SLIDER_LOOK = """
.cl-slider { display: inline-flex; align-items: center; gap: 8px; margin: 2px 14px 2px 2px;
  font-size: var(--jp-widgets-font-size, 13px); color: var(--jp-ui-font-color1, inherit); }
.cl-slider input { width: 190px; accent-color: #0072b2; }
.cl-slider span:last-child { min-width: 4em; font-variant-numeric: tabular-nums; }
"""

_STATUS = """
function render({ model, el }) {
  const line = document.createElement("span");
  line.setAttribute("role", "status");
  el.append(line);
  const draw = () => { line.textContent = model.get("value"); };
  model.on("change:value", draw);
  draw();
}
export default { render };
"""

_PICTURE = """
function render({ model, el }) {
  const img = document.createElement("img");
  img.style.maxWidth = "100%";
  el.classList.add("cl-live");
  el.append(img);
  const draw = () => {
    const old = img.src;
    img.src = URL.createObjectURL(new Blob([model.get("png")], { type: "image/png" }));
    img.alt = model.get("alt");
    URL.revokeObjectURL(old);
  };
  model.on("change:png change:alt", draw);
  draw();
  return () => URL.revokeObjectURL(img.src);
}
export default { render };
"""


class Slider(anywidget.AnyWidget):
    """Slide through `options`, pairs of a text and a value.

    Attributes:
        options: what there is to choose; setting it keeps the value if it is still there.
        value: the one chosen.
    """

    _esm, _css = _SLIDER, _SLIDER_LOOK
    description = traitlets.Unicode().tag(sync=True)
    texts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    index = traitlets.Int(0).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    value = traitlets.Any()

    def __init__(self, description: str, options: Sequence[tuple[str, Any]], value: Any):
        self._values = [v for _, v in options]
        super().__init__(
            description=description,
            texts=[text for text, _ in options],
            index=self._values.index(value),
            value=value,
        )

    @property
    def options(self) -> list[tuple[str, Any]]:
        return list(zip(self.texts, self._values, strict=True))

    def offer(self, options: Sequence[tuple[str, Any]], value: Any) -> None:
        """Other options, and one of them chosen."""
        values = [v for _, v in options]
        with self.hold_sync():
            self._values = values
            self.texts = [text for text, _ in options]
            self.index = values.index(value)
            self.value = value

    @traitlets.observe("index")
    def _take_index(self, change: Any) -> None:
        if 0 <= change["new"] < len(self._values):
            self.value = self._values[change["new"]]

    @traitlets.validate("value")
    def _refuse_others(self, proposal: Any) -> Any:
        if proposal["value"] not in self._values:
            raise ValueError(f"{self.description} is {proposal['value']!r}: not on the slider")
        return proposal["value"]

    @traitlets.observe("value")
    def _take_value(self, change: Any) -> None:
        self.index = self._values.index(change["new"])


class Status(anywidget.AnyWidget):
    """A line that assistive software reads out when it changes."""

    _esm = _STATUS
    value = traitlets.Unicode().tag(sync=True)


class Image(anywidget.AnyWidget):
    """A PNG with its text."""

    _esm = _PICTURE
    png = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
