// GEM and A-GEM in the plane: take the gradient g by its tip, and see what they make of it.

import { agem, binding, gem, mean, oldGradients, raised } from "../core/projection.js";
import { plus } from "../core/quadratic.js";
import { row, slider } from "../lib/controls.js";
import { handle } from "../lib/handle.js";
import { change, make, outline, set } from "../lib/make.js";
import { every, fixed } from "../lib/numbers.js";
import { plane, within } from "../lib/plane.js";

const [WIDE, HIGH] = [3, 2.2]; // how far g may go to each side of the origin
const ROOM = 0.35; // around it, for names
const FAR = 9; // beyond all that is seen
const DOT = 0.02; // shorter arrows are dots

export default function projection(model, el) {
  const pixels = plane(WIDE + ROOM, HIGH + ROOM);
  const controls = row(
    slider(model, "margin", { label: "Margin γ", stops: every(0, 1, 0.05), write: fixed }),
    slider(model, "angle", { label: "Angle of g₁ and g₂", stops: every(10, 170, 5), unit: "°" }),
  );
  const svg = make("svg", { class: "cl-picture cl-drawn cl-framed", role: "group" });
  const still = make("g");
  const tip = handle(svg, {
    label: "gradient g", pixels, at: () => model.get("g"),
    move: (to) => change(model, { g: to.map(within(WIDE, HIGH)) }),
  });
  svg.append(still, tip.el);
  el.append(controls.el, svg);

  return function draw(width) {
    controls.sync();
    const g = model.get("g"), old = oldGradients(model.get("angle")), r = mean(old);
    const [byGem, byAgem] = [gem(g, old, model.get("margin")), agem(g, r)];
    set(svg, { ...pixels.fit(Math.min(width, 720)), "aria-label": "Arrows from one point: the gradients g₁ and g₂ of " +
      "two old tasks, each with the half-plane in which its loss does not rise, and the gradient g of the new task." });
    still.replaceChildren(
      ...regions(old).map(([corners, colour]) => make("polygon", {
        points: outline(corners.map(pixels.to)),
        style: `fill: ${colour}; stroke: ${colour}`, "fill-opacity": 0.13, "stroke-opacity": 0.6,
        "stroke-dasharray": "2 5",
      })),
      ...named(g, byGem, byAgem, [
        ["g₁", old[0], "var(--cl-a)", 2.2],
        ["g₂", old[1], "var(--cl-b)", 2.2],
        ["r", r, "var(--cl-soft)", 1.4, "8 5"],
      ]).map((each) => arrow(each, pixels)));
    tip.put(g);
    return say(g, old, byGem, byAgem);
  };
}

/** The arrows of `before`, then g̃ and g; arrows that coincide share one name. */
function named(g, byGem, byAgem, before) {
  let [one, other, own] = ["g̃ GEM", "g̃ A-GEM", "g"];
  if (same(byGem, byAgem)) [one, other] = ["g̃ of both", ""];
  if (same(byGem, g)) [one, own] = ["", `g = ${one}`];
  else if (same(byAgem, g)) [other, own] = ["", `g = ${other}`];
  return [...before, [one, byGem, "var(--cl-good)", 4.5], [other, byAgem, "var(--cl-5)", 2.4, "8 5"],
    [own, g, "var(--cl-ink)", 2.2]];
}

/** An arrow from the origin, its name just beyond the tip. */
function arrow([name, [x, y], colour, width, dashes], { to }) {
  const all = make("g", { style: `fill: ${colour}; stroke: ${colour}`, "stroke-width": width });
  const length = Math.hypot(x, y), [cx, cy] = to([0, 0]);
  if (length < DOT) {
    all.append(make("circle", { cx, cy, r: 2 + width }));
    return all;
  }
  const [ux, uy] = [x / length, y / length], [tx, ty] = to([x, y]);
  const head = 9 + 2 * width, side = 0.5 * head;
  const [nx, ny] = [tx - head * ux, ty + head * uy]; // where the head begins
  const room = 4.6 * name.length, beyond = 16 + (0.8 * room * Math.abs(x)) / length;
  all.append(
    make("line", { x1: cx, y1: cy, x2: nx, y2: ny, "stroke-dasharray": dashes }),
    make("polygon", {
      points: `${tx},${ty} ${nx - side * uy},${ny - side * ux} ${nx + side * uy},${ny + side * ux}`,
      "stroke-width": 0,
    }),
    make("text", {
      x: Math.min(2 * cx - room, Math.max(room, tx + beyond * ux)), y: ty - beyond * uy,
      class: "cl-label", style: `fill: ${colour}`,
    }, name));
  return all;
}

/** Where the first old loss does not rise, the second, and neither. */
function regions(old) {
  const units = old.map(([x, y]) => [x / Math.hypot(x, y), y / Math.hypot(x, y)]);
  const edges = units.map(([x, y]) => [-FAR * y, FAR * x]);
  const half = ([x, y], [ex, ey]) => [[ex, ey], [ex + FAR * x, ey + FAR * y],
    [FAR * x - ex, FAR * y - ey], [-ex, -ey]];
  // The cone lies clockwise of the edge that g₂ leaves, and the other way of that of g₁.
  const between = plus(...units), length = Math.hypot(...between);
  return [
    [half(units[0], edges[0]), "var(--cl-a)"],
    [half(units[1], edges[1]), "var(--cl-b)"],
    [[[0, 0], edges[1], between.map((v) => (FAR * v) / length), edges[0].map((v) => -v)],
      "var(--cl-good)"],
  ];
}

function say(g, old, byGem, byAgem) {
  const hurt = raised(g, old), binds = binding(byGem, old), still = raised(byAgem, old);
  if (!hurt.length) return "g raises no old loss: GEM and A-GEM leave it as it is.";
  const gemSays = binds.length === 2 ? "both conditions bind, and no step is left: g̃ = 0"
    : binds.length ? `g̃ = ${point(byGem)}; the condition of ${tasks(binds)} binds`
    : `g̃ = ${point(byGem)}; γ keeps it away from both edges`;
  const fate = still.length ? `the loss of ${tasks(still)} still rises` : "no old loss rises";
  const agemSays = same(byAgem, g) ? `the mean r does not object, g stays; ${fate}`
    : `g̃ = ${point(byAgem)}, at right angles to r; ${fate}`;
  return `g raises the loss of ${tasks(hurt)}. GEM: ${gemSays}. A-GEM: ${agemSays}.`;
}

const tasks = (numbers) => `task ${numbers.join(" and of task ")}`;
const point = (v) => `(${v.map((c) => fixed(c)).join(", ")})`;
const same = (p, q) => Math.hypot(p[0] - q[0], p[1] - q[1]) < 1e-6;
