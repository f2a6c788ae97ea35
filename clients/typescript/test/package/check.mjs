// The package as npm would publish it:
//
//     node test/package/check.mjs
//
// It is packed and unpacked into a folder with nothing else but the peers, and imported there.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { checkDemo } from "./demo.mjs";
import { checkVersions } from "./versions.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const { exports: entries } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
const names = Object.keys(entries).filter((name) => name !== "./package.json").map((name) => `grpcws${name.slice(1)}`);
const folder = mkdtempSync(join(tmpdir(), "grpcws-package-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const npx = (...parameters) => [`${root}/node_modules/.bin/${parameters[0]}`, parameters.slice(1)];

let [passed, failed] = [0, 0];
async function check(name, work) {
  try {
    await work();
    passed++;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}\n     ${String(error.stdout ?? "")}${String(error.stderr ?? "")}${error.message}`.trimEnd());
  }
}
const run = (program, parameters, options = {}) => {
  const { status, stdout, stderr, error } = spawnSync(program, parameters, { encoding: "utf8", cwd: folder, ...options });
  if (status !== 0) throw Object.assign(error ?? new Error(`${program} ended with ${status}`), { stdout, stderr });
  return stdout;
};

const [{ filename, files }] = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", folder], { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
const modules = join(folder, "node_modules");
mkdirSync(join(modules, "grpcws"), { recursive: true });
execFileSync("tar", ["xzf", join(folder, filename), "-C", join(modules, "grpcws"), "--strip-components=1"]);
for (const peer of ["@bufbuild", "@connectrpc", "@protobuf-ts", "react", "@types", "csstype"]) symlinkSync(join(root, "node_modules", peer), join(modules, peer));

await check("it has what it is to have, and no tests", () => {
  const paths = files.map(({ path }) => path);
  for (const path of ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "dist/index.js", "dist/index.cjs", "dist/index.d.ts", "dist/index.d.cts", "dist/servicekit.iife.js"]) {
    if (!paths.includes(path)) throw new Error(`${path} is missing: ${paths.join(", ")}`);
  }
  const stray = paths.filter((path) => /test|\.tsbuildinfo|node_modules/.test(path) && !/testing/.test(path));
  if (stray.length) throw new Error(`it has ${stray.join(", ")}`);
});

await check("its versions are those of the crates", () => checkVersions());

await check("the demo's page has this client", checkDemo);

// Server-side rendering and React Native import it where there is neither a page nor all of a browser's classes.
const bare = `for (const name of ['WebSocket', 'FinalizationRegistry', 'ReadableStream', 'WritableStream', 'requestAnimationFrame']) delete globalThis[name]; delete globalThis.document; delete globalThis.addEventListener;`;
for (const [kind, load] of [["import", (name) => `await import(${JSON.stringify(name)})`], ["require", (name) => `require(${JSON.stringify(name)})`]]) {
  await check(`${kind} of every entry where there is no WebSocket`, () => {
    const file = join(folder, kind === "import" ? "all.mjs" : "all.cjs");
    writeFileSync(file, `${bare}\nfor (const found of [${names.map(load).join(", ")}]) if (!Object.keys(found).length) throw new Error("an entry is empty");`);
    run(process.execPath, [file]);
  });
}

await check("the global ServiceKit of its script has every name", () => {
  const code = `${readFileSync(join(modules, "grpcws/dist/servicekit.iife.js"), "utf8")}; console.log(Object.keys(ServiceKit).sort().join())`;
  const expected = "BaseWSClient,BinaryCodec,GRPCWSClient,JSONCodec,ReadyState,TypedGRPCWSClient,createMockWSPair";
  const is = run(process.execPath, ["-e", code]).trim();
  if (is !== expected) throw new Error(`${is}, not ${expected}`);
});

await check("publint", () => run(...npx("publint", "--strict", join(folder, filename))));
// TypeScript's old resolution knows no entries but the first.
await check("are the types wrong?", () => run(...npx("attw", "--profile", "node16", join(folder, filename))));

// `--force`, since npm refuses a version that is already published, as ours is from a release to the next change of version.
await check("npm would publish it", () => run("npm", ["publish", "--dry-run", "--force", "--access", "public"], { cwd: root }));
if (!process.env.SKIP_JSR) {
  await check("JSR would publish it, and finds no slow types", () => {
    const { name, exports: onJsr } = JSON.parse(readFileSync(`${root}/jsr.json`, "utf8"));
    const missing = names.filter((entry) => !(entry.replace("grpcws", ".") in onJsr));
    if (missing.length) throw new Error(`${name} has no ${missing}`);
    run(`${root}/test/runtimes/node_modules/.bin/deno`, ["publish", "--dry-run", "--allow-dirty"], { cwd: root });
  });
}
await check("every export is documented, and every link leads somewhere", () => run(...npx("typedoc", "--emit", "none"), { cwd: root }));

const CONSUMER = `
import { Client, Code, GrpcWsError, resume, type Metadata } from "grpcws";
import { createGrpcWsTransport } from "grpcws/connect";
import { GrpcWsTransport } from "grpcws/protobuf-ts";
import { useStream } from "grpcws/react";
import { GRPCWSClient } from "grpcws/servicekit";
import { fakeGateway } from "grpcws/testing";
import { createRpc } from "grpcws/ts-proto";
const client = new Client("https://a", { token: async ({ attempt }) => String(attempt), WebSocket });
export async function all(): Promise<Metadata> {
  const call = client.json<{ a: number }, { b: string }>("a.B/C", { timeoutMs: 5 });
  const one: { b: string } = await call.request({ a: 1 }).response();
  for await (const { b } of resume<{ b: string }>((last, attempt, signal) => client.json<{ a: number }, { b: string }>("a.B/C", { signal }).request({ a: attempt }))) console.log(b, one);
  for await (const bytes of client.call("a.B/C")) console.log(bytes.length);
  try { await call.pipe([{ a: 1 }]); } catch (error) { if (error instanceof GrpcWsError && error.code === Code.NotFound) throw error; }
  return call.headers;
}
// @ts-expect-error a message of another type
client.json<{ a: number }>("a.B/C").send({ a: "1" });
export const rest = [createGrpcWsTransport({ baseUrl: "https://a" }), new GrpcWsTransport({ baseUrl: "https://a" }), createRpc("https://a"), GRPCWSClient.createMock(), fakeGateway({}), useStream];
`;
for (const compiler of ["typescript-5.7", "typescript", "typescript-7"]) {
  for (const [moduleResolution, module] of [["nodenext", "nodenext"], ["bundler", "esnext"]]) {
    await check(`${compiler} compiles a consumer with ${moduleResolution}`, () => {
      const file = `consumer.${moduleResolution === "nodenext" ? "mts" : "ts"}`;
      writeFileSync(join(folder, file), CONSUMER);
      const options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable,esnext.disposable", "--module", module, "--moduleResolution", moduleResolution, "--types", "react"];
      run(process.execPath, [`${root}/node_modules/${compiler}/bin/tsc`, ...options, file]);
    });
  }
}

console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
