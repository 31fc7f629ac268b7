// What a notebook and the site call: `render` shows the view that the state names.

import { still } from "./lib/still.js";
import { make } from "./lib/make.js";
import look from "./lib/look.css";
import bowls from "./views/bowls.js";

const VIEWS = { bowls };
const AFTER = 700; // ms without a change, after which the sentence is read out and the copy kept

/**
 * A view is a function of (model, el) that fills `el` once and returns `draw`: bring the page up to
 * date with the state, and say in a sentence what is seen.
 */
function render({ model, el }) {
  dress();
  const root = make("div", { class: "cl" }), words = make("p", { class: "cl-words" });
  const aloud = make("div", { class: "cl-hidden", role: "status" });
  el.append(root);
  const draw = VIEWS[model.get("view")](model, root);
  root.append(words, aloud);

  let frame = 0, quiet = 0, begun = false;
  function show() {
    frame = 0;
    if (!root.clientWidth) return; // not in the page yet, or hidden
    words.textContent = draw();
    clearTimeout(quiet);
    quiet = setTimeout(settle, AFTER);
  }
  function settle() {
    if (begun) aloud.textContent = words.textContent;
    begun = true;
    const svg = root.querySelector("svg.cl-picture");
    if (svg) change({ still: still(svg, words.textContent), words: words.textContent });
  }
  function change(values) {
    if (model.get("words") === values.words && model.get("still")) return;
    for (const [name, value] of Object.entries(values)) model.set(name, value);
    model.save_changes();
  }
  const ask = () => { frame ||= requestAnimationFrame(show); };
  const size = new ResizeObserver(ask);
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

function dress() {
  if (!document.getElementById("cl-look")) document.head.append(make("style", { id: "cl-look" }, look));
}

export default { render };
