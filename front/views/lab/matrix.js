// The accuracy matrix: row t after task t, column j on task j, filled in row by row.

import { make } from "../../lib/make.js";
import { fixed } from "../../lib/numbers.js";

export function matrix(model) {
  const table = make("table", { class: "cl-matrix" });
  const el = make("details", {}, make("summary", {}, "Accuracy matrix, in %"), table);
  let drawn = null;

  function draw() {
    const { matrix: rows = [], n_tasks: n } = model.get("news");
    el.hidden = !rows.length;
    const state = JSON.stringify(rows);
    if (state === drawn) return;
    drawn = state;
    const tasks = Array.from({ length: n ?? 0 }, (_, j) => j);
    table.replaceChildren(
      make("thead", {}, make("tr", {}, make("th", {}, ""), tasks.map((j) => make("th", { scope: "col" }, `task ${j + 1}`)))),
      make("tbody", {}, rows.map((row, t) => make("tr", {}, make("th", { scope: "row" }, `after task ${t + 1}`),
        tasks.map((j) => (j <= t && row[j] !== null
          ? make("td", { style: `--cl-part: ${Math.round(60 * row[j])}%` }, fixed(100 * row[j], 1))
          : make("td")))))));
  }
  return { el, draw };
}
