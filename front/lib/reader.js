// A picture's numbers: beside the pointer, and by the arrow keys.

import { make, placeIn, set } from "./make.js";

const STEPS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
  Home: [-Infinity, 0], End: [Infinity, 0],
};
const FAR = 10; // steps, with Shift
const NEAR = 30; // pixels; what is farther from the pointer is not read

/**
 * @param svg    the picture, to which it is added; its parent, positioned, takes the box with the numbers
 * @param label  what is read
 * @param at     of what is nearest to a point [x, y]: its key; null for nothing
 * @param step   the key beside `key` by [dx, dy], or the first if that is null
 * @param show   { place: [x, y], text } of a key; undefined if that is no longer there
 * @param count  how much there is to read, in words
 * @param choose what a click on a key, or Enter, does
 * @returns { put }: `put([x, y, width, height])` says where the picture can be read, once it is drawn
 */
export function reader(svg, { label, at, step, show, count, choose }) {
  const el = make("rect", {
    class: "cl-reader", fill: "none", tabindex: 0, role: "slider", "aria-label": label,
    "aria-valuenow": 0, "data-lm-suppress-shortcuts": "true",
  });
  const box = make("div", { class: "cl-tip", "aria-hidden": "true" });
  const ring = make("circle", { class: "cl-read", r: 12 });
  svg.append(el);
  let key = null;
  const read = (next) => {
    const found = next == null ? undefined : show(next);
    key = found ? next : null;
    box.remove();
    ring.remove();
    el.setAttribute("aria-valuetext", found?.text ?? count());
    if (!found) return;
    const { place: [x, y], text } = found, room = svg.parentNode.clientWidth;
    box.textContent = text;
    svg.after(box);
    el.after(ring);
    set(ring, { cx: x, cy: y });
    box.style.left = `${Math.max(0, Math.min(x + 12, room - box.offsetWidth))}px`;
    box.style.top = `${y < box.offsetHeight + 14 ? y + 14 : y - box.offsetHeight - 10}px`;
  };
  const under = (event) => at(placeIn(svg, event));
  el.addEventListener("pointermove", (event) => {
    read(under(event));
    el.style.cursor = choose && key != null ? "pointer" : "";
  });
  el.addEventListener("pointerleave", () => read(null));
  el.addEventListener("blur", () => read(null));
  el.addEventListener("focus", () => { if (el.matches(":focus-visible")) read(step(key, [0, 0])); });
  el.addEventListener("click", (event) => {
    const found = under(event);
    read(found);
    if (found != null) choose?.(found);
  });
  el.addEventListener("keydown", (event) => {
    const by = STEPS[event.key];
    if (by) read(step(key, event.shiftKey ? by.map((d) => FAR * d) : by));
    else if (event.key === "Enter" || event.key === " ") { if (key != null) choose?.(key); }
    else if (event.key === "Escape") read(null);
    else return;
    event.preventDefault();
  });
  const put = ([x, y, width, height]) => {
    set(el, { x, y, width, height });
    read(key);
  };
  return { put };
}

const within = (i, n) => Math.max(0, Math.min(n - 1, i));

/**
 * Of points [{ x, y, text, line }]: what a reader asks. Up and down change the line, if there are
 * several; `far(dx, dy)` is how far a point is from the pointer.
 */
export function among(points, { first = () => 0, far = Math.hypot } = {}) {
  return {
    count: () => `${points().length} points`,
    at: ([x, y]) => {
      const away = points().map((p) => far(p.x - x, p.y - y)), least = Math.min(...away);
      return least < NEAR ? away.indexOf(least) : null;
    },
    step: (key, [dx, dy]) => {
      const all = points(), lines = [...new Set(all.map((p) => p.line))], here = all[key];
      if (!here) return Number.isFinite(dx) ? first() : within(dx, all.length);
      if (!dy || lines.length === 1) return within(key + dx - dy, all.length);
      const line = lines[within(lines.indexOf(here.line) + dy, lines.length)];
      const on = all.flatMap((p, i) => (p.line === line ? [i] : []));
      return on.reduce((best, i) => (Math.abs(all[i].x - here.x) < Math.abs(all[best].x - here.x) ? i : best));
    },
    show: (key) => {
      const point = points()[key];
      return point && { place: [point.x, point.y], text: point.text };
    },
  };
}

/** The same of the cells of a frame { x, y, width, height, rows, columns }; `write(i, j)` is the text. */
export function grid(frame, write) {
  const ij = (key) => [Math.floor(key / frame().columns), key % frame().columns];
  return {
    count: () => `${frame().rows} × ${frame().columns} cells`,
    at: ([px, py]) => {
      const { x, y, width, height, rows, columns } = frame();
      const i = Math.floor(((py - y) / height) * rows), j = Math.floor(((px - x) / width) * columns);
      return i === within(i, rows) && j === within(j, columns) ? i * columns + j : null;
    },
    step: (key, [dx, dy]) => {
      const { rows, columns, values } = frame();
      if (key == null) return values.indexOf(Math.max(...values));
      const [i, j] = ij(key);
      return within(i + dy, rows) * columns + within(j + dx, columns);
    },
    show: (key) => {
      const { x, y, width, height, rows, columns } = frame(), [i, j] = ij(key);
      return i < rows && { place: [x + ((j + 0.5) / columns) * width, y + ((i + 0.5) / rows) * height], text: write(i, j) };
    },
  };
}
