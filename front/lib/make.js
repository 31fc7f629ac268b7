// Elements of the page, from their name, attributes and children.

const SVG = new Set(["svg", "g", "path", "line", "circle", "ellipse", "rect", "polygon", "polyline",
  "text", "tspan", "clipPath", "defs", "use", "image"]);

/** make("button", { type: "button", onclick: act }, "Run"). No <section>: each would be a slide. */
export function make(name, attributes = {}, ...children) {
  const element = SVG.has(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat());
  return element;
}

export function set(el, attributes) {
  for (const [name, value] of Object.entries(attributes)) el.setAttribute(name, value);
}

/** Points [[x, y], …] as a polygon has them. */
export const outline = (points) => points.map((p) => p.map((v) => v.toFixed(1)).join()).join(" ");
export const trace = (points, attributes) =>
  make("polyline", { points: outline(points), fill: "none", ...attributes });

/** Have `el` say `text`. What is set costs a layout, though it is the same. */
export function put(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/** A part of a drawing, made anew when `key` has changed: what is made several times a second is dear. */
export function layer(attributes = {}) {
  const el = make("g", attributes);
  let drawn;
  return {
    el,
    draw(key, parts) {
      if (key === drawn) return;
      drawn = key;
      el.replaceChildren(...parts().flat());
    },
  };
}

/** Where a pointer is in `el`, in its own pixels: slides are scaled. */
export function placeIn(el, { clientX, clientY }) {
  const { left, top, width } = el.getBoundingClientRect(), scale = width / el.clientWidth || 1;
  return [(clientX - left) / scale, (clientY - top) / scale];
}

export const valuesOf = (model, names) => Object.fromEntries(names.map((name) => [name, model.get(name)]));

/** Have the kernel do something, with these parts of the state as they are in the page. */
export function ask(model, what, names = []) {
  model.send({ do: what, with: valuesOf(model, names) });
}

const EVERY = 100; // ms from message to message of what is dragged
const waiting = new WeakMap();

/** Change the state by hand: at once in the page; the kernel hears the first change, then the latest. */
export function change(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  if (waiting.has(model)) {
    waiting.set(model, true);
    return;
  }
  model.save_changes();
  waiting.set(model, false);
  setTimeout(() => {
    const more = waiting.get(model);
    waiting.delete(model);
    if (more) change(model, {});
  }, EVERY);
}
