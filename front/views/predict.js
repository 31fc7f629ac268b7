// A guess: a number, one of several options, or their order; then the outcome beside it.

import * as Plot from "@observablehq/plot";
import { button, row, slider } from "../lib/controls.js";
import { change, make, set } from "../lib/make.js";
import { general } from "../lib/numbers.js";

const MISSING = { // as in cl_helpers/widgets/predict_widget.py
  number: "Move the slider first.",
  option: "Choose one first.",
  order: "Give each of them one place.",
};
const RECORDED = "Recorded. Now run on and see.";

export default function predict(model, el) {
  const [options, unit] = [model.get("options"), model.get("unit")];
  const kind = !options ? "number" : model.get("order") ? "order" : "option";
  const write = (value) => (kind === "number" ? `${general(value, 3)} ${unit}`.trim()
    : kind === "order" ? value.join(", then ") : value);
  const choose = (answer) => change(model, { answer, note: "" });
  const complete = (answer) => answer !== null && (kind !== "order" || answer.length === options.length);
  const isOpen = () => model.get("guess") === null && model.get("outcome") === null;

  const input = { number, option, order }[kind](model, { options, write, choose });
  const controls = row(
    button("Record my guess", () => {
      const answer = model.get("answer");
      change(model, complete(answer) ? { guess: answer, note: "" } : { note: MISSING[kind] });
    }),
    button("Guess again", () => change(model, { answer: null, guess: null, outcome: null, note: "" }),
      { title: "forget the guess and its outcome" }),
  );
  const [record, again] = controls.el.children;
  record.className = "cl-main";
  const result = make("div");
  el.append(make("strong", {}, model.get("question")), input.el, result, controls.el);
  if (!model.get("seen")) change(model, { seen: true });

  return function draw(width) {
    const [guess, outcome] = [model.get("guess"), model.get("outcome")];
    input.sync(isOpen(), guess ?? model.get("answer"));
    input.el.hidden = outcome !== null;
    record.hidden = !isOpen();
    again.hidden = isOpen() || Boolean(model.get("stored") && guess === null);
    result.replaceChildren(...(outcome === null ? []
      : kind === "number" ? [numberLine(model, write, width)]
      : kind === "order" ? [places(guess, outcome)] : []));
    return [model.get("note"), say()].filter(Boolean).join(" ");

    function say() {
      if (outcome === null) return guess === null ? "Guess before you read on." : RECORDED;
      const out = `What came out: ${write(outcome)}.`;
      if (guess === null) {
        // On the site nobody could have guessed here.
        return model.get("stored") ? out : `${out} No guess was recorded, and none can be now.`;
      }
      const told = `${out} Your guess: ${write(guess)}.`;
      if (kind === "number") {
        return `${told} They are ${write(Math.abs(outcome - guess)).replace(/%$/, "percentage points")} apart.`;
      }
      if (kind === "option") return guess === outcome ? `${told} You were right.` : told;
      const right = guess.filter((each, i) => each === outcome[i]).length;
      return `${told} ${right} of ${outcome.length} are in their place.`;
    }
  };
}

// Each kind of input is { el, sync(open, answer) }; it has no answer until it is touched.

function number(model, { write, choose }) {
  const [least, most] = [model.get("least"), model.get("most")];
  const stops = Array.from({ length: 101 }, (_, i) => Number((least + (i * (most - least)) / 100).toPrecision(12)));
  const shown = {
    get: () => model.get("guess") ?? model.get("answer"),
    set: (_, answer) => choose(answer),
    save_changes() {},
  };
  const control = slider(shown, "answer", {
    label: "Your guess", stops, write: (value) => (value === null ? "–" : write(value)),
  });
  const range = control.el.querySelector("input");
  const take = () => choose(stops[range.valueAsNumber]);
  range.onpointerup = take; // a touch that leaves it where it is is a guess too
  range.onkeyup = (event) => { if (/^(Arrow|Home|End|Page)/.test(event.key)) take(); };
  const sync = (open, answer) => {
    control.sync();
    range.disabled = !open;
    control.el.classList.toggle("cl-untouched", answer === null);
  };
  return { el: make("div", { class: "cl-row cl-guess" }, control.el), sync };
}

function option(model, { options, choose }) {
  const group = `cl-option-${Math.random().toString(36).slice(2)}`;
  const inputs = options.map((each) => make("input", {
    type: "radio", name: group, onchange: () => choose(each), "data-lm-suppress-shortcuts": "true",
  }));
  const el = make("div", { class: "cl-options", role: "radiogroup", "aria-label": "Your guess" },
    options.map((each, i) => make("label", {}, inputs[i], make("span", {}, each))));
  const sync = (open, answer) => inputs.forEach((each, i) => {
    each.checked = options[i] === answer;
    each.disabled = !open;
  });
  return { el, sync };
}

/** Pressed one after the other they get their places; a second press takes one out. */
function order(model, { options, choose }) {
  const list = make("div", { class: "cl-options", role: "group", "aria-label": "Your guess, best first" });
  const hint = make("div", { class: "cl-hint" }, "Press the first, then the second, … Arrow keys move one up or down.");
  const placed = () => model.get("guess") ?? model.get("answer") ?? [];
  const items = options.map((each) => make("button", {
    type: "button", "data-lm-suppress-shortcuts": "true",
    onclick: () => {
      const now = placed();
      choose(now.includes(each) ? now.filter((other) => other !== each) : [...now, each]);
    },
    onkeydown: (event) => {
      const now = [...placed()], at = now.indexOf(each);
      const to = at + ({ ArrowUp: -1, ArrowDown: 1 }[event.key] ?? 0);
      if (to === at || at < 0) return;
      event.preventDefault();
      if (to < 0 || to >= now.length) return;
      [now[at], now[to]] = [now[to], now[at]];
      choose(now);
    },
  }));
  const sync = (open) => {
    const now = placed(), focused = document.activeElement;
    const place = (i) => (now.includes(options[i]) ? now.indexOf(options[i]) : options.length + i);
    items.forEach((item, i) => {
      const at = now.indexOf(options[i]);
      item.textContent = `${at < 0 ? "–" : `${at + 1}.`} ${options[i]}`;
      item.setAttribute("aria-label", `${options[i]}: ${at < 0 ? "no place" : `place ${at + 1}`}`);
      item.classList.toggle("cl-placed", at >= 0);
      item.disabled = !open;
    });
    const sorted = options.map((_, i) => i).sort((p, q) => place(p) - place(q)).map((i) => items[i]);
    if (sorted.some((item, i) => list.children[i] !== item)) {
      list.replaceChildren(...sorted);
      if (list.contains(focused)) focused.focus();
    }
    hint.hidden = !open;
  };
  return { el: make("div", {}, list, hint), sync };
}

/** Guess and outcome where they lie; the outcome may lie beyond what could be guessed. */
function numberLine(model, write, width) {
  const [guess, outcome] = [model.get("guess"), model.get("outcome")];
  const least = Math.min(model.get("least"), outcome), most = Math.max(model.get("most"), outcome);
  const side = (v) => (v < least + 0.3 * (most - least) ? "start"
    : v > most - 0.3 * (most - least) ? "end" : "middle");
  const marks = [["your guess", guess, "circle", "var(--cl-1)", -20],
    ["outcome", outcome, "diamond2", "var(--cl-2)", 20]].filter(([, value]) => value !== null);
  const figure = Plot.plot({
    width: Math.min(width, 620), height: 110, marginLeft: 16, marginRight: 16, marginBottom: 30,
    x: { domain: [least, most], label: null, ticks: 5 }, y: { domain: [-1, 1], axis: null },
    marks: [
      Plot.ruleY([0], { stroke: "var(--cl-soft)" }),
      ...marks.flatMap(([name, value, symbol, colour, dy]) => [
        Plot.dot([value], { x: value, y: 0, symbol, r: 8, fill: colour, stroke: "var(--cl-paper)" }),
        Plot.text([`${name} ${write(value)}`], {
          x: value, y: 0, dy, textAnchor: side(value), fill: colour, fontSize: 13, fontWeight: 600,
        }),
      ]),
    ],
  });
  figure.classList.add("cl-picture");
  set(figure, { role: "img", "aria-label": marks.map(([name, value]) => `${name} ${write(value)}`).join(", ") });
  return figure;
}

function places(guess, outcome) {
  const cell = (text, i) => make(i ? "td" : "th", {}, text);
  const head = ["place", ...(guess ? ["your guess"] : []), "what came out"];
  return make("table", { class: "cl-table" }, make("tr", {}, head.map((text) => make("th", {}, text))),
    outcome.map((each, i) => make("tr", {},
      [`${i + 1}`, ...(guess ? [`${guess[i]}${guess[i] === each ? " ✓" : ""}`] : []), each].map(cell))));
}
