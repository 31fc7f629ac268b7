// Trains beside the page, so that it stays answerable. What it is told: { reset: settings },
// { set: { lam, lr, memory } }, { run: true or false }, { steps: n }.

import { Course, STEPS } from "./course.js";

const TICK = 33; // ms from picture to picture
const LENGTH = 4000; // ms of a run on a fast machine: slow enough to be watched
const AT_MOST = 24; // ms of training in a picture, so that a slow machine shows as many
const WEIGHTS = 6; // pictures from one of the weights to the next
let course, timer = 0, shown = -1, ticks = 0;

function tell() {
  course.look();
  const news = course.news();
  if (shown !== course.task) news.digits = course.digits();
  if (ticks++ % WEIGHTS === 0 || course.over) news.weights = course.weights();
  shown = course.task;
  postMessage(news);
}

function tick() {
  const until = performance.now() + AT_MOST, steps = (course.tasks.length * STEPS * TICK) / LENGTH;
  for (let i = 0; i < steps && performance.now() < until; i++) course.advance();
  tell();
  if (course.over) run(false);
}

function run(on) {
  clearInterval(timer);
  timer = on && !course.over ? setInterval(tick, TICK) : 0;
}

onmessage = ({ data }) => {
  if (data.reset) {
    run(false);
    [course, shown, ticks] = [new Course(data.reset), -1, 0];
    tell();
  }
  if (data.set) course.set(data.set);
  for (let i = 0; i < (data.steps ?? 0); i++) course.advance();
  if (data.steps) tell();
  if (data.run !== undefined) run(data.run);
};
