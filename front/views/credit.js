// The path integral of SI: a path of two weights over a bowl, and what each gets for the fall of the loss.

import { descent } from "../core/credit.js";
import { hessian, loss } from "../core/quadratic.js";
import { row, slider } from "../lib/controls.js";
import { ellipse } from "../lib/ellipse.js";
import { handle } from "../lib/handle.js";
import { change, make, set, trace } from "../lib/make.js";
import { fixed } from "../lib/numbers.js";
import { plane, within } from "../lib/plane.js";
import { walking } from "../lib/walk.js";

const [WIDE, HIGH] = [2.6, 1.3]; // the plane reaches from −WIDE to WIDE
const LEVELS = [0.05, 0.2, 0.5, 1, 2, 3.5, 5.5, 8];
const TIME = 4; // learning rate times steps
const RATES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5];
const [BAR, ROOM] = [24, 34]; // height of a bar and its line, beside the plane

export default function credit(model, el) {
  const pixels = plane(WIDE, HIGH);
  const controls = row(
    slider(model, "lr", { label: "Learning rate η", stops: RATES }),
    ...walking(model, "Path", "along the path, as training goes"),
  );
  const svg = make("svg", { class: "cl-picture cl-drawn", role: "group" });
  const still = make("g");
  const start = handle(svg, {
    label: "where training begins", pixels, at: () => model.get("start"),
    move: (to) => change(model, { start: to.map(within(0.95 * WIDE, 0.95 * HIGH)) }),
  });
  svg.append(still, start.el);
  el.append(controls.el, svg);

  return function draw(width) {
    controls.sync();
    const bowl = { at: [0, 0], curvature: model.get("curvature"), degrees: model.get("degrees") };
    const from = model.get("start"), path = descent(bowl, from, model.get("lr"), TIME);
    const steps = Math.round(model.get("walked") * (path.length - 1)), now = path[steps];
    const { width: wide, height: high } = pixels.fit(Math.min(width, 760)), below = high + 12;
    set(svg, { width: wide, height: below + 4 * ROOM, "aria-label": "A path over the contours of a loss of two " +
      "weights, and bars: the credit of each weight, their sum, and the fall of the loss." });
    const line = (points, look) => trace(points.map(({ theta }) => pixels.to(theta)), look);
    const dots = path.length > 60 ? [] : path.slice(0, steps + 1);
    const [x, y] = pixels.to(now.theta);
    const plane = make("g", { "clip-path": `url(#cl-plane-${model.get("name")})` },
      LEVELS.map((level) => ellipse([0, 0], hessian(bowl), level, pixels,
        { stroke: "var(--cl-soft)", "stroke-opacity": 0.55, fill: "none" })),
      line(path, { stroke: "var(--cl-soft)", "stroke-dasharray": "3 4" }),
      line(path.slice(0, steps + 1), { stroke: "currentColor", "stroke-width": 2.5 }),
      dots.map(({ theta }) => {
        const [cx, cy] = pixels.to(theta);
        return make("circle", { cx, cy, r: 3.5, fill: "currentColor" });
      }),
      make("circle", { cx: x, cy: y, r: 7, fill: "var(--cl-2)", stroke: "var(--cl-paper)" }));
    still.replaceChildren(
      make("clipPath", { id: `cl-plane-${model.get("name")}` },
        make("rect", { width: wide, height: high })),
      make("rect", { x: 0.5, y: 0.5, width: wide - 1, height: high - 1, fill: "none", stroke: "var(--cl-line)" }),
      plane,
      make("text", { x: wide - 8, y: high - 8, "text-anchor": "end" }, "θ₁ →"),
      make("text", { x: 8, y: 18 }, "↑ θ₂"),
      ...bars(now, Math.max(2 * loss(bowl, from), ...path.at(-1).credit, sum(path.at(-1).credit)), wide, below));
    start.put(from);
    return say(now, steps, path.length - 1);
  };
}

/** A line each: ω₁, ω₂, their sum and the fall; a tick where the exact value lies. */
function bars({ credit: [one, two], exact, fall }, most, width, top) {
  const [left, right] = [78, 52];
  const x = (value) => left + Math.max(0, Math.min(1, value / most)) * (width - left - right);
  const rows = [["ω₁", [[one, "var(--cl-1)"]], exact[0]], ["ω₂", [[two, "var(--cl-5)"]], exact[1]],
    ["ω₁ + ω₂", [[one, "var(--cl-1)"], [two, "var(--cl-5)"]], exact[0] + exact[1]],
    ["fall of L", [[fall, "var(--cl-soft)"]]]];
  return rows.flatMap(([name, parts, tick], i) => {
    const y = top + i * ROOM, drawn = [];
    let [at, total] = [0, 0];
    for (const [value, fill] of parts) {
      drawn.push(make("rect", { x: x(at), y, width: x(at + Math.max(0, value)) - x(at), height: BAR, style: `fill: ${fill}` }));
      at += Math.max(0, value);
      total += value;
    }
    if (tick !== undefined) {
      drawn.push(make("line", { x1: x(tick), x2: x(tick), y1: y - 3, y2: y + BAR + 3, stroke: "currentColor", "stroke-width": 2.5 }));
    }
    return [make("text", { x: left - 8, y: y + BAR / 2, "text-anchor": "end", "dominant-baseline": "central" }, name),
      ...drawn, make("text", { x: x(Math.max(at, tick ?? 0)) + 8, y: y + BAR / 2, "dominant-baseline": "central" }, fixed(total))];
  });
}

const sum = ([one, two]) => one + two;

function say({ credit: [one, two], exact, fall }, steps, all) {
  const excess = one + two - fall;
  return `After ${steps} of ${all} steps the credit is ω₁ = ${fixed(one, 3)} and ω₂ = ${fixed(two, 3)}, together ` +
    `${fixed(one + two, 3)}; the loss fell by ${fixed(fall, 3)}` +
    (excess < 0.0005 ? "." : `. The sum is ${fixed(excess, 3)} too large: SI uses the gradient before each step. ` +
      `The upright lines are exact: ${fixed(exact[0], 3)} and ${fixed(exact[1], 3)}.`);
}
