// Ω_i = relu( −Σ_steps g_i Δθ_i / (Δ_i² + ξ) ), g of the task's loss alone (Zenke et al. 2017).

import { Quadratic } from "./quadratic.js";

export class SI extends Quadratic {
  constructor({ lam, xi = 0.001 }) {
    super({ lam });
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
