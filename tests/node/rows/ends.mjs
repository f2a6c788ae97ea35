// How streams end: PROTOCOL.md 5, 6.1, 6.2 and 6.4.
import assert from "node:assert/strict";
import { error, ok, silent } from "../lib/end.mjs";
import { encode } from "../lib/wire.mjs";

const ALL = ["seed", "json", "proto"];
const V1 = ["json", "proto"];
const FOR_EVER = { script: { holdOpenMs: "-1" } };

/** The handshake headers that carry a script. */
const scripted = (script) => ({
  headers: { "grpc-metadata-test-script-bin": encode("Script", script).toString("base64") },
});
const failing = (code, message, rest = {}) => ({ script: { fail: { code, message, ...rest } } });
const cancelled = (mode) => (mode === "seed" ? silent(1000, 1) : error(1, "call cancelled by the client", 1000));

const DETAIL = { typeUrl: "type.googleapis.com/example.v1.NobodyKnows", value: "CAI=" };
const FAILURE = { code: 8, message: "too many players", details: [DETAIL] };

const orderly = [
  {
    name: "server stream: responses, then OK",
    path: "server-stream?count=3&size=2",
    want: ok(),
    after: ({ responses }) =>
      assert.deepEqual(responses, [{ payload: "AAE=" }, { sequence: "1", payload: "AAE=" }, { sequence: "2", payload: "AAE=" }]),
  },
  {
    name: "server stream without a response",
    path: "server-stream?count=0",
    want: ok(),
    after: ({ responses }) => assert.deepEqual(responses, []),
  },
  {
    name: "server stream: end_send after the request does nothing",
    path: "server-stream?count=1&hold_open_ms=200",
    act: (stream) => stream.send({ type: "end_send" }),
    want: ok(),
  },
  {
    name: "client stream: the reply comes after end_send",
    path: "client-stream",
    act: (stream) => {
      for (const sequence of ["1", "2", "4"]) stream.request({ sequence, payload: "AAE=" });
      stream.send({ type: "end_send" });
    },
    want: ok(),
    after: ({ responses }) =>
      assert.deepEqual(responses, [{ messages: "3", bytes: "6", firstSequence: "1", lastSequence: "4", gaps: "1" }]),
  },
  {
    name: "client stream of one message, like a unary call",
    path: "client-stream",
    act: (stream) => {
      stream.request({ sequence: "7" });
      stream.send({ type: "end_send" });
    },
    want: ok(),
    after: ({ responses }) =>
      assert.deepEqual(responses, [{ messages: "1", firstSequence: "7", lastSequence: "7", inOrder: true }]),
  },
  {
    name: "client stream without a message",
    path: "client-stream",
    act: (stream) => stream.send({ type: "end_send" }),
    want: ok(),
    after: ({ responses }) => assert.deepEqual(responses, [{ inOrder: true }]),
  },
  {
    name: "bidi: each request is answered while the stream is open",
    act: async (stream) => {
      for (const sequence of ["1", "2", "3"]) {
        stream.request({ sequence });
        assert.equal((await stream.response()).requestSequence, sequence);
      }
      stream.send({ type: "end_send" });
    },
    want: ok(),
  },
  {
    name: "bidi without a message",
    act: (stream) => stream.send({ type: "end_send" }),
    want: ok(),
  },
  {
    name: "bidi: the service speaks first",
    options: { headers: { "grpc-metadata-test-script": "speak_first=2" } },
    act: async (stream) => {
      await stream.response();
      await stream.response();
      stream.send({ type: "end_send" });
    },
    want: ok(),
  },
  {
    name: "end_send twice is end_send once",
    act: async (stream) => {
      stream.request({ script: { holdOpenMs: "200" } });
      await stream.response();
      stream.send({ type: "end_send" });
      stream.send({ type: "end_send" });
    },
    want: ok(),
  },
  {
    name: "OK with trailers",
    options: scripted({ responseTrailers: { "x-shard": { values: ["7", "8"] }, "x-bin": { values: ["AAE="] } } }),
    act: (stream) => stream.send({ type: "end_send" }),
    want: ok(),
    extra: { trailers: { "x-shard": ["7", "8"], "x-bin": ["AAE"] } },
  },
  {
    name: "response headers come before the first response",
    modes: V1,
    options: scripted({ speakFirst: 1, responseHeaders: { "x-a": { values: ["1", "2"] } } }),
    act: async (stream) => {
      assert.equal((await stream.next()).type, "open");
      const headers = await stream.next();
      assert.equal(headers.type, "headers");
      assert.deepEqual(headers.headers["x-a"], ["1", "2"]);
      assert.equal((await stream.next()).type, "data");
      stream.send({ type: "end_send" });
    },
    want: ok(),
  },
  {
    name: "open announces what the gateway understands",
    modes: V1,
    act: async (stream) => {
      const opened = await stream.next();
      assert.deepEqual(Object.keys(opened), ["type", "features", "maxMessageBytes", "receiveWindow", "pingPeriodMs"]);
      assert.ok(opened.features.includes("credit"));
      stream.send({ type: "end_send" });
    },
    want: ok(),
  },
];

const failures = [
  ...Array.from({ length: 16 }, (_, index) => index + 1).map((code) => ({
    name: `upstream status ${code}`,
    modes: ["json"],
    act: (stream) => stream.request(failing(code, "as asked")),
    want: error(code, "as asked"),
  })),
  {
    name: "upstream status 17 becomes 2",
    act: (stream) => stream.request(failing(17, "as asked")),
    want: error(2, "as asked"),
  },
  {
    name: "upstream status after responses",
    act: (stream) => {
      stream.request(failing(5, "game not found", { after: 2 }));
      stream.request({ sequence: "1" });
    },
    want: error(5, "game not found"),
    after: ({ responses }) => assert.equal(responses.length, 2),
  },
  {
    name: "upstream status of a client stream before end_send",
    path: "client-stream",
    act: (stream) => stream.request(failing(5, "game not found", { after: 1 })),
    want: error(5, "game not found"),
  },
  {
    name: "upstream status without a message",
    act: (stream) => stream.request(failing(9, "")),
    want: error(9, ""),
  },
  {
    name: "a status message with white space and every plane of Unicode",
    act: (stream) => stream.request(failing(2, '\t\n"quoted" \\ \u0000\u007f ☺ and 😈\r\n')),
    want: error(2, '\t\n"quoted" \\ \u0000\u007f ☺ and 😈\r\n'),
  },
  {
    name: "a long status message: the reason is cut on a character boundary",
    act: (stream) => stream.request(failing(5, "😈".repeat(60))),
    want: error(5, "😈".repeat(60)),
  },
  {
    name: "details and trailers, trailers only",
    options: scripted({ fail: FAILURE, responseTrailers: { "x-shard": { values: ["7"] } } }),
    want: error(8, "too many players"),
    extra: {
      details: [{ type: "example.v1.NobodyKnows", value: "CAI" }],
      trailers: {
        "grpc-status-details-bin": [encode("Failure", FAILURE).toString("base64").replace(/=+$/, "")],
        "x-shard": ["7"],
      },
    },
    after: (_, stream) => assert.ok(!stream.messages.some(({ type }) => type === "headers")),
  },
  {
    name: "an upstream message over the limit",
    path: "server-stream?count=1&size=5000000",
    want: error(8, /larger than \d+ bytes/),
  },
];

const causedByClient = [
  {
    name: "cancel of a bidi stream",
    act: async (stream) => {
      stream.request({});
      await stream.response();
      stream.send({ type: "cancel" });
    },
    want: cancelled,
  },
  { name: "cancel of a client stream", path: "client-stream", act: (stream) => stream.send({ type: "cancel" }), want: cancelled },
  {
    name: "cancel of a server stream",
    path: "server-stream?count=1&hold_open_ms=-1",
    act: async (stream) => {
      await stream.response();
      stream.send({ type: "cancel" });
    },
    want: cancelled,
  },
  {
    name: "cancel of a server stream at full speed",
    path: "server-stream?count=1000000000&size=100",
    act: async (stream) => {
      await stream.response();
      stream.send({ type: "cancel" });
    },
    want: cancelled,
  },
  {
    name: "cancel, then data, end_send, cancel and no JSON",
    act: (stream) => {
      stream.send({ type: "cancel" });
      for (const text of ['{"type":"end_send"}', '{"type":"cancel"}', "no JSON"]) stream.send(text);
      stream.request({});
    },
    want: cancelled,
  },
  {
    name: "end_send, then cancel",
    act: async (stream) => {
      stream.request(FOR_EVER);
      await stream.response();
      stream.send({ type: "end_send" });
      stream.send({ type: "cancel" });
    },
    want: cancelled,
  },
  {
    name: "data after end_send",
    act: async (stream) => {
      stream.request(FOR_EVER);
      await stream.response();
      stream.send({ type: "end_send" });
      stream.request({});
    },
    want: error(3, "data after end_send"),
  },
  {
    name: "a second request on a bound route",
    modes: V1,
    path: "server-stream?count=1&hold_open_ms=-1",
    act: (stream) => stream.send(stream.mode === "json" ? { type: "data", data: {} } : Buffer.alloc(0)),
    want: error(3, "a second request message for a method that takes one"),
  },
  {
    name: "data on a bound route is ignored",
    modes: ["seed"],
    path: "server-stream?count=1&hold_open_ms=300",
    act: (stream) => stream.send({ type: "data", data: { count: "9" } }),
    want: ok(),
    after: ({ responses }) => assert.equal(responses.length, 1),
  },
  ...["150m", "150000u", "0m"].map((timeout) => ({
    name: `deadline of ${timeout}`,
    options: { headers: { "grpc-timeout": timeout } },
    want: error(4, "deadline exceeded"),
  })),
  {
    name: "deadline of a server stream",
    path: "server-stream?count=1&hold_open_ms=-1",
    options: { headers: { "grpc-timeout": "150m" } },
    want: error(4, "deadline exceeded"),
  },
  {
    name: "a deadline that is met",
    options: { headers: { "grpc-timeout": "10S" } },
    act: (stream) => stream.send({ type: "end_send" }),
    want: ok(),
  },
  ...["5", "m", "1.5S", "-1S", "123456789S", "1s", ""].map((timeout) => ({
    name: `grpc-timeout "${timeout}" is no deadline`,
    modes: V1,
    options: { headers: { "grpc-timeout": timeout } },
    want: error(3, /grpc-timeout/),
  })),
  {
    name: "what is sent behind the end is answered by nothing",
    act: async (stream) => {
      stream.request(failing(5, "gone"));
      await stream.nextOf("error");
      stream.send("no JSON");
      stream.send({ type: "ping", pingId: 1 });
    },
    want: error(5, "gone"),
  },
  ...[1000, 1001, 1008, 3000, 4000, 4999].map((code) => ({
    name: `the client closes with ${code}`,
    act: async (stream) => {
      stream.request({});
      await stream.response();
      stream.socket.close(code, "bye");
    },
    want: silent(code, undefined),
    anyReason: true,
  })),
  {
    name: "the client closes without a code",
    act: (stream) => stream.socket.close(),
    want: silent(1005, undefined),
  },
];

export const rows = [...orderly, ...failures, ...causedByClient].map((row) => ({ modes: ALL, path: "bidi", ...row }));
