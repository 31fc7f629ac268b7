// Bundles the sources of this folder into cl_helpers/widgets/front: `make front`.
import { build } from "esbuild";

await build({
  entryPoints: { views: "host.js" },
  outdir: "../cl_helpers/widgets/front",
  bundle: true,
  minify: true,
  format: "iife", // a classic script: pages opened from a folder load no module
  globalName: "clViews",
  target: "es2022",
  charset: "utf8",
  legalComments: "eof", // the licences of what is bundled
  loader: { ".css": "text" },
  logLevel: "info",
});
