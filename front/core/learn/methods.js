// Methods that hold on to the past, as in cl_helpers/methods: L + λ · ½ Σ Ω (θ − θ*)².
// They differ in Ω, which each computes at the end of a task.

import { softmax } from "./network.js";

/** Holds nothing. */
export class None {
  constructor() { this.lam = 0; }

  beginTask(net) {}

  /** Add to the gradient of the task's loss. */
  afterBackward(net, g) {}

  afterStep(net) {}

  endTask(net, examples) {}
}

/** Base of those below: Ω is summed over the tasks, θ* is where the last one ended. */
class Quadratic extends None {
  constructor(lam) {
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

/** Every weight alike: Ω = 1 for each task. */
export class L2 extends Quadratic {
  importanceOf({ theta }) { return new Float64Array(theta.length).fill(1); }
}

/** Ω_i = 1/N Σ_n (∂ log p(y_n | x_n) / ∂θ_i)²: the empirical Fisher (Kirkpatrick et al. 2017). */
export class EWC extends Quadratic {
  importanceOf(net, examples) {
    return meanOver(net, examples, (logits, y) => {
      const p = softmax(logits);
      p[y] -= 1;
      return p;
    }, (v) => v * v);
  }
}

/** Ω_i = 1/N Σ_n |∂ ‖f(x_n)‖² / ∂θ_i|, f the logits (Aljundi et al. 2018). */
export class MAS extends Quadratic {
  importanceOf(net, examples) {
    return meanOver(net, examples, (logits) => logits.map((z) => 2 * z), Math.abs);
  }
}

/** Ω_i = relu( −Σ_steps g_i Δθ_i / (Δ_i² + ξ) ), g of the task's loss alone (Zenke et al. 2017). */
export class SI extends Quadratic {
  constructor(lam, xi = 0.001) {
    super(lam);
    this.xi = xi;
  }

  beginTask({ theta }) {
    [this.start, this.before, this.path] = [theta.slice(), theta.slice(), new Float64Array(theta.length)];
  }

  afterBackward(net, g) {
    this.g = g.slice(); // before the penalty adds its own
    super.afterBackward(net, g);
  }

  afterStep({ theta }) {
    for (let i = 0; i < theta.length; i++) this.path[i] -= this.g[i] * (theta[i] - this.before[i]);
    this.before.set(theta);
  }

  importanceOf({ theta }) {
    return this.path.map((credit, i) => Math.max(0, credit / ((theta[i] - this.start[i]) ** 2 + this.xi)));
  }
}

export const METHODS = { none: None, l2: L2, ewc: EWC, mas: MAS, si: SI };

/** The mean over examples of size(∂s/∂θ), one example at a time; s has `delta` in the logits. */
function meanOver(net, examples, delta, size) {
  const total = new Float64Array(net.theta.length), g = new Float64Array(net.theta.length);
  for (const [x, y] of examples) {
    g.fill(0);
    const units = net.forward(x);
    net.backward(units, delta(units.at(-1), y), g);
    for (let i = 0; i < g.length; i++) total[i] += size(g[i]);
  }
  return total.map((v) => v / examples.length);
}
