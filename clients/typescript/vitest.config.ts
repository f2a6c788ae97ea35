import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts"],
    reporters: ["default", "./test/lib/count.ts"],
    testTimeout: 10_000,
    // For the test that a forgotten call is cancelled.
    execArgv: ["--expose-gc"],
  },
});
