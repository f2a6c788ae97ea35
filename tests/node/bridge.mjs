// Every kind of method of a gRPC server that is not ours, through the gateway that has no code for it.
//
//     node bridge.mjs ws://HOST:PORT [--only PART-OF-A-NAME]
//
// The endpoint is `grpcws serve` in front of a server of grpcws.test.v1, in whatever language.
import assert from "node:assert/strict";
import { Checks, readArguments, sleep } from "./lib/checks.mjs";
import { verifyEnd } from "./lib/end.mjs";
import { Refused, SERVICE, open } from "./lib/stream.mjs";
import { rows as ends } from "./rows/bridge-ends.mjs";
import { rows as kinds } from "./rows/bridge-kinds.mjs";
import { rows as metadata } from "./rows/bridge-metadata.mjs";

const WAIT_MS = 8_000;
const { base, only } = readArguments("usage: node bridge.mjs ws://HOST:PORT [--only PART-OF-A-NAME]");
const checks = new Checks(only);
const root = "/ws";

/** What the server says of the calls with a tag. */
async function stats(tag) {
  const stream = await open(base, `${SERVICE}/Stats`, { root, mode: "json" });
  stream.send({ type: "data", data: { tag } });
  const { responses, terminals } = await stream.ended();
  assert.equal(responses.length, 1, JSON.stringify(terminals));
  return responses[0];
}

/** Asks the server until the calls with a tag are as they should be. */
async function statsUntil(tag, want) {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const found = await stats(tag);
    if (Object.entries(want).every(([name, count]) => (found[name] ?? "0") === count)) return;
    assert.ok(Date.now() < deadline, `the server says ${JSON.stringify(found)}`);
    await sleep(20);
  }
}

/** Opens the row's stream, acts, and compares the end. */
async function run(row, mode, tag) {
  const context = { tag, statsUntil: (want) => statsUntil(tag, want) };
  const options = typeof row.options === "function" ? row.options(tag) : row.options;
  const opening = open(base, row.path ?? `${SERVICE}/${row.method}`, { root, mode, ...options });
  if (row.refused !== undefined && mode === "seed") {
    const refusal = await opening.then(() => undefined, (error) => error);
    assert.ok(refusal instanceof Refused && refusal.status === row.refused, `the refusal ${refusal}`);
    return;
  }
  const stream = await opening;
  try {
    await row.act?.(stream, context);
    const end = await stream.ended();
    if (row.trailers !== undefined) {
      const [terminal] = end.terminals;
      row.trailers(terminal.trailers ?? {});
      delete terminal.trailers;
    }
    verifyEnd(end, typeof row.want === "function" ? row.want(mode) : row.want, row.extra);
    await row.after?.(end, stream, context);
  } finally {
    stream.socket.terminate();
  }
}

let number = 0;
// The gateway says that it listens before it knows the methods, where their server is slow to answer.
await checks.check("the methods are known by reflection", async () => {
  const deadline = Date.now() + WAIT_MS;
  while (!(await stats("").then(() => true, () => false))) {
    assert.ok(Date.now() < deadline);
    await sleep(50);
  }
});
for (const row of [...kinds, ...metadata, ...ends]) {
  for (const mode of row.modes) {
    number += 1;
    const tag = `bridge-${process.pid}-${number}`;
    await checks.check(`${row.name} [${mode}]`, () => run(row, mode, tag));
  }
}
checks.finish();
