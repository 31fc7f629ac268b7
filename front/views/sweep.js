// What λ does, or another knob: the runs of each value, between stability and plasticity.

import * as Plot from "@observablehq/plot";

import { chart, legend, perCent, percents, picture, places } from "../lib/chart.js";
import { choice, row, slider } from "../lib/controls.js";
import { change, make } from "../lib/make.js";
import { inPoints, mean, percent } from "../lib/numbers.js";
import { look } from "../lib/palette.js";
import { among, reader } from "../lib/reader.js";
import { shade } from "../lib/shade.js";

const CLOSE = [28, 15]; // pixels; a value nearer than this to one with a label has none

export default function sweep(model, el) {
  const methods = model.get("methods").map(placed), called = model.get("unit") || model.get("symbol");
  const named = (name) => methods.find((method) => method.name === name);
  const mine = () => named(model.get("method"));
  const run = (method, value) => method.values.find((each) => each.value === value);
  const shown = () => run(mine(), model.get("value")) ?? run(mine(), mine().best);

  const controls = row(
    methods.length > 1 && choice(model, "method", {
      label: "Method", options: methods.map(({ label, name }) => [label, name]),
      then: (name) => ({ value: named(name).best }),
    }),
    slider(model, "value", {
      label: called, stops: () => mine().values.map(({ value }) => value), write: () => shown().text,
    }),
  );

  const charts = picture();
  let curves = {}, fronts = {}; // the two charts as they are now
  const readers = [
    reader(charts.svg, { label: "accuracy on each task after each task", ...among(() => curves.points) }),
    reader(charts.svg, {
      label: "stability against plasticity of each value",
      ...among(() => fronts.points, { first: () => fronts.points.findIndex((p) => p.run === shown()) }),
      choose: (i) => change(model, { method: fronts.points[i].line, value: fronts.points[i].run.value }),
    }),
  ];
  el.append(controls.el, charts.el);

  return function draw(width) {
    controls.sync();
    const now = shown(), best = run(mine(), mine().best);
    const { place, ...size } = places(width, [0.54, 0.46], () => 370);
    curves = drawCurves(place(0), now, `${mine().label}, ${now.words}; thick: the average`);
    const key = `${size.width} ${mine().name}`; // a slider that is dragged leaves the rest as it is
    if (fronts.key !== key) {
      const title = `at the points: ${called}; star: best average`;
      fronts = { key, ...drawFronts(place(1), methods, mine(), best, title) };
    }
    const { x: cx, y: cy } = fronts.at(now.x, now.y);
    const ring = make("circle", { cx, cy, r: 13, class: "cl-ring" });
    charts.put(size, `${mine().label}: accuracy on each task after each task, and stability against ` +
      `plasticity for ${mine().values.length} values of ${called}.`,
    [curves.el, fronts.el, now.y == null ? "" : ring]);
    [curves, fronts].forEach((each, i) => readers[i].put(each.area));
    const diverged = model.get("diverged").join(", "), on = model.get("on");
    return `${now.words}: average accuracy ${percent(now.average)}, forgetting ${pointsOf(now.forgetting)}. ` +
      `Best of the sweep: ${best.words} with ${percent(best.average)}${on ? `, on ${on}` : ""}.` +
      (diverged && ` Diverged: ${diverged}.`);
  };
}

/** Each value of a method with its place in per cent: x is plasticity, y is stability. */
function placed(method) {
  const known = (values) => (values.length && values.every((v) => v != null) ? mean(values) : null);
  const values = method.values.map((run) => {
    const averages = run.accuracy.map(known), diagonal = run.accuracy.map((row, t) => row[t]);
    const [x, y] = [known(diagonal), known(run.accuracy.at(-1).slice(0, -1))];
    return { ...run, averages, x: x && 100 * x, y: y && 100 * y };
  });
  return { ...method, values };
}

/** A line a task, its number in discs, and the average. */
function drawCurves(place, run, title) {
  const n = run.accuracy.length;
  const line = (name, values) => values.flatMap((v, t) => (v == null ? [] : [{
    line: name, t: t + 1, accuracy: 100 * v, text: `${name} after task ${t + 1}: ${percent(v)}`,
  }]));
  const average = line("average", run.averages);
  const tasks = Array.from({ length: n }, (_, j) => line(`task ${j + 1}`, run.accuracy.map((row) => row[j])));
  const all = [...tasks.flat(), ...average];
  const low = Math.min(80, 20 * Math.floor(Math.min(...all.map((p) => p.accuracy)) / 20));
  const at = { x: "t", y: "accuracy" };
  const figure = chart(place, {
    title,
    x: { label: "after learning task", domain: [0.8, n + 0.2], ticks: tasks.map((_, j) => j + 1), tickFormat: String },
    y: { label: "accuracy on task 1, 2, …", domain: [low, 101], ticks: percents(low, 100), tickFormat: perCent },
    marks: [
      Plot.line(average, { ...at, strokeWidth: 4 }),
      ...tasks.flatMap((points, j) => [
        Plot.line(points, { ...at, stroke: shade(j, n), strokeWidth: 1.6 }),
        Plot.dot(points, { ...at, r: 9, stroke: shade(j, n), fill: "var(--cl-paper)" }),
        Plot.text(points, { ...at, text: () => `${j + 1}`, fontSize: 12 }),
      ]),
    ],
  });
  return { ...figure, points: all.map((p) => ({ ...p, ...figure.at(p.t, p.accuracy) })) };
}

/** Stability against plasticity, a line a method, the values at the markers of the one chosen. */
function drawFronts(place, methods, mine, best, title) {
  const all = methods.flatMap((method) => method.values.filter((v) => v.x != null && v.y != null)
    .map((run) => ({ run, x: run.x, y: run.y, method })));
  const [x, y] = ["x", "y"].map((axis) => {
    const values = all.length ? all.map((p) => p[axis]) : [0, 100]; // of one task nothing is forgotten
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const room = Math.max(1, 0.1 * (high - low)); // a point is nothing to magnify
    return {
      domain: [low - room, high + room], ticks: percents(low - room, high + room, 5), tickFormat: perCent,
    };
  });
  const several = methods.length > 1 ? methods : [];
  const key = legend(several.map(({ name, label }) => ({ text: label, ...look(name) })), place.width);
  const figure = chart(place, {
    title,
    x: { ...x, label: "plasticity: accuracy on each task just learned" },
    y: { ...y, label: "stability: accuracy on the old tasks at the end" },
    below: key.height,
    marks: [
      ...methods.flatMap((method) => {
        const { stroke, dash, symbol } = look(method.name), points = all.filter((p) => p.method === method);
        const how = { x: "x", y: "y", stroke, opacity: method === mine ? 1 : 0.45 };
        return [
          Plot.line(points, { ...how, strokeDasharray: dash, strokeWidth: 1.6 }),
          Plot.dot(points, { ...how, symbol, r: 4.5, fill: stroke }),
        ];
      }),
      Plot.dot([best], { x: "x", y: "y", symbol: "star", r: 8, fill: "#f0c000", stroke: "currentColor" }),
    ],
  });
  const points = all.map((p) => ({
    ...figure.at(p.x, p.y), run: p.run, line: p.method.name,
    text: `${p.method.label}, ${p.run.words}: plasticity ${percent(p.x / 100)}, stability ` +
      `${percent(p.y / 100)}, average ${percent(p.run.average)}, forgetting ${pointsOf(p.run.forgetting)}` +
      (p.run.seeds > 1 ? ` (${p.run.seeds} seeds)` : ""),
  }));
  const labels = texts(points.filter((p) => p.line === mine.name), best, place);
  return { ...figure, points, el: make("g", {}, figure.el, labels, key.at(place.x, place.y + place.height - key.height)) };
}

/** The values beside their points, the best one's first, where there is room. */
function texts(points, best, { x, width }) {
  const labelled = [];
  for (const point of [...points].sort((p, q) => (q.run === best) - (p.run === best))) {
    const near = (other) => Math.abs(point.x - other.x) < CLOSE[0] && Math.abs(point.y - other.y) < CLOSE[1];
    if (!labelled.some(near)) labelled.push(point);
  }
  return labelled.map((point) => {
    const left = point.x > x + 0.8 * width;
    return make("text", {
      x: point.x + (left ? -11 : 11), y: point.y - 7, "text-anchor": left ? "end" : "start", class: "cl-at",
    }, point.run.text);
  });
}

const pointsOf = (forgetting) => (forgetting == null ? "–" : inPoints(forgetting));
