// Ω as heat maps: which weights a method holds on to, and whether methods agree.

import { picture, places } from "../lib/chart.js";
import { choice, named, row } from "../lib/controls.js";
import { correlationMatrix, heatMap } from "../lib/heat.js";
import { make } from "../lib/make.js";
import { fixed, percent, significant, whole } from "../lib/numbers.js";
import { floats } from "../lib/pixels.js";
import { grid, reader } from "../lib/reader.js";

const DECADES = 5; // of colours below the largest Ω, for weights; pixels are coloured in proportion
const [LEFT, TOP, RIGHT, BELOW] = [26, 46, 84, 30]; // around a heat map, in pixels

export default function importance(model, el) {
  const [methods, layers, viewers] = ["methods", "layers", "viewers"].map((name) => model.get(name));
  const names = layers.map(({ name }) => name), several = methods.length > 1;
  const layer = () => layers[names.indexOf(model.get("layer"))];
  const one = (name, label, options, more) => options.length > 1 &&
    choice(model, name, { label, options: named(options), ...more });
  const controls = row(
    one("method", "Method", methods),
    one("layer", "Layer", names),
    one("seen_by", "Pixels as seen by", viewers, { usable: () => layer().pixels }),
  );

  const maps = picture();
  let map = {}; // the heat map as it is now: its frame, its cells
  const reading = reader(maps.svg, {
    label: "Ω, cell by cell",
    ...grid(() => map, (i, j) => `${where(layer(), i, j)}: ${significant(map.values[i * map.columns + j])}`),
  });
  el.append(controls.el, maps.el);

  return function draw(width) {
    controls.sync();
    const now = layer(), seenBy = model.get("seen_by"), m = methods.indexOf(model.get("method"));
    const of = model.get("maps")[m][layers.indexOf(now)];
    const { place, ...size } = places(width, several ? [0.58, 0.42] : [1], height);
    map = framed(place(0), now);
    map.values = [...floats(of.values[now.pixels ? viewers.indexOf(seenBy) : 0])];
    const short = shortened(methods);
    const title = now.pixels ? `Ω of the pixels, as ${seenBy} sees them` : `Ω of ${now.name}: ${a(now)}`;
    maps.put(size, `Heat map of Ω${several ? " and rank correlation of methods" : ""}.`, [
      titled(place(0), [title]), heatMap(map, map.values, now.pixels ? 0 : DECADES),
      ...(now.pixels ? [] : units(map, now.weights)),
      ...(several ? [
        titled(place(1), ["do they rank the weights alike?", "(Spearman’s correlation)"]),
        correlationMatrix(inside(place(1)), now.agreement, short),
      ] : []),
    ]);
    reading.put([map.x, map.y, map.width, map.height]);
    const weights = whole(now.weights[0] * now.weights[1]);
    const held = of.top_share == null ? `Ω of the ${weights} weights is zero.`
      : `the most important 1 % of the ${weights} weights hold ${percent(of.top_share, 0)} of Ω.`;
    return `${methods[m]}, ${now.name}: ${held}${several ? ` ${correlations(now.agreement, short)}` : ""}`;
  };
}

const height = (width) => Math.min(400, width - LEFT - RIGHT + TOP + BELOW);
const inside = ({ x, y, width, height }) =>
  ({ x, y: y + TOP, width: width - 8, height: height - TOP - BELOW });

/** Where a map lies: pixels are square, other cells fill the frame. */
function framed(place, { map: [rows, columns], pixels }) {
  let { x, y, width, height } = inside(place);
  [x, width] = [x + LEFT, place.width - LEFT - RIGHT];
  if (pixels) {
    const side = Math.min(width / columns, height / rows);
    [width, height] = [side * columns, side * rows];
  }
  return { x, y, width, height, rows, columns };
}

const titled = ({ x, y }, lines) => make("g", { class: "cl-title" },
  lines.map((line, i) => make("text", { x, y: y + 16 + 17 * i }, line)));

/** What a cell is: "a cell is the mean of 8 × 16 weights". */
function a({ weights, map }) {
  const [rows, columns] = weights.map((n, i) => Math.ceil(n / map[i]));
  const most = weights.some((n, i) => n % map[i]) ? "up to " : "";
  return rows * columns === 1 ? "a cell is a weight" : `a cell is the mean of ${most}${rows} × ${columns} weights`;
}

const units = ({ x, y, width, height }, [to, from]) => [
  make("text", { x: x + width / 2, y: y + height + 20, "text-anchor": "middle" }, `from unit 1 to ${from}`),
  make("text", {
    transform: `translate(${x - 10},${y + height / 2}) rotate(-90)`, "text-anchor": "middle",
  }, `to unit ${to} … 1`),
];

/** Which weights row i and column j of a map are of. */
function where({ pixels, weights, map }, i, j) {
  if (pixels) return `pixel in row ${i + 1}, column ${j + 1}`;
  const unit = (k, axis) => {
    const edge = (cell) => Math.floor((cell * weights[axis]) / map[axis]), [low, high] = [edge(k) + 1, edge(k + 1)];
    return low === high ? `unit ${low}` : `units ${low}–${high}`;
  };
  return `from ${unit(j, 1)} to ${unit(i, 0)}`;
}

/** The first words of names, and of the others those that not all have if the first do not differ. */
function shortened(names) {
  const words = names.map((name) => name.split(" ")), firsts = words.map(([first]) => first);
  if (new Set(firsts).size === names.length) return firsts;
  const shared = (word) => words.every((each) => each.includes(word));
  return words.map(([first, ...rest]) => [first, ...rest.filter((word) => !shared(word))].join(" "));
}

function correlations(r, names) {
  const pairs = names.flatMap((name, i) => names.slice(0, i)
    .map((other, j) => `${name} and ${other} ${r[i][j] == null ? "–" : fixed(r[i][j])}`));
  return `Rank correlation: ${pairs.join(", ")}.`;
}
