// See it forget: twenty test images of task 1, and of the task in training, each with the label that
// the network gives it now.

import { bytes, paint } from "../../lib/pixels.js";
import { make } from "../../lib/make.js";
import { percent } from "../../lib/numbers.js";

export function forget(model) {
  const rows = make("div", { class: "cl-digits" });
  const el = make("div", { class: "cl-part" }, make("h3", {}, "What the network says now"), rows);
  let shown = null, cells = [];

  function make_rows(digits) {
    cells = digits.map(({ images, size }) => images.map((image) => {
      const canvas = make("canvas", { width: size[1], height: size[0], "aria-hidden": "true" });
      paint(canvas, bytes(image), (v) => [v, v, v]);
      const caption = make("figcaption");
      return { el: make("figure", { tabindex: -1 }, canvas, caption), caption };
    }));
    rows.replaceChildren(...digits.map(({ task }, i) => make("div", {},
      make("h4", {}), make("div", { class: "cl-grid" }, cells[i].map((cell) => cell.el)))));
  }

  function draw() {
    const digits = model.get("digits"), { seen = [], doing } = model.get("news");
    el.hidden = !digits.length;
    if (digits !== shown) {
      make_rows(digits);
      shown = digits;
    }
    digits.forEach(({ task, truth }, i) => {
      const now = seen[i];
      if (!now || now.labels.length !== truth.length) return;
      const right = now.right.filter(Boolean).length;
      rows.children[i].firstChild.textContent =
        `Task ${task + 1}${i ? ", in training" : ""}: ${right} of ${truth.length} right`;
      cells[i].forEach(({ el: figure, caption }, k) => {
        const text = `${now.labels[k]}${now.right[k] ? "" : " ✗"}`;
        if (caption.textContent !== text) {
          caption.textContent = text;
          figure.className = now.right[k] ? "" : "cl-wrong";
        }
        figure.title = `is ${truth[k]}; ${likely(now.shares[k])}`;
      });
    });
  }
  return { el, draw };
}

/** The three labels that the network finds most likely. */
const likely = (shares) => shares.map((p, label) => [p, label]).sort((p, q) => q[0] - p[0]).slice(0, 3)
  .map(([p, label]) => `${label}: ${percent(p, 0)}`).join(", ");
