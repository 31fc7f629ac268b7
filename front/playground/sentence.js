// What just happened, in a sentence or two.

import { general, lam as write, mean, percent, whole } from "../lib/numbers.js";
import { movedTo } from "./kept.js";
import { nameOf, tunedLam } from "./settings.js";

/** `news` of a run, and the guess that was made before it. */
export function sentence(news, guess) {
  const { of, task, step, matrix = [], over } = news;
  if (!step) return "A new network, which knows nothing.";
  const split = of.stream === "split", now = percent(news.series[0].at(-1)?.[1] ?? 0, 0);
  const yet = { none: "", er: ", of which replay keeps some" }[of.method] ?? `, ${nameOf(of.method)} holds nothing yet`;
  if (!task) return `Task 1${yet}: it learns to read ${split ? "0 and 1" : "digits"}; ${now} are right by now.`;
  const learned = matrix[0][0];
  if (!over) {
    const next = split ? `now ${2 * task} and ${2 * task + 1}` : "the same digits, their pixels shuffled";
    return `Task ${task + 1}, ${how(news)}: ${next}. Task 1 was at ${percent(learned, 0)}, and is at ${now} now.`;
  }
  const last = matrix.at(-1), left = last[0], latest = last.at(-1), lost = learned - left;
  const kept = lost > 0.2 ? "it has forgotten" : lost > 0.1 ? "it has forgotten a part"
    : lost > 0.03 ? "it remembers most" : "it remembers";
  const learns = latest > learned - 0.1 ? "learned what is new"
    : latest > learned / 2 ? "learned the new task less well" : "learned little that is new";
  const joint = (lost > 0.1) === (latest > learned - 0.1) ? "but" : "and";
  return `${heading(news)}: task 1 went from ${percent(learned, 0)} to ${percent(left, 0)}, the last task is at ` +
    `${percent(latest, 0)}; ${kept}, ${joint} ${learns}.` +
    (last.length > 2 ? ` The ${last.length} tasks are at ${percent(mean(last))} on average.` : "") +
    (split && left < 0.2 && of.method !== "er" ? " The new digits win every answer: against that no hold on weights "
      + "helps; replay does." : "") + judged(guess, left);
}

function judged(guess, left) {
  if (guess === null) return "";
  const off = guess - Math.round(100 * left);
  return ` You had guessed ${guess}%${off ? `: ${general(Math.abs(off))} too ${off > 0 ? "high" : "low"}` : ", and that is it"}.`;
}

const holds = ({ moved, of: { method, lam } }) => tunedLam(method) && (lam || movedTo(moved, "lam"));
const strength = ({ moved, of: { lam } }) =>
  `λ ${movedTo(moved, "lam") ? "moved while it trained, at last " : ""}${write(lam)}`;

/** In training. */
function how(news) {
  const { method, stored, lam } = news.of;
  if (method === "er") return `with ${whole(stored)} old digits`;
  return holds(news) ? `held by ${nameOf(method)}, λ ${write(lam)}` : "nothing held";
}

/** Of a run that is over. */
function heading(news) {
  const { method, stored } = news.of, changed = movedTo(news.moved, "memory");
  if (method === "er") return `${whole(stored)} old digits were kept${changed ? " at last, after changes," : ""} and trained on again`;
  return holds(news) ? `Held by ${nameOf(method)}, ${strength(news)}` : "Nothing was held";
}
