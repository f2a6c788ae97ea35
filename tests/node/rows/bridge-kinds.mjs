// The four kinds of methods: messages, their order, and who speaks when.
import assert from "node:assert/strict";
import { ok } from "../lib/end.mjs";
import { encode } from "../lib/wire.mjs";

export const ALL = ["seed", "json", "proto"];
export const V1 = ["json", "proto"];
const THOUSAND = Array.from({ length: 1000 }, (_, index) => String(index + 1));
const LARGE = Buffer.alloc(1_000_000, "a large payload ").toString("base64");

/** The handshake headers that carry a script. */
export const scripted = (script) => ({
  headers: { "grpc-metadata-test-script-bin": encode("Script", script).toString("base64") },
});

const send = (...messages) => (stream) => {
  for (const message of messages) stream.request(message);
};
const sendAll = (...messages) => (stream) => {
  send(...messages)(stream);
  stream.send({ type: "end_send" });
};
const responded = (...messages) => ({ responses }) => assert.deepEqual(responses, messages);

const unary = [
  {
    name: "unary: one request, one response",
    act: send({ sequence: "7", payload: "AQI=" }),
    after: responded({ sequence: "7", payload: "AQI=" }),
  },
  {
    name: "unary: empty messages",
    act: send({}),
    after: ({ responses }, stream) => {
      assert.deepEqual(responses, [{}]);
      if (stream.mode === "proto") assert.deepEqual(stream.sizes, [0]);
    },
  },
  {
    name: "unary: a million bytes each way",
    act: send({ payload: LARGE }),
    after: ({ responses }) => assert.ok(responses.length === 1 && responses[0].payload === LARGE),
  },
  {
    name: "unary: numbers are exact",
    modes: ["seed", "json"],
    act: send({ sequence: "-9223372036854775808", values: EXACT() }),
    after: responded({ sequence: "-9223372036854775808", values: EXACT() }),
  },
].map((row) => ({ method: "Unary", ...row }));

function EXACT() {
  return {
    int32Value: -2147483648,
    int64Value: "9223372036854775807",
    uint64Value: "18446744073709551615",
    doubleValue: 0.1,
    stringValue: "é ☺ 😈",
    bytesValue: "+/8=",
    colour: "COLOUR_BLUE",
    optionalInt64: "0",
    int64List: ["1", "-1"],
    colours: { true: "COLOUR_RED" },
    nested: { text: "" },
    at: "2024-02-29T12:34:56.789Z",
    lasting: "-1.500s",
  };
}

const serverStream = [
  {
    name: "server stream: responses in order",
    act: send({ count: "3", size: 2, firstSequence: "5" }),
    after: responded(...["5", "6", "7"].map((sequence) => ({ sequence, payload: "AAE=" }))),
  },
  { name: "server stream: no response", act: send({}), after: responded() },
  {
    name: "server stream: a thousand responses",
    act: send({ count: "1000", size: 100, firstSequence: "1" }),
    after: ({ responses }) => assert.deepEqual(responses.map(({ sequence }) => sequence), THOUSAND),
  },
].map((row) => ({ method: "ServerStream", ...row }));

const clientStream = [
  {
    name: "client stream: the response comes after the half-close",
    act: async (stream, { tag, statsUntil }) => {
      send({ sequence: "1", payload: "AAE=", script: { tag } }, { sequence: "2", payload: "AAE=" }, { sequence: "4" })(stream);
      await statsUntil({ live: "1" });
      assert.ok(!stream.messages.some(({ type }) => type === "data"));
      stream.send({ type: "end_send" });
    },
    after: responded({ messages: "3", bytes: "4", firstSequence: "1", lastSequence: "4", gaps: "1" }),
  },
  { name: "client stream: no request", act: sendAll(), after: responded({ inOrder: true }) },
  {
    name: "client stream: a thousand requests",
    act: sendAll(...THOUSAND.map((sequence) => ({ sequence, payload: "AAE=" }))),
    after: responded({ messages: "1000", bytes: "2000", firstSequence: "1", lastSequence: "1000", inOrder: true }),
  },
].map((row) => ({ method: "ClientStream", ...row }));

const bidi = [
  {
    name: "bidi: in turns",
    act: async (stream) => {
      for (const sequence of ["1", "2", "3"]) {
        stream.request({ sequence, payload: "AQ==" });
        const response = await stream.response();
        assert.deepEqual([response.requestSequence, response.received, response.payload], [sequence, sequence, "AQ=="]);
      }
      stream.send({ type: "end_send" });
    },
  },
  { name: "bidi: no message either way", act: sendAll(), after: responded() },
  { name: "bidi: an empty message", act: sendAll({}), after: responded({ requestSequence: "0", received: "1" }) },
  {
    name: "bidi: a thousand messages each way",
    act: sendAll(...THOUSAND.map((sequence) => ({ sequence }))),
    after: ({ responses }) => {
      assert.deepEqual(responses.map(({ requestSequence }) => requestSequence), THOUSAND);
      assert.ok(responses.every(({ gaps }) => gaps === undefined));
    },
  },
  {
    name: "bidi: the server speaks first",
    options: scripted({ speakFirst: 2, firstSequence: 5 }),
    act: async (stream) => {
      assert.equal((await stream.response()).sequence, "5");
      assert.equal((await stream.response()).sequence, "6");
      stream.request({ sequence: "1" });
      assert.equal((await stream.response()).requestSequence, "1");
      stream.send({ type: "end_send" });
    },
  },
  {
    name: "bidi: responses go on after the half-close",
    act: async (stream) => {
      sendAll({ sequence: "1", script: { replies: 3, holdOpenMs: "100" } })(stream);
      for (const sequence of [undefined, "1", "2"]) assert.equal((await stream.response()).sequence, sequence);
    },
  },
].map((row) => ({ method: "Bidi", ...row }));

export const rows = [...unary, ...serverStream, ...clientStream, ...bidi].map((row) => ({ modes: ALL, want: ok(), ...row }));
