// One network that learns permuted tasks, a step at a time, and what is told of it: the `news` that the
// Lab's curves and digits are drawn from.

import { Adam } from "../core/learn/adam.js";
import { METHODS } from "../core/learn/methods.js";
import { Network, softmax } from "../core/learn/network.js";
import { permutation, uniform } from "../core/learn/random.js";
import { LABELS, PIXELS } from "./digits.js";

const SIZES = [64, 64, 10], TRAIN = 1437, BATCH = 32, SHOWN = 20;
const STEPS = 270; // a task
const LR = 0.005;

/** [x from 0 to 1, label] of all digits. */
export function digits() {
  const bytes = Uint8Array.from(atob(PIXELS), (c) => c.charCodeAt(0));
  const pixel = (i) => (i % 2 ? bytes[i >> 1] & 15 : bytes[i >> 1] >> 4) / 15;
  return Array.from(LABELS, (label, n) => [
    Float64Array.from({ length: 64 }, (_, i) => pixel(64 * n + i)), Number(label),
  ]);
}

export class Course {
  constructor({ method, lam, tasks, seed }) {
    const random = this.random = uniform(seed + 1), all = digits();
    // Task 1 sees the pixels as they are, each later one in an order of its own.
    this.orders = Array.from({ length: tasks }, (_, t) => (t ? permutation(64, random) : null));
    const seen = (order, [x, y]) => [order ? x.map((_, i) => x[order[i]]) : x, y];
    this.train = this.orders.map((order) => all.slice(0, TRAIN).map((each) => seen(order, each)));
    this.test = this.orders.map((order) => all.slice(TRAIN).map((each) => seen(order, each)));
    this.pictures = all.slice(TRAIN, TRAIN + SHOWN);
    this.net = new Network(SIZES).draw(random);
    this.method = new METHODS[method](lam);
    this.g = new Float64Array(this.net.theta.length);
    Object.assign(this, { name: method, tasks, step: 0, task: 0, moved: [], matrix: [] });
    this.series = this.orders.map(() => []);
    this.begin();
  }

  get over() { return this.step === STEPS * this.tasks; }

  begin() {
    this.adam = new Adam(this.net.theta.length, LR);
    this.method.beginTask(this.net);
  }

  setLam(lam) {
    if (this.method.lam === lam || this.name === "none") return;
    this.method.lam = lam;
    this.moved.push([this.step, lam]);
  }

  /** One step; at the end of a task what holds it is computed. */
  advance() {
    if (this.over) return;
    const from = this.train[this.task], draw = () => from[Math.floor(this.random() * from.length)];
    this.net.loss(Array.from({ length: BATCH }, draw), this.g);
    this.method.afterBackward(this.net, this.g);
    this.adam.step(this.net.theta, this.g);
    this.method.afterStep(this.net);
    this.step++;
    if (this.step % STEPS) return;
    this.method.endTask(this.net, from);
    this.matrix.push(this.orders.map((_, j) => (j <= this.task ? this.accuracy(j) : null)));
    this.matrix.at(-1).forEach((a, j) => { if (a !== null) this.series[j].push([this.step, a, 1]); });
    if (this.over) return;
    this.task++;
    this.begin();
  }

  accuracy(j, n = this.test[j].length) {
    const right = ([x, y]) => best(this.net.forward(x).at(-1)) === y;
    return this.test[j].slice(0, n).filter(right).length / n;
  }

  /** Look at a sample of each task so far. */
  look() {
    if (this.step % STEPS === 0) return;
    for (let j = 0; j <= this.task; j++) this.series[j].push([this.step, this.accuracy(j, 120), 0]);
  }

  inSight() { return this.task ? [0, this.task] : [0]; }

  news() {
    return {
      n_tasks: this.tasks, task: this.task, step: this.step, n_steps: STEPS * this.tasks,
      ends: Array.from({ length: this.tasks + 1 }, (_, t) => t * STEPS),
      series: this.series, moved: this.moved, matrix: this.matrix, over: this.over,
      seen: this.inSight().map((j) => {
        const shares = this.test[j].slice(0, SHOWN).map(([x]) => [...softmax(this.net.forward(x).at(-1))]);
        const labels = shares.map(best);
        return { shares, labels, right: labels.map((label, i) => label === this.pictures[i][1]) };
      }),
    };
  }

  /** The digits in sight, as people see them. */
  digits() {
    const image = ([x]) => btoa(String.fromCharCode(...x.map((v) => Math.round(255 * v))));
    return this.inSight().map((task) => ({
      task, size: [8, 8], images: this.pictures.map(image), truth: this.pictures.map(([, y]) => y),
    }));
  }
}

const best = (values) => values.reduce((b, v, i) => (v > values[b] ? i : b), 0);
