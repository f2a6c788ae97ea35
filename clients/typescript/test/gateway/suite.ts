// What runs in every runtime: rows of checks against a gateway in front of the test service, without a test framework.
import type { WebSocketConstructor } from "../../src/index.ts";

export interface Environment {
  /** `ws://HOST:PORT` of the gateway. */
  url: string;
  /** A gateway that takes one stream, and no page of another origin. */
  strictUrl: string;
  /** For a runtime that has none. */
  WebSocket?: WebSocketConstructor;
  /** A pattern for the names of the rows to run. */
  only?: string;
}

export interface Row {
  name: string;
  run(environment: Environment): Promise<void>;
}

export interface Result {
  name: string;
  error?: string;
}

const LIMIT_MS = 20_000;

export async function runAll(rows: readonly Row[], environment: Environment, report: (result: Result) => void = () => {}): Promise<Result[]> {
  const results: Result[] = [];
  for (const { name, run } of rows) {
    if (!new RegExp(environment.only ?? "").test(name)) continue;
    const result: Result = { name };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`it takes longer than ${LIMIT_MS} ms`)), LIMIT_MS);
    });
    try {
      await Promise.race([run(environment), limit]);
    } catch (error) {
      const { message, stack } = error as Error;
      result.error = `${message}\n${stack ?? error}`.split("\n").slice(0, 12).join("\n");
    }
    clearTimeout(timer);
    results.push(result);
    report(result);
  }
  return results;
}

// === Checks ===

export function equal(actual: unknown, expected: unknown, what = "value"): void {
  const [is, should] = [text(actual), text(expected)];
  if (is !== should) throw new Error(`${what}: ${is}, not ${should}`);
}

export function ok(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** Waits for a failure and returns it. */
export async function failure<T = Error>(promise: PromiseLike<unknown>): Promise<T> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error as T;
  }
  throw new Error(`it did not fail, but gave ${text(value)}`);
}

export async function until(holds: () => boolean | Promise<boolean>, what: string, ms = 8_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await sleep(20);
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function collect<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const message of messages) all.push(message);
  return all;
}

export async function* each<T>(...messages: T[]): AsyncGenerator<T> {
  yield* messages;
}

let tags = 0;
/** A label for a call in the test service's statistics. */
export const tag = (): string => `ts-${Math.random().toString(36).slice(2)}-${++tags}`;

function text(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === "bigint") return String(part);
    if (part instanceof Uint8Array) return [...part].join();
    if (part && typeof part === "object" && !Array.isArray(part)) return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
    return part;
  }) ?? "undefined";
}
