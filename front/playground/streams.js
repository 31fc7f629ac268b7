// Tasks made of scikit-learn's digits: { train, test } of [x, label], the test images as `pictures`, and how
// many outputs compete.

import { permutation } from "../core/learn/random.js";
import { bytes } from "../lib/pixels.js";
import { LABELS, PIXELS } from "./digits.js";

const TRAIN = 1437;

/** All 1,797 digits, [x from 0 to 1, label]. */
function digits() {
  const pairs = bytes(PIXELS), pixel = (i) => (i % 2 ? pairs[i >> 1] & 15 : pairs[i >> 1] >> 4) / 15;
  return Array.from(LABELS, (label, n) => [
    Float64Array.from({ length: 64 }, (_, i) => pixel(64 * n + i)), Number(label),
  ]);
}

/** Task 1 sees the pixels as they are, each later one in an order of its own. */
function permuted(n, random) {
  const all = digits(), pictures = all.slice(TRAIN).map(([x]) => x);
  return Array.from({ length: n }, (_, t) => {
    const order = t ? permutation(64, random) : null;
    const seen = all.map(([x, y]) => [order ? x.map((_, i) => x[order[i]]) : x, y]);
    return { train: seen.slice(0, TRAIN), test: seen.slice(TRAIN), pictures, shuffled: t > 0, active: 10 };
  });
}

/** Two new digits a task, which compete with all before them: Class-IL. */
function split(n) {
  const all = digits();
  return Array.from({ length: n }, (_, t) => {
    const own = (from) => from.filter(([, y]) => y >> 1 === t), test = own(all.slice(TRAIN));
    return { train: own(all.slice(0, TRAIN)), test, pictures: test.map(([x]) => x), active: 2 * t + 2 };
  });
}

export const STREAMS = { permuted, split };
