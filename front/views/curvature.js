// Two tasks, one regime after another: sharpness, distance and the bound beside forgetting.

import * as Plot from "@observablehq/plot";
import { spearman } from "../core/ranks.js";
import { chart, picture, places } from "../lib/chart.js";
import { choice, row, slider } from "../lib/controls.js";
import { make } from "../lib/make.js";
import { decades, fixed, general, including, percent } from "../lib/numbers.js";
import { among, reader } from "../lib/reader.js";
import { asks, note, trains } from "../lib/training.js";

const LEAST = 1e-6; // where on a logarithmic axis a sharpness or distance of 0 stands
const OFFERED = { // name, and as in a sentence; stops
  lr: ["Learning rate", "lr", [0.01, 0.02, 0.05, 0.1, 0.2]],
  batch_size: ["Batch size", "batch", [8, 16, 32, 64, 128]],
  dropout: ["Dropout", "dropout", [0, 0.25, 0.5]],
  lr_decay: ["Decay per task", "decay", [0.2, 0.4, 0.6, 0.8, 1]],
};
const ACROSS = [
  ["the bound ½ μₘₐₓ ‖δ‖²", "bound"], ["the quadratic term ½ δᵀHδ", "quadratic"],
  ["sharpness μₘₐₓ", "sharpness"], ["distance ‖δ‖", "distance"],
];

export default function curvature(model, el) {
  const knobs = Object.entries(OFFERED).map(([name, [label, , stops]]) => slider(model, name, {
    label, stops: () => including(stops, model.get(name)), write: general,
  }));
  const bar = make("progress", { max: 1, "aria-label": "Progress" });
  const across = choice(model, "across", { label: "Against forgetting", options: ACROSS });
  const controls = [
    ...(model.get("stored") ? [] : [row(...knobs), row(
      asks(model, "Train on two tasks", "start", { settings: Object.keys(OFFERED), main: true }),
      asks(model, "Stop", "stop", { usable: () => trains(model) }),
      asks(model, "Clear", "clear", { usable: () => model.get("points").length > 0 }),
      bar,
    )]),
    note(model, () => where(model)),
    row(across),
  ];
  const charts = picture();
  let left = {}, right = {}; // as they are now
  const readers = [
    reader(charts.svg, {
      label: "Sharpness against distance; arrow keys read its points", ...among(() => left.points),
    }),
    reader(charts.svg, { label: "Forgetting; arrow keys read its points", ...among(() => right.points) }),
  ];
  el.append(...controls.map((control) => control.el), charts.el);

  return function draw(width) {
    controls.forEach((control) => control.sync());
    const points = model.get("points"), what = model.get("across"), now = model.get("now");
    bar.value = now.step / now.n_steps || 0;
    const { place, ...size } = places(width, [0.5, 0.5], () => 355);
    left = drawFactors(place(0), points);
    right = drawForgetting(place(1), points, what);
    charts.put(size, `Sharpness against distance, and forgetting against ${called(what)}.`, [left.el, right.el]);
    [left, right].forEach((each, i) => readers[i].put(each.area));
    return say(points);
  };

  function say(points) {
    const doing = model.get("stored") ? "" : model.get("doing"), reason = model.get("reason"), words = [];
    if (trains(model)) words.push(`In training: task ${model.get("now").task ?? 1} of 2.`);
    if (doing === "stopped") words.push(`${reason[0].toUpperCase()}${reason.slice(1)}: it gave no point.`);
    if (doing === "failed") words.push("The run gave no point: see below.");
    if (points.length) words.push(`${points.length}: ${describe(points.at(-1))}.`);
    else words.push(model.get("stored") ? "No point yet." : "No point yet: choose a regime and train.");
    if (points.some((p) => Math.min(p.sharpness, p.distance) < LEAST)) {
      words.push(`On the left, what is below ${LEAST} is shown there.`);
    }
    return words.join(" ");
  }
}

/** What trains, and how far it is. */
function where(model) {
  const { regime, task } = model.get("now");
  return regime ? `${rule(regime)}, task ${task} of 2` : "it begins";
}

const rule = (regime) => Object.entries(OFFERED)
  .map(([name, [, short]]) => `${short} ${general(regime[name])}`).join(", ");

const describe = (p) => `${rule(p)}: sharpness ${fixed(p.sharpness, 1)}, distance ${fixed(p.distance, 1)}, ` +
  `bound ${fixed(p.bound, 0)}, quadratic term ${fixed(p.quadratic, 3)}; Forg₁ ${fixed(p.forgetting, 3)}, ` +
  `task 1 from ${percent(p.learned)} to ${percent(p.kept)}, task 2 ${percent(p.second)}`;

/** Sharpness against distance; along a dotted line their bound is the same. */
function drawFactors(place, points) {
  const regimes = points.map((p, i) => ({ x: Math.max(p.distance, LEAST), y: Math.max(p.sharpness, LEAST), ...told(p, i) }));
  const reach = (values) => [Math.min(...values) / 1.6, 1.6 * Math.max(...values)];
  const x = reach(points.length ? regimes.map((p) => p.x) : [1, 10]);
  const y = reach(points.length ? regimes.map((p) => p.y) : [1, 30]);
  const bound = (i) => (y[i] * x[i] ** 2) / 2;
  const all = decades(Math.floor(Math.log10(bound(0))), Math.ceil(Math.log10(bound(1))), [1, 3])
    .filter((b) => b > bound(0) && b < bound(1) / 3); // but for the corner, where a line has no room for its number
  const shown = all.filter((_, i) => i % Math.ceil(all.length / 6) === 0);
  const clip = (b) => { // where the line of a bound enters and leaves the frame
    const ends = [Math.max(x[0], Math.sqrt((2 * b) / y[1])), Math.min(x[1], Math.sqrt((2 * b) / y[0]))];
    return ends.map((distance) => ({ x: distance, y: (2 * b) / distance ** 2, b }));
  };
  const log = (domain, label, ticks) => ({ type: "log", domain, label, ticks, tickFormat: tick, grid: false });
  return drawn(place, regimes, {
    title: "Dotted: the same bound ½ μₘₐₓ ‖δ‖²",
    x: log(x, "distance ‖δ‖", place.width / 60), y: log(y, "sharpness μₘₐₓ", 8),
    marks: [
      Plot.line(shown.flatMap(clip), { x: "x", y: "y", z: "b", stroke: "var(--cl-soft)", strokeDasharray: "1 4",
        strokeLinecap: "round", strokeWidth: 1.6 }),
      Plot.text(shown.map((b) => clip(b)[0]), { x: "x", y: "y", text: (d) => tick(d.b), dx: 5, dy: 9,
        textAnchor: "start", fill: "var(--cl-soft)", stroke: "var(--cl-paper)", strokeWidth: 3 }),
    ],
  });
}

/** Measured forgetting against one of the quantities, and how well the ranks agree. */
function drawForgetting(place, points, what) {
  const regimes = points.map((p, i) => ({ x: p[what], y: p.forgetting, ...told(p, i) }));
  const [x, y] = ["x", "y"].map((axis) => regimes.map((p) => p[axis]));
  const reach = (values, ...more) => {
    const [low, high] = [Math.min(...values, ...more), Math.max(...values, ...more)];
    const spare = 0.12 * (high - low || Math.abs(high) || 1);
    return [low - spare, high + spare];
  };
  return drawn(place, regimes, {
    title: agreement(x, y),
    x: { domain: reach(points.length ? x : [0, 1]), label: called(what), ticks: place.width / 90 },
    y: { domain: reach(points.length ? y : [0, 1], 0), label: "forgetting Forg₁, measured", grid: false },
    marks: [Plot.ruleY([0], { stroke: "var(--cl-soft)" })],
  });
}

const called = (what) => ACROSS.find(([, each]) => each === what)[0];

function agreement(x, y) {
  if (x.length < 4) return "Rank correlation: from four points on";
  const rho = spearman(x, y);
  return Number.isNaN(rho) ? "All are equal: no rank correlation"
    : `Rank correlation ${fixed(rho)} of ${x.length} regimes`;
}

const tick = (v) => (v < 1e-3 ? v.toExponential(0) : general(v));

const told = (p, i) => ({
  number: String(i + 1),
  text: `${i + 1}: ${rule(p).replace(", drop", ",\ndrop")}\nsharpness ${fixed(p.sharpness, 1)}, distance ${fixed(p.distance, 1)}\n` +
    `bound ${fixed(p.bound, 0)}, quadratic ${fixed(p.quadratic, 3)}\nForg₁ ${fixed(p.forgetting, 3)}`,
});

/** A chart of numbered discs, the latest filled. */
function drawn(place, regimes, { marks, ...how }) {
  const last = (p) => p === regimes.at(-1);
  const figure = chart(place, { ...how, marks: [
    Plot.frame({ stroke: "var(--cl-line)" }),
    ...marks,
    Plot.dot(regimes, { x: "x", y: "y", r: 10, stroke: "var(--cl-1)", strokeWidth: 1.5,
      fill: (p) => (last(p) ? "var(--cl-1)" : "var(--cl-paper)") }),
    Plot.text(regimes, { x: "x", y: "y", text: "number", fill: (p) => (last(p) ? "var(--cl-paper)" : "var(--cl-ink)") }),
  ] });
  return { ...figure, points: regimes.map((p) => ({ ...p, ...figure.at(p.x, p.y) })) };
}
