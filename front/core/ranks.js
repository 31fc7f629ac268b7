// Spearman's rank correlation.

/** Each value's place among all, from 1; equal values share the mean of their places. */
export function ranks(values) {
  return values.map((v) => {
    const below = values.filter((w) => w < v).length, equal = values.filter((w) => w === v).length;
    return below + (equal + 1) / 2;
  });
}

/** From −1 to 1; NaN where all of x or all of y are equal. */
export function spearman(x, y) {
  const [p, q] = [x, y].map((values) => ranks(values).map((rank) => rank - (values.length + 1) / 2));
  const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);
  return dot(p, q) / Math.sqrt(dot(p, p) * dot(q, q));
}
