// EWC with one weight: the loss of B, the penalty, and their sum, whose minimum moves with λ and F.

import * as Plot from "@observablehq/plot";
import { row, slider } from "../lib/controls.js";
import { key } from "../lib/key.js";
import { make } from "../lib/make.js";
import { fixed, lam as write } from "../lib/numbers.js";

const [A, B] = [-1, 1]; // θ*_A and θ*_B
const [LEAST, MOST, HIGH] = [-2.2, 2.2, 4];
const THETA = Array.from({ length: 221 }, (_, i) => LEAST + (i * (MOST - LEAST)) / 220);
const STRENGTHS = [0, ...[-2, -1, 0, 1].flatMap((e) => [1, 2, 5].map((m) => Number(`${m}e${e}`))), 100];
const CURVATURES = [0.1, 0.2, 0.5, 1, 1.5, 2, 3, 4, 6, 8];

export default function tradeoff(model, el) {
  const controls = row(
    slider(model, "lam", { label: "λ", stops: STRENGTHS, write }),
    slider(model, "fisher", { label: "Curvature F of A", stops: CURVATURES }),
  );
  const looks = {
    a: ["loss of A, no longer seen", "var(--cl-6)", null, 7],
    b: ["loss of B", "var(--cl-b)", "9 4"],
    penalty: ["penalty ½ λ F (θ − θ*A)²", "var(--cl-good)", "6 3 1 3", 2.5],
    sum: ["loss of B + penalty", "currentColor", null, 3.5],
  };
  const chart = make("div");
  el.append(controls.el, key(Object.values(looks)), chart);

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
    const figure = Plot.plot({
      width: Math.min(width, 760), height: 350, marginLeft: 34, marginRight: 14, marginBottom: 48,
      className: "cl-plot", style: { fontSize: "13px" },
      x: { domain: [LEAST, MOST], label: "weight θ", ticks: [-2, -1, 0, 1, 2], tickFormat: String, labelAnchor: "center", labelOffset: 36, labelArrow: "none" },
      y: { domain: [0, HIGH], label: "loss", ticks: 4, grid: true, labelArrow: "none" },
      marks: [
        Plot.ruleX([end], { stroke: "var(--cl-soft)", strokeDasharray: "1 4" }),
        ...Object.entries(looks).map(([name, [, stroke, strokeDasharray, strokeWidth = 2]]) => Plot.line(
          THETA, { x: (t) => t, y: within(curves[name]), stroke, strokeDasharray, strokeWidth,
            strokeOpacity: name === "a" ? 0.6 : 1 })),
        Plot.dot([["a", "circle"], ["b", "square"]], {
          x: end, y: ([name]) => within(curves[name])(end), symbol: ([, symbol]) => symbol, r: 5,
          fill: ([name]) => looks[name][1],
        }),
        Plot.dot([end], { x: end, y: within(curves.sum)(end), symbol: "star", r: 10, fill: "currentColor",
          stroke: "var(--cl-paper)" }),
        Plot.text([[A, "θ*A", "var(--cl-1)"], [B, "θ*B", "var(--cl-b)"]], {
          x: ([theta]) => theta, y: 0, dy: -12, text: ([, text]) => text, fill: ([, , colour]) => colour,
          fontSize: 14, fontWeight: 600, stroke: "var(--cl-paper)", strokeWidth: 4,
        }),
        Plot.tip(THETA, Plot.pointerX({
          x: (t) => t, y: (t) => Math.min(HIGH, curves.sum(t)), fill: "var(--cl-paper)", stroke: "var(--cl-line)", fontSize: 13,
          title: (t) => `θ ${fixed(t)}\nloss of A ${fixed(curves.a(t))}\nloss of B ${fixed(curves.b(t))}\n` +
            `penalty ${fixed(curves.penalty(t))}\nsum ${fixed(curves.sum(t))}`,
        })),
      ],
    });
    figure.classList.add("cl-picture");
    figure.setAttribute("aria-label", "Loss of A, loss of B, λ times the penalty, and their sum over one weight.");
    chart.replaceChildren(figure);
    return `The sum has its minimum at θ = ${fixed(end)}, the star: loss on A ${fixed(la)}, on B ${fixed(lb)}, ` +
      `together ${fixed(la + lb)} (at best ${fixed(least)}).` + (lam === 0 ? " Nothing holds θ: A is forgotten." :
        lam === 1 ? " With λ = 1 the penalty is the loss of A itself." : "");
  };
}

/** What lies above the picture is not drawn. (Plot's own clipping would make each copy differ.) */
const within = (curve) => (theta) => (curve(theta) <= HIGH ? curve(theta) : NaN);
