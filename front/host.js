// What a page loads. Without a kernel, each `.cl-still` carries the state that its view is drawn from,
// and what a reader changes stays in the page. A notebook takes `render` alone.

import { Stored } from "./lib/stored.js";
import views from "./views.js";

/** Puts a living view in the place of a stored one. */
function mount(copy) {
  const model = new Stored({ ...JSON.parse(copy.dataset.state), stored: true });
  const el = document.createElement("div");
  el.addEventListener("keydown", (event) => event.stopPropagation()); // slides would turn on them
  copy.after(el);
  views.render({ model, el });
  return { model, el };
}

function mountAll(root = document) {
  return [...root.querySelectorAll(".cl-still[data-state]")].flatMap((copy) => {
    try {
      return [mount(copy)];
    } catch (error) {
      console.error(error); // the copy stays as it is, and the others live
      return [];
    }
  });
}

export default views;

if (document.currentScript) { // null in a module, as which a notebook loads this
  addEventListener("DOMContentLoaded", () => { globalThis.clMounted = mountAll(); });
}
