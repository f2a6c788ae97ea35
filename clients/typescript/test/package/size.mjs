// What one call costs a page: bundled, minified and gzipped, in bytes.
//
//     node test/package/size.mjs          the limits
//     node test/package/size.mjs --files  what each file adds
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

export async function size(contents, external = []) {
  const result = await build({
    stdin: { contents, resolveDir: root, loader: "ts" }, external, bundle: true, minify: true, format: "esm", platform: "browser", target: "es2022",
    write: false, metafile: true, logLevel: "error",
  });
  return { bytes: gzipSync(result.outputFiles[0].contents, { level: 9 }).length, result };
}

const CONNECT = ["@connectrpc/connect", "@connectrpc/connect/protocol", "@bufbuild/protobuf"];
// The first is to become 5,000.
const LIMITS = [
  ["one JSON call with Client", 'import { Client } from "./dist/index.js"; console.log(await new Client("https://a").json("a.B/C").request({}).response());', 6_300, []],
  ["the whole core", 'export * from "./dist/index.js";', 7_000, []],
  ["the transport for Connect-ES", 'export { createGrpcWsTransport } from "./dist/connect.js";', 8_000, CONNECT],
];

let failed = 0;
for (const [name, contents, limit, external] of LIMITS) {
  const { bytes, result } = await size(contents, external);
  const isOk = bytes <= limit;
  if (!isOk) failed++;
  console.log(`${isOk ? "ok  " : "FAIL"} ${name}: ${bytes} of ${limit} bytes`);
  if (process.argv.includes("--files")) {
    for (const [file, { bytesInOutput }] of Object.entries(Object.values(result.metafile.outputs)[0].inputs)) console.log(`     ${file}: ${bytesInOutput}`);
  }
}
console.log(`${LIMITS.length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
