// The playground: a network that trains in the page, forgets, and is held by λ.

import look from "../lib/look.css";
import { among, button, number, row, slider } from "../lib/controls.js";
import { change, make, put, valuesOf } from "../lib/make.js";
import { lam as write } from "../lib/numbers.js";
import { Stored } from "../lib/stored.js";
import { trains } from "../lib/training.js";
import { curves } from "../views/lab/curves.js";
import { forget } from "../views/lab/forget.js";
import { runs as ranking } from "../views/lab/runs.js";
import { stage } from "../views/lab/stage.js";
import { weights } from "../views/lab/weights.js";
import own from "./playground.css";
import { runner } from "./runner.js";
import { SCENES } from "./scenes.js";
import { sentence } from "./sentence.js";
import { aboutOf, CHOICES, fromAddress, lamStops, METHODS, most, nameOf, STREAMS, tunedLam } from "./settings.js";
import { share } from "./share.js";

// What was visited once is there without a network too; not where files are opened from a folder.
if (location.protocol.startsWith("http")) {
  navigator.serviceWorker?.register(new URL("../offline.js", document.currentScript.src));
}

function begin(el) {
  document.head.append(make("style", {}, look + own));
  const asked = fromAddress(location.hash);
  const model = new Stored({
    ...asked, news: {}, digits: [], weights: {}, runs: [], hidden: [], doing: "idle", guess: null,
    scenes: SCENES.map((scene) => ({ ...scene, options: scene.options.map(nameOf) })), scene: -1, guesses: {}, played: -1,
  });
  const runs = runner(model, asked, () => el.classList.contains("cl-stage"), () => {
    guess.value = "";
    model.set("guess", null);
  });

  const main = button("Run", runs.press, { main: true });
  const bar = row(main, button("Step", runs.step, {
    usable: () => ["idle", "paused"].includes(model.get("doing")),
  }), button("Reset", runs.reset));
  const lam = slider(model, "lam", { label: "λ", stops: () => lamStops(model.get("method"), model.get("lam")), write });
  const memory = slider(model, "memory", { label: "old digits kept, in all", stops: CHOICES.memory });
  const choices = row(
    among(model, "method", { label: "Method", options: METHODS }),
    among(model, "tasks", { label: "Tasks", options: CHOICES.tasks.map((n) => [String(n), n,
      n > most("split") && "with shuffled pixels only: ten digits make five tasks of two"]),
      usable: (n) => n <= most(model.get("stream")) }),
    among(model, "stream", { label: "A new task has", options: STREAMS }),
  );
  const more = row(
    slider(model, "lr", { label: "learning rate", stops: CHOICES.lr }),
    number(model, "seed", { label: "Seed", whole: true }),
  );
  const guess = make("input", { type: "number", min: 0, max: 100, step: "any", "aria-label": "your guess, in %",
    onchange: () => {
      change(model, { guess: guess.validity.valid && guess.value ? guess.valueAsNumber : null });
      ask();
    } });
  const noted = make("span", { role: "status" }, "%");
  const question = make("label", { class: "cl-choice" },
    make("span", {}, "Guess first: what will the accuracy on task 1 be at the end?"), guess, noted);
  const about = make("p", { class: "cl-soft" });
  const words = make("p", { class: "cl-now" }), aloud = make("div", { class: "cl-hidden", role: "status" });
  const theatre = stage(model, el, (what) => runs.acts[what], lam, runs.show), link = share();
  const chart = curves(model), digits = forget(model), table = ranking(model);
  const first = weights(model, "The first layer: a square of 8 × 8 for each unit, a dot for each weight");
  const heading = document.querySelector("h1") ? "h2" : "h1";
  el.className = "cl cl-lab";
  el.append(
    make("div", { class: "cl-keep" },
      make(heading, {}, "Watch a network forget"),
      make("p", {}, "It learns to read digits, then more tasks, one after another. What happens to what it " +
        "knew? Press Run. Then choose a method, and move its λ while it trains.")),
    make("div", { class: "cl-keep cl-choices" }, choices.el, about),
    make("div", { class: "cl-keep cl-question" }, make("div", { class: "cl-row" }, question)),
    make("div", { class: "cl-head" }, words, theatre.button), theatre.el,
    make("div", { class: "cl-controls" }, bar.el, make("div", { class: "cl-row" }, lam.el, memory.el)),
    make("div", { class: "cl-panels" }, chart.el, make("div", { class: "cl-beside" }, digits.el, first.el)),
    table.el,
    make("details", {}, make("summary", {}, "More settings"), more.el), link.el, theatre.help, aloud,
  );

  let frame = 0, spoken = "";
  function draw() {
    frame = 0;
    const { news, doing, method } = valuesOf(model, ["news", "doing", "method"]);
    for (const each of [bar, choices, more, lam, memory, theatre, link]) each.sync();
    for (const each of [chart, digits, first, table]) each.draw();
    put(main.el, { running: "Pause", done: "Run again" }[doing] ?? "Run");
    [lam.el.hidden, memory.el.hidden] = [!tunedLam(method), method !== "er"];
    el.classList.toggle("cl-ranked", !trains(model) && model.get("runs").filter((run) => !run.differs.length).length > 1);
    guess.disabled = (news.step ?? 0) > 0; // before it begins, or not at all
    put(noted, guess.validity.valid ? `%${model.get("guess") === null ? "" : ", noted"}` : "%: a number from 0 to 100");
    put(words, sentence(news, model.get("guess")));
    put(about, aboutOf(method) + (tunedLam(method)
      ? " λ says how strongly, on a scale of the method's own: too much, and new tasks are learned badly." : ""));
    const ended = news.over ? words.textContent : "";
    if (ended !== spoken) aloud.textContent = spoken = ended;
    runs.drawn();
  }

  const ask = () => { frame ||= requestAnimationFrame(draw); };
  model.on("change", ask);
  new ResizeObserver(ask).observe(el);
}

begin(document.getElementById("playground"));
