// Shows a path as it is walked: `walked` goes from 0 to 1.

import { button, slider } from "./controls.js";
import { change } from "./make.js";
import { every, percent } from "./numbers.js";

const WALK = 2500; // ms

export const walking = (model, label, title) => [
  button("▶ Walk", () => walk(model), { title }),
  slider(model, "walked", { label, stops: every(0, 1, 0.01), write: (part) => percent(part, 0) }),
];

function walk(model) {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return change(model, { walked: 1 });
  const began = performance.now();
  const step = (now) => {
    const part = Math.min(1, (now - began) / WALK);
    model.set("walked", Math.round(100 * part) / 100);
    if (part < 1) requestAnimationFrame(step);
    else model.save_changes();
  };
  requestAnimationFrame(step);
}
