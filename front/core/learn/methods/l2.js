// Every weight alike: Ω = 1 for each task.

import { Quadratic } from "./quadratic.js";

export class L2 extends Quadratic {
  importanceOf({ theta }) { return new Float64Array(theta.length).fill(1); }
}
