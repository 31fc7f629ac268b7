// Accuracy on each task while it is learned, by number; kept runs; where λ was moved.
// It grows several times a second beside a run that needs the processors: SVG of our own, of which
// only what has changed is drawn anew.

import { look } from "../../lib/palette.js";
import { layer, make, placeIn, put, set, trace } from "../../lib/make.js";
import { lam as write, mean as meanOf, percent, whole } from "../../lib/numbers.js";

const [RIGHT, TOP, BOTTOM] = [26, 14, 30];
let LEFT = 46; // room for the numbers, which are larger on the stage
const LEGEND = "Numbered: a task's accuracy; dots: on all of its test images. Thick: the average over the tasks so far, " +
  "which falls when a new one begins.";
const CLOSE = 44; // pixels between marks of λ: of those closer, only the last is shown

export function curves(model) {
  const svg = make("svg", { class: "cl-picture cl-curves", role: "img", tabindex: 0,
    "data-lm-suppress-shortcuts": "true", "aria-label": "Accuracy on each task as training goes on. " +
      "Arrow keys move a cursor that reads the values." });
  const [ground, before, moves, mean, ends, cursor] = Array.from({ length: 6 }, () => layer());
  const tasks = make("g"), lines = []; // a layer a task
  svg.append(...[ground, before, moves, mean].map((each) => each.el), tasks, ends.el, cursor.el);
  const readout = make("p", { class: "cl-soft cl-readout" });
  const el = make("div", { class: "cl-part" }, make("h3", {}, "Accuracy on each task"), svg, readout);
  let at = null; // the place of the cursor, in tasks

  const staged = () => el.closest(".cl-stage");
  let room = [600, 400]; // of the part; to ask for it in a frame would cost a layout of the page
  new ResizeObserver(([{ contentRect }]) => {
    room = [contentRect.width, contentRect.height];
    draw();
  }).observe(el);
  const width = () => Math.max(280, Math.round(room[0]));
  const height = () => (staged() ? Math.max(160, Math.round(room[1]) - 40) : Math.round(Math.min(0.6 * width(), 400)));

  function draw() {
    LEFT = staged() ? 64 : 46;
    const n = model.get("news"), count = n.n_tasks ?? model.get("tasks") ?? 5, bounds = n.ends ?? [], series = n.series ?? [];
    const [w, h] = [width(), height()];
    const x = (place) => LEFT + (place / count) * (w - LEFT - RIGHT);
    const y = (a) => TOP + (1 - a) * (h - TOP - BOTTOM);
    const place = (step) => placeOf(step, bounds, count);
    const frame = [w, h, LEFT, count, bounds].join(), length = (points) => `${frame} ${points.length} ${points.at(-1)}`;
    const moved = n.moved ?? [], lengths = series.map(length).join();

    ground.draw(frame, () => {
      set(svg, { viewBox: `0 0 ${w} ${h}`, width: w, height: h });
      return [bands(count, x, h), grid(w, y)];
    });
    const runs = keptRuns(model);
    before.draw(`${frame} ${runs.map((run) => [run.method, run.averages])}`, () => kept(runs, x, y));
    moves.draw(length(moved), () => marks(moved, place, x, h));
    mean.draw(lengths, () => average(series, place, x, y));
    while (lines.length < series.length) tasks.append(lines[lines.push(layer()) - 1].el);
    lines.forEach((line, j) => {
      const points = series[j] ?? [];
      line.draw(length(points), () => task(points, j, place, x, y));
    });
    ends.draw(lengths, () => numbers(series, place, x, y));
    cursor.draw(`${frame} ${at}`, () => (at === null ? [] : [make("line", { x1: x(at), x2: x(at), y1: TOP,
      y2: h - BOTTOM, stroke: "currentColor", "stroke-opacity": 0.5 })]));
    put(readout, at === null ? LEGEND + (runs.length ? " Grey with signs: the averages of the runs listed below." : "")
      : read(series, place, at, bounds, count));
  }

  svg.addEventListener("pointermove", (event) => {
    const [x] = placeIn(svg, event), count = model.get("news").n_tasks ?? 5;
    at = within(((x - LEFT) / (svg.clientWidth - LEFT - RIGHT)) * count, count);
    draw();
  });
  const away = () => { at = null; draw(); };
  svg.addEventListener("pointerleave", away);
  svg.addEventListener("blur", away);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.1, ArrowRight: 0.1 }[event.key], count = model.get("news").n_tasks ?? 5;
    if (!step || staged()) return;
    event.preventDefault();
    at = within((at ?? 0) + step, count);
    draw();
  });
  return { el, draw };
}

const within = (v, most) => Math.min(most, Math.max(0, v));

/** In tasks: 2.5 is half-way through the third. Joint training has only the last. */
function placeOf(step, ends, count) {
  const stages = ends.length - 1;
  let s = 0;
  while (s < stages - 1 && step > ends[s + 1]) s++;
  return count - stages + s + (step - ends[s]) / (ends[s + 1] - ends[s]);
}

const text = (x, y, words, attributes = {}) => make("text", { x, y, ...attributes }, words);

function bands(count, x, h) {
  return Array.from({ length: count }, (_, t) => [
    make("rect", { x: x(t), y: TOP, width: x(1) - x(0), height: h - TOP - BOTTOM,
      fill: "var(--cl-shade)", "fill-opacity": t % 2 ? 0 : 1 }),
    text((x(t) + x(t + 1)) / 2, h - 10, count > 6 ? `${t + 1}` : `task ${t + 1}`, { "text-anchor": "middle" }),
  ]).flat();
}

function grid(w, y) {
  return [0, 0.2, 0.4, 0.6, 0.8, 1].flatMap((a) => [
    make("line", { x1: LEFT, x2: w - RIGHT, y1: y(a), y2: y(a), stroke: "var(--cl-line)" }),
    text(LEFT - 6, y(a) + 4, percent(a, 0), { "text-anchor": "end", fill: "var(--cl-soft)" }),
  ]);
}

const colour = (j) => `var(--cl-${(j % 8) + 1})`;

function task(points, j, place, x, y) {
  if (!points.length) return [];
  const drawn = points.map(([step, a]) => [x(place(step)), y(a)]);
  const exact = points.flatMap(([, , sure], i) => (sure ? [drawn[i]] : []));
  return [
    trace(drawn, { stroke: colour(j), "stroke-width": 2, "stroke-dasharray": j % 2 ? "7 3" : null }),
    ...exact.map(([cx, cy]) => make("circle", { cx, cy, r: 3, fill: colour(j) })),
  ];
}

/** The number of each task at the end of its line, moved apart where they would overlap. */
function numbers(series, place, x, y) {
  const ends = series.flatMap((points, j) => {
    if (!points.length) return [];
    const [step, a] = points.at(-1);
    return [{ j, at: x(place(step)), y: y(a) }];
  }).sort((p, q) => p.y - q.y);
  ends.forEach((end, i) => { if (i) end.y = Math.max(end.y, ends[i - 1].y + 12); });
  ends.forEach((end, i) => { end.y = Math.min(end.y, y(0) - 12 * (ends.length - 1 - i)); });
  return ends.map(({ j, at, y }) => text(at + 5, y + 4, String(j + 1),
    { class: "cl-number", style: `fill: ${colour(j)}` }));
}

/** The mean over the tasks so far, of the latest that is known of each. */
function average(series, place, x, y) {
  const all = series.flatMap((points, j) => points.map(([step, a]) => [step, j, a]));
  all.sort((p, q) => p[0] - q[0]);
  const latest = [], drawn = [];
  for (const [step, j, a] of all) {
    latest[j] = a;
    drawn.push([x(place(step)), y(meanOf(latest.filter((v) => v !== undefined)))]);
  }
  return [trace(drawn, { stroke: "currentColor", "stroke-width": 4, "stroke-opacity": 0.85 })];
}

function keptRuns(model) {
  const hidden = model.get("hidden");
  return model.get("runs").filter((run) => !run.differs.length && !hidden.includes(run.id));
}

function kept(runs, x, y) {
  return runs.flatMap((run) => {
    const { stroke, corners } = look(run.method);
    const points = run.averages.flatMap((a, t) => (a === null ? [] : [[x(t + 1), y(a)]]));
    return [trace(points, { stroke: "var(--cl-soft)", "stroke-width": 1.2 }),
      ...points.map(([px, py]) => make("polygon", { points: corners(5), fill: stroke,
        transform: `translate(${px.toFixed(1)} ${py.toFixed(1)})` }))];
  });
}

const NAMES = { lam: "λ", memory: "kept", lr: "rate" };

function marks(moved, place, x, h) {
  const shown = [];
  for (const [step, value, name = "lam"] of moved) {
    const at = x(place(step));
    if (shown.length && at - shown.at(-1)[0] < CLOSE) shown.pop();
    shown.push([at, `${NAMES[name]} ${write(value)}`]);
  }
  return shown.flatMap(([at, what]) => [
    make("line", { x1: at, x2: at, y1: TOP, y2: h - BOTTOM, stroke: "var(--cl-warn)", "stroke-dasharray": "4 3" }),
    text(at + 4, TOP + 12, what, { fill: "var(--cl-warn)", class: "cl-number" }),
  ]);
}

/** The values at a place: of each task the latest that was known there. */
function read(series, place, at, ends, count) {
  const values = series.map((points) => points.filter(([step]) => place(step) <= at + 1e-9).at(-1));
  const known = values.flatMap((v, j) => (v ? [`task ${j + 1} ${percent(v[1])}`] : []));
  const step = Math.max(0, ...values.filter(Boolean).map(([s]) => s));
  return known.length ? `Step ${whole(step)}: ${known.join(", ")}.` : "Nothing was known there yet.";
}
