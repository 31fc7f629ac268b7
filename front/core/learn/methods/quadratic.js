// Base of the methods that hold weights: L + λ · ½ Σ Ω (θ − θ*)². They differ in Ω, which each computes
// at the end of a task. Ω is summed over the tasks, θ* is where the last one ended.

import { None } from "./none.js";

export class Quadratic extends None {
  constructor({ lam }) {
    super();
    Object.assign(this, { lam, omega: null, star: null });
  }

  afterBackward({ theta }, g) {
    if (!this.omega) return;
    for (let i = 0; i < theta.length; i++) g[i] += this.lam * this.omega[i] * (theta[i] - this.star[i]);
  }

  endTask(net, examples) {
    const omega = this.importanceOf(net, examples), before = this.omega;
    this.omega = before ? omega.map((v, i) => v + before[i]) : omega;
    this.star = net.theta.slice();
  }
}

/** The mean over examples of size(∂s/∂θ), one example at a time; s has `delta` in the logits. */
export function meanOver(net, examples, delta, size) {
  const total = new Float64Array(net.theta.length), g = new Float64Array(net.theta.length);
  for (const [x, y] of examples) {
    g.fill(0);
    const units = net.forward(x);
    net.backward(units, delta(units.at(-1), y), g);
    for (let i = 0; i < g.length; i++) total[i] += size(g[i]);
  }
  return total.map((v) => v / examples.length);
}
