// connectrpc/conformance through `createGrpcWsTransport`, in both modes:
//
//     node test/conformance/run.mjs HOSTS FOLDER-OF-THE-PROGRAMS RUNNER PROTOS [PARAMETERS OF THE RUNNER]
//
// HOSTS is some of node,chromium,firefox,webkit. FOLDER-OF-THE-PROGRAMS has the gateway in it, RUNNER is connectconformance, and PROTOS the folder of its protos.
import { execFileSync, spawn } from "node:child_process";
import { dirname, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** How many cases grpc.yaml selects of the pinned version. Cases that were left out have not passed. */
const CASES = 217;

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const hosts = (process.argv[2] ?? "").split(",");
const [programs, runner, protos] = process.argv.slice(3, 6).map((path) => path && resolve(path));
const rest = process.argv.slice(6);
if (!protos) {
  console.error("usage: node run.mjs node,chromium,firefox,webkit FOLDER-OF-THE-PROGRAMS RUNNER PROTOS [PARAMETERS OF THE RUNNER]");
  process.exit(64);
}
const buf = (...parameters) => execFileSync("npx", ["buf", ...parameters], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
const descriptors = `${root}/test/.build/conformance.binpb`;
const client = `${root}/test/.build/conformance-client.mjs`;
const plugin = { local: "node_modules/.bin/protoc-gen-es", out: "test/gen/conformance", opt: ["target=ts", "import_extension=ts"] };
buf("generate", protos, "--template", JSON.stringify({ version: "v2", plugins: [plugin] }));
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "test/conformance"], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
await build({
  entryPoints: [`${root}/test/conformance/client.ts`], outfile: client, bundle: true, external: ["/invoke.js"], platform: "node", format: "esm", target: "node20",
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
});
const module = `${root}/test/.build/conformance-page.mjs`;
await build({ entryPoints: [`${root}/test/conformance/invoke.ts`], outfile: module, bundle: true, platform: "browser", format: "esm", target: "es2022" });
buf("build", protos, "--as-file-descriptor-set", "-o", descriptors);

let passed = 0;
let failed = 0;
for (const [host, mode] of hosts.flatMap((host) => [[host, "proto"], [host, "json"]])) {
  const parameters = ["--conf", `${root}/test/conformance/grpc.yaml`, "--mode", "client", ...rest, "--", process.execPath, client, mode, programs, descriptors];
  if (host !== "node") parameters.push(host, module, resolve(root, "../../tests/browser/lib"));
  const program = spawn(runner, parameters, { stdio: ["ignore", "pipe", "pipe"] });
  const totals = [];
  for (const stream of [program.stdout, program.stderr]) {
    createInterface(stream).on("line", (line) => {
      console.log(line);
      const found = /^(\d+) passed, (\d+) failed$/.exec(line);
      if (found) totals.push(found.slice(1).map(Number));
    });
  }
  await new Promise((done) => program.once("close", done));
  const [ok, bad] = totals.at(-1) ?? [0, 1];
  console.log(`# grpcws.v1.${mode} in ${host}: ${ok} of ${CASES} passed`);
  passed += ok;
  failed += bad || (ok === CASES || rest.length ? 0 : 1);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
