// Ω_i = 1/N Σ_n |∂ ‖f(x_n)‖² / ∂θ_i|, f the logits that compete (Aljundi et al. 2018). It needs no labels.

import { meanOver, Quadratic } from "./quadratic.js";

export class MAS extends Quadratic {
  importanceOf(net, examples) {
    return meanOver(net, examples, (f) => f.map((z, k) => (k < net.active ? 2 * z : 0)), Math.abs);
  }
}
