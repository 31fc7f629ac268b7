// Runs: the worker and the address follow what is chosen, and the page follows the worker. A scene plays its
// runs one after the other.

import { change, valuesOf } from "../lib/make.js";
import { apart, summary, withRun } from "./kept.js";
import { SCENES } from "./scenes.js";
import { most, toAddress, tunedLam, USUAL } from "./settings.js";

/* global WORKER */ // its text, put here by build.js
const TASKS = ["stream", "tasks", "seed"], ANEW = ["method", ...TASKS]; // a change of ANEW begins anew
const LIVE = ["lam", "lr", "memory"];

/**
 * `model` has what is chosen, of which `asked` names the settings; `staged` says whether scenes are on, and `forget`
 * is called when a run is over.
 */
export function runner(model, asked, staged, forget) {
  const settings = () => valuesOf(model, Object.keys(asked));
  const worker = new Worker(URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" })));
  const set = (values) => Object.entries(values).forEach(([name, value]) => model.set(name, value));
  let last = asked, latest = 0; // number of the run: of one before, the worker may still tell
  let series = []; // of each task [step, accuracy, exact]: the worker tells what is new
  let playing = -1, waiting = [], moves = []; // a scene, its methods to come, its moves of λ to come

  function go(on) {
    worker.postMessage({ run: on });
    change(model, { doing: on ? "running" : "paused" });
  }
  function reset() {
    if (model.get("news").step) forget(); // else it was made for what begins now
    set({ news: {} });
    series = Array.from({ length: model.get("tasks") }, () => []);
    worker.postMessage({ reset: { ...settings(), number: ++latest } });
    change(model, { doing: "idle" });
  }
  function byHand() {
    [playing, waiting, moves] = [-1, [], []];
    set({ played: -1 });
  }
  function begin(values) {
    set({ lam: tunedLam(values.method), memory: USUAL.memory, lr: USUAL.lr, ...values });
    follow();
    reset();
  }
  function show() { // a scene before it is played
    if (playing === model.get("scene") && model.get("news").step) return;
    byHand();
    go(false);
    const { set: chosen, runs } = SCENES[model.get("scene")];
    begin({ ...chosen, method: runs[0] });
  }
  function play() {
    const at = model.get("scene"), scene = SCENES[at];
    [playing, waiting, moves] = [at, scene.runs.slice(1), [...scene.moves]];
    set({ played: -1, runs: model.get("runs").filter((run) => run.scenes.join() !== String(at)) });
    begin({ ...scene.set, method: scene.runs[0] });
    go(true);
  }

  /** Whether what was chosen since begins a new run. */
  function follow() {
    const now = settings(), changed = (name) => now[name] !== last[name];
    if (changed("method") && !changed("lam")) set({ lam: now.lam = tunedLam(now.method) });
    if (now.tasks > most(now.stream)) set({ tasks: now.tasks = most(now.stream) });
    if (TASKS.some(changed)) set({ runs: apart(model.get("runs"), now) });
    if (LIVE.some(changed)) worker.postMessage({ set: Object.fromEntries(LIVE.map((name) => [name, now[name]])) });
    if ([...ANEW, ...LIVE].some(changed)) history.replaceState(null, "", toAddress(now));
    const anew = ANEW.some(changed);
    last = now;
    return anew;
  }
  model.on("change", () => {
    if (!follow()) return;
    byHand();
    reset();
  });

  worker.onmessage = ({ data: { digits, weights, points, ...news } }) => {
    if (news.number !== latest) return;
    for (const [j, ...point] of points) series[j].push(point);
    set({ news: { ...news, series }, ...(digits && { digits }), ...(weights && { weights }) });
    while (moves.length && news.step >= moves[0][0] * news.ends[1]) set({ lam: moves.shift()[1] });
    if (news.over && model.get("doing") !== "done") ended(news);
  };
  function ended(news) {
    const done = { ...summary(news), scenes: [playing] };
    set({ hidden: model.get("hidden").filter((id) => id !== done.id) });
    set({ runs: withRun(model.get("runs"), done), news: { ...news, series, summary: done, label: done.label } });
    if (waiting.length) {
      begin({ method: waiting.shift() });
      go(true);
    } else change(model, { doing: "done", played: playing });
  }

  reset();
  return {
    show,
    acts: { play, pause: () => go(false), resume: () => go(true) },
    drawn: () => worker.postMessage({ drawn: true }),
    step: () => worker.postMessage({ steps: 1 }),
    reset,
    press() { // the button: run, pause, go on, run again
      if (model.get("doing") === "running") return go(false);
      if (staged() && model.get("doing") !== "paused") return play();
      if (model.get("doing") === "done") {
        byHand();
        reset();
      }
      return go(true);
    },
  };
}
