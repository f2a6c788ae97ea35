import { existsSync } from "node:fs";
import { defineConfig } from "tsdown";

const entries = ["index", "connect", "ts-proto", "protobuf-ts", "servicekit", "react", "testing"];

export default defineConfig({
  entry: entries.map((name) => `src/${name}.ts`).filter((path) => existsSync(path)),
  format: ["esm", "cjs"],
  target: "es2022",
  // Nothing differs between runtimes: that is a feature.
  platform: "neutral",
  fixedExtension: false,
  tsconfig: "tsconfig.src.json",
  dts: true,
  sourcemap: true,
  clean: true,
});
