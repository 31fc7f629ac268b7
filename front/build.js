// Bundles the sources of this folder: `make front`.
import { build } from "esbuild";

const how = {
  bundle: true,
  minify: true,
  format: "iife", // classic scripts: pages opened from a folder load no module
  target: "es2022",
  charset: "utf8",
  legalComments: "eof", // the licences of what is bundled
  loader: { ".css": "text" },
  logLevel: "info",
};
const views = { views: "host.js" }, outdir = "../cl_helpers/widgets/front";
await build({ ...how, entryPoints: views, outdir, globalName: "clViews" });

// The playground's worker goes into its script as text: one file, also without a server.
const worker = await build({ ...how, entryPoints: ["playground/worker.js"], write: false });
const WORKER = JSON.stringify(worker.outputFiles[0].text);
const page = { entryPoints: { playground: "playground/main.js" }, outdir: "../site/pages/playground" };
const banner = { js: "/*! QR codes: lean-qr, copyright David Evans, MIT licence */" };
await build({ ...how, ...page, banner, define: { WORKER } });
