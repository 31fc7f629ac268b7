// The first layer's weights, folded back to the pixels that they read: how far they have moved in this
// task, and how strongly Ω holds them. Where Ω is large and λ is on, little moves.

import { floats, heat, paint } from "../../lib/pixels.js";
import { make } from "../../lib/make.js";
import { significant } from "../../lib/numbers.js";

export function weights(model, title = "First layer, pixel by pixel of task 1") {
  const pictures = ["moved", "held"].map((name) => {
    const canvas = make("canvas", { role: "img" }), caption = make("figcaption");
    return { name, canvas, caption, el: make("figure", {}, canvas, caption) };
  });
  const el = make("div", { class: "cl-part" }, make("h3", {}, title),
    make("div", { class: "cl-weights" }, pictures.map((each) => each.el)));
  let shown = null;

  function draw() {
    const now = model.get("weights");
    el.hidden = !now.moved;
    if (now === shown || !now.moved) return;
    shown = now;
    for (const { name, canvas, caption, el: figure } of pictures) {
      figure.hidden = now[name] === undefined; // the method holds no weights
      if (figure.hidden) continue;
      const values = now[name] ? floats(now[name]) : new Float32Array(now.size[0] * now.size[1]);
      const most = values.reduce((m, v) => Math.max(m, v), 0);
      [canvas.height, canvas.width] = now.size;
      paint(canvas, values, (v) => heat(most ? v / most : 0));
      canvas.hidden = !most;
      const what = name === "moved" ? "How far each has moved in this task"
        : `Ω, how strongly each is held${model.get("lam") === 0 ? ", were λ not off" : ""}`;
      const words = most ? `${what}. Black: not at all; brightest: ${significant(most, 2)}` : `${what}: nothing yet`;
      caption.textContent = words;
      canvas.setAttribute("aria-label", words);
    }
  }
  return { el, draw };
}
