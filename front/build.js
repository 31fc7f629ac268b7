// Bundles the sources of this folder into cl_helpers/widgets/front: `make front`.
import { build } from "esbuild";

await build({
  entryPoints: ["views.js", "host.js"],
  outdir: "../cl_helpers/widgets/front",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "eof", // the licences of what is bundled
  loader: { ".css": "text" },
  logLevel: "info",
});
