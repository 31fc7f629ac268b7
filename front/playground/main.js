// The playground: a network that trains in the page, forgets, and is held by λ. What is chosen stands in
// the address, so that a link opens the same thing elsewhere.

import look from "../lib/look.css";
import { among, button, row, slider } from "../lib/controls.js";
import { change, make } from "../lib/make.js";
import { lam as write, percent, strengths } from "../lib/numbers.js";
import { Stored } from "../lib/stored.js";
import { curves } from "../views/lab/curves.js";
import { forget } from "../views/lab/forget.js";

/* global WORKER */ // its text, put here by build.js
const METHODS = [
  ["nothing", "none", "train on, and hold no weight"], ["L2", "l2", "hold every weight alike"],
  ["EWC", "ewc", "hold each weight by its Fisher information"],
  ["MAS", "mas", "hold each weight by how far it moves the logits"],
  ["SI", "si", "hold each weight by its share in the fall of the loss"],
];
const TUNED = { none: 0, l2: 0.02, ewc: 50, mas: 0.1, si: 0.5 }; // the best of a few, of two to four tasks
const CHOICES = { method: METHODS.map(([, name]) => name), tasks: [2, 3, 4, 5, 6] };

function begin(el) {
  document.head.append(make("style", {}, look));
  const asked = fromAddress();
  const model = new Stored({ ...asked, news: {}, digits: [], runs: [], hidden: [], running: false, guess: null });
  const worker = new Worker(URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" })));
  const settings = () => Object.fromEntries(["method", "lam", "tasks", "seed"].map((n) => [n, model.get(n)]));
  const run = (on) => {
    worker.postMessage({ run: on });
    change(model, { running: on });
  };
  const reset = () => {
    guess.value = "";
    model.set("guess", null);
    worker.postMessage({ reset: settings() });
    change(model, { running: false });
  };
  const go = () => {
    if (model.get("news").over) reset();
    run(!model.get("running"));
  };

  const start = button("Run", go, { main: true });
  const bar = row(start, button("Step", () => worker.postMessage({ steps: 1 }), {
    usable: () => !model.get("running") && !model.get("news").over,
  }), button("Start again", reset));
  const choices = row(
    among(model, "method", { label: "Hold", options: METHODS }),
    slider(model, "lam", { label: "λ", stops: strengths, write, usable: () => model.get("method") !== "none" }),
    among(model, "tasks", { label: "Tasks", options: CHOICES.tasks.map((n) => [String(n), n]) }),
  );
  const guess = make("input", { type: "number", min: 0, max: 100, step: 1, "aria-label": "your guess, in %",
    onchange: () => change(model, { guess: guess.checkValidity() && guess.value ? guess.valueAsNumber : null }) });
  const question = make("label", { class: "cl-choice" },
    make("span", {}, "Guess first: how much of task 1 is left at the end?"), guess, make("span", {}, "%"));
  const chart = curves(model), digits = forget(model);
  const words = make("p", { class: "cl-now" }), aloud = make("div", { class: "cl-hidden", role: "status" });
  el.className = "cl cl-lab";
  el.append(
    make("h1", {}, "Watch a network forget"),
    make("p", {}, "It learns to read digits. Then it learns them again with their pixels in another order. " +
      "What happens to what it knew? Press Run; then hold its weights, and move λ while it trains."),
    choices.el, make("div", { class: "cl-row" }, question), bar.el, words,
    make("div", { class: "cl-panels" }, chart.el, make("div", { class: "cl-beside" }, digits.el)), aloud,
  );

  let last = asked, frame = 0, spoken = "";
  function draw() {
    frame = 0;
    for (const each of [bar, choices, chart, digits]) (each.sync ?? each.draw)();
    start.el.textContent = model.get("running") ? "Pause" : model.get("news").over ? "Run again" : "Run";
    guess.disabled = (model.get("news").step ?? 0) > 0; // before it begins, or not at all
    words.textContent = say(model.get("news"), model.get("method"), model.get("lam"), model.get("guess"));
    const ended = model.get("news").over ? words.textContent : "";
    if (ended !== spoken) aloud.textContent = spoken = ended;
  }
  model.on("change", () => {
    const now = settings();
    if (now.method !== last.method) model.set("lam", (now.lam = TUNED[now.method]));
    if (now.method !== last.method || now.tasks !== last.tasks || now.seed !== last.seed) reset();
    else if (now.lam !== last.lam) worker.postMessage({ lam: now.lam });
    if (JSON.stringify(now) !== JSON.stringify(last)) history.replaceState(null, "", `#${new URLSearchParams(now)}`);
    last = now;
    frame ||= requestAnimationFrame(draw);
  });
  worker.onmessage = ({ data: { digits: pictures, ...news } }) => {
    if (pictures) model.set("digits", pictures);
    model.set("news", news);
    if (news.over) model.set("running", false);
  };
  new ResizeObserver(() => { frame ||= requestAnimationFrame(draw); }).observe(el);
  reset();
}

/** Method, λ, tasks and seed of the address; what makes no sense there is left out. */
function fromAddress() {
  const given = new URLSearchParams(location.hash.slice(1)), read = (name) => Number(given.get(name));
  const method = CHOICES.method.includes(given.get("method")) ? given.get("method") : "none";
  const tasks = CHOICES.tasks.includes(read("tasks")) ? read("tasks") : 2;
  const lam = given.has("lam") && read("lam") >= 0 && read("lam") <= 1e4 ? read("lam") : TUNED[method];
  const seed = Number.isInteger(read("seed")) && read("seed") >= 0 ? read("seed") : 0;
  return { method, lam, tasks, seed };
}

/** What just happened. */
function say({ task, step, matrix = [], series = [], over }, method, lam, guess) {
  if (!step) return "A new network, which knows nothing.";
  const now = (j) => percent(series[j].at(-1)?.[1] ?? 0, 0);
  if (!task && !over) return `Task 1: it learns to read digits, ${now(0)} of them by now.`;
  const learned = percent(matrix[0][0], 0);
  if (!over) return `Task ${task + 1}: the same digits, their pixels in another order. Task 1 was read to ${learned}; now ${now(0)}.`;
  const left = matrix.at(-1)[0], latest = matrix.at(-1).at(-1);
  const lost = matrix[0][0] - left, held = method === "none" ? "Nothing was held" : `Held with λ ${write(lam)}`;
  const fate = lost > 0.1 ? "it has forgotten" : latest < 0.75 ? "it remembers, and learned little that is new"
    : "it remembers, and learned what is new";
  const guessed = guess === null ? "" : ` You had guessed ${guess}%.`;
  return `${held}: task 1 went from ${learned} to ${percent(left, 0)}, the last task is at ${percent(latest, 0)}; ${fate}.${guessed}`;
}

begin(document.getElementById("playground"));
