// What a notebook and the site call: `render` shows the view that the state names.

import { still } from "./lib/still.js";
import { change, make, put } from "./lib/make.js";
import look from "./lib/look.css";
import bowls from "./views/bowls.js";
import credit from "./views/credit.js";
import curvature from "./views/curvature.js";
import importance from "./views/importance.js";
import lab from "./views/lab.js";
import predict from "./views/predict.js";
import projection from "./views/projection.js";
import schedule from "./views/schedule.js";
import sweep from "./views/sweep.js";
import tradeoff from "./views/tradeoff.js";

const VIEWS = {
  bowls, credit, curvature, importance, lab, predict, projection, schedule, sweep, tradeoff,
};
const AFTER = 700; // ms without a change, after which the sentence is read out and the copy kept
const PATIENCE = 5000; // ms; while there are changes all the time, it is read out as often

/**
 * A view is a function of (model, el) that fills `el` once and returns `draw`: bring the page up to
 * date with the state at this width, and say in a sentence what is seen.
 */
function render({ model, el }) {
  dress();
  const root = make("div", { class: "cl" }), words = make("p", { class: "cl-words" });
  const aloud = make("div", { class: "cl-hidden", role: "status" });
  el.append(root);
  const draw = VIEWS[model.get("view")](model, root);
  const trouble = make("div", { role: "alert" });
  root.append(words, aloud, trouble);

  let frame = 0, quiet = 0, said = 0, width = 0;
  function show() {
    frame = 0;
    if (!width) return; // not in the page yet, or hidden
    put(words, draw(width));
    complain(trouble, model.get("trouble") ?? []);
    clearTimeout(quiet);
    quiet = setTimeout(settle, AFTER);
    if (said && performance.now() - said > PATIENCE) say();
  }
  function say() {
    if (said) aloud.textContent = words.textContent; // not what is there to begin with
    said = performance.now();
  }
  function settle() {
    say();
    if (model.get("doing") === "running") return; // the copy is made at the end: a run needs the processors
    const pictures = [...root.querySelectorAll("svg.cl-picture")], text = words.textContent;
    const now = pictures.length ? still(pictures, text) : "";
    if (model.get("words") !== text || model.get("still") !== now) {
      change(model, { still: now, words: text });
    }
  }
  const ask = () => { frame ||= requestAnimationFrame(show); };
  // It tells the width without a layout of the page, which to ask for one in a frame would cost.
  const size = new ResizeObserver(([entry]) => {
    width = entry.contentRect.width;
    ask();
  });
  size.observe(root);
  model.on("change", ask);

  // The copy for readers without a kernel is hidden while this view lives.
  const hide = make("style", {}, `.cl-still-${model.get("name")} { display: none; }`);
  document.head.append(hide);
  return () => {
    model.off("change", ask);
    size.disconnect();
    cancelAnimationFrame(frame);
    clearTimeout(quiet);
    hide.remove();
  };
}

/** What went wrong, line by line; the last one, where it was raised, on click. */
function complain(el, lines) {
  if (el.dataset.said === lines.join()) return;
  el.dataset.said = lines.join();
  const where = lines.at(-1);
  el.replaceChildren(...(lines.length ? [
    make("strong", {}, lines[0]),
    ...lines.slice(1, -1).map((line) => make("div", {}, `because of ${line}`)),
    make("details", {}, make("summary", {}, "where"), make("pre", {}, where)),
  ] : []));
}

function dress() {
  if (!document.getElementById("cl-look")) document.head.append(make("style", { id: "cl-look" }, look));
}

export default { render };
