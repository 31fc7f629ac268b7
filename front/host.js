// What a page loads. Without a kernel, each `.cl-still` carries the state that its view is drawn from,
// and what a reader changes stays in the page. A notebook takes `render` alone.

import views from "./views.js";

/** A model as anywidget's, of stored state: get, set, on, off, save_changes. */
export class Stored {
  #state;
  #listeners = new Map();
  #changed = new Set();

  constructor(state) { this.#state = { ...state }; }

  get(name) { return this.#state[name]; }

  set(name, value) {
    this.#state[name] = value;
    this.#changed.add(name);
    this.#tell(`change:${name}`);
    queueMicrotask(() => {
      if (this.#changed.size) this.#tell("change");
      this.#changed.clear();
    });
  }

  on(event, listener) {
    if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
    this.#listeners.get(event).add(listener);
  }

  off(event, listener) { this.#listeners.get(event)?.delete(listener); }

  save_changes() {} // there is no kernel to tell

  send() {}

  #tell(event) { this.#listeners.get(event)?.forEach((listener) => listener()); }
}

/** Puts a living view in the place of a stored one. */
export function mount(copy) {
  const model = new Stored({ ...JSON.parse(copy.dataset.state), stored: true });
  const el = document.createElement("div");
  el.addEventListener("keydown", (event) => event.stopPropagation()); // slides would turn on them
  copy.after(el);
  views.render({ model, el });
  return { model, el };
}

export function mountAll(root = document) {
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
