// The colours of tasks, and of heat maps.

import * as Plot from "@observablehq/plot";
import { lighter } from "./palette.js";

const viridis = Plot.scale({ color: { scheme: "viridis", domain: [0, 1] } });

/** Task 0, 1, … among n, from dark to light, as plots.shade; lighter in a dark theme. */
export function shade(task, n) {
  return lighter(viridis.apply((0.85 * task) / Math.max(1, n - 1)));
}
