// How each method looks, as in plots.LOOK of cl_helpers/report/plots.py: colour, marker, dashes.

export const LOOK = {
  joint: ["#56B4E9", "", ":"],
  baseline: ["#000000", "o", "-"],
  ewc: ["#0072B2", "s", "--"],
  mas: ["#D55E00", "^", "-."],
  si: ["#009E73", "D", "-"],
  rwalk: ["#CC79A7", "v", "--"],
  scp: ["#E69F00", "P", "-."],
  lwf: ["#CD853F", "h", ":"],
  icarl: ["#542788", "*", "-"],
  gem: ["#117733", "<", "--"],
  agem: ["#6B8E23", ">", "-."],
  er: ["#661100", "p", "-"],
  derpp: ["#1E90FF", [4, 1, 0], ":"],
  dgr: ["#5C4033", "d", "--"],
  ncm: ["#6A5ACD", [3, 1, 0], ":"],
  lora: ["#AA4499", [6, 1, 0], "-."],
  cbp: ["#E9025A", "8", "-"],
  shrink: ["#0000CD", "H", "--"],
};
export const OTHER = ["#444444", "X", "-"];

const DASHES = { "-": null, "--": "6 4", "-.": "8 3 2 3", ":": "2 3" };

// The corners of each marker, of radius about 1.
const MARKERS = {
  "": [],
  o: regular(24, 0, 1),
  s: regular(4, 45),
  D: regular(4, 0),
  d: regular(4, 0).map(([x, y]) => [0.6 * x, y]),
  "^": regular(3, -90),
  v: regular(3, 90),
  "<": regular(3, 180),
  ">": regular(3, 0),
  p: regular(5, -90),
  h: regular(6, -90),
  H: regular(6, 0),
  8: regular(8, 22.5),
  "*": star(5, 0.45), "3,1,0": star(3), "4,1,0": star(4), "6,1,0": star(6), // [points, 1, angle]: a star
  P: cross(0),
  X: cross(45),
};

/** The colour; in a dark theme it is mixed with the ink. (Plot knows color-mix as a colour.) */
export const lighter = (colour) => `color-mix(in oklab, ${colour}, light-dark(${colour}, var(--cl-ink)) 40%)`;

/**
 * How "ewc" looks, or "ewc fisher=true"; in a dark theme colours are lighter.
 * @returns { stroke, dash, symbol, corners }
 */
export function look(name) {
  const [colour, marker, dashes] = LOOK[name.split(" ")[0]] ?? OTHER;
  return {
    stroke: colour === "#000000" ? "var(--cl-ink)" : lighter(colour),
    dash: DASHES[dashes],
    ...mark(marker),
  };
}

/** A marker by its name in Matplotlib: `symbol` for Plot and d3, `corners(r)` for a polygon. */
export function mark(name) {
  const corners = MARKERS[name];
  return {
    symbol: {
      draw(path, size) {
        const r = Math.sqrt(size / Math.PI);
        corners.forEach(([x, y], i) => path[i ? "lineTo" : "moveTo"](r * x, r * y));
        if (corners.length) path.closePath();
      },
    },
    corners: (r) => corners.map(([x, y]) => `${(r * x).toFixed(2)},${(r * y).toFixed(2)}`).join(" "),
  };
}

function regular(n, degrees, r = 1.25) {
  const angle = (i) => (Math.PI / 180) * (degrees + (360 * i) / n);
  return Array.from({ length: n }, (_, i) => [r * Math.cos(angle(i)), r * Math.sin(angle(i))]);
}

function star(points, inner = 0.5) {
  return regular(2 * points, -90).map(([x, y], i) => (i % 2 ? [inner * x, inner * y] : [x, y]));
}

function cross(degrees) {
  const turns = [0, 90, 180, 270].map((turn) => (Math.PI / 180) * (turn + degrees));
  return turns.flatMap((t) => [[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4]].map(([x, y]) => [
    x * Math.cos(t) - y * Math.sin(t), x * Math.sin(t) + y * Math.cos(t),
  ]));
}
