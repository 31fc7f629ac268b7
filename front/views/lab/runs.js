// Kept runs and the latest, ranked; each can be switched off. Other experiments are set apart.

import { look } from "../../lib/palette.js";
import { change, make } from "../../lib/make.js";
import { inPoints, percent } from "../../lib/numbers.js";

export function runs(model) {
  const el = make("div", { class: "cl-runs" });
  let drawn = "";

  function draw() {
    const { summary, diverged, outcome } = model.get("news"), kept = model.get("runs");
    const hidden = model.get("hidden");
    const isKept = (run) => kept.some((k) => k.label === run.label && k.seed === run.seed
      && JSON.stringify(k.matrix) === JSON.stringify(run.matrix));
    const latest = summary && !isKept(summary) ? [{ ...summary, differs: [], latest: true, diverged, outcome }] : [];
    const all = [...latest, ...kept], state = JSON.stringify([all, hidden]);
    if (state === drawn) return;
    drawn = state;
    const alike = all.filter((run) => !run.differs.length).sort((p, q) => (q.average ?? -1) - (p.average ?? -1));
    const apart = all.filter((run) => run.differs.length);
    el.hidden = !all.length;
    el.replaceChildren(
      ...(alike.length ? [make("h3", {}, "Average accuracy at the end"), list(alike, hidden, true)] : []),
      ...(apart.length ? [make("h3", {}, "Other experiments, not to be compared with these"),
        list(apart, hidden, false)] : []));
  }

  function list(rows, hidden, ranked) {
    return make(ranked ? "ol" : "ul", {}, rows.map((run) => {
      const { stroke, corners } = look(run.method), off = hidden.includes(run.id);
      const box = make("input", { type: "checkbox", checked: !off, "aria-label": `show ${run.label}`,
        disabled: Boolean(run.latest), onchange: () => change(model, {
          hidden: off ? hidden.filter((id) => id !== run.id) : [...hidden, run.id] }) });
      const sign = make("svg", { width: 18, height: 18, "aria-hidden": "true" },
        make("polygon", { points: corners(6), fill: stroke, transform: "translate(9 9)" }));
      const bar = make("span", { class: "cl-bar" }, make("span", {
        style: `width: ${100 * (run.average ?? 0)}%; background: ${stroke}` }));
      return make("li", { class: off ? "cl-off" : "" }, make("label", {}, ranked ? box : "", sign,
        make("span", { class: "cl-name" }, `${run.label}${run.seed ? `, seed ${run.seed}` : ""}${run.latest ? " (latest)" : ""}`)),
      bar, make("span", { class: "cl-value" }, run.diverged ? run.outcome : run.average === null ? "not finished"
        : `${percent(run.average)}${run.forgetting === null ? "" : `, forgetting ${inPoints(run.forgetting)}`}`),
      ...(run.differs.length ? [make("span", { class: "cl-soft" }, `differs: ${run.differs.join(", ")}`)] : []));
    }));
  }
  return { el, draw };
}
