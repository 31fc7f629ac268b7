// What just happened, in a sentence.

import { lam as write, percent, whole } from "../lib/numbers.js";
import { nameOf } from "./settings.js";

/** `news` of a run, and the guess that was made before it. */
export function sentence(news, guess) {
  const { of, task, step, matrix = [], over } = news;
  if (!step) return "A new network, which knows nothing.";
  const split = of.stream === "split", now = percent(news.series[0].at(-1)?.[1] ?? 0, 0);
  if (!task) return `Task 1: it learns to read ${split ? "0 and 1" : "digits"}, ${now} of them by now.`;
  const learned = matrix[0][0];
  if (!over) {
    const next = split ? `now ${2 * task} and ${2 * task + 1}` : "the same digits, their pixels shuffled";
    return `Task ${task + 1}: ${next}. Task 1 was read to ${percent(learned, 0)}; now ${now}.`;
  }
  const left = matrix.at(-1)[0], latest = matrix.at(-1).at(-1), lost = learned - left;
  const kept = lost > 0.2 ? "it has forgotten" : lost > 0.1 ? "it has forgotten a part" : "it remembers";
  const learns = latest > learned - 0.1 ? "and learned what is new"
    : latest > learned / 2 ? "but learned the new task less well" : "but learned little that is new";
  return `${held(news)}: task 1 went from ${percent(learned, 0)} to ${percent(left, 0)}, ` +
    `the last task is at ${percent(latest, 0)}; ${kept}, ${learns}.` +
    (guess === null ? "" : ` You had guessed ${guess}%.`);
}

function held({ moved, of: { method, lam, stored } }) {
  if (method === "er") return `${whole(stored)} old digits were kept and trained on again`;
  if (method === "none" || !(lam || moved.length)) return "Nothing was held";
  return `Held by ${nameOf(method)}, λ ${moved.length ? "moved while it trained, at last " : ""}${write(lam)}`;
}
