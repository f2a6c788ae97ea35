// Streams of every kind of end, for a browser: what the page does, and what has to arrive.
import { error, ok, silent } from "../node/lib/end.mjs";
import { encode } from "../node/lib/wire.mjs";

const ALL = ["seed", "json", "proto"];
const V1 = ["json", "proto"];
const JSON_MODES = ["seed", "json"];
const LIMIT = 4 * 1024 * 1024;

const control = (message) => ({ text: JSON.stringify(message) });
const END_SEND = control({ type: "end_send" });
const CANCEL = control({ type: "cancel" });
const base64url = (text) => Buffer.from(text).toString("base64url");
const numbers = (count, first = 1) => Array.from({ length: count }, (_, index) => String(first + index));

/** A request message of a method, as the mode sends it. */
function request(mode, method, message) {
  if (mode !== "proto") return control({ type: "data", data: message });
  return { binary: encode(`${method}Request`, message).toString("base64") };
}

/** A status with a detail, as the mode writes it. */
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
const detailed = {
  want: error(8, "too many players"),
  extra: {
    details: [{ type: "google.protobuf.Duration", value: "CAU", debug: "5s" }],
    trailers: { "grpc-status-details-bin": [DETAILS] },
  },
};

const PAYLOAD = Buffer.alloc(16_384, "grpcws").toString("base64");
/** More than the gateway reads ahead of the upstream, and more than one socket's buffers hold. */
const UPLOADS = 128;

// `steps(send, mode)` are the page's, where `send(message, times)` is a request message in the mode's form; `sequences`
// are the sequence numbers of the response messages, and `exactly` their whole content. A browser calls a close unclean
// when it has data left that it could not send, as it may have where a row `uploads`.
const complete = [
  {
    name: "unary",
    method: "Unary",
    steps: (send) => [send({ sequence: "7", payload: "AQI=" })],
    exactly: [{ sequence: "7", payload: "AQI=" }],
  },
  {
    name: "unary with an empty message",
    method: "Unary",
    steps: (send) => [send({})],
    exactly: [{}],
  },
  {
    name: "a server stream",
    method: "ServerStream",
    steps: (send) => [send({ count: "3", size: 2, firstSequence: "5" })],
    exactly: numbers(3, 5).map((sequence) => ({ sequence, payload: "AAE=" })),
  },
  {
    name: "a server stream of 300 messages",
    method: "ServerStream",
    steps: (send) => [send({ count: "300", size: 1000, firstSequence: "1" })],
    sequences: numbers(300),
  },
  {
    name: "a server stream without a message",
    method: "ServerStream",
    steps: (send) => [send({})],
    exactly: [],
  },
  {
    name: "a client stream",
    method: "ClientStream",
    steps: (send) => [send({ sequence: "1", payload: "AAE=" }), send({ sequence: "2" }), END_SEND],
    exactly: [{ messages: "2", bytes: "2", firstSequence: "1", lastSequence: "2", inOrder: true }],
  },
  {
    name: "a client stream without a message",
    method: "ClientStream",
    steps: () => [END_SEND],
    exactly: [{ inOrder: true }],
  },
  {
    name: "bidi in turns",
    method: "Bidi",
    steps: (send) => [...numbers(3).flatMap((sequence) => [send({ sequence }), { responses: Number(sequence) }]), END_SEND],
    exactly: numbers(3).map((sequence) => ({
      ...(sequence === "1" ? {} : { sequence: String(Number(sequence) - 1) }),
      requestSequence: sequence,
      received: sequence,
    })),
  },
  {
    name: "bidi without a message",
    method: "Bidi",
    steps: () => [END_SEND],
    exactly: [],
  },
  {
    name: "OK while the client still uploads",
    method: "Bidi",
    uploads: true,
    steps: (send) => [
      send({ sequence: "1", script: { speakFirst: "2", firstSequence: "5", ignoreInput: true } }),
      send({ sequence: "2", payload: PAYLOAD }, UPLOADS),
    ],
    sequences: numbers(3, 5),
  },
].map((row) => ({ want: ok(), ...row }));

const failed = [
  {
    name: "a status with details",
    method: "Unary",
    steps: (send, mode) => [send({ fail: failure(mode) })],
    exactly: [],
    ...detailed,
  },
  {
    name: "a status with details behind messages",
    method: "ServerStream",
    steps: (send, mode) => [send({ count: "5", firstSequence: "1", fail: failure(mode, { after: "2" }) })],
    sequences: numbers(2),
    ...detailed,
  },
  {
    name: "a status while the client still uploads",
    method: "ClientStream",
    uploads: true,
    steps: (send, mode) => [
      send({ sequence: "1", script: { fail: failure(mode, { after: "3" }) } }),
      send({ sequence: "2", payload: PAYLOAD }, UPLOADS),
    ],
    exactly: [],
    ...detailed,
  },
  {
    name: "an unknown method",
    method: "Nope",
    modes: V1,
    steps: () => [],
    exactly: [],
    want: error(12, /^/),
  },
];

const gatewayMade = [
  {
    name: "a cancel",
    method: "ServerStream",
    steps: (send) => [send({ count: "2", firstSequence: "1", holdOpenMs: "-1" }), { responses: 2 }, CANCEL],
    sequences: numbers(2),
    want: (mode) => (mode === "seed" ? silent(1000, 1) : error(1, "call cancelled by the client", 1000)),
  },
  {
    // A browser has no way to send a deadline in seed mode.
    name: "a deadline",
    method: "ServerStream",
    modes: V1,
    metadata: { "grpc-timeout": "300m" },
    steps: (send) => [send({ holdOpenMs: "-1" })],
    exactly: [],
    want: error(4, /./),
  },
  {
    name: "a message over the limit",
    method: "Bidi",
    steps: () => [{ length: LIMIT + 1 }],
    exactly: [],
    want: error(8, `message is larger than ${LIMIT} bytes`, 1009),
  },
  {
    name: "a malformed message",
    method: "Bidi",
    steps: (send) => [send({ sequence: "1" }), { responses: 1 }, { text: '{"type":"data","data":{"sequence":' }],
    exactly: [{ requestSequence: "1", received: "1" }],
    want: error(3, /^line 1 column 34: /),
  },
  {
    name: "a message that does not fit its type",
    method: "Bidi",
    modes: JSON_MODES,
    steps: () => [control({ type: "data", data: { sequence: true } })],
    exactly: [],
    want: error(3, /^line 1 column /),
  },
  {
    name: "an unknown type",
    method: "Bidi",
    modes: V1,
    steps: () => [control({ type: "dta" })],
    exactly: [],
    want: error(3, /"dta"/),
  },
  {
    name: "a frame of a kind that the mode does not know",
    method: "Bidi",
    modes: V1,
    steps: (_, mode) => [mode === "proto" ? control({ type: "data" }) : { binary: "AAE=" }],
    exactly: [],
    want: error(3, /frame/, 1003),
  },
  {
    name: "a page that closes",
    method: "ServerStream",
    steps: (send) => [send({ count: "2", firstSequence: "1", holdOpenMs: "-1" }), { responses: 2 }, { close: 3001 }],
    sequences: numbers(2),
    want: silent(3001),
  },
];

export const rows = [...complete, ...failed, ...gatewayMade].map((row) => ({ modes: ALL, ...row }));

/** What the page plays for a row in a mode. */
export function script(gateway, row, mode) {
  const protocols = mode === "seed" ? [] : [`grpcws.v1.${mode}`];
  if (row.metadata !== undefined) protocols.push(`grpcws.metadata.${base64url(JSON.stringify(row.metadata))}`);
  const send = (message, times) => ({ ...request(mode, row.method, message), times });
  return {
    url: `ws://${gateway}/ws/grpcws.test.v1.TestService/${row.method}`,
    protocols,
    steps: row.steps(send, mode),
  };
}
