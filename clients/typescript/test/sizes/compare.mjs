// The size table of the README: one server-streaming call with each library, bundled, minified and compressed.
//
//     npm ci && npx buf generate counter.proto && node compare.mjs     measures, and writes sizes.json and the README's table
//
// The gate holds our own entries to sizes.json: ../package/size.mjs.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { measure } from "./measure.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const { dependencies } = JSON.parse(readFileSync(`${here}/package.json`, "utf8"));
const of = (name) => `${name} ${dependencies[name]}`;
// The file of the entry, what is called by what, and what it can do.
const ENTRIES = [
  ["servicekit", of("@panyam/servicekit-client"), "streams of JSON"],
  ["grpcws-servicekit", "**`grpcws/servicekit`**", "streams of JSON"],
  ["graphql-ws", of("graphql-ws"), "GraphQL subscriptions"],
  ["json", "**`grpcws`, JSON**", "all four kinds"],
  ["ts-proto", "**`grpcws/ts-proto`**", "all four kinds"],
  ["protobuf-ts", "**`grpcws/protobuf-ts`**", "all four kinds"],
  ["protobuf-ts-grpcweb", of("@protobuf-ts/grpcweb-transport"), "unary, server streaming"],
  ["nice-grpc-web", `${of("nice-grpc-web")}, WebSocket`, "all four kinds"],
  ["connect-binary", "**`grpcws/connect`, binary**", "all four kinds"],
  ["google-protobuf", `${of("grpc-web")}, ${of("google-protobuf")}`, "unary, server streaming"],
  ["connect-grpcweb", `${of("@connectrpc/connect-web")}, gRPC-Web`, "unary, server streaming"],
  ["connect-web", `${of("@connectrpc/connect-web")}, Connect`, "unary, server streaming"],
  ["connect", "**`grpcws/connect`, JSON and binary**", "all four kinds"],
];

const sizes = {};
const rows = [];
for (const [file, name, kinds] of ENTRIES) {
  const { minified, gzip, brotli } = await measure(build, file, here);
  sizes[file] = gzip;
  rows.push([name, kinds, minified, gzip, brotli]);
}
rows.sort((a, b) => a[3] - b[3]);
const number = (value) => value.toLocaleString("en-US");
const table = ["| | | minified | gzip | brotli |", "| --- | --- | --: | --: | --: |", ...rows.map(([name, kinds, ...bytes]) => `| ${name} | ${kinds} | ${bytes.map(number).join(" | ")} |`)].join("\n");
console.log(table);
writeFileSync(`${here}/sizes.json`, `${JSON.stringify(sizes, undefined, 2)}\n`);
const readme = resolve(here, "../../README.md");
const text = readFileSync(readme, "utf8");
writeFileSync(readme, text.replace(/(<!-- sizes -->\n)[^]*(\n<!-- \/sizes -->)/, `$1\n${table}\n$2`));
