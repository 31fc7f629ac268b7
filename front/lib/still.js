// The pictures as they are seen now, as a file of its own: for the saved notebook, and to keep.

import look from "./look.css";
import { make } from "./make.js";

/** The text of one SVG of all `pictures`; colours and type go with them, in the light theme. */
export function still(pictures, words) {
  const boxes = pictures.map((svg) => svg.getBoundingClientRect());
  const [left, top] = ["left", "top"].map((side) => Math.min(...boxes.map((box) => box[side])));
  const [right, bottom] = ["right", "bottom"].map((side) => Math.max(...boxes.map((box) => box[side])));
  const copies = pictures.map((svg, i) => {
    const copy = svg.cloneNode(true), { x, y, width, height } = boxes[i];
    const place = { x: x - left, y: y - top, width, height };
    for (const [name, value] of Object.entries(place)) copy.setAttribute(name, Math.round(value));
    copy.querySelectorAll("[tabindex], .cl-read").forEach((handle) => handle.remove());
    return copy;
  });
  const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
  style.textContent = look;
  const [width, height] = [Math.round(right - left), Math.round(bottom - top)];
  const whole = make("svg", { width, height, class: "cl", "aria-label": words }, style, copies);
  return new XMLSerializer().serializeToString(whole);
}
