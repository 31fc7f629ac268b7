// A picture's numbers: beside the pointer, and by the arrow keys.

import { make, placeIn } from "./make.js";

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @param svg    the picture; its parent, positioned, takes the box with the numbers
 * @param label  what is read
 * @param at     of what is nearest to a point [x, y]: its key; null for nothing
 * @param step   the key beside `key` by [dx, dy], or the first if that is null
 * @param show   { place: [x, y], text } of a key
 * @param choose what a click on a key, or Enter, does
 * @returns { el, put }: `put([x, y, width, height])` says where the picture can be read
 */
export function reader(svg, { label, at, step, show, choose }) {
  const el = make("rect", {
    class: "cl-reader", fill: "none", tabindex: 0, role: "slider", "aria-label": label,
    "aria-valuenow": 0, "data-lm-suppress-shortcuts": "true",
  });
  const box = make("div", { class: "cl-tip", "aria-hidden": "true" });
  let key = null;
  const read = (next) => {
    key = next;
    box.remove();
    if (key == null) return;
    const { place: [x, y], text } = show(key), room = svg.parentNode.clientWidth;
    el.setAttribute("aria-valuetext", text);
    box.textContent = text;
    svg.after(box);
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
    if (STEPS[event.key]) read(step(key, STEPS[event.key]));
    else if (event.key === "Enter" || event.key === " ") { if (key != null) choose?.(key); }
    else if (event.key === "Escape") read(null);
    else return;
    event.preventDefault();
  });
  const put = ([x, y, width, height]) => {
    for (const [name, value] of Object.entries({ x, y, width, height })) el.setAttribute(name, value);
  };
  return { el, put };
}

/** Of points [{ x, y, text, line }]: `at`, `step` and `show` of a reader; up and down change the line. */
export function among(points, first = () => 0) {
  const near = 30;
  return {
    at: ([x, y]) => {
      const far = points().map((p) => Math.hypot(p.x - x, p.y - y)), least = Math.min(...far);
      return least < near ? far.indexOf(least) : null;
    },
    step: (key, [dx, dy]) => {
      const all = points(), last = all.length - 1;
      if (key == null || key > last) return first();
      if (!dy) return Math.max(0, Math.min(last, key + dx));
      const lines = [...new Set(all.map((p) => p.line))], here = all[key];
      const line = lines[lines.indexOf(here.line) + dy];
      const on = all.flatMap((p, i) => (p.line === line ? [i] : []));
      return on.reduce((best, i) => (Math.abs(all[i].x - here.x) < Math.abs(all[best].x - here.x) ? i : best),
        on[0] ?? key);
    },
    show: (key) => ({ place: [points()[key].x, points()[key].y], text: points()[key].text }),
  };
}

/** The same of the cells of a frame { x, y, width, height, rows, columns }; `write(i, j)` is the text. */
export function grid(frame, write) {
  const cell = (i, j) => {
    const { rows, columns } = frame();
    return i >= 0 && j >= 0 && i < rows && j < columns ? i * columns + j : null;
  };
  const ij = (key) => [Math.floor(key / frame().columns), key % frame().columns];
  return {
    at: ([px, py]) => {
      const { x, y, width, height, rows, columns } = frame();
      return cell(Math.floor(((py - y) / height) * rows), Math.floor(((px - x) / width) * columns));
    },
    step: (key, [dx, dy]) => {
      const { rows, columns, values } = frame();
      if (key == null || key >= rows * columns) return values.indexOf(Math.max(...values));
      const [i, j] = ij(key);
      return cell(i + dy, j + dx) ?? key;
    },
    show: (key) => {
      const { x, y, width, height, rows, columns } = frame(), [i, j] = ij(key);
      return { place: [x + ((j + 0.5) / columns) * width, y + ((i + 0.5) / rows) * height], text: write(i, j) };
    },
  };
}
