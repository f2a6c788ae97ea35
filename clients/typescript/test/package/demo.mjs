// The client as the demo's page loads it, which needs no Node when it is served: it is checked in.
//
//     node test/package/demo.mjs            builds it again
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const FILE = resolve(root, "../../crates/grpcws-gateway/assets/demo/grpcws.bundle.js");
const BANNER = "// The npm package `grpcws`, built from clients/typescript by `npm run build:demo`. Do not edit it here.";

async function built() {
  const contents = 'export { Client, Code, codeName } from "./src/index.ts";';
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root, loader: "ts" }, bundle: true, format: "esm", platform: "browser", target: "es2022", charset: "utf8",
    banner: { js: BANNER }, write: false, logLevel: "error",
  });
  return outputFiles[0].text;
}

/** Throws if the file is not what the sources make. */
export async function checkDemo() {
  if (readFileSync(FILE, "utf8") !== (await built())) throw new Error("the demo's page has another client: run `npm run build:demo` in clients/typescript");
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) writeFileSync(FILE, await built());
