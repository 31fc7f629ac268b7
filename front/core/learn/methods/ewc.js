// Ω_i = 1/N Σ_n (∂ log p(y_n | x_n) / ∂θ_i)²: the empirical Fisher (Kirkpatrick et al. 2017).

import { softmax } from "../network.js";
import { meanOver, Quadratic } from "./quadratic.js";

export class EWC extends Quadratic {
  importanceOf(net, examples) {
    return meanOver(net, examples, (logits, y) => {
      const p = softmax(logits, net.active);
      p[y] -= 1;
      return p;
    }, (v) => v * v);
  }
}
