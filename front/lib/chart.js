// What charts share: a picture of several, a title, whole per cents, a legend.

import * as Plot from "@observablehq/plot";
import { make, set } from "./make.js";

const [ABOVE, RIGHT, BELOW, LEFT] = [56, 16, 42, 56]; // around the frame, in pixels

/** Where the charts of a picture are: beside each other, in `shares` of it, if there is room.
 *  `tall` is the height of a place, from the width of the first. */
export function places(room, shares, tall) {
  const width = Math.min(room, 984), beside = width >= 640;
  const height = tall(beside ? shares[0] * width : width);
  const begin = (i) => shares.slice(0, i).reduce((sum, share) => sum + share, 0);
  const place = (i) => (beside
    ? { x: Math.round(begin(i) * width), y: 0, width: Math.round(shares[i] * width), height }
    : { x: 0, y: i * height, width, height });
  return { width, height: beside ? height : shares.length * height, place };
}

/** A picture of charts, to which readers add themselves: `put(size, label, parts)` draws it. */
export function picture() {
  const drawn = make("g"), svg = make("svg", { class: "cl-picture", role: "group" }, drawn);
  const put = ({ width, height }, label, parts) => {
    set(svg, { width, height, "aria-label": label });
    drawn.replaceChildren(...parts);
  };
  return { el: make("div", { class: "cl-figure" }, svg), svg, put };
}

/**
 * A figure of Plot as a part of a picture, with a title.
 * @returns { el, area: [x, y, width, height] of its frame, at: from values to pixels }
 */
export function chart({ x, y, width, height }, { title, x: across, y: up, below = 0, marks }) {
  const label = (text, options) => Plot.text([text], { fontSize: 12, ...options });
  const el = Plot.plot({
    width, height, marginTop: ABOVE, marginRight: RIGHT, marginBottom: BELOW + below, marginLeft: LEFT,
    style: { height: `${height}px`, overflow: "visible", fontSize: "12px" },
    x: { ...across, label: null },
    y: { grid: true, ...up, label: null },
    marks: [
      label(across.label, { frameAnchor: "bottom", lineAnchor: "top", dy: 24 }),
      label(up.label, { frameAnchor: "top-left", lineAnchor: "bottom", dx: -LEFT, dy: -14 }),
      label(title, {
        frameAnchor: "top-left", lineAnchor: "bottom", dx: -LEFT, dy: -36, fontWeight: 600, fontSize: 13,
        lineWidth: (width - 8) / 13, textOverflow: "ellipsis",
      }),
      ...marks,
    ],
  });
  set(el, { x, y, "aria-hidden": "true" }); // what it says, the picture's sentence and readers do
  const [toX, toY] = ["x", "y"].map((axis) => el.scale(axis).apply);
  return {
    el, at: (a, b) => ({ x: x + toX(a), y: y + toY(b) }),
    area: [x + LEFT, y + ABOVE, width - LEFT - RIGHT, height - ABOVE - BELOW - below],
  };
}

export const perCent = (v) => `${v}%`;

/** Whole per cents between two, at most n or so, a round step apart. */
export function percents(low, high, n = 6) {
  const step = [1, 2, 5, 10, 20].find((s) => (high - low) / s <= n) ?? 50, first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

/**
 * Samples of lines [{ text, stroke, dash, width, corners }], beside each other while there is room.
 * @returns { height, at }: `at(x, y)` is the element, with its upper left corner there
 */
export function legend(entries, room) {
  const lines = entries.map(({ text }) => text.split("\n"));
  const tall = 4 + 16 * Math.max(1, ...lines.map((each) => each.length));
  let x = 0, y = 0;
  const samples = entries.map(({ stroke, dash, width = 1.6, corners = () => "" }, i) => {
    const wide = 62 + 7 * Math.max(...lines[i].map((line) => line.length));
    if (x && x + wide > room) [x, y] = [0, y + tall];
    const at = `translate(${x},${y})`;
    x += wide;
    return make("g", { transform: at },
      make("path", { d: "M0,8H30", stroke, "stroke-dasharray": dash, "stroke-width": width }),
      make("polygon", { points: corners(4.5), transform: "translate(15,8)", fill: stroke }),
      lines[i].map((line, k) => make("text", { x: 36, y: 12 + 16 * k }, line)));
  });
  const at = (left, top) => make("g", { class: "cl-legend", transform: `translate(${left},${top})` }, samples);
  return { height: entries.length && y + tall, at };
}
