// The suite as a program: node, deno and bun run it with the gateways' addresses, a page and a Worker call `run`.
import type { WebSocketConstructor } from "../../src/index.ts";
import { core } from "./core.ts";
import { generated } from "./generated.ts";
import { runAll, type Environment, type Result } from "./suite.ts";

export function run(environment: Environment, report?: (result: Result) => void): Promise<Result[]> {
  return runAll([...core, ...generated], environment, report);
}

declare const process: { argv: string[]; exit(code: number): never } | undefined;

/** Prints a line for each row, and the count alone on the last. */
export async function main(WebSocket?: WebSocketConstructor): Promise<void> {
  const [url = "", strictUrl = "", only = ""] = process?.argv.slice(2) ?? [];
  const results = await run({ url, strictUrl, only, ...(WebSocket ? { WebSocket } : {}) }, ({ name, error }) => {
    console.log(error === undefined ? `ok   ${name}` : `FAIL ${name}\n     ${error.replaceAll("\n", "\n     ")}`);
  });
  const failed = results.filter(({ error }) => error !== undefined).length;
  console.log(`${results.length - failed} passed, ${failed} failed`);
  process?.exit(failed || !results.length ? 1 : 0);
}
