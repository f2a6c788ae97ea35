// Prints what the project's gate reads: `N passed, N failed` alone on the last line.
import type { Reporter, TestModule } from "vitest/node";

export default class Count implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const failed = states.filter((state) => state !== "passed").length + errors.length + modules.filter((module) => module.errors().length > 0).length;
    console.log(`${states.filter((state) => state === "passed").length} passed, ${failed} failed`);
  }
}
