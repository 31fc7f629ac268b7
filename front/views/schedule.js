// The learning rate of each step, and beneath it the runs that such rates gave.

import * as Plot from "@observablehq/plot";
import { SCHEDULES, factors, suited } from "../core/schedules.js";
import { chart, legend, picture } from "../lib/chart.js";
import { choice, named, number, row, slider } from "../lib/controls.js";
import { valuesOf } from "../lib/make.js";
import { decades, every, general, including, percent } from "../lib/numbers.js";
import { mark } from "../lib/palette.js";
import { among, reader } from "../lib/reader.js";
import { asks, note, trains } from "../lib/training.js";

const RATES = decades(-4, 0, [1, 2, 3, 5]), PARTS = every(0, 0.5, 0.05);
const HOW = ["schedule", "lr", "lr_final", "warm_up", "start_from", "seed"];
const NOW = { stroke: "var(--cl-1)", width: 2.4, ...mark("o") };
const KEPT = [ // in turn
  ["var(--cl-2)", "^", "8 3 2 3"], ["var(--cl-3)", "D", "6 4"], ["var(--cl-4)", "s", "2 3"],
  ["var(--cl-5)", "X", "10 3"], ["var(--cl-7)", "v", "4 2"],
].map(([stroke, marker, dash]) => ({ stroke, dash, width: 1.6, ...mark(marker) }));
const PLACES = 400; // of the steps, at most so many are drawn
const [ABOVE, BELOW] = [210, 330]; // the charts' heights, in pixels

export default function schedule(model, el) {
  const target = model.get("target"), n = model.get("n_steps");
  const asked = () => suited(valuesOf(model, HOW));
  const used = (name) => () => suited({ [name]: -1, schedule: model.get("schedule") })[name] === -1;
  const rates = (name) => ({
    label: name, stops: () => including(RATES, model.get(name)), write: general,
  });
  const controls = [
    row(
      choice(model, "schedule", { label: "Schedule", options: named(SCHEDULES) }),
      slider(model, "lr", rates("lr")),
      slider(model, "lr_final", { ...rates("lr_final"), usable: used("lr_final") }),
      slider(model, "warm_up", {
        label: "warm_up", stops: () => including(PARTS, model.get("warm_up")), write: (part) => percent(part, 0),
        usable: used("warm_up"),
      }),
    ),
    ...(model.get("stored") ? [] : [row(
      choice(model, "start_from", { label: "Start", options: named(model.get("starts_from")) }),
      number(model, "seed", { label: "Seed", whole: true }),
      asks(model, "Run", "start", { settings: HOW, main: true }),
      asks(model, "Stop", "stop", { usable: () => trains(model) }),
      asks(model, "Keep", "keep", { usable: () => !trains(model) && Boolean(model.get("latest")?.complete) }),
      asks(model, "Clear", "clear", { usable: () => model.get("kept_runs").length > 0 }),
    )]),
    note(model, () => {
      const run = model.get("latest");
      return run ? `${name(run)}, step ${run.steps.at(-1)} of ${n}` : "it begins";
    }),
  ];
  const charts = picture();
  let above = {}, below = {}, key = {}, drawn = []; // as they are now, and what they are drawn from
  const readers = [
    reader(charts.svg, {
      label: "Learning rate of each step; arrow keys read its points", ...among(() => above.points, { far: Math.abs }),
    }),
    reader(charts.svg, {
      label: "Accuracy after each epoch; arrow keys read its points", ...among(() => below.points),
    }),
  ];
  el.append(...controls.map((control) => control.el), charts.el);

  return function draw(width) {
    controls.forEach((control) => control.sync());
    const how = asked(), run = model.get("latest");
    const kept = model.get("kept_runs").map((each, i) => [each, KEPT[i % KEPT.length]]);
    const runs = [...(run ? [[run, NOW]] : []), ...kept.filter(([each]) => !run || !same(each, run))];
    const place = (y, height) => ({ x: 0, y, width, height });
    above = drawRates(place(0, ABOVE), how, runs, n);
    const seen = [run, model.get("kept_runs"), width];
    if (seen.some((each, i) => each !== drawn[i])) { // not while the next run is chosen
      drawn = seen;
      below = drawAccuracy(place(ABOVE, BELOW), runs, target, n);
      key = legend(runs.map(([each, look]) => ({ text: outcome(each, target), ...look })), width);
    }
    charts.put({ width, height: ABOVE + BELOW + key.height },
      "Learning rate of each step, and accuracy after each epoch.",
      [above.el, below.el, key.at(0, ABOVE + BELOW)]);
    [above, below].forEach((each, i) => readers[i].put(each.area));
    return say(how, run, kept.length);
  };

  function say(how, run, kept) {
    const words = [];
    const told = run && (run.diverged || run.steps.length > 1);
    if (told) words.push(`${describe(run, target, trains(model))}.`);
    if (!told) words.push(`Learning rate: ${rule(how)}.`);
    else if (!same(run, how)) words.push(`${model.get("stored") ? "Shaded" : "Next run"}: ${name(how)}.`);
    if (!told && !model.get("stored") && !trains(model)) words.push("Press Run to train with it.");
    if (kept) words.push(`${kept === 1 ? "1 run is" : `${kept} runs are`} kept.`);
    return words.join(" ");
  }
}

/** Above: what is asked for, thick; what the runs had. */
function drawRates(place, how, runs, n) {
  const every = Math.ceil(n / PLACES);
  const curve = (each) => factors(each.schedule, n, each.warm_up, each.lr_final)
    .map((factor, i) => ({ x: i + 1, y: each.lr * factor })).filter((_, i) => i % every === 0 || i === n - 1);
  const asked = curve(how).map((at) => ({ ...at, text: `step ${at.x}: lr ${general(at.y, 3)}` }));
  const line = (points, look) => Plot.lineY(points, { x: "x", y: "y", curve: "step", ...stroked(look) });
  const others = runs.filter(([each]) => !sameRates(each, how));
  const figure = chart(place, {
    title: "Learning rate of each step",
    x: { label: "step", domain: [0, n], ticks: place.width / 80 },
    y: { label: "lr", nice: true, zero: true, ticks: 4, tickFormat: (v) => general(v) },
    marks: [
      ...others.map(([each, look]) => line(curve(each), look === NOW ? { ...look, width: 1.2, dash: "2 3" } : look)),
      Plot.areaY(asked, { x: "x", y: "y", curve: "step", fill: NOW.stroke, fillOpacity: 0.12 }),
      line(asked, NOW),
    ],
  });
  return { ...figure, points: asked.map((p) => ({ ...p, ...figure.at(p.x, p.y) })) };
}

/** Beneath: the accuracy of each run after each epoch, and a star where it first is the target's. */
function drawAccuracy(place, runs, target, n) {
  const all = runs.map(([run, look]) => [run, look, run.steps.map((x, i) => ({
    x, y: run.accuracy[i], line: name(run), text: `${rule(run)}\n${whence(run)}, step ${x}: ${percent(run.accuracy[i])}`,
  }))]);
  const points = all.flatMap(([, , those]) => those);
  const marks = all.toReversed().flatMap(([run, look, those]) => {
    const { stroke, symbol } = look;
    const first = reached(run, target), at = those.filter(({ x }) => x === first);
    const lost = run.diverged ? [run.diverged.step + 1] : [];
    return [
      Plot.ruleX(lost, { stroke, strokeDasharray: "1 4" }),
      Plot.text(lost, { x: lost, y: 1, text: ["✗ diverged"], textAnchor: lost > n / 2 ? "end" : "start",
        dx: lost > n / 2 ? -6 : 6, fill: stroke }),
      Plot.ruleX(at, { x: "x", y1: 0, y2: "y", stroke, strokeWidth: 0.8 }),
      Plot.lineY(those, { x: "x", y: "y", ...stroked(look) }),
      Plot.dot(those, { x: "x", y: "y", symbol, r: 3.5, stroke, fill: stroke }),
      Plot.dot(at, { x: "x", y: "y", symbol: "star", r: 9, fill: stroke, stroke: "var(--cl-paper)" }),
    ];
  });
  const figure = chart(place, {
    title: "Accuracy after each epoch",
    x: { label: "step", domain: [0, n], ticks: place.width / 80 },
    y: { label: "accuracy", domain: [0, 1.02], ticks: 5, tickFormat: (v) => percent(v, 0) },
    marks: [
      Plot.ruleY([target], { stroke: "var(--cl-soft)", strokeDasharray: "4 3" }),
      Plot.text([target], {
        x: n, y: target, text: [`target ${percent(target, 0)}`], textAnchor: "end", dy: 10, fill: "currentColor",
        stroke: "var(--cl-paper)", strokeWidth: 3,
      }),
      ...marks,
    ],
  });
  return { ...figure, points: points.map((p) => ({ ...p, ...figure.at(p.x, p.y) })) };
}

const stroked = ({ stroke, dash, width }) => ({ stroke, strokeDasharray: dash, strokeWidth: width });

/** A run in the legend: what it was, and what came of it. */
function outcome(run, target) {
  const first = reached(run, target);
  const speed = first != null ? `★ ${first} steps` : run.complete ? "never" : "not yet";
  const fate = run.diverged ? `diverged at step ${run.diverged.step + 1}`
    : `${speed}, ${percent(run.accuracy.at(-1))}`;
  return `${rule(run)}\n${whence(run)}: ${fate}`;
}

/** "cosine, lr 0.03 to 0.0003, warm-up 10%" */
function rule({ schedule, lr, lr_final: final, warm_up: warmUp }) {
  const to = schedule === "constant" ? "" : ` to ${general(lr * final, 2)}`;
  return `${schedule}, lr ${general(lr)}${to}${warmUp ? `, warm-up ${percent(warmUp, 0)}` : ""}`;
}

const whence = (run) => `${run.start_from}${run.seed ? `, seed ${run.seed}` : ""}`;
const name = (run) => `${rule(run)}, ${whence(run)}`;

/** What a run was, and what came of it. */
function describe(run, target, live) {
  if (run.diverged) {
    const { step, loss, inputs } = run.diverged;
    const known = loss == null ? "" : `, after a loss of ${general(loss, 3)}`;
    const hint = inputs ? "The images hold NaN or ∞" : "Try a lower lr, or a warm-up";
    return `${name(run)}: diverged at step ${step + 1}${known}. ${hint}`;
  }
  const first = reached(run, target), last = run.steps.at(-1);
  const speed = first != null ? `after ${first} steps` : run.complete ? "not reached" : "not yet reached";
  const end = run.complete ? "" : live ? " so far" : ", where it was stopped";
  return `${name(run)}: ${percent(target, 0)} ${speed}, ${percent(run.accuracy.at(-1))} after ${last}${end}`;
}

/** The first step after which the accuracy is the target's; undefined if it never is. */
const reached = (run, target) => run.steps[run.accuracy.findIndex((a) => a >= target)];
const sameRates = (a, b) => HOW.slice(0, 4).every((key) => a[key] === b[key]);
const same = (a, b) => HOW.every((key) => a[key] === b[key]);
