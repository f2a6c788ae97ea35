import { defineConfig } from "tsdown";

const options = { target: "es2022", tsconfig: "tsconfig.src.json", sourcemap: true } as const;

export default defineConfig([
  {
    ...options,
    entry: ["index", "connect", "ts-proto", "protobuf-ts", "servicekit", "react", "testing"].map((name) => `src/${name}.ts`),
    format: ["esm", "cjs"],
    // Nothing differs between runtimes: that is a feature.
    platform: "neutral",
    fixedExtension: false,
    dts: true,
    clean: true,
  },
  // For pages that load `@panyam/servicekit-client` by a script element.
  { ...options, entry: ["src/servicekit.ts"], format: "iife", globalName: "ServiceKit", platform: "browser", dts: false, clean: false, sourcemap: false },
]);
