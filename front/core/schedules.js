// The learning rate within a task, as in cl_helpers/training/schedules.py: a factor of lr at each step.

export const SCHEDULES = ["constant", "step", "exponential", "cosine", "one-cycle"];
const FINAL = 0.01; // lr_final where it has no part, `Settings.lr_final`
const [PLATEAUS, CLIMB, BOTTOM] = [3, 0.3, 1 / 25];

const cosine = (u, final) => final + ((1 - final) * (1 + Math.cos(Math.PI * u))) / 2;
const curves = {
  constant: () => 1,
  step: (u, final) => final ** (Math.min(Math.floor(PLATEAUS * u), PLATEAUS - 1) / (PLATEAUS - 1)),
  exponential: (u, final) => final ** u,
  cosine,
  "one-cycle": (u, final, n) => (u < CLIMB && n > 2
    ? cosine(1 - u / CLIMB, BOTTOM)
    : cosine(n > 2 ? (u - CLIMB) / (1 - CLIMB) : u, final)),
};

/** The factor at each of `n` steps. */
export function factors(schedule, n, warmUp, final) {
  const warm = Math.min(even(warmUp * n), n - 1), left = n - warm, step = left > 1 ? 1 / (left - 1) : 0;
  const u = (i) => (i < Math.floor(left / 2) || left === 1 ? i * step : 1 - (left - 1 - i) * step);
  return Array.from({ length: n }, (_, i) => (i < warm
    ? (i + 1) / (warm + 1)
    : curves[schedule](u(i - warm), final, left)));
}

/** What of { schedule, lr, lr_final, warm_up } has a part in the schedule; the rest at its default. */
export const suited = (how) => ({
  ...how,
  lr_final: how.schedule === "constant" ? FINAL : how.lr_final,
  warm_up: how.schedule === "one-cycle" ? 0 : how.warm_up,
});

/** Rounded as Python does: a half to the even neighbour. */
const even = (x) => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
