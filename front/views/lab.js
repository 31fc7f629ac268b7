// The Lab. Its first line is always true: it names what is training. λ acts on that; everything else
// acts on the next run, and stands under these words.

import { button, choice, named, number, row, slider } from "../lib/controls.js";
import { ask, make, put } from "../lib/make.js";
import { duration, inPoints, lam as write, percent, strengths, whole } from "../lib/numbers.js";
import { trains } from "../lib/training.js";
import { curves } from "./lab/curves.js";
import { forget } from "./lab/forget.js";
import { keepFiles } from "./lab/files.js";
import { matrix } from "./lab/matrix.js";
import { runs } from "./lab/runs.js";
import { stage } from "./lab/stage.js";
import { weights } from "./lab/weights.js";

const SETTINGS = ["method", "preset", "stream", "scenario", "seed", "epochs", "lr", "optimizer", "dropout",
  "lam", "scene"];
const STREAMS = ["permuted", "rotated", "split"];
const SCENARIOS = [["Domain-IL", "domain"], ["Task-IL", "task"], ["Class-IL", "class"]];

export default function lab(model, el) {
  const does = (what) => () => ask(model, what, SETTINGS);
  const news = () => model.get("news"), doing = () => model.get("doing");
  const stored = () => model.get("stored"); // a page without a kernel: nothing can be trained

  const now = make("p", { class: "cl-now" }), left = make("progress", { max: 1, "aria-label": "done" });
  const pause = button("Pause", () => does(doing() === "paused" ? "resume" : "pause")(), {
    usable: () => trains(model) && doing() !== "stopping",
  });
  const buttons = row(
    button("Run", does("start"), { main: true }), pause,
    button("Stop", does("stop"), { usable: () => trains(model) && doing() !== "stopping" }),
    left,
  );
  const strength = slider(model, "lam", {
    label: "λ", stops: () => strengths(model.get("lam")), write, usable: () => actsNow() !== null,
  });
  const actsNow = () => (trains(model) ? news().lam : model.get("next_lam"));
  const hint = make("span", { class: "cl-soft" });
  const controls = make("div", { class: "cl-controls" }, buttons.el,
    make("div", { class: "cl-row" }, strength.el, hint));

  const next = row(
    choice(model, "method", { label: "Method", options: () => model.get("offered") }),
    choice(model, "preset", { label: "Preset", options: named(["quick", "class", "full"]) }),
    number(model, "seed", { label: "Seed", whole: true }),
  );
  const more = row(
    choice(model, "stream", { label: "Stream", options: named(STREAMS) }),
    choice(model, "scenario", { label: "Scenario", options: SCENARIOS }),
    number(model, "epochs", { label: "Epochs", whole: true, least: 1 }),
    number(model, "lr", { label: "Learning rate" }),
    choice(model, "optimizer", { label: "Optimiser", options: named(["adam", "sgd"]) }),
    choice(model, "dropout", { label: "Dropout", options: named([0, 0.1, 0.25, 0.5]) }),
  );
  const nextSays = make("p", { class: "cl-soft" });
  const legend = make("legend", {}, "Next run");
  const settings = make("fieldset", { class: "cl-next" }, legend, next.el,
    make("details", {}, make("summary", {}, "More settings"), more.el), nextSays);

  // Where a small network trains in the page, if this page says so: the site does.
  const playground = make("a", {}, "A small network that trains right in the page: the playground");
  const recipe = make("pre", { hidden: true });
  const files = keepFiles(model, el);
  const keep = row(
    button("Keep", does("keep"), { usable: () => !trains(model) && news().summary?.average != null }),
    button("Clear", does("clear"), { usable: () => model.get("runs").length > 0 }),
    button("Show code", () => { recipe.hidden = !recipe.hidden; }, {
      usable: () => Boolean(model.get("recipe")) }),
    ...files,
  );
  const theatre = stage(model, el, does, strength);
  const parts = [curves(model), forget(model), weights(model), runs(model), matrix(model)];
  const [chart, digits, held, table, cells] = parts;
  el.classList.add("cl-lab");
  el.append(
    make("div", { class: "cl-head" }, now, theatre.button), theatre.el,
    playground, controls,
    make("div", { class: "cl-panels" }, chart.el, make("div", { class: "cl-beside" }, digits.el, held.el)),
    settings, keep.el, recipe, table.el, cells.el, theatre.help,
  );
  keep.el.classList.add("cl-keep");
  const [keeps, clears] = keep.el.children;

  return function draw() {
    for (const each of [buttons, strength, next, more, keep, theatre]) each.sync();
    for (const each of [controls, settings, keeps, clears]) each.hidden = stored();
    put(now, line(model));
    playground.hidden = !(stored() && globalThis.clPlayground);
    if (!playground.hidden) playground.href = globalThis.clPlayground;
    left.value = news().n_steps ? news().step / news().n_steps : 0;
    put(pause.el, doing() === "paused" ? "Resume" : "Pause");
    put(hint, actsNow() === null ? `${news().label ?? "it"} has no λ`
      : trains(model) ? "acts at once, on the run in training" : "of the next run");
    put(legend, trains(model) ? "Next run: these act when you press Run again" : "Next run");
    const text = model.get("next_lam");
    put(nextSays, `${labelOf(model)}${text === null ? "" : ` · λ ${write(text)}`} · ` +
      `${model.get("preset")} · seed ${model.get("seed")}`);
    put(recipe, model.get("recipe"));
    el.classList.toggle("cl-ranked", !trains(model) && model.get("runs").some((run) => !run.differs.length));
    for (const part of parts) part.draw();
    return say(news());
  };
}

const labelOf = (model) => model.get("offered")
  .find(([, name]) => name === model.get("method"))?.[0] ?? model.get("method");

/** What is training, or was: method, λ, preset, seed, task, step, what is left. */
function line(model) {
  const n = model.get("news"), reason = model.get("reason");
  if (!n.label && model.get("stored")) return "Nothing has been trained here. Runs need the notebook.";
  if (!n.label) return "Nothing has been trained yet. Press Run; λ can be moved while it trains.";
  const usual = n.stream === "permuted" && n.scenario === "domain";
  const what = [n.label, n.lam == null ? "" : `λ ${write(n.lam)}`, n.preset,
    usual ? "" : `${n.stream}, ${SCENARIOS.find(([, scenario]) => scenario === n.scenario)[0]}`,
    `seed ${n.seed}`].filter(Boolean).join(" · ");
  const place = n.step === undefined ? ""
    : `task ${n.task + 1} of ${n.n_tasks}, step ${whole(n.step)} of ${whole(n.n_steps)}`;
  const ends = {
    running: place ? `${place}${n.left == null ? "" : ` · ${duration(n.left)} left`}` : "starting",
    stopping: `stopping at ${place}`,
    paused: `paused at ${place}`,
    done: n.diverged ? n.outcome : `done in ${duration(n.seconds ?? 0)}`,
    failed: `failed${place ? ` at ${place}` : ""}`,
    stopped: `ended early: ${reason}${place ? `, at ${place}` : ""}`,
  };
  return `${what} · ${ends[model.get("doing")] ?? place}`;
}

/** The curves in words. */
function say(n) {
  if (!n.series) return "No curve yet.";
  const latest = n.series.map((points) => points.at(-1)?.[1]).filter((a) => a !== undefined);
  if (!latest.length) return "No curve yet.";
  const on = latest.map((a) => percent(a, 0)).join(", ");
  const tasks = latest.length > 1 ? `tasks 1 to ${latest.length}` : "task 1";
  const metrics = n.average == null ? "" : ` After the last finished task: average ` +
    `${percent(n.average)}${n.forgetting == null ? "" : `, forgetting ${inPoints(n.forgetting)}`}.`;
  return `Accuracy on ${tasks} now: ${on}.${metrics}`;
}
