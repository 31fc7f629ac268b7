// Two tasks as two bowls over two weights: cl_helpers/lessons/bowls.py, in the page.
// A symmetric matrix [[a, b], [b, c]] is written [a, b, c].

export const PENALTIES = ["none", "L2", "diagonal", "exact"];

/** H of a bowl: 1/√c along its flat direction, √c across; its determinant is 1. */
export function hessian({ curvature, degrees }) {
  const [x, y] = unit(degrees), root = Math.sqrt(curvature);
  return [x * x / root + y * y * root, x * y * (1 / root - root), y * y / root + x * x * root];
}

/** ½ dᵀ H d */
export const quadratic = ([x, y], [a, b, c]) => (a * x * x + 2 * b * x * y + c * y * y) / 2;

export const loss = (bowl, theta) => quadratic(minus(theta, bowl.at), hessian(bowl));

/** P: what the penalty remembers of task A. */
export function importance(a, penalty) {
  const [h11, h12, h22] = hessian(a);
  return { none: [0, 0, 0], L2: [1, 0, 1], diagonal: [h11, 0, h22], exact: [h11, h12, h22] }[penalty];
}

/** The minimum of L_B + λ · penalty: (H_B + λP)⁻¹ (H_B θ*_B + λP θ*_A). */
export function end(a, b, penalty, lam) {
  const p = importance(a, penalty).map((v) => lam * v), h = hessian(b);
  return solve(plus(h, p), plus(times(h, b.at), times(p, a.at)));
}

/** Gradient flow from θ*_A to the end: end + e^{−(H_B + λP) t} (θ*_A − end), at n times t. */
export function path(a, b, penalty, lam, n = 120) {
  const stop = end(a, b, penalty, lam);
  const m = plus(hessian(b), importance(a, penalty).map((v) => lam * v));
  const { values: [low, high], vectors: [u, v] } = eigen(m);
  const from = minus(a.at, stop), [s, t] = [dot(u, from), dot(v, from)];
  const first = Math.log(0.01 / high), last = Math.log(9 / low);
  const at = (time) => {
    const [p, q] = [s * Math.exp(-low * time), t * Math.exp(-high * time)];
    return plus(stop, [p * u[0] + q * v[0], p * u[1] + q * v[1]]);
  };
  const between = Array.from({ length: n - 2 },
    (_, i) => at(Math.exp(first + ((last - first) * i) / (n - 3))));
  return [[...a.at], ...between, stop];
}

/** The minimum of L_A + L_B: that of joint training. */
export const joint = (a, b) => end(a, b, "exact", 1);

/** The lowest value that max(L_A, L_B) takes: both losses are equal there, on the way from A to B. */
export function lowestOfBoth(a, b) {
  const toB = (w) => { // the minimum of (1 − w) L_A + w L_B
    const [h, k] = [hessian(a).map((v) => (1 - w) * v), hessian(b).map((v) => w * v)];
    return solve(plus(h, k), plus(times(h, a.at), times(k, b.at)));
  };
  let [low, high] = [0, 1];
  for (let i = 0; i < 50; i++) {
    const w = (low + high) / 2, theta = toB(w);
    if (loss(a, theta) < loss(b, theta)) low = w;
    else high = w;
  }
  const theta = toB(low);
  return Math.max(loss(a, theta), loss(b, theta));
}

/** Eigenvalues, the lower one first, and their vectors. */
export function eigen([a, b, c]) {
  const middle = (a + c) / 2, radius = Math.hypot((a - c) / 2, b);
  const turn = Math.atan2(2 * b, a - c) / 2; // of the higher one
  const high = [Math.cos(turn), Math.sin(turn)], low = [-high[1], high[0]];
  return { values: [middle - radius, middle + radius], vectors: [low, high] };
}

export const unit = (degrees) => [Math.cos, Math.sin].map((f) => f((degrees * Math.PI) / 180));
export const plus = (p, q) => p.map((v, i) => v + q[i]);
export const minus = (p, q) => p.map((v, i) => v - q[i]);
export const dot = (p, q) => p[0] * q[0] + p[1] * q[1];
export const times = ([a, b, c], [x, y]) => [a * x + b * y, b * x + c * y];
const solve = ([a, b, c], [x, y]) => {
  const det = a * c - b * b;
  return [(c * x - b * y) / det, (a * y - b * x) / det];
};
