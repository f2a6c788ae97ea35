// What the programs of this folder share: bundles, and the servers before which they run.
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { listening } from "../../../../tests/browser/lib/programs.mjs";

/** The folder of the package. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** Bundles a module of this folder into one file, and returns its path. */
export async function bundle(contents, outfile, platform) {
  const options = { outfile: `${root}/test/.build/${outfile}`, bundle: true, platform, format: "esm", target: "es2022", logLevel: "error" };
  const banner = platform === "node" ? { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" } : {};
  await build({ ...options, banner, stdin: { contents, resolveDir: `${root}/test/gateway`, loader: "ts" } });
  return options.outfile;
}

/** Starts the test service, ours or one in another language, and returns its address. */
export async function startUpstream(programs, program = `${programs}/grpcws-test`) {
  const [, address] = await listening(resolve(program), ["--listen", "127.0.0.1:0"], /^listening grpc:\/\/(.*)/, { cwd: `${root}/../..` });
  return address;
}

/** Starts a gateway before a service. Returns its process and its address when it has the descriptors, which come by reflection. */
export async function startGateway(programs, upstream, { listen = "127.0.0.1:0", more = [] } = {}) {
  const parameters = ["serve", "--listen", listen, "--upstream", `http://${upstream}`, ...more];
  const [gateway, address] = await listening(`${programs}/grpcws`, parameters, /^listening ws:\/\/(.*)/);
  for (let count = 0; count < 250 && !gateway.printed.some((line) => line.includes("descriptors are loaded")); count++) {
    await new Promise((done) => setTimeout(done, 20));
  }
  return [gateway, address];
}
