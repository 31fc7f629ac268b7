// The stage: the Lab in full screen for a hall, stepped through by a presenter's remote.

import { change, make, put } from "../../lib/make.js";
import { inPoints, percent } from "../../lib/numbers.js";
import { trains } from "../../lib/training.js";

const keysOf = (scenes) => "Space: run, pause · ← →: λ · Page down, up: next scene, the one before · " +
  `1–${scenes}: start a scene · Esc: leave`;

/** `does(what)` gives what a key does, `lam` is the slider that the arrows move, and `show` is told when a
 * scene is on the screen, before it is played. */
export function stage(model, el, does, lam, show = () => {}) {
  const open = make("button", { type: "button", onclick: () => enter(), title: "full screen, for a hall (key F)" }, "Stage");
  const title = make("h2"), says = make("p"), question = make("p");
  const guess = make("input", { type: "number", min: 0, max: 100, "aria-label": "the hall's guess, in %" });
  const hands = make("span", { class: "cl-hands", role: "group", "aria-label": "raised hands" });
  const record = make("button", { type: "button", onclick: () => note() }, "Record the guess");
  const answer = make("span", { role: "status" }), then = make("p", { role: "status" });
  const form = make("div", { class: "cl-row" }, question, guess, hands, record, answer);
  const help = make("p", { class: "cl-soft" });
  const section = make("div", { class: "cl-scene" }, title, says, form, then);
  const scene = () => model.get("scenes")[model.get("scene")];
  const playable = () => !model.get("stored") && model.get("scenes").length > 0;
  const staged = () => el.classList.contains("cl-stage");

  function enter() {
    el.classList.add("cl-stage");
    el.dataset.lmSuppressShortcuts = "true"; // all keys are ours, not JupyterLab's
    el.tabIndex = -1;
    el.focus();
    document.addEventListener("keydown", keys, true); // wherever the focus has gone
    if (model.get("scene") < 0) change(model, { scene: 0 });
    show();
    el.requestFullscreen?.().catch(() => {}); // where it is not allowed the page's width must do
  }
  function leave() {
    document.removeEventListener("keydown", keys, true);
    el.classList.remove("cl-stage");
    delete el.dataset.lmSuppressShortcuts;
    if (document.fullscreenElement === el) document.exitFullscreen();
    sync();
    window.dispatchEvent(new Event("resize"));
  }
  el.addEventListener("fullscreenchange", () => { if (!document.fullscreenElement) leave(); });
  const go = (i, play) => {
    if (!model.get("scenes")[i]) return;
    change(model, { scene: i });
    if (play) does("play")();
    else show();
  };
  const space = () => {
    if (model.get("doing") === "paused") does("resume")();
    else if (trains(model)) does("pause")();
    else does("play")();
  };
  el.addEventListener("keydown", (event) => {
    const taken = event.target.matches("input[type=number], select") || event.ctrlKey || event.metaKey;
    if (!staged() && event.key === "f" && !taken && playable()) enter();
  }, true);
  function keys(event) {
    if (event.target.matches("input[type=number], select")) {
      if (event.key === "Enter" && section.contains(event.target)) note();
      return;
    }
    const i = model.get("scene");
    const act = {
      " ": space, ArrowLeft: () => lam.move(-1), ArrowRight: () => lam.move(1), Escape: leave,
      PageDown: () => go(i + 1), PageUp: () => go(i - 1),
    }[event.key] ?? (/^[1-9]$/.test(event.key) ? () => go(Number(event.key) - 1, true) : null);
    if (!act || (event.key === " " && event.target.matches("button"))) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  function note() {
    const now = scene();
    const value = now.options.length
      ? Object.fromEntries([...hands.querySelectorAll("input")].map((input, i) => [now.options[i], input.valueAsNumber || 0]))
      : guess.valueAsNumber;
    if (typeof value === "number" && !(value >= 0 && value <= 100)) {
      answer.textContent = "Give a number from 0 to 100.";
      return;
    }
    change(model, { guesses: { ...model.get("guesses"), [model.get("scene")]: value } });
    el.focus(); // the button is off now, and keys would go nowhere
  }

  let shown = null;
  function sync() {
    section.hidden = help.hidden = !staged();
    open.hidden = staged() || !playable();
    const now = scene();
    put(help, keysOf(model.get("scenes").length));
    if (!now) return;
    if (now !== shown) {
      shown = now;
      title.textContent = `${model.get("scene") + 1}. ${now.title}`;
      says.textContent = now.say;
      question.textContent = now.ask;
      guess.hidden = now.options.length > 0;
      guess.value = "";
      hands.replaceChildren(...(now.options.length ? ["Raised hands:"] : []), ...now.options.map((name) => make("label", {}, name,
        make("input", { type: "number", min: 0, "aria-label": `hands for ${name}` }))));
      answer.textContent = "";
    }
    form.hidden = !now.ask;
    put(then, model.get("played") === model.get("scene") ? now.then : "");
    const made = model.get("guesses")[model.get("scene")];
    put(record, made === undefined ? "Record the guess" : "Change the guess");
    record.disabled = trains(model) || model.get("played") === model.get("scene");
    if (made !== undefined) answer.textContent = compare(now, made, model);
  }
  return { el: section, button: open, help, sync };
}

/** The hall's guess, and once the scene has been played what came of it. */
function compare(scene, guess, model) {
  const said = typeof guess === "number" ? `${guess}%`
    : Object.entries(guess).map(([name, hands]) => `${name} ${hands}`).join(", ");
  const { summary } = model.get("news"), at = model.get("scene");
  if (model.get("played") !== at || !summary) return `The hall's guess: ${said}.`;
  const last = summary.matrix.at(-1);
  const outcome = {
    average: () => percent(summary.average),
    first: () => percent(last[0]),
    forgetting: () => inPoints(summary.forgetting),
    best: () => {
      const runs = model.get("runs").filter((run) => run.scenes.includes(at)).sort((p, q) => q.average - p.average);
      return runs.map((run) => `${run.label}, ${percent(run.average)}`).join("; ");
    },
  }[scene.outcome]();
  return `The hall's guess: ${said}. The outcome: ${outcome}.`;
}
