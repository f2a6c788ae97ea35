// Runs named checks one after another, prints a line for each, and counts.
import { AssertionError } from "node:assert";

const LIMIT_MS = 20_000;

export class Checks {
  #passed = 0;
  #failed = 0;
  #only;
  #limit;

  /** `only`: a part of the names to run. `limit`: how long a check may take, in milliseconds. */
  constructor(only, limit = LIMIT_MS) {
    this.#only = only;
    this.#limit = limit;
  }

  /** Runs one check; it fails when `run` throws or takes too long. */
  async check(name, run) {
    if (this.#only !== undefined && !name.includes(this.#only)) return;
    try {
      await withLimit(run(), this.#limit, "the check");
      this.#passed += 1;
      console.log(`ok   ${name}`);
    } catch (error) {
      this.#failed += 1;
      console.log(`FAIL ${name}\n     ${explain(error)}`);
    }
  }

  /** Prints the count alone on the last line, and exits with 1 where a check failed or none ran. */
  finish() {
    console.log(`${this.#passed} passed, ${this.#failed} failed`);
    process.exit(this.#failed === 0 && this.#passed > 0 ? 0 : 1);
  }
}

function explain(error) {
  const text = error instanceof AssertionError ? error.message : (error?.stack ?? String(error));
  return text.split("\n").slice(0, 24).join("\n     ");
}

/** The promise, or an error after `ms`. */
export async function withLimit(promise, ms, what) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} takes longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** `--name value` arguments and the rest. */
export function readArguments(usage) {
  const options = {};
  const rest = [];
  const words = process.argv.slice(2);
  while (words.length > 0) {
    const word = words.shift();
    if (word.startsWith("--")) options[word.slice(2)] = words.shift();
    else rest.push(word);
  }
  if (rest.length !== 1) {
    console.error(usage);
    process.exit(64);
  }
  return { base: rest[0].replace(/\/$/, ""), ...options };
}
