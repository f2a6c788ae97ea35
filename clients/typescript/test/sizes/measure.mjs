// Bundles one entry of the size table.
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url));
const dist = resolve(here, "../../dist");

/** Takes `grpcws` from what was built, and all other packages from one folder: some of them have to be there once. */
const packagesOf = (resolveDir) => ({
  name: "packages",
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^[@a-z]/ }, ({ path, kind, pluginData }) => {
      const [name, entry = "index"] = path.split("/");
      if (name === "grpcws") return { path: `${dist}/${entry}.js`, sideEffects: false };
      return pluginData === "here" || kind === "entry-point" ? undefined : resolve(path, { kind, resolveDir, pluginData: "here" });
    });
  },
});

/** The bytes of an entry: minified, and then by gzip and brotli. `build` is esbuild's. */
export async function measure(build, entry, resolveDir) {
  const { outputFiles } = await build({
    entryPoints: [`${here}/entries/${entry}.ts`], bundle: true, minify: true, format: "esm", platform: "browser", target: "es2022", write: false,
    outfile: "out.js", logLevel: "error", plugins: [packagesOf(resolveDir)],
  });
  const bytes = outputFiles[0].contents;
  return { minified: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, brotli: brotliCompressSync(bytes).length };
}
