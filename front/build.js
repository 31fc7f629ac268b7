// Bundles the sources of this folder into cl_helpers/widgets/front: `make front`.
import { build } from "esbuild";

const how = {
  outdir: "../cl_helpers/widgets/front",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "eof", // the licences of what is bundled
  loader: { ".css": "text" },
  logLevel: "info",
};
await build({ ...how, entryPoints: ["views.js"] }); // one file: anywidget loads no other
await build({ ...how, entryPoints: ["host.js"], external: ["./views.js"] }); // beside it on a page
