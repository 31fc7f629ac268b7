// Controls bound to the state: each shows the value called `name` and changes it.
// A control is { el, sync }: `sync` brings it up to date with the state.

import { change, make } from "./make.js";

/** The controls side by side, but for what is false; their `sync` in one. */
export function row(...parts) {
  const controls = parts.filter(Boolean);
  const el = make("div", { class: "cl-row" }, controls.map((control) => control.el ?? control));
  return { el, sync: () => controls.forEach((control) => control.sync?.()) };
}

/** A value among `stops`, an array or what gives one, each written by `write`. `move` takes it some stops on. */
export function slider(model, name, { label, stops, write = String, unit = "", usable = () => true }) {
  const offered = () => (typeof stops === "function" ? stops() : stops);
  const input = make("input", {
    type: "range", min: 0, step: 1, "aria-label": label, "data-lm-suppress-shortcuts": "true",
    oninput: () => change(model, { [name]: offered()[input.valueAsNumber] }),
  });
  const output = make("span", { class: "cl-value", "aria-hidden": "true" });
  const sync = () => {
    const values = offered(), value = model.get(name), text = write(value) + unit;
    const [at, most, off] = [nearest(values, value), values.length - 1, values.length < 2 || !usable()];
    const same = input.valueAsNumber === at && input.max === String(most) && input.disabled === off;
    if (same && output.textContent === text) return; // what is set costs a layout, though it is the same
    input.max = most;
    input.value = at;
    input.disabled = off;
    input.setAttribute("aria-valuetext", text);
    output.textContent = text;
  };
  const move = (by) => {
    const values = offered(), value = values[nearest(values, model.get(name)) + by];
    if (value !== undefined && usable()) change(model, { [name]: value });
  };
  return { el: make("label", { class: "cl-slider" }, make("span", {}, label), input, output), sync, move };
}

/** Options that say what they are. */
export const named = (values) => values.map((value) => [String(value), value]);

/** One of `options` [[text, value], …] in a list. */
export function choice(model, name, { label, options, then = () => ({}), usable = () => true }) {
  const offered = () => (typeof options === "function" ? options() : options);
  const select = make("select", {
    "aria-label": label,
    onchange: () => {
      const value = offered()[select.selectedIndex][1];
      change(model, { [name]: value, ...then(value) });
    },
  });
  let shown = "";
  const sync = () => {
    const texts = offered().map(([text]) => text);
    if (texts.join("\n") !== shown) {
      select.replaceChildren(...texts.map((text) => make("option", {}, text)));
      shown = texts.join("\n");
    }
    select.disabled = !usable();
    const at = offered().findIndex(([, value]) => value === model.get(name));
    if (select.selectedIndex !== at) select.selectedIndex = at;
  };
  return { el: make("label", { class: "cl-choice" }, make("span", {}, label), select), sync };
}

/** One of a few `options` [[text, value, title], …], all in sight. */
export function among(model, name, { label, options, usable = () => true }) {
  const group = `cl-${name}-${Math.random().toString(36).slice(2)}`;
  const inputs = options.map(([, value]) => make("input", {
    type: "radio", name: group, onchange: () => change(model, { [name]: value }),
    "data-lm-suppress-shortcuts": "true",
  }));
  const el = make("fieldset", { class: "cl-among" }, make("legend", {}, label),
    options.map(([text, , title], i) => make("label", { title }, inputs[i], make("span", {}, text))));
  const sync = () => inputs.forEach((input, i) => {
    input.checked = options[i][1] === model.get(name);
    input.disabled = !usable(options[i][1]);
  });
  return { el, sync };
}

/** A number to type; what is none, or too small, is taken back. */
export function number(model, name, { label, whole = false, least = 0 }) {
  const input = make("input", {
    type: "number", min: least, step: whole ? 1 : "any", "aria-label": label,
    onchange: () => {
      const value = input.valueAsNumber;
      if (value >= least && (!whole || Number.isInteger(value))) change(model, { [name]: value });
      sync();
    },
  });
  const sync = () => {
    const value = String(model.get(name));
    if (document.activeElement !== input && input.value !== value) input.value = value;
  };
  return { el: make("label", { class: "cl-choice" }, make("span", {}, label), input), sync };
}

export function button(text, act, { title, main = false, usable = () => true } = {}) {
  const el = make("button", { type: "button", title, class: main ? "cl-main" : null, onclick: act }, text);
  return { el, sync: () => { el.disabled = !usable(); } };
}

const nearest = (values, value) => (values.includes(value) ? values.indexOf(value) : values.reduce(
  (best, v, i) => (Math.abs(v - value) < Math.abs(values[best] - value) ? i : best), 0));
