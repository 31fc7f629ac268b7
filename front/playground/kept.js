// What a finished run leaves behind, in the form of the Lab's kept runs.

import { lam as write, whole } from "../lib/numbers.js";
import { nameOf, TUNED } from "./settings.js";

const mean = (values) => values.reduce((s, v) => s + v, 0) / values.length;

export function summary({ matrix, moved, of: { method, lam, seed, stored } }) {
  const last = matrix.at(-1), before = matrix.slice(0, -1);
  const fell = last.slice(0, -1).map((a, j) => Math.max(...before.slice(j).map((row) => row[j])) - a);
  const how = method in TUNED ? `, λ ${moved.length ? "moved to " : ""}${write(lam)}`
    : method === "er" ? `, ${whole(stored)} digits` : "";
  const label = `${nameOf(method)}${how}`;
  return {
    id: label, label, seed, matrix, differs: [], method: method === "none" ? "baseline" : method,
    averages: matrix.map((row) => mean(row.filter((a) => a !== null))),
    average: mean(last), forgetting: mean(fell),
  };
}

/** `runs` and one more, which takes the place of its like, also in the scenes that this one is of. */
export function withRun(runs, run) {
  const like = runs.find(({ id }) => id === run.id);
  return [...runs.filter((each) => each !== like), { ...run, scenes: [...run.scenes, ...(like?.scenes ?? [])] }];
}
