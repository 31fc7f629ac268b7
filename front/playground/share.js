// The link to what is on the page, and its QR code for a hall of phones.

import { generate } from "lean-qr/nano";
import { toSvg } from "lean-qr/extras/svg";
import { button } from "../lib/controls.js";
import { make, put, set } from "../lib/make.js";

export function share() {
  const link = make("input", { type: "text", readonly: true, "aria-label": "link to this" });
  const said = make("span", { role: "status" }), code = make("div", { class: "cl-qr" });
  const copy = button("Copy the link", () => navigator.clipboard.writeText(link.value)
    .then(() => put(said, "Copied."), () => { link.select(); put(said, "Copy it from the field."); }));
  const el = make("details", { ontoggle: () => sync() }, make("summary", {}, "Share this"),
    make("div", { class: "cl-row" }, link, copy.el, said), code);

  function sync() {
    if (!el.open || link.value === location.href) return;
    link.value = location.href;
    put(said, "");
    if (location.protocol === "file:") {
      put(code, "This page is a file of yours: on a web server its link gets a QR code.");
      return;
    }
    const svg = toSvg(generate(location.href), document, { on: "#000000", off: "#ffffff", scale: 6 });
    set(svg, { role: "img", "aria-label": `QR code of ${location.href}` });
    code.replaceChildren(svg);
  }
  return { el, sync };
}
