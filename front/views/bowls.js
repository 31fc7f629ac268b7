// The geometry of forgetting: two tasks as bowls over two weights, and where a penalty lets θ go.

import {
  PENALTIES, end, hessian, importance, joint, loss, lowestOfBoth, minus, path, plus, unit,
} from "../core/quadratic.js";
import { among, choice, row, slider } from "../lib/controls.js";
import { ellipse } from "../lib/ellipse.js";
import { handle } from "../lib/handle.js";
import { change, make, outline, set, trace } from "../lib/make.js";
import { every, fixed, lam as write, percent, strengths } from "../lib/numbers.js";
import { plane, within } from "../lib/plane.js";
import { walking } from "../lib/walk.js";

const GOOD = 1; // a task counts as solved where its loss is below
const LEVELS = [GOOD, 3, 6, 10];
const [WIDE, HIGH] = [4.3, 2.6]; // the plane reaches from −WIDE to WIDE
const FIGURES = [ // what is in sight, and the penalty to begin with
  ["1 · one task: many good θ", "A", "none"],
  ["2 · a second task", "AB", "none"],
  ["3 · they overlap", "AB&", "none"],
  ["4 · just train on", "AB&>", "none"],
  ["5 · hold all weights alike", "AB&>", "L2"],
  ["6 · hold the important ones", "AB&>", "diagonal"],
];
const TITLES = ["train on B alone", "every weight alike", "each weight by A's curvature in it: EWC",
  "A's whole curvature"];

export default function bowls(model, el) {
  const pixels = plane(WIDE, HIGH);
  const bowl = (name) => {
    const [at, curvature, degrees] = [name, `curvature_${name}`, `degrees_${name}`].map((n) => model.get(n));
    return { at, curvature, degrees };
  };
  const turn = (name, curvature, turn) => change(model, {
    [`curvature_${name}`]: Math.round(10 * Math.min(30, Math.max(1, curvature))) / 10,
    [`degrees_${name}`]: direction(turn),
    walked: 1,
  });

  const controls = row(
    choice(model, "figure", {
      label: "Figure", options: FIGURES.map(([text], i) => [text, i + 1]),
      then: (figure) => ({ penalty: FIGURES[figure - 1][2], walked: 1 }),
    }),
    among(model, "penalty", { label: "Penalty", options: PENALTIES.map((p, i) => [p, p, TITLES[i]]) }),
    slider(model, "lam", { label: "λ", stops: () => strengths(model.get("lam")), write }),
    slider(model, "degrees_a", { label: "Rotation of A", stops: every(-90, 90, 5), unit: "°" }),
    ...walking(model, "Way", "from A's minimum, as training goes"),
  );
  const svg = make("svg", { class: "cl-picture cl-drawn", role: "group" });
  const still = make("g"), handles = make("g");
  svg.append(still, handles);
  el.append(controls.el, svg);

  const bottoms = ["a", "b"].map((name) => handle(svg, {
    label: `minimum of task ${name.toUpperCase()}`, pixels, at: () => model.get(name),
    move: (to) => change(model, { [name]: to.map(within(WIDE, HIGH)), walked: 1 }),
  }));
  const axes = ["a", "b"].map((name) => handle(svg, {
    label: `flat direction of task ${name.toUpperCase()}: turn it, stretch it`, pixels,
    move: (to) => {
      const [x, y] = minus(to, model.get(name));
      turn(name, Math.hypot(x, y) ** 4 / 4, (180 / Math.PI) * Math.atan2(y, x));
    },
    key: ([dx, dy], far) => {
      const now = bowl(name);
      turn(name, now.curvature + dy, now.degrees + (far ? 15 : 5) * dx);
    },
  }));
  // λ: the star is pulled along the curve of all ends, from θ*_B (λ = 0) towards θ*_A.
  const star = handle(svg, {
    label: "where training ends: pull it, it changes λ", pixels,
    move: (to) => change(model, { lam: nearest(to), walked: 1 }),
    key: ([dx, dy]) => {
      const stops = strengths(model.get("lam")), i = stops.indexOf(model.get("lam"));
      change(model, { lam: stops[Math.max(0, Math.min(stops.length - 1, i + dx + dy))], walked: 1 });
    },
  });
  const nearest = (to) => {
    const far = (lam) => Math.hypot(...end(bowl("a"), bowl("b"), model.get("penalty"), lam)
      .map((v, i) => v - to[i]));
    return strengths().reduce((best, lam) => (far(lam) < far(best) ? lam : best));
  };
  handles.append(...[...axes, ...bottoms, star].map((each) => each.el));

  return function draw(width) {
    controls.sync();
    const [a, b] = [bowl("a"), bowl("b")], lam = model.get("lam");
    const penalty = model.get("penalty");
    const parts = penalty === "none" ? FIGURES[model.get("figure") - 1][1] : "AB&>";
    const inB = parts.includes("B"), trains = parts.includes(">");
    set(svg, pixels.fit(Math.min(width, 960)));
    const label = (text, at, [dx, dy]) => {
      const [x, y] = pixels.to(at);
      return make("text", { x: x + dx, y: y + dy, class: "cl-label" }, text);
    };
    const curve = (points, look) => trace(points.map(pixels.to), look);

    const drawn = [];
    for (const [name, each] of inB ? [["a", a], ["b", b]] : [["a", a]]) {
      const colour = `var(--cl-${name})`;
      for (const level of LEVELS) {
        drawn.push(ellipse(each.at, hessian(each), level, pixels, {
          stroke: colour, "stroke-width": level === GOOD ? 1.8 : 1, fill: level === GOOD ? colour : "none",
          "fill-opacity": 0.2, "stroke-dasharray": name === "a" ? null : "6 4",
        }));
      }
    }
    const both = lowestOfBoth(a, b) < GOOD;
    if (parts.includes("&") && both) {
      const id = `cl-in-a-${model.get("name")}`;
      drawn.push(
        make("clipPath", { id }, ellipse(a.at, hessian(a), GOOD, pixels, {})),
        make("g", { "clip-path": `url(#${id})` }, ellipse(b.at, hessian(b), GOOD, pixels,
          { fill: "var(--cl-good)", "fill-opacity": 0.6 })));
    }
    let words = inB ? "Shaded: where each task is solved." :
      `Shaded: all θ with which task A is solved, its loss below ${GOOD}.`;
    if (parts.includes("&")) words += both ? " Green: where both are." : " No θ solves both.";

    const stop = end(a, b, penalty, lam), best = joint(a, b);
    if (trains) {
      if (lam && penalty !== "none") {
        for (const level of [0.25, 1]) {
          drawn.push(ellipse(a.at, importance(a, penalty), level, pixels,
            { stroke: "var(--cl-soft)", "stroke-dasharray": "2 4", "stroke-width": 1.6, fill: "none" }));
        }
      }
      if (penalty !== "none") {
        const ends = Array.from({ length: 81 }, (_, i) => end(a, b, penalty, 10 ** (i / 10 - 4)));
        drawn.push(curve([b.at, ...ends, a.at], { stroke: "var(--cl-soft)", "stroke-opacity": 0.5 }));
      }
      const way = path(a, b, penalty, lam), walked = model.get("walked");
      const [gone, here] = along(way, walked);
      drawn.push(curve(gone, { stroke: "currentColor", "stroke-width": 3 }));
      drawn.push(mark(pixels.to(best), "plus"), label("best for both", best, [4, 24]));
      if (walked < 1) drawn.push(make("circle", { ...at(pixels.to(here)), r: 8, fill: "currentColor" }));
      else drawn.push(mark(pixels.to(stop), "star"));
      words = say(a, b, walked < 1 ? here : stop, best, walked);
    }
    drawn.push(make("circle", { ...at(pixels.to(a.at)), r: 5, fill: "var(--cl-a)" }), label("θ*A", a.at, [-4, 24]));
    if (inB) {
      const [x, y] = pixels.to(b.at);
      drawn.push(make("rect", { x: x - 5, y: y - 5, width: 10, height: 10, fill: "var(--cl-b)" }),
        label("θ*B", b.at, [6, -24]));
    }
    still.replaceChildren(...drawn);
    svg.setAttribute("aria-label", `Contours of the ${inB ? "losses of tasks A and B" :
      "loss of task A"} over two weights.`);

    [a, b].forEach((each, i) => {
      const reach = Math.sqrt(2 * Math.sqrt(each.curvature));
      bottoms[i].put(each.at);
      axes[i].put(plus(each.at, unit(each.degrees).map((v) => reach * v)),
        `at ${fixed(each.degrees, 0)}°, ${fixed(each.curvature, 0)} times as steep across`);
    });
    star.put(stop, `λ ${write(lam)}`);
    for (const each of [bottoms[1], axes[1]]) each.el.style.display = inB ? "" : "none";
    star.el.style.display = trains && penalty !== "none" ? "" : "none";
    return words;
  };
}

function say(a, b, theta, best, walked) {
  const [la, lb] = [loss(a, theta), loss(b, theta)];
  const fate = la < GOOD
    ? lb < GOOD ? "both tasks are solved" : "A is kept, B is not learned"
    : lb < GOOD ? "B is learned, A is forgotten" : "neither is solved";
  const where = `(${fixed(theta[0])}, ${fixed(theta[1])})`;
  const place = walked < 1
    ? `After ${percent(walked, 0)} of the way θ is at ${where}`
    : `From A's minimum training ends at ${where}, the star`;
  return `${place}: loss on A ${fixed(la)}, on B ${fixed(lb)}, together ${fixed(la + lb)} (at best ` +
    `${fixed(loss(a, best) + loss(b, best))}); ${fate}.`;
}

/** What is gone of a way, `part` of its length, and where one is then. */
function along(way, part) {
  const lengths = way.map((p, i) => (i ? Math.hypot(p[0] - way[i - 1][0], p[1] - way[i - 1][1]) : 0));
  let left = part * lengths.reduce((sum, each) => sum + each, 0);
  for (let i = 1; i < way.length; i++) {
    if (left < lengths[i]) {
      const f = left / lengths[i];
      const here = way[i].map((v, k) => f * v + (1 - f) * way[i - 1][k]);
      return [[...way.slice(0, i), here], here];
    }
    left -= lengths[i];
  }
  return [way, way.at(-1)];
}

const at = ([cx, cy]) => ({ cx, cy });

function mark([x, y], kind) {
  const corner = (i) => [kind === "star" ? (i % 2 ? 5 : 13) : 0, (Math.PI * i) / 5 - Math.PI / 2];
  const corners = kind === "star"
    ? Array.from({ length: 10 }, (_, i) => corner(i)).map(([r, t]) => [r * Math.cos(t), r * Math.sin(t)])
    : [[-3, -8], [3, -8], [3, -3], [8, -3], [8, 3], [3, 3], [3, 8], [-3, 8], [-3, 3], [-8, 3], [-8, -3], [-3, -3]];
  return make("polygon", {
    points: outline(corners.map((corner) => plus([x, y], corner))),
    fill: kind === "star" ? "currentColor" : "var(--cl-good)", stroke: "var(--cl-paper)",
  });
}

/** To the nearest degree, from −90 to 90: a direction has no sign. */
const direction = (degrees) => {
  const d = Math.round(degrees);
  return d > 90 ? d - 180 : d < -90 ? d + 180 : d;
};
