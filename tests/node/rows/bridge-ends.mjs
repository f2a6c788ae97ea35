// How calls end other than with OK, and what the server sees of it: PROTOCOL.md 6.
import assert from "node:assert/strict";
import { error, silent } from "../lib/end.mjs";
import { encode } from "../lib/wire.mjs";
import { ALL, V1, scripted } from "./bridge-kinds.mjs";

const MESSAGE = '\t\n"quoted" \\ é ☺ and 😈\r\n';

/** A status with a detail, as the mode writes it. The gateway knows the type of the detail. */
const failure = (mode, rest = {}) => ({
  code: 8,
  message: "too many players",
  details: [
    mode === "proto"
      ? { typeUrl: "type.googleapis.com/google.protobuf.Duration", value: "CAU=" }
      : { "@type": "type.googleapis.com/google.protobuf.Duration", value: "5s" },
  ],
  ...rest,
});
const DETAILS = encode("Failure", failure("proto")).toString("base64").replace(/=+$/, "");
const TRAILERS = { "x-shard": { values: ["7"] } };

const details = [
  { method: "Unary", act: (stream) => stream.request({ fail: failure(stream.mode), responseTrailers: TRAILERS }) },
  {
    method: "ServerStream",
    act: (stream) => stream.request({ count: "5", fail: failure(stream.mode, { after: "2" }), responseTrailers: TRAILERS }),
    after: ({ responses }) => assert.equal(responses.length, 2),
  },
  {
    method: "ClientStream",
    act: (stream) => stream.request({ script: { fail: failure(stream.mode, { after: "1" }), responseTrailers: TRAILERS } }),
  },
  { method: "Bidi", options: scripted({ fail: failure("proto"), responseTrailers: TRAILERS }) },
].map((row) => ({
  name: `a status with details and trailers of ${row.method}`,
  want: error(8, "too many players"),
  trailers: (trailers) => {
    assert.deepEqual(trailers["x-shard"], ["7"]);
    assert.deepEqual(trailers["grpc-status-details-bin"], [DETAILS], "the bytes of the details");
    assert.equal(Object.keys(trailers).at(-1), "grpc-status-details-bin");
  },
  extra: { details: [{ type: "google.protobuf.Duration", value: "CAU", debug: "5s" }] },
  ...row,
}));

const statuses = [
  ...Array.from({ length: 16 }, (_, index) => index + 1).map((code) => ({
    name: `status ${code}`,
    modes: ["json"],
    act: (stream) => stream.request({ fail: { code, message: "as asked" } }),
    want: error(code, "as asked"),
  })),
  {
    name: "a status message that is not ASCII",
    act: (stream) => stream.request({ fail: { code: 5, message: MESSAGE } }),
    want: error(5, MESSAGE),
  },
  {
    name: "a status without a message",
    act: (stream) => stream.request({ fail: { code: 9 } }),
    want: error(9, ""),
  },
  { name: "an unknown method", method: "Nope", refused: 404, want: error(12, /^/) },
  { name: "an unknown service", path: "grpcws.test.v1.Nope/Unary", refused: 404, want: error(12, /^/) },
].map((row) => ({ method: "Unary", ...row }));

/** A call of each kind that never ends by itself, and that the server knows by its tag. */
const endless = [
  { method: "Unary", begin: (stream, tag) => stream.request({ tag, initialDelayMs: 600_000 }) },
  {
    method: "ServerStream",
    begin: async (stream, tag) => {
      stream.request({ tag, count: "1", holdOpenMs: "-1" });
      await stream.response();
    },
  },
  { method: "ClientStream", begin: (stream, tag) => stream.request({ script: { tag } }) },
  {
    method: "Bidi",
    begin: async (stream, tag) => {
      stream.request({ script: { tag } });
      await stream.response();
    },
  },
];
const cancelled = (mode) => (mode === "seed" ? silent(1000, 1) : error(1, "call cancelled by the client", 1000));
/** The server has seen the call, and has seen it end before it was complete. */
const seenToEnd = (_, __, { statsUntil }) => statsUntil({ started: "1", live: "0", completed: "0" });
const seenCancelled = (_, __, { statsUntil }) => statsUntil({ started: "1", live: "0", cancelled: "1" });

const unfinished = endless.flatMap(({ method, begin }) => [
  {
    name: `a deadline of ${method}`,
    method,
    options: { headers: { "grpc-timeout": "400m" } },
    act: (stream, { tag }) => begin(stream, tag),
    want: error(4, /./),
    after: seenToEnd,
  },
  {
    name: `a cancel of ${method}`,
    method,
    act: async (stream, { tag, statsUntil }) => {
      await begin(stream, tag);
      await statsUntil({ live: "1" });
      stream.send({ type: "cancel" });
    },
    want: cancelled,
    after: seenCancelled,
  },
  {
    name: `a client of ${method} that closes`,
    method,
    act: async (stream, { tag, statsUntil }) => {
      await begin(stream, tag);
      await statsUntil({ live: "1" });
      stream.socket.close(1000);
    },
    want: silent(1000, undefined),
    after: seenCancelled,
  },
  {
    name: `a client of ${method} that vanishes`,
    method,
    modes: V1,
    act: async (stream, { tag, statsUntil }) => {
      await begin(stream, tag);
      await statsUntil({ live: "1" });
      stream.socket.terminate();
    },
    want: silent(1006, undefined),
    after: seenCancelled,
  },
]);

export const rows = [...details, ...statuses, ...unfinished].map((row) => ({ modes: ALL, ...row }));
