// The examples, each against a gateway before the demo's gRPC service:
//
//     node test/examples/run.mjs FOLDER-OF-THE-PROGRAMS [SCREENSHOTS]
//
// The package has to be built, and `npm ci` to have run in examples/, tests/browser and test/runtimes.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { listening } from "../../../../tests/browser/lib/programs.mjs";
import { bundle, root, startGateway } from "../gateway/programs.mjs";
import { inWorkerd } from "../gateway/hosts.mjs";
import { appTests } from "./app.mjs";

const [programs, screenshots] = process.argv.slice(2);
if (!programs) {
  console.error("usage: node run.mjs FOLDER-OF-THE-PROGRAMS [SCREENSHOTS]");
  process.exit(64);
}
const examples = `${root}/../../examples`;
const runtimes = `${root}/test/runtimes/node_modules`;
const [, grpc] = await listening(`${programs}/grpcws`, ["demo", "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"], /^listening grpc:\/\/(.*)/);
const [, address] = await startGateway(programs, grpc);
const url = `http://${address}`;

/** Runs a program in an example's folder, and returns what it prints. */
async function printed(folder, program, ...parameters) {
  const { stdout } = await promisify(execFile)(program, parameters, { cwd: `${examples}/${folder}`, timeout: 60_000 });
  return stdout;
}

const bidi = (name) => new RegExp(`^bidi: ${name} said "hello from ${name}"$`, "m");
const EXAMPLES = [
  ["node", [/^client streaming: 3 commands, applied$/m, /^unary: Node in node$/m, /^server streaming: .*"hello from Node"$/m, /^bidi: Node said "and back"$/m],
    () => printed("node", process.execPath, "main.mjs", url)],
  ["deno", [bidi("Deno")], () => printed("deno", `${runtimes}/.bin/deno`, "run", "--allow-net", "main.ts", url)],
  ["bun", [/^server streaming: Bun joined$/m, /^server streaming: Bun said "hello from Bun"$/m], () => printed("bun", `${runtimes}/.bin/bun`, "run", "main.ts", url)],
  ["ts-proto", [bidi("ts-proto"), /^unary: ts-proto$/m], () => printed("ts-proto", "npm", "start", "--silent", "--", url)],
  ["protobuf-ts", [bidi("protobuf-ts"), /^unary: protobuf-ts$/m], () => printed("protobuf-ts", "npm", "start", "--silent", "--", url)],
  ["workers", [/^\{"gameId":"worker",.*"snapshot":/], async () => {
    const file = await bundle(`export { default } from "${examples}/workers/worker.ts";`, "example-worker.mjs", "browser");
    return inWorkerd(runtimes, file, { path: "worker", bindings: { GATEWAY: url } });
  }],
];

let [passed, failed] = [0, 0];
async function check(name, work) {
  try {
    await work();
    passed++;
    console.log(`ok   ${name}`);
    return true;
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}\n     ${String(error.stack ?? error).replaceAll("\n", "\n     ")}${error.stdout ?? ""}${error.stderr ?? ""}`);
    return false;
  }
}
for (const [name, expected, run] of EXAMPLES) {
  await check(`example ${name}`, async () => {
    const text = await run();
    for (const pattern of expected) if (!pattern.test(text)) throw new Error(`it does not print ${pattern}:\n${text}`);
  });
}
// Their generated code is there now.
await check("the examples' types", () => printed("", "npm", "run", "--silent", "check"));
await printed("browser-vite", "npm", "run", "--silent", "build");
const app = await appTests(`${examples}/browser-vite`, address, screenshots);
// Each goes on from the one before.
for (const [name, test] of app.tests) if (!(await check(`example browser-vite: ${name}`, test))) break;
await app.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
