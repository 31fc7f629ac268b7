// A picture as it is seen now, as a file of its own: for the saved notebook, and to keep.

import look from "./look.css";

/** The SVG's text; colours and type go with it, in the light theme. */
export function still(svg, words) {
  const copy = svg.cloneNode(true);
  const { width, height } = svg.getBoundingClientRect();
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", Math.round(width));
  copy.setAttribute("height", Math.round(height));
  copy.setAttribute("class", `cl ${svg.getAttribute("class") ?? ""}`);
  copy.setAttribute("aria-label", words);
  copy.querySelectorAll("[tabindex]").forEach((handle) => handle.remove());
  const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
  style.textContent = look;
  copy.prepend(style);
  return new XMLSerializer().serializeToString(copy);
}
