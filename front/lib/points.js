// A chart whose points can be read by the arrow keys: they move Plot's pointer from point to point.

import * as Plot from "@observablehq/plot";
import { make } from "./make.js";

const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -Infinity, End: Infinity };

/**
 * @param label what is shown
 * @returns { el, put }: `put(plot, points)` shows a plot; its `points` { x, y, text }, in its units, in
 * the order in which they are read
 */
export function chart(label) {
  const el = make("div", {
    class: "cl-chart", tabindex: 0, role: "slider", "aria-label": `${label}; arrow keys read its points`,
    "aria-valuemin": 0, "data-lm-suppress-shortcuts": "true",
  });
  let plot, points = [], at = -1;
  const point = () => {
    const here = points[at];
    el.setAttribute("aria-valuemax", points.length);
    el.setAttribute("aria-valuenow", at + 1);
    el.setAttribute("aria-valuetext", here?.text ?? `${points.length} points`);
    if (!here || document.activeElement !== el) return;
    const { left, top, width } = plot.getBoundingClientRect(), scale = width / plot.clientWidth;
    plot.dispatchEvent(new PointerEvent("pointermove", {
      clientX: left + scale * plot.scale("x").apply(here.x),
      clientY: top + scale * plot.scale("y").apply(here.y),
      pointerType: "mouse",
    }));
  };
  el.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step || !points.length) return;
    event.preventDefault();
    at = Math.max(0, Math.min(points.length - 1, at + (event.shiftKey ? 10 : 1) * step));
    point();
  });
  el.addEventListener("blur", () => plot?.dispatchEvent(new PointerEvent("pointerleave")));
  const put = (next, those) => {
    [plot, points] = [next, those];
    at = Math.min(at, points.length - 1);
    plot.classList.add("cl-picture");
    plot.setAttribute("aria-hidden", "true"); // its values are this element's
    el.replaceChildren(plot);
    point();
  };
  return { el, put };
}

/** The `text` of the point { x, y, text } that is nearest to the pointer, beside it. */
export const tip = (points, nearest = Plot.pointer) => Plot.tip(points, nearest({
  x: "x", y: "y", title: "text", preferredAnchor: "bottom", lineWidth: 40, stroke: "var(--cl-soft)",
}));
