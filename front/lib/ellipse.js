// A contour of a bowl.

import { eigen } from "../core/quadratic.js";
import { make } from "./make.js";

/** { ½ dᵀ M d = level } around `centre`. A flat direction reaches beyond the picture. */
export function ellipse(centre, matrix, level, pixels, look) {
  const { values, vectors: [along] } = eigen(matrix);
  const [rx, ry] = values.map((v) => pixels.scale * Math.sqrt((2 * level) / Math.max(v, 1e-6)));
  const [cx, cy] = pixels.to(centre), turn = (-180 / Math.PI) * Math.atan2(along[1], along[0]);
  return make("ellipse", { cx, cy, rx, ry, transform: `rotate(${turn} ${cx} ${cy})`, ...look });
}
