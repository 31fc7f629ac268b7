// What the lines of a chart mean, beside it: key([[text, colour, dashes, width], …])

import { make } from "./make.js";

export function key(lines) {
  return make("div", { class: "cl-row cl-key" }, lines.map(([text, stroke, dashes, width = 2]) =>
    make("span", {},
      make("svg", { width: 28, height: 10, "aria-hidden": "true" }, make("line", {
        x1: 1, x2: 27, y1: 5, y2: 5, style: `stroke: ${stroke}`, "stroke-width": width,
        "stroke-dasharray": dashes,
      })), text)));
}
