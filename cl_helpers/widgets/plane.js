// Arrows from the origin of a plane, over regions of it. One of them, g, can be taken by its tip.

const SCALE = 100; // units of the drawing in one of the plane

function make(name, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

const points = (corners) => corners.map(([x, y]) => `${SCALE * x},${-SCALE * y}`).join(" ");

function region({ corners, colour }) {
  return make("polygon", { points: points(corners), fill: colour, stroke: colour });
}

function arrow({ name, tip: [x, y], at, colour, width, dashed }, dot) {
  const all = make("g", { fill: colour, stroke: colour, "stroke-width": width });
  const length = Math.hypot(x, y);
  if (length < dot) {
    all.append(make("circle", { r: 2 + width }));
    return all;
  }
  const [ux, uy] = [x / length, y / length];
  const head = 0.1 + 0.02 * width, neck = Math.max(0, length - head), side = 0.55 * head;
  const line = { x2: SCALE * neck * ux, y2: -SCALE * neck * uy };
  if (dashed) line["stroke-dasharray"] = "9 5";
  const back = (s) => [neck * ux - s * side * uy, neck * uy + s * side * ux];
  all.append(
    make("line", line),
    make("polygon", { points: points([[x, y], back(1), back(-1)]), "stroke-width": 0 }),
    make("text", { x: SCALE * at[0], y: -SCALE * at[1] }, name));
  return all;
}

function render({ model, el }) {
  const [width, height] = model.get("span");
  const [x, y] = [width, height].map((most) => SCALE * (most + model.get("room")));
  const svg = make("svg", { viewBox: `${-x} ${-y} ${2 * x} ${2 * y}`, role: "group" });
  const below = make("g"), over = make("g");
  const handle = make("circle", { r: 13, tabindex: 0, role: "slider",
    "aria-label": "gradient g", "aria-roledescription": "arrow, moved in the plane by the arrow keys",
    "aria-valuemin": -width, "aria-valuemax": width });
  handle.dataset.lmSuppressShortcuts = "true"; // the arrow keys are ours, not JupyterLab's
  svg.append(below, over, handle);
  el.classList.add("cl-plane", "cl-live");
  el.append(svg);

  function draw() {
    const [x, y] = model.get("g");
    below.replaceChildren(...model.get("regions").map(region));
    over.replaceChildren(...model.get("arrows").map((each) => arrow(each, model.get("dot"))));
    svg.setAttribute("aria-label", model.get("alt"));
    handle.setAttribute("cx", SCALE * x);
    handle.setAttribute("cy", -SCALE * y);
    handle.setAttribute("aria-valuenow", x);
    handle.setAttribute("aria-valuetext", `${x.toFixed(2)} to the right, ${y.toFixed(2)} up`);
  }

  function move(x, y) {
    const within = (v, most) => Math.round(100 * Math.min(most, Math.max(-most, v))) / 100;
    model.set("g", [within(x, width), within(y, height)]);
    model.save_changes();
  }

  const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  handle.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const [x, y] = model.get("g"), size = event.shiftKey ? 0.5 : 0.1;
    move(x + size * step[0], y + size * step[1]);
  });
  handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const at = new DOMPoint(event.clientX, event.clientY)
      .matrixTransform(svg.getScreenCTM().inverse());
    move(at.x / SCALE, -at.y / SCALE);
  });

  model.on("change", draw);
  draw();
  return () => model.off("change", draw);
}

export default { render };
