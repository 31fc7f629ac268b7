// What the views that train have in common: buttons that ask the kernel, and what is said meanwhile.

import { button } from "./controls.js";
import { ask, make } from "./make.js";

/** Whether a run goes on. On a page without a kernel none does. */
export const trains = (model) =>
  !model.get("stored") && ["running", "stopping", "paused"].includes(model.get("doing"));

/** A button that asks the kernel for `what`, with the `settings` as they are on the page. */
export const asks = (model, text, what, { settings = [], ...how } = {}) =>
  button(text, () => ask(model, what, settings), how);

/** The line beneath the controls: what trains now, as `say` says; or that nothing can. */
export function note(model, say) {
  const el = make("p", { class: "cl-note" });
  const sync = () => {
    el.textContent = model.get("stored") ? "Runs need the notebook."
      : trains(model) ? `In training: ${say()}. What you choose now is for the next run.` : "";
  };
  return { el, sync };
}
