// Trains beside the page, so that it stays answerable. What it is told: { reset: settings },
// { set: { lam, lr, memory } }, { run: true or false }, { steps: n }, and { drawn: true } when the page has
// drawn what it was told last: a slow page is not flooded, and one that is hidden rests.

import { Course, STEPS } from "./course.js";

const TICK = 25; // ms from picture to picture, at least
const LENGTH = 3700; // ms of a run on a fast machine: slow enough to be watched
const AT_MOST = 12; // ms of training in a picture, so that a slow machine shows many too
const WEIGHTS = 6; // pictures from one of the weights to the next
let course, running = false, timer = 0, began = 0, shown = -1, ticks = 0;

function tell() {
  course.look();
  const news = course.news();
  if (shown !== course.task) news.digits = course.digits();
  if (shown !== course.task || ticks++ % WEIGHTS === 0 || course.over) news.weights = course.weights();
  shown = course.task;
  postMessage(news);
}

function tick() {
  const now = performance.now(), since = Math.min(now - began, 4 * TICK);
  began = now;
  const steps = (course.tasks.length * STEPS * since) / LENGTH;
  for (let i = 0; i < steps && performance.now() < now + AT_MOST; i++) course.advance();
  tell();
  if (course.over) run(false);
}

function run(on) {
  running = on && !course.over;
  began = performance.now() - TICK;
  next();
}

function next() {
  clearTimeout(timer);
  if (running) timer = setTimeout(tick, began + TICK - performance.now());
}

onmessage = ({ data }) => {
  if (data.reset) {
    [course, shown] = [new Course(data.reset), -1];
    run(false);
    tell();
  }
  if (data.set) course.set(data.set);
  if (data.steps) {
    for (let i = 0; i < data.steps; i++) course.advance();
    ticks = 0;
    tell();
  }
  if (data.run !== undefined) run(data.run);
  if (data.drawn) next();
};
