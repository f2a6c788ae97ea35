// The suite against the gateway in one runtime:
//
//     node test/gateway/run.mjs RUNTIME FOLDER-OF-THE-PROGRAMS [PATTERN] [TEST-SERVICE]
//
// RUNTIME is node, node22, node24, deno, bun, workerd, chromium, firefox or webkit; those but `node` and the browsers come
// from npm, by test/runtimes. The folder is that of `cargo build`, with `grpcws` and `grpcws-test` in it; another program can be
// the test service, such as the one on grpc-go.
import { readFileSync } from "node:fs";
import { NAMES as BROWSERS } from "../../../../tests/browser/lib/engines.mjs";
import { run } from "../../../../tests/browser/lib/programs.mjs";
import { inBrowser, inWorkerd } from "./hosts.mjs";
import { bundle, root, startGateway, startUpstream } from "./programs.mjs";

const runtimes = `${root}/test/runtimes/node_modules`;
const machine = process.arch === "arm64" ? "-arm64" : "";
const COMMANDS = {
  node: [process.execPath],
  node22: [`${runtimes}/node22${machine}/bin/node`],
  node24: [`${runtimes}/node24${machine}/bin/node`],
  deno: [`${runtimes}/.bin/deno`, "run", "--allow-net", "--allow-env"],
  bun: [`${runtimes}/.bin/bun`, "run"],
};

const [name = "", programs = "", only = "", service] = process.argv.slice(2);
const isBrowser = BROWSERS.includes(name);
if (!programs || !(name in COMMANDS || isBrowser || name === "workerd")) {
  console.error(`usage: node run.mjs ${[...Object.keys(COMMANDS), "workerd", ...BROWSERS].join("|")} FOLDER-OF-THE-PROGRAMS [PATTERN] [TEST-SERVICE]`);
  process.exit(64);
}

/** Starts the test service and the gateways before it; a page's origin has to be allowed. */
async function start(origin) {
  const upstream = await startUpstream(programs, service);
  const [, address] = await startGateway(programs, upstream, { more: origin ? ["--allow-origin", origin] : [] });
  const [, strict] = await startGateway(programs, upstream, { more: ["--max-streams", "1"] });
  return { url: `ws://${address}`, strictUrl: `ws://${strict}` };
}

function tell(results) {
  for (const { name, error } of results) console.log(error === undefined ? `ok   ${name}` : `FAIL ${name}\n     ${error.replaceAll("\n", "\n     ")}`);
  const failed = results.filter(({ error }) => error !== undefined).length;
  console.log(`${results.length - failed} passed, ${failed} failed`);
  process.exit(failed || !results.length ? 1 : 0);
}

if (isBrowser) {
  const file = await bundle('export { run } from "./main.ts";', "gateway-page.mjs", "browser");
  tell(await inBrowser(name, readFileSync(file, "utf8"), start, only));
} else if (name === "workerd") {
  const entry = `import { run } from "./main.ts";
    export default { async fetch(request) { return Response.json(await run(await request.json())); } };`;
  const file = await bundle(entry, "gateway-worker.mjs", "browser");
  tell(JSON.parse(await inWorkerd(runtimes, file, { body: JSON.stringify({ ...(await start()), only }) })));
} else {
  // Node 20 alone has no WebSocket of its own.
  const entry = name === "node"
    ? 'import WebSocket from "ws"; import { main } from "./main.ts"; await main(WebSocket as never);'
    : 'import { main } from "./main.ts"; await main();';
  const file = await bundle(entry, `gateway-${name}.mjs`, name === "node" ? "node" : "browser");
  const [program, ...parameters] = COMMANDS[name];
  const { url, strictUrl } = await start();
  const suite = run(program, [...parameters, file, url, strictUrl, only], { stdio: ["ignore", "inherit", "inherit"] });
  suite.once("exit", (code) => process.exit(code ?? 1));
}
