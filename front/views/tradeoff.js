// EWC with one weight: the loss of B, the penalty, and their sum, whose minimum moves with λ and F.

import * as Plot from "@observablehq/plot";
import { chart, legend, picture } from "../lib/chart.js";
import { row, slider } from "../lib/controls.js";
import { decades, every, fixed, lam as write } from "../lib/numbers.js";
import { among, reader } from "../lib/reader.js";

const [A, B] = [-1, 1]; // θ*_A and θ*_B
const [LEAST, MOST, HIGH] = [-2.2, 2.2, 4];
const THETA = every(LEAST, MOST, 0.02);
const STRENGTHS = [0, ...decades(-2, 2)];
const CURVATURES = [0.1, 0.2, 0.5, 1, 1.5, 2, 3, 4, 6, 8];

export default function tradeoff(model, el) {
  const controls = row(
    slider(model, "lam", { label: "λ", stops: STRENGTHS, write }),
    slider(model, "fisher", { label: "Curvature F of A", stops: CURVATURES }),
  );
  const looks = {
    a: { text: "loss of A, no longer seen", stroke: "var(--cl-6)", width: 7 },
    b: { text: "loss of B", stroke: "var(--cl-b)", dash: "9 4", width: 2 },
    penalty: { text: "penalty ½ λ F (θ − θ*A)²", stroke: "var(--cl-good)", dash: "6 3 1 3", width: 2.5 },
    sum: { text: "loss of B + penalty", stroke: "currentColor", width: 3.5 },
  };
  const charts = picture();
  let points = [];
  const reading = reader(charts.svg, {
    label: "Losses, weight by weight; arrow keys read them", ...among(() => points, { far: Math.abs }),
  });
  el.append(controls.el, charts.el);

  return function draw(width) {
    controls.sync();
    const [lam, fisher] = [model.get("lam"), model.get("fisher")];
    const curves = {
      a: (theta) => (fisher * (theta - A) ** 2) / 2,
      b: (theta) => (theta - B) ** 2 / 2,
      penalty: (theta) => lam * curves.a(theta),
      sum: (theta) => curves.b(theta) + curves.penalty(theta),
    };
    const end = (B + lam * fisher * A) / (1 + lam * fisher), best = (B + fisher * A) / (1 + fisher);
    const [la, lb, least] = [curves.a(end), curves.b(end), curves.a(best) + curves.b(best)];
    const room = Math.min(width, 760), key = legend(Object.values(looks), room), height = 380 + key.height;
    const figure = chart({ x: 0, y: 0, width: room, height }, {
      title: "The loss that training on B minimises",
      x: { domain: [LEAST, MOST], label: "weight θ", ticks: [-2, -1, 0, 1, 2], tickFormat: String },
      y: { domain: [0, HIGH], label: "loss", ticks: 4 },
      below: key.height,
      marks: [
        Plot.ruleX([end], { stroke: "var(--cl-soft)", strokeDasharray: "1 4" }),
        ...Object.entries(looks).map(([name, { stroke, dash, width }]) => Plot.line(
          THETA, { x: (t) => t, y: within(curves[name]), stroke, strokeDasharray: dash, strokeWidth: width,
            strokeOpacity: name === "a" ? 0.6 : 1 })),
        Plot.dot([["a", "circle"], ["b", "square"]], {
          x: end, y: ([name]) => within(curves[name])(end), symbol: ([, symbol]) => symbol, r: 5,
          fill: ([name]) => looks[name].stroke,
        }),
        Plot.dot([end], { x: end, y: within(curves.sum)(end), symbol: "star", r: 10, fill: "currentColor",
          stroke: "var(--cl-paper)" }),
        Plot.text([[A, "θ*A", "var(--cl-1)"], [B, "θ*B", "var(--cl-b)"]], {
          x: ([theta]) => theta, y: 0, dy: -12, text: ([, text]) => text, fill: ([, , colour]) => colour,
          fontSize: 14, fontWeight: 600, stroke: "var(--cl-paper)", strokeWidth: 4,
        }),
      ],
    });
    points = THETA.map((t) => ({
      ...figure.at(t, Math.min(HIGH, curves.sum(t))),
      text: `θ ${fixed(t)}\nloss of A ${fixed(curves.a(t))}\nloss of B ${fixed(curves.b(t))}\n` +
        `penalty ${fixed(curves.penalty(t))}\nsum ${fixed(curves.sum(t))}`,
    }));
    charts.put({ width: room, height }, "Loss of A, loss of B, λ times the penalty, and their sum over one weight.",
      [figure.el, key.at(0, height - key.height)]);
    reading.put(figure.area);
    return `The sum has its minimum at θ = ${fixed(end)}, the star: loss on A ${fixed(la)}, on B ${fixed(lb)}, ` +
      `together ${fixed(la + lb)} (at best ${fixed(least)}).` + (lam === 0 ? " Nothing holds θ: A is forgotten." :
        lam === 1 ? " With λ = 1 the penalty is the loss of A itself." : "");
  };
}

/** What lies above the picture is not drawn. (Plot's own clipping would make each copy differ.) */
const within = (curve) => (theta) => (curve(theta) <= HIGH ? curve(theta) : NaN);
