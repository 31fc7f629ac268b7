// A point of a picture that is taken by pointer or moved by the arrow keys.

import { plus } from "../core/quadratic.js";
import { make, placeIn, set } from "./make.js";
import { fixed } from "./numbers.js";

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/**
 * @param svg     the picture it lies in
 * @param label   its name
 * @param pixels  { to, from }: between the picture's units and its pixels
 * @param at      where it is: the arrow keys move it from there
 * @param move    what it does when it is pulled to a point
 * @param key     what it does instead at a step [dx, dy] of the arrow keys, `far` with Shift
 * @returns { el, put }: `put(point, text)` places it; `text` is its value in words
 */
export function handle(svg, { label, pixels, at, move, key }) {
  key ??= (step, far) => move(plus(at(), step.map((v) => (far ? 0.5 : 0.1) * v)));
  const el = make("circle", {
    r: 13, class: "cl-handle", tabindex: 0, role: "slider", "aria-label": label,
    "aria-valuenow": 0, "data-lm-suppress-shortcuts": "true",
  }, make("title", {}, label));
  el.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    key(step, event.shiftKey);
  });
  el.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    el.focus({ preventScroll: true });
    el.setPointerCapture(event.pointerId);
  });
  el.addEventListener("pointermove", (event) => {
    if (!el.hasPointerCapture(event.pointerId)) return;
    move(pixels.from(placeIn(svg, event)));
  });
  const put = ([x, y], text = `${fixed(x)} to the right, ${fixed(y)} up`) => {
    const [cx, cy] = pixels.to([x, y]);
    set(el, { cx, cy, "aria-valuetext": text });
  };
  return { el, put };
}
