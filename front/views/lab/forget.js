// See it forget: twenty test images of task 1, and of the task in training, each with the label that
// the network gives it now.

import { bytes, paint } from "../../lib/pixels.js";
import { make, put } from "../../lib/make.js";
import { percent } from "../../lib/numbers.js";
import { trains } from "../../lib/training.js";

export function forget(model) {
  const rows = make("div", { class: "cl-digits" });
  const readout = make("p", { class: "cl-soft" }, "Point at a digit, or tap it: what it is, and what the network finds likely.");
  const el = make("div", { class: "cl-part" }, make("h3", {}, "What the network says now"), rows, readout);
  let shown = null, said = null, cells = [], reading = null;

  // What the network finds likely, written when it is asked for: of forty images several times a second
  // it would be dear.
  rows.addEventListener("pointerover", ({ target }) => read(target.closest("figure") ?? reading));
  rows.addEventListener("focusin", ({ target }) => read(target.closest("figure")));
  rows.addEventListener("keydown", (event) => {
    const all = cells.flat().map((cell) => cell.el), by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = by && all[all.indexOf(event.target) + by];
    if (!next || el.closest(".cl-stage")) return;
    event.preventDefault();
    next.focus();
  });
  function read(figure) {
    reading = figure;
    const i = cells.findIndex((row) => row.some((cell) => cell.el === figure)), { seen = [] } = model.get("news");
    if (!seen[i]) return;
    const k = cells[i].findIndex((cell) => cell.el === figure);
    put(readout, `Number ${k + 1} of task ${shown[i].task + 1} is ${shown[i].truth[k]}. The network says ` +
      `${likely(seen[i].shares[k])}.`);
  }

  function makeRows(digits) {
    cells = digits.map((row, i) => (shown?.[i]?.images.join() === row.images.join() ? cells[i]
      : row.images.map((image) => digit(image, row.size))));
    cells.flat().forEach((cell, n) => cell.el.setAttribute("tabindex", n ? -1 : 0)); // arrows go on from the first
    rows.replaceChildren(...cells.map((row) => make("div", {},
      make("h4", {}), make("div", { class: "cl-grid" }, row.map((cell) => cell.el)))));
  }

  function draw() {
    const digits = model.get("digits"), { seen = [] } = model.get("news");
    el.hidden = !digits.length;
    if (digits !== shown) {
      makeRows(digits);
      shown = digits;
    } else if (seen === said && trains(model)) {
      return;
    }
    said = seen;
    if (reading) read(reading);
    digits.forEach(({ task, truth, shuffled }, i) => {
      const now = seen[i];
      if (!now || now.labels.length !== truth.length) return;
      const right = now.right.filter(Boolean).length;
      put(rows.children[i].firstChild,
        `Task ${task + 1}${i && trains(model) ? ", in training" : ""}: ${right} of ${truth.length} right${shuffled ? " (it sees them shuffled)" : ""}`);
      cells[i].forEach(({ el: figure, caption }, k) => {
        put(caption, `${now.labels[k]}${now.right[k] ? "" : " ✗"}`);
        figure.classList.toggle("cl-wrong", !now.right[k]);
      });
    });
  }
  return { el, draw };
}

function digit(image, size) {
  const canvas = make("canvas", { width: size[1], height: size[0], "aria-hidden": "true" });
  paint(canvas, bytes(image), (v) => [v, v, v]);
  const caption = make("figcaption");
  return { el: make("figure", {}, canvas, caption), caption };
}

/** The three labels that the network finds most likely. */
const likely = (shares) => shares.map((p, label) => [p, label]).sort((p, q) => q[0] - p[0]).slice(0, 3)
  .map(([p, label]) => `${label}: ${percent(p, 0)}`).join(", ");
