// What finished runs leave behind, in the form of the Lab's kept runs.

import { general, lam as write, mean, whole } from "../lib/numbers.js";
import { nameOf, TUNED, USUAL } from "./settings.js";

/** Whether a setting was changed while it trained; `moved` has [step, value, name]. */
export const movedTo = (moved, name) => moved.some(([, , what]) => what === name);

export function summary({ matrix, moved, of: { method, lam, seed, stored, stream, lr } }) {
  const last = matrix.at(-1), before = matrix.slice(0, -1), tasks = last.length;
  const fell = last.slice(0, -1).map((a, j) => Math.max(...before.slice(j).map((row) => row[j])) - a);
  const to = (name) => (movedTo(moved, name) ? "moved to " : "");
  const how = method in TUNED ? `, λ ${to("lam")}${write(lam)}`
    : method === "er" ? `, ${to("memory")}${whole(stored)} digits` : "";
  const rate = lr === USUAL.lr && !to("lr") ? "" : `, learning rate ${to("lr")}${general(lr)}`;
  const label = `${nameOf(method)}${how}${rate}`;
  return {
    id: [label, stream, tasks, seed].join(), label, seed, matrix, stream, tasks, differs: [],
    method: method === "none" ? "baseline" : method,
    averages: matrix.map((row) => mean(row.filter((a) => a !== null))),
    average: mean(last), forgetting: mean(fell),
  };
}

/** `runs` as they compare with the one that is chosen now: those of other tasks are set apart. */
export function apart(runs, { stream, tasks, seed }) {
  return runs.map((run) => ({ ...run, differs: [
    ...(run.stream === stream ? [] : [nameOf(run.stream)]),
    ...(run.tasks === tasks ? [] : [`${run.tasks} tasks`]),
    ...(run.seed === seed ? [] : [`seed ${run.seed}`]),
  ] }));
}

/** `runs` and one more, which takes the place of its like, also in the scenes that this one is of. */
export function withRun(runs, run) {
  const like = runs.find(({ id }) => id === run.id);
  return [...runs.filter((each) => each !== like), { ...run, scenes: [...run.scenes, ...(like?.scenes ?? [])] }];
}
