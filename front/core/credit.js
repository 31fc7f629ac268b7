// The path integral of SI along gradient descent on a bowl of two weights.

import { hessian, loss, minus, plus, times } from "./quadratic.js";

/**
 * Steps of gradient descent from `start` until `time` is over, n of them.
 * @returns n + 1 of { theta, credit, exact, fall }: ω as SI computes it, −g_i Δθ_i with the gradient
 *   before each step; ω exactly, with the mean gradient of before and after; the fall of the loss.
 */
export function descent(bowl, start, lr, time) {
  const h = hessian(bowl), gradient = (theta) => times(h, minus(theta, bowl.at));
  const rows = [{ theta: start, credit: [0, 0], exact: [0, 0], fall: 0 }];
  for (let i = Math.round(time / lr); i > 0; i--) {
    const { theta, credit, exact } = rows.at(-1), g = gradient(theta);
    const step = g.map((v) => -lr * v), next = plus(theta, step), after = gradient(next);
    rows.push({
      theta: next,
      credit: credit.map((v, k) => v - g[k] * step[k]),
      exact: exact.map((v, k) => v - ((g[k] + after[k]) / 2) * step[k]),
      fall: loss(bowl, start) - loss(bowl, next),
    });
  }
  return rows;
}
