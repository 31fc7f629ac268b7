// What GEM and A-GEM make of a gradient in the plane: cl_helpers/methods/gem.py, agem.py.

import { dot, plus, unit } from "./quadratic.js";

const TINY = 1e-9;

/** The old gradients g₁ and g₂, `angle` degrees apart. */
export function oldGradients(angle) {
  return [[1.9, 90 + angle / 2], [1.3, 90 - angle / 2]]
    .map(([length, degrees]) => unit(degrees).map((v) => length * v));
}

export const mean = ([p, q]) => plus(p, q).map((v) => v / 2);

/** The old losses, 1 and 2, that a step along −v raises. */
export const raised = (v, old) => [1, 2].filter((k) => dot(v, old[k - 1]) < -TINY);

/** The conditions, 1 and 2, that v fulfils with equality. */
export const binding = (v, old) => [1, 2].filter((k) => Math.abs(dot(v, old[k - 1])) <= TINY);

/**
 * g̃ of GEM: the point of the cone ⟨g̃, g_k⟩ ≥ 0 that is nearest to g + γ (g₁ + g₂), if g violates a
 * condition. In the plane that is the point itself, its foot on one edge, or the tip of the cone.
 */
export function gem(g, old, margin) {
  if (!raised(g, old).length) return g;
  const pushed = plus(g, plus(...old).map((v) => margin * v));
  const feet = old.filter((each) => dot(pushed, each) < 0).map((each) => without(pushed, each));
  return [pushed, ...feet].find((v) => !raised(v, old).length) ?? [0, 0];
}

/** g̃ of A-GEM: g without its part against r. */
export const agem = (g, r) => (dot(g, r) < 0 ? without(g, r) : g);

const without = (v, direction) => {
  const part = dot(v, direction) / dot(direction, direction);
  return v.map((c, i) => c - part * direction[i]);
};
