// Trains beside the page, so that it stays answerable. What it is told: { reset: settings }, { lam },
// { run: true or false }, { steps: n }.

import { Course } from "./course.js";

const TICK = 33, A_TICK = 3; // ms, and steps in it: slow enough to be watched
let course, timer = 0, shown = -1;

function tell() {
  course.look();
  const news = course.news();
  if (shown !== course.task) news.digits = course.digits();
  shown = course.task;
  postMessage(news);
}

function tick() {
  for (let i = 0; i < A_TICK; i++) course.advance();
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
    [course, shown] = [new Course(data.reset), -1];
    tell();
  }
  if (data.lam !== undefined) course.setLam(data.lam);
  for (let i = 0; i < (data.steps ?? 0); i++) course.advance();
  if (data.steps) tell();
  if (data.run !== undefined) run(data.run);
};
