// State without a kernel.

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
