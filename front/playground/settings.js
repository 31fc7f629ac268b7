// What can be chosen, and how it stands in the address, so that a link opens the same thing elsewhere.

import { strengths } from "../lib/numbers.js";

export const METHODS = [
  ["nothing", "none", "The network trains on. No weight is held, and nothing is kept of old tasks."],
  ["L2", "l2", "A penalty holds every weight alike near its old value. Needs no labels."],
  ["EWC", "ewc", "Elastic weight consolidation: holds a weight near its old value, the more the right answers of the " +
    "old task depend on it. Needs the labels of a task when it ends."],
  ["MAS", "mas", "Memory aware synapses: holds a weight near its old value, the more any outputs for the old task " +
    "depend on it. Needs no labels."],
  ["SI", "si", "Synaptic intelligence: holds a weight near its old value, the more its way there made the error fall. " +
    "Needs the labels of a task while it trains."],
  ["replay", "er", "Holds no weight: keeps some old digits, with their labels, and trains on them again."],
];
export const STREAMS = [
  ["shuffled pixels", "permuted", "the same digits, their pixels in another order"],
  ["new digits", "split", "two of them; all so far compete"],
];
export const TUNED = { l2: 0.02, ewc: 50, mas: 0.1, si: 0.5 }; // the best of a few, of two to four tasks
export const CHOICES = {
  method: METHODS.map(([, name]) => name), stream: STREAMS.map(([, name]) => name), tasks: [2, 3, 4, 5, 6],
  lr: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05], memory: [10, 20, 50, 100, 200, 500],
};
export const USUAL = { method: "none", stream: "permuted", tasks: 2, lr: 0.005, memory: 100 };
export const most = (stream) => (stream === "split" ? 5 : 6); // tasks: ten digits, two each

export const tunedLam = (method) => TUNED[method] ?? 0;

/** What λ can be: off, or up to a thousand times more or less than the tuned one, and what it is now. */
export const lamStops = (method, lam) => strengths(lam).filter((value) =>
  value === 0 || value === lam || Math.abs(Math.log10(value / tunedLam(method))) <= 3);
export const aboutOf = (method) => METHODS.find(([, name]) => name === method)[2];
export const nameOf = (it) => [...METHODS, ...STREAMS].find(([, name]) => name === it)[0];

/** The settings of an address; what makes no sense there is left out. */
export function fromAddress(hash) {
  const given = new URLSearchParams(hash.slice(1)), read = (name) => Number(given.get(name) ?? NaN);
  const settings = Object.fromEntries(Object.entries(CHOICES).map(([name, choices]) => {
    const value = typeof choices[0] === "number" ? read(name) : given.get(name);
    return [name, choices.includes(value) ? value : USUAL[name]];
  }));
  settings.tasks = Math.min(settings.tasks, most(settings.stream));
  settings.lam = read("lam") >= 0 && read("lam") <= 1e4 ? read("lam") : tunedLam(settings.method);
  settings.seed = Number.isInteger(read("seed")) && read("seed") >= 0 ? read("seed") : 0;
  return settings;
}

/** The address of settings, without what is as usual. */
export function toAddress(settings) {
  const told = Object.entries(settings).filter(([name, value]) => !(
    value === USUAL[name] || (name === "seed" && !value) || (name === "lam" && !(settings.method in TUNED))));
  return `#${new URLSearchParams(told)}`;
}
