// One network that learns tasks, a step at a time, and what is told of it: the `news` that the Lab's curves
// and digits are drawn from.

import { Adam } from "../core/learn/adam.js";
import { METHODS } from "../core/learn/methods/index.js";
import { Network, softmax } from "../core/learn/network.js";
import { uniform } from "../core/learn/random.js";
import { STREAMS } from "./streams.js";

const SIZES = [64, 64, 10], BATCH = 32, SHOWN = 20;
const SOME = 3; // while it trains, every third test example of a task is looked at
export const STEPS = 270; // a task

export class Course {
  constructor({ number, stream, tasks, seed, method, lam, lr, memory }) {
    const random = this.random = uniform(seed + 1);
    this.tasks = STREAMS[stream](tasks, random);
    this.net = new Network(SIZES).draw(random);
    this.method = new METHODS[method]({ lam, memory, random });
    this.g = new Float64Array(this.net.theta.length);
    this.of = { stream, method, seed };
    Object.assign(this, { number, lr, step: 0, task: 0, looks: 0, moved: [], matrix: [] });
    this.points = []; // [task, step, accuracy, exact]: those that are new
    this.begin();
  }

  get over() { return this.step === STEPS * this.tasks.length; }

  begin() {
    this.net.active = this.tasks[this.task].active;
    this.adam = new Adam(this.net.theta.length, this.lr);
    this.start = this.net.theta.slice();
    this.method.beginTask(this.net);
  }

  /** While it trains: λ and the memory of the method, the learning rate. */
  set({ lam, lr, memory }) {
    if (this.over) return; // what was, stays as it was
    this.change(this.adam, "lr", lr, this.step);
    this.lr = lr;
    this.change(this.method, "memory", memory, this.task); // in the first task nothing is held yet
    this.change(this.method, "lam", lam, this.task);
  }

  /** What has been `counted` on when it changes is said to have moved. */
  change(owner, name, value, counted) {
    if (!(name in owner) || owner[name] === value) return;
    owner[name] = value;
    if (counted) this.moved.push([this.step, value, name]);
  }

  /** One step; at the end of a task the method keeps what it needs of it. */
  advance() {
    if (this.over) return;
    const from = this.tasks[this.task].train, draw = () => from[Math.floor(this.random() * from.length)];
    this.method.loss(this.net, Array.from({ length: BATCH }, draw), this.g);
    this.method.afterBackward(this.net, this.g);
    this.adam.step(this.net.theta, this.g);
    this.method.afterStep(this.net);
    this.step++;
    if (this.step % STEPS) return;
    this.method.endTask(this.net, from);
    this.matrix.push(this.tasks.map((_, j) => (j <= this.task ? this.accuracy(j) : null)));
    this.matrix.at(-1).forEach((a, j) => { if (a !== null) this.points.push([j, this.step, a, 1]); });
    if (this.over) return;
    this.task++;
    this.begin();
  }

  /** The share of the test examples of task j that are right, or of every n-th of them. */
  accuracy(j, n = 1) {
    const some = this.tasks[j].test.filter((_, i) => i % n === 0);
    const likeliest = (x) => best(this.net.forward(x).at(-1).subarray(0, this.net.active));
    return some.filter(([x, y]) => likeliest(x) === y).length / some.length;
  }

  shares(x) { return softmax(this.net.forward(x).at(-1), this.net.active); }

  /** Look at some examples of the tasks in sight, and of the others in turn. */
  look() {
    if (this.step % STEPS === 0) return;
    const other = this.looks++ % (this.task + 1);
    for (const j of new Set([...this.inSight(), other])) {
      this.points.push([j, this.step, this.accuracy(j, SOME), 0]);
    }
  }

  inSight() { return this.task ? [0, this.task] : [0]; }

  /** What has come since it was told last, and how things stand. */
  news() {
    const points = this.points;
    this.points = [];
    return {
      points,
      number: this.number, n_tasks: this.tasks.length, task: this.task, step: this.step, n_steps: STEPS * this.tasks.length,
      ends: Array.from({ length: this.tasks.length + 1 }, (_, t) => t * STEPS),
      moved: this.moved, matrix: this.matrix, over: this.over,
      of: { ...this.of, lr: this.lr, lam: this.method.lam, stored: this.method.stored?.length },
      seen: this.inSight().map((j) => {
        const shown = this.tasks[j].test.slice(0, SHOWN), shares = shown.map(([x]) => [...this.shares(x)]);
        const labels = shares.map(best);
        return { shares, labels, right: shown.map(([, y], i) => labels[i] === y) };
      }),
    };
  }

  /** The digits in sight, as people see them. */
  digits() {
    const image = (x) => btoa(String.fromCharCode(...x.map((v) => Math.round(255 * v))));
    return this.inSight().map((task) => {
      const { test, pictures, shuffled } = this.tasks[task];
      return { task, shuffled, size: [8, 8], images: pictures.slice(0, SHOWN).map(image),
        truth: test.slice(0, SHOWN).map(([, y]) => y) };
    });
  }

  /** The first layer, a tile of 8 × 8 for each unit: how far each weight moved in this task, and Ω. */
  weights() {
    const { theta } = this.net, { omega } = this.method;
    return { size: [71, 71], moved: tiles((i) => Math.abs(theta[i] - this.start[i])),
      held: omega ? tiles((i) => omega[i]) : omega };
  }
}

const best = (values) => values.reduce((b, v, i) => (v > values[b] ? i : b), 0);

/** 64 units of 64 weights each as 8 × 8 tiles of 8 × 8, a line apart. */
function tiles(value) {
  const all = new Float32Array(71 * 71);
  for (let unit = 0; unit < 64; unit++) {
    const corner = 9 * 71 * (unit >> 3) + 9 * (unit & 7);
    for (let i = 0; i < 64; i++) all[corner + 71 * (i >> 3) + (i & 7)] = value(64 * unit + i);
  }
  return all;
}
