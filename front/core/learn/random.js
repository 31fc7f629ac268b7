// Random numbers from a seed: the same in every browser.

/** Uniform numbers in [0, 1) (Mulberry32, T. Ettinger, public domain). */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The numbers 0 … n − 1 in a random order (Fisher and Yates). */
export function permutation(n, random) {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** n of `items`, each at most once; all of them if there are fewer. */
export function sample(items, n, random) {
  if (n >= items.length) return items;
  const taken = new Map(); // a shuffle of which only the first n places are made
  return Array.from({ length: n }, (_, i) => {
    const j = i + Math.floor(random() * (items.length - i)), item = taken.get(j) ?? items[j];
    taken.set(j, taken.get(i) ?? items[i]);
    return item;
  });
}
