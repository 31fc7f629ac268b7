// The quiz as a page. Every tick is sent to the kernel and counts as saved when the kernel says so.
// What is not saved yet is kept in this browser too, and sent again when the cell is run again.

const PATIENCE = 3000; // ms without an answer until we say so

function make(name, attributes = {}, ...children) {
  const element = Object.assign(document.createElement(name), attributes);
  element.append(...children);
  return element;
}

// `code` between backticks; everything else is text and nothing but text.
const prose = (text) =>
  make("span", {}, ...text.split("`").map((part, i) => (i % 2 ? make("code", {}, part) : part)));

function kept(key) {
  try { return JSON.parse(localStorage.getItem(key)) ?? {}; } catch { return {}; }
}

function keep(key, pending) {
  try {
    if (pending.size) localStorage.setItem(key, JSON.stringify(Object.fromEntries(pending)));
    else localStorage.removeItem(key);
  } catch { /* a browser that keeps nothing still saves through the kernel */ }
}

function render({ model, el }) {
  const view = crypto.randomUUID?.() ?? String(Math.random());
  const key = `cl-quiz/${model.get("sheet")}`;
  const pending = new Map(); // question -> { n, options, was, at }: not saved yet
  const cards = new Map(); // question -> { boxes, state }
  const chips = []; // a button a section, with the questions that it counts
  let n = 0, watch = 0;

  el.classList.add("cl-quiz", "cl-live");
  el.lang = model.get("language");
  const line = make("p", { className: "cl-quiz-line" });
  line.setAttribute("role", "status");
  const alarm = make("p", { className: "cl-quiz-alarm", hidden: true });
  alarm.setAttribute("role", "alert");
  const nav = make("nav", { ariaLabel: "Sections" });
  const due = make("p", { className: "cl-quiz-due" });
  el.append(make("header", {}, line, due, nav, alarm));

  const chosen = (question) => model.get("chosen")[question] ?? [];
  const ticked = ({ boxes }) => boxes.filter((box) => box.checked).map((box) => box.value);

  for (const { title: name, questions } of model.get("sections")) {
    const title = make("h3", { tabIndex: -1 }, name);
    const chip = make("button", { type: "button" });
    chip.addEventListener("click", () => {
      title.scrollIntoView({ block: "start" });
      title.focus({ preventScroll: true });
    });
    chips.push({ chip, name, ids: questions.map(({ id }) => id) });
    nav.append(chip);
    el.append(title);
    for (const { id, stem, options, number } of questions) {
      const state = make("small", {});
      const boxes = options.map((option) => make("input", { type: "checkbox", value: option.id }));
      const card = make("fieldset", {},
        make("legend", {}, make("b", {}, `${number}. `), prose(stem)),
        ...options.map((option, i) => make("label", {}, boxes[i], prose(option.text))),
        make("footer", {}, make("code", {}, id), state));
      card.addEventListener("change", () => tick(id));
      cards.set(id, { boxes, state });
      el.append(card);
    }
  }

  // Whatever has the focus: its keys are ours, not JupyterLab's.
  for (const each of el.querySelectorAll("input, button, h3"))
    each.dataset.lmSuppressShortcuts = "true";

  function tick(question) {
    const was = pending.get(question)?.was ?? chosen(question);
    wait(question, { options: ticked(cards.get(question)), was }, false);
    draw();
  }

  function wait(question, change, again) {
    pending.set(question, { n: ++n, at: Date.now(), ...change });
    try {
      model.send({ view, question, again, ...pending.get(question) });
    } catch { /* no kernel: the alarm says so */ }
    clearTimeout(watch);
    watch = setTimeout(draw, PATIENCE + 50);
  }

  function draw() {
    // Saved comes in one message with the answers: a message of its own would overtake them.
    for (const [question, at] of Object.entries(model.get("saved")[view] ?? {}))
      if (pending.get(question)?.n <= at) pending.delete(question);
    keep(key, pending);
    const late = [...pending].filter(([, { at }]) => Date.now() - at > PATIENCE).map(([q]) => q);
    for (const [question, card] of cards) {
      const options = pending.get(question)?.options ?? chosen(question);
      for (const box of card.boxes) box.checked = options.includes(box.value);
      card.state.textContent = late.includes(question) ? "NOT SAVED: run this cell again"
        : pending.has(question) ? "saving …" : options.length ? "saved" : "not answered";
      card.state.classList.toggle("cl-quiz-lost", late.includes(question));
    }
    for (const { chip, name, ids } of chips) {
      const done = ids.filter((id) => chosen(id).length).length;
      chip.textContent = `${name} ${done}/${ids.length}`;
      chip.classList.toggle("cl-quiz-done", done === ids.length);
    }
    line.textContent = model.get("line");
    due.textContent = model.get("due");
    due.hidden = !model.get("due");
    const trouble = model.get("trouble");
    alarm.hidden = !late.length && !trouble;
    alarm.textContent = !late.length ? trouble
      : `NOT SAVED: ${late.join(", ")}. The kernel does not answer. If a cell is running, wait for ` +
        "its end. If the kernel was restarted, run this cell again: what you ticked meanwhile is " +
        "kept in this browser, and saved then.";
  }

  const changes = "change:chosen change:saved change:line change:due change:trouble";
  const changed = () => draw();
  model.on(changes, changed);
  for (const [question, { options, was }] of Object.entries(kept(key)))
    if (cards.has(question)) wait(question, { options, was }, true);
  draw();
  return () => {
    clearTimeout(watch);
    model.off(changes, changed);
  };
}

export default { render };
