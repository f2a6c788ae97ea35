// What a client may say, and what it gets when it does not: PROTOCOL.md 4.1 and 4.3.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { error, ok, silent } from "../lib/end.mjs";

const ALL = ["seed", "json", "proto"];
const JSON_MODES = ["seed", "json"];
const REQUEST = "grpcws.test.v1.BidiRequest";
const VECTORS = new URL("../../../vectors/client_messages.json", import.meta.url);

const data = (text) => `{"type":"data","data":${text}}`;
const nested = (depth) => "[".repeat(depth) + "]".repeat(depth);

/** Sends one text; the stream is to end with status 3. */
const refused = (name, text, message, rest = {}) => ({
  name,
  act: (stream) => stream.send(text),
  want: error(3, message),
  ...rest,
});

// `line 1 column 24` is where the first name inside `{"type":"data","data":{` stands.
const payloads = [
  refused("unknown field", data('{"sequenc":"1"}'), `line 1 column 24: unknown field "sequenc" in ${REQUEST}`),
  refused("unknown field on the second line", '{"type":"data",\n "data":{"sequenc":"1"}}', /^line 2 column 10: unknown field/),
  refused("unknown field behind wide characters", '{"x":"☺😈","type":"data","data":{"sequenc":"1"}}', /^line 1 column 33: unknown field/),
  refused("unknown field in a nested message", data('{"values":{"textt":"x"}}'), /unknown field "textt" in grpcws\.test\.v1\.Values/),
  ...[
    ["an array for a message", "[]"],
    ["a string for a message", '"x"'],
    ["a number for a message", "5"],
    ["null for a message", "null"],
    ["a word for an int64", '{"sequence":"one"}'],
    ["a fraction for an int64", '{"sequence":1.5}'],
    ["an int64 above its range", '{"sequence":9223372036854775808}'],
    ["an int64 below its range", '{"sequence":"-9223372036854775809"}'],
    ["an object for an int64", '{"sequence":{}}'],
    ["a boolean for a string", '{"values":{"stringValue":true}}'],
    ["no base64 for bytes", '{"payload":"?"}'],
    ["an unknown name for an enum", '{"values":{"colour":"COLOUR_BEIGE"}}'],
    ["a string for a boolean", '{"values":{"boolValue":"true"}}'],
    ["a double beyond its range", '{"values":{"doubleValue":1e400}}'],
    ["an array for a map", '{"values":{"counts":[]}}'],
    ["no number for a map's key", '{"values":{"names":{"x":"y"}}}'],
    ["no timestamp", '{"values":{"at":"yesterday"}}'],
    ["two members of a oneof", '{"values":{"text":"x","number":"1"}}'],
    ["a field twice", '{"sequence":"1","sequence":"2"}'],
    ["a lone surrogate", '{"values":{"stringValue":"\\ud800"}}'],
  ].map(([name, text]) => refused(`data: ${name}`, data(text), /^line 1 column \d+: /)),
  refused("data absent", '{"type":"data"}', /./),
  refused("nesting of 10,000 in data", data(nested(10_000)), /^line 1 column \d+: /),
  refused("nesting of 10,000 objects in data", data(`${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`), /./),
].map((row) => ({ modes: JSON_MODES, ...row }));

const envelopes = [
  refused("no JSON at all", "no JSON", /^line 1 column \d+: /),
  refused("an object cut off", '{"type":"cancel"', /^line 1 column \d+: /),
  refused("10,000 brackets that never close", `{"type":"pong","x":${"[".repeat(10_000)}`, /^line 1 column \d+: /),
  {
    name: "an unknown member is passed over however deep it nests",
    act: (stream) => stream.send(`{"x":${nested(10_000)},"type":"end_send"}`),
    want: ok(),
  },
  refused("unknown type", '{"type":"dta"}', 'unknown message type "dta"', { modes: ["json", "proto"] }),
  refused("auth, which is not announced", '{"type":"auth"}', 'unknown message type "auth"', { modes: ["json", "proto"] }),
  {
    name: "unknown type is ignored",
    modes: ["seed"],
    act: async (stream) => {
      stream.send({ type: "dta", data: { sequence: "x" } });
      stream.request({ sequence: "5" });
      assert.equal((await stream.response()).requestSequence, "5");
      stream.send({ type: "end_send" });
    },
    want: ok(),
  },
  {
    name: "unknown members of the envelope are ignored",
    modes: JSON_MODES,
    act: async (stream) => {
      stream.send('{"trace":{"id":[1]},"data":{"sequence":"5"},"type":"data","bytes":-1}');
      assert.equal((await stream.response()).requestSequence, "5");
      stream.send({ type: "end_send", data: 1 });
    },
    want: ok(),
  },
  {
    name: "numbers are exact",
    modes: JSON_MODES,
    act: async (stream) => {
      for (const sequence of ["9007199254740993", "-9223372036854775808", "9223372036854775807"]) {
        stream.send(data(`{"sequence":${sequence}}`));
        assert.equal((await stream.response()).requestSequence, sequence);
      }
      stream.send({ type: "end_send" });
    },
    want: ok(),
  },
  {
    name: "every kind of field comes back as it went",
    modes: JSON_MODES,
    act: async (stream) => {
      const values = {
        int32Value: -1,
        int64Value: "-9007199254740993",
        uint64Value: "18446744073709551615",
        floatValue: 1.5,
        doubleValue: "NaN",
        boolValue: true,
        stringValue: "é ☺ 😈 \" \\ \n",
        bytesValue: "AAEC/w==",
        colour: "COLOUR_BLUE",
        optionalInt64: "0",
        int64List: ["1", "-2"],
        colourList: ["COLOUR_RED", "COLOUR_GREEN"],
        counts: { a: "1" },
        names: { "-5": "x" },
        colours: { true: "COLOUR_RED" },
        nested: { text: "" },
        at: "2024-02-29T12:34:56.789Z",
        lasting: "-1.500s",
        children: [{}, { number: "0" }],
      };
      stream.request({ sequence: "1", values });
      assert.deepEqual((await stream.response()).values, values);
      stream.send({ type: "end_send" });
    },
    want: ok(),
  },
  {
    name: "the client's ping is answered",
    act: async (stream) => {
      stream.send({ type: "ping", pingId: 7 });
      assert.deepEqual(await stream.nextOf("pong"), { type: "pong", pingId: 7 });
      stream.send({ type: "ping" });
      assert.deepEqual(await stream.nextOf("pong"), { type: "pong", pingId: 0 });
      stream.send({ type: "pong", pingId: 99 });
      stream.send({ type: "end_send" });
    },
    want: ok(),
  },
  {
    name: "binary is read as JSON",
    modes: ["seed"],
    act: async (stream) => {
      stream.send(Buffer.from(data('{"sequence":"5"}')));
      assert.equal((await stream.response()).requestSequence, "5");
      stream.send(Buffer.from('{"type":"cancel"}'));
    },
    want: silent(1000, 1),
  },
  {
    name: "binary frame in a JSON mode",
    modes: ["json"],
    act: (stream) => stream.send(Buffer.from(data("{}"))),
    want: error(3, "binary frame in a JSON mode: send data as text", 1003),
  },
  {
    name: "data as text in the binary mode",
    modes: ["proto"],
    act: (stream) => stream.send(data("{}")),
    want: error(3, "data as text in grpcws.v1.proto: send a binary frame", 1003),
  },
  {
    name: "an empty binary frame is a request",
    modes: ["proto"],
    act: async (stream) => {
      stream.send(Buffer.alloc(0));
      assert.equal((await stream.response()).received, "1");
      stream.send({ type: "end_send" });
    },
    want: ok(),
  },
].map((row) => ({ modes: ALL, ...row }));

/** The rows of the golden vectors that end a stream, and those that are ignored. */
const fromVectors = JSON.parse(readFileSync(VECTORS, "utf8")).rows.flatMap((row) => {
  const modes = row.modes.map((mode) => mode.replace("v1.", ""));
  const content = row.text ?? Buffer.from(row.binary, "hex");
  const name = `vector: ${row.name}`;
  if (row.error !== undefined) {
    return [{ name, modes, act: (stream) => stream.send(content), want: error(row.error.code, /./, row.error.close) }];
  }
  if (row.meaning.type !== "ignored") return [];
  const act = async (stream) => {
    stream.send(content);
    stream.send({ type: "end_send" });
  };
  return [{ name, modes, act, want: ok() }];
});

export const rows = [...payloads, ...envelopes, ...fromVectors].map((row) => ({ path: "bidi", ...row }));
