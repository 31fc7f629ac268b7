// What goes out of the Lab: its runs as CSV, its picture as SVG and PNG.

import { button } from "../../lib/controls.js";
import { still } from "../../lib/still.js";

export function keepFiles(model, el) {
  const all = () => [model.get("news").summary, ...model.get("runs")].filter(Boolean);
  const picture = () => still([el.querySelector("svg.cl-curves")], el.querySelector(".cl-words").textContent);
  return [
    button("CSV", () => give("runs.csv", "text/csv", table(all())), {
      title: "accuracies of the latest run and of those kept", usable: () => all().length > 0 }),
    button("SVG", () => give("lab.svg", "image/svg+xml", picture())),
    button("PNG", () => png(picture()).then((blob) => give("lab.png", "image/png", blob))),
  ];
}

/** One line for each accuracy of each run. */
function table(runs) {
  const lines = runs.flatMap((run) => run.matrix.flatMap((row, t) => row.flatMap((a, j) =>
    (a === null ? [] : [[run.label, run.method, run.seed, t + 1, j + 1, a].map(quoted).join(",")]))));
  return ["run,method,seed,after_task,task,accuracy", ...lines].join("\r\n") + "\r\n";
}

const quoted = (value) => (/[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));

async function png(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * image.width, 2 * image.height];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function give(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
