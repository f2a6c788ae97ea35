// Calls under load while the server ends each of its connections after a short time (gRPC's MaxConnectionAge, without an
// end to its grace): not one of them fails or lacks a message, since gRPC's own clients would see no failure either.
//
//     node aging.mjs ws://HOST:PORT [--only PART-OF-A-NAME]
//
// The endpoint is `grpcws serve` in front of tests/java with --max-connection-age-ms 500.
import assert from "node:assert/strict";
import { Checks, readArguments, sleep } from "./lib/checks.mjs";
import { SERVICE, open } from "./lib/stream.mjs";

const SECONDS = 6;
const { base, only } = readArguments("usage: node aging.mjs ws://HOST:PORT [--only PART-OF-A-NAME]");
const checks = new Checks(only, (SECONDS + 15) * 1000);
const connections = new Set();

/** Calls once; the end has to be OK, and the responses are returned. */
async function call(method, act) {
  const stream = await open(base, `${SERVICE}/${method}`, { root: "/ws", mode: "json" });
  await act(stream);
  const { terminals, responses, code } = await stream.ended();
  assert.deepEqual([terminals.map(({ type }) => type), code], [["stream_end"], 1000], JSON.stringify(terminals));
  const headers = stream.messages.find(({ type }) => type === "headers")?.headers;
  for (const name of headers?.["x-connection"] ?? []) connections.add(name);
  return responses;
}

/** Short calls, one after another. */
const unary = async (sequence) => {
  const [response] = await call("Unary", (stream) => stream.request({ sequence: String(sequence) }));
  assert.equal(response.sequence, String(sequence));
};

/** A stream of responses that outlives several connections' ages. */
const held = async () => {
  const responses = await call("ServerStream", (stream) => stream.request({ count: "200", size: 1000, holdOpenMs: "1200" }));
  assert.deepEqual(responses.map(({ sequence }) => Number(sequence ?? 0)), [...responses.keys()]);
  assert.equal(responses.length, 200);
};

/** An upload that goes on for as long. */
const upload = async () => {
  const [summary] = await call("ClientStream", async (stream) => {
    for (let sequence = 1; sequence <= 120; sequence += 1) {
      stream.request({ sequence: String(sequence), payload: "AAAA" });
      await sleep(10);
    }
    stream.send({ type: "end_send" });
  });
  assert.deepEqual([summary.messages, summary.inOrder], ["120", true]);
};

/** Questions and answers. */
const dialogue = async () => {
  await call("Bidi", async (stream) => {
    for (let sequence = 1; sequence <= 60; sequence += 1) {
      stream.request({ sequence: String(sequence) });
      assert.equal((await stream.response()).requestSequence, String(sequence));
      await sleep(20);
    }
    stream.send({ type: "end_send" });
  });
};

/** Runs a call again and again in so many lanes, and counts. */
async function load(lanes, run) {
  const until = Date.now() + SECONDS * 1000;
  let calls = 0;
  const lane = async () => {
    while (Date.now() < until) await run((calls += 1));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return calls;
}

await checks.check("the methods are known by reflection", async () => {
  const deadline = Date.now() + 10_000;
  while (!(await unary(1).then(() => true, () => false))) {
    assert.ok(Date.now() < deadline);
    await sleep(50);
  }
});
await Promise.all(
  Object.entries({ unary: [8, unary], held: [4, held], upload: [4, upload], dialogue: [4, dialogue] }).map(
    ([name, [lanes, run]]) =>
      checks.check(`calls of the kind ${name} are complete`, async () => {
        const calls = await load(lanes, run);
        console.log(`     ${calls} calls`);
        assert.ok(calls > lanes);
      }),
  ),
);
await checks.check("they came by many connections", async () => {
  console.log(`     ${connections.size} connections`);
  assert.ok(connections.size >= SECONDS, `${connections.size} connections`);
});
checks.finish();
