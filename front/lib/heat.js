// Heat maps: an image of cells, and what its colours mean.

import * as Plot from "@observablehq/plot";
import { make } from "./make.js";
import { fixed, significant } from "./numbers.js";
import { heat, paint } from "./pixels.js";

const [GAP, BAR] = [10, 12]; // between map and legend, and of its bar, in pixels

/** From values to 0 … 1: in proportion, or as the logarithm over so many decades below `top`. */
function part(top, decades = 0) {
  if (!(top > 0)) return () => 0;
  return (v) => (decades ? Math.max(0, 1 + Math.log10(Math.max(v, 1e-300) / top) / decades) : Math.max(0, v / top));
}

/** Cells, row by row, `colour` of each; as an image, which stays sharp. */
function cells({ x, y, width, height, rows, columns }, values, colour) {
  const canvas = make("canvas", { width: columns, height: rows });
  paint(canvas, values, colour);
  return make("image", {
    x, y, width, height, href: canvas.toDataURL(), preserveAspectRatio: "none", class: "cl-cells",
  });
}

/** The map of values, and a legend with numbers to its right. */
export function heatMap(frame, values, decades) {
  const { x, y, width, height } = frame, top = Math.max(...values), to = part(top, decades);
  const bar = { x: x + width + GAP, y, width: BAR, height, rows: 64, columns: 1 };
  const parts = Array.from({ length: bar.rows }, (_, k) => 1 - k / (bar.rows - 1));
  const last = Math.floor(Math.log10(top) + 1e-9);
  const ticks = !(top > 0) ? [0] : decades
    ? Array.from({ length: decades }, (_, k) => 10 ** (last - k)) : [0, 0.25, 0.5, 0.75, 1].map((p) => p * top);
  return make("g", {},
    cells(frame, values, (v) => heat(to(v))),
    cells(bar, parts, heat),
    make("rect", { x, y, width, height, fill: "none", stroke: "var(--cl-line)" }),
    ticks.map((v) => make("text", {
      x: bar.x + BAR + 5, y: y + (1 - to(v)) * height, "dominant-baseline": "central", class: "cl-tick",
    }, significant(v, 2))));
}

/** A square of rank correlations, 0 … 1 in colour, each with its number. */
export function correlationMatrix({ x, y, width, height }, r, names) {
  const cividis = Plot.scale({ color: { scheme: "cividis", domain: [0, 1], clamp: true } });
  const wide = 7 * Math.max(...names.map((name) => name.length)), n = names.length;
  const side = Math.min((width - wide - 8) / n, (height - 0.7 * wide) / n, 70), left = x + wide + 8;
  const middle = (i) => (i + 0.5) * side, turned = wide > side;
  return make("g", {},
    r.flatMap((row, i) => row.map((v, j) => make("g", {},
      make("rect", {
        x: left + j * side, y: y + i * side, width: side, height: side,
        fill: v == null ? "var(--cl-shade)" : cividis.apply(v),
      }),
      make("text", {
        x: left + middle(j), y: y + middle(i), "text-anchor": "middle", "dominant-baseline": "central",
        style: v == null ? null : `fill: ${v > 0.6 ? "#000000" : "#ffffff"}`,
      }, v == null ? "–" : fixed(v))))),
    names.map((name, i) => make("text", {
      x: left - 6, y: y + middle(i), "text-anchor": "end", "dominant-baseline": "central",
    }, name)),
    names.map((name, j) => make("text", {
      transform: `translate(${left + middle(j)},${y + n * side + 16})${turned ? " rotate(-40)" : ""}`,
      "text-anchor": turned ? "end" : "middle",
    }, name)));
}
