// What just happened, in a sentence.

import { lam as write, percent, whole } from "../lib/numbers.js";
import { nameOf, TUNED } from "./settings.js";

/** `news` of a run with these settings, and the guess that was made before it. */
export function sentence(news, settings, guess) {
  const { task, step, matrix = [], over } = news, split = settings.stream === "split";
  if (!step) return "A new network, which knows nothing.";
  const now = percent(news.series[0].at(-1)?.[1] ?? 0, 0);
  if (!task) return `Task 1: it learns to read ${split ? "0 and 1" : "digits"}, ${now} of them by now.`;
  const learned = percent(matrix[0][0], 0);
  if (!over) {
    const next = split ? `now ${2 * task} and ${2 * task + 1}` : "the same digits, their pixels in another order";
    return `Task ${task + 1}: ${next}. Task 1 was read to ${learned}; now ${now}.`;
  }
  const left = matrix.at(-1)[0], latest = matrix.at(-1).at(-1), lost = matrix[0][0] - left;
  const fate = lost > 0.2 ? "it has forgotten" : lost > 0.1 ? "it has forgotten a part"
    : latest < 0.75 ? "it remembers, and learned little that is new"
    : "it remembers, and learned what is new";
  const guessed = guess === null ? "" : ` You had guessed ${guess}%.`;
  return `${held(news, settings)}: task 1 went from ${learned} to ${percent(left, 0)}, ` +
    `the last task is at ${percent(latest, 0)}; ${fate}.${guessed}`;
}

function held({ moved, stored }, { method, lam }) {
  if (method === "er") return `${whole(stored)} digits of all tasks were kept and trained on again`;
  if (!(method in TUNED) || !lam) return "Nothing was held";
  return `Held by ${nameOf(method)}, λ ${moved.length ? "moved while it trained, at last " : ""}${write(lam)}`;
}
