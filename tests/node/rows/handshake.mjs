// Sub-protocols, metadata, origins and refusals: PROTOCOL.md 3, 9 and 10.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { error, ok, verifyEnd } from "../lib/end.mjs";
import { RawSocket, frame } from "../lib/raw.mjs";
import { Refused, SUB_PROTOCOL, open } from "../lib/stream.mjs";

const ALL = ["seed", "json", "proto"];
const V1 = ["json", "proto"];
const VECTORS = new URL("../../../vectors/negotiation.json", import.meta.url);
const ECHO = { script: { echoMetadata: [3], size: 1 } };

const base64url = (text) => Buffer.from(text).toString("base64url");
const metadata = (object) => `grpcws.metadata.${base64url(JSON.stringify(object))}`;
const bearer = (token) => `grpcws.bearer.${base64url(token)}`;

/** The metadata that the upstream received, by name. */
async function received(stream) {
  stream.request(ECHO);
  const response = await stream.response();
  stream.send({ type: "end_send" });
  return Object.fromEntries(Object.entries(response.metadata).map(([name, { values }]) => [name, values]));
}

/** Compares some of the metadata that the upstream received; `undefined` is a name that is not there. */
const upstreamHas = (expected) => async (stream) => {
  const seen = await received(stream);
  for (const [name, values] of Object.entries(expected)) assert.deepEqual(seen[name], values, name);
};

export const rows = [
  {
    name: "headers that go to the upstream, and headers that do not",
    options: {
      headers: {
        authorization: "Bearer abc",
        "x-request-id": "r1",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "grpc-metadata-x-a": "1",
        "grpc-metadata-x-bin": "AAE=",
        "grpc-metadata-user-agent": "dropped",
        "grpc-metadata-grpc-status": "dropped",
        "grpc-metadata-x-forwarded-for": "192.0.2.1",
        "x-other": "dropped",
        cookie: "dropped=1",
      },
    },
    act: upstreamHas({
      authorization: ["Bearer abc"],
      "x-request-id": ["r1"],
      traceparent: ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
      "x-a": ["1"],
      "x-bin": ["AAE"],
      "grpc-status": undefined,
      "x-other": undefined,
      cookie: undefined,
    }),
    want: ok(),
  },
  {
    name: "a deadline is handed on",
    options: { headers: { "grpc-timeout": "20S" } },
    act: async (stream) => assert.match((await received(stream))["grpc-timeout"]?.[0] ?? "", /^\d{1,8}[HMSmun]$/),
    want: ok(),
  },
  {
    name: "a token and metadata as sub-protocols",
    modes: V1,
    options: { protocols: [bearer("abc.def"), metadata({ "x-a": ["1", "2"], "x-bin": "AAE", "X-Case": "c" })] },
    act: async (stream) => {
      assert.equal(stream.socket.protocol, SUB_PROTOCOL[stream.mode]);
      await upstreamHas({ authorization: ["Bearer abc.def"], "x-a": ["1", "2"], "x-bin": ["AAE"], "x-case": ["c"] })(stream);
    },
    want: ok(),
  },
  ...[
    ["two tokens", { protocols: [bearer("a"), bearer("b")] }],
    ["a token and another authorization", { protocols: [bearer("a")], headers: { authorization: "Bearer b" } }],
    ["a token that is no base64url", { protocols: ["grpcws.bearer.!"] }],
    ["metadata that is no object", { protocols: [`grpcws.metadata.${base64url("[]")}`] }],
    ["metadata with a name that is none", { protocols: [metadata({ "x a": "1" })] }],
    ["metadata with a value that is none", { protocols: [metadata({ "x-a": "line\nbreak" })] }],
    ["metadata with a number", { protocols: [metadata({ "x-a": 1 })] }],
    ["metadata with a name twice", { protocols: [`grpcws.metadata.${base64url('{"x-a":"1","x-a":"2"}')}`] }],
    ["a binary value that is no base64", { protocols: [metadata({ "x-bin": "?" })] }],
  ].map(([name, options]) => ({ name, modes: V1, options, want: error(3, /./) })),
].map((row) => ({ modes: ALL, path: "bidi", ...row }));

/** A handshake that is to be refused, and the status. */
async function refusal(base, path, options, status) {
  const stream = await open(base, path, options).catch((problem) => problem);
  if (!(stream instanceof Refused)) {
    stream.socket?.terminate();
    throw stream instanceof Error ? stream : new Error("the handshake was accepted");
  }
  assert.equal(stream.status, status, stream.message);
  return stream;
}

/** The checks of refusals and of handshakes that no library sends. */
export async function handshakeChecks(checks, base) {
  const { host } = new URL(base);
  for (const mode of ALL) {
    for (const origin of ["http://evil.example", "null", `http://${host}.evil.example`, `http://evil@${host}`, `http://${host}/path`]) {
      await checks.check(`the origin ${origin.replaceAll(host, "HOST")} is refused [${mode}]`, () =>
        refusal(base, "bidi", { mode, origin }, 403));
    }
    for (const origin of [`http://${host}`, `http://${host.toUpperCase()}`]) {
      await checks.check(`the origin ${origin.replace(host, "HOST")} is accepted [${mode}]`, () => accepted(base, { mode, origin }));
    }
    await checks.check(`an extension is not negotiated [${mode}]`, async () => {
      const stream = await accepted(base, { mode, perMessageDeflate: true });
      assert.equal(stream.socket.extensions, "");
    });
    await checks.check(`a path that is no route [${mode}]`, () => refusal(base, "nowhere", { mode }, 404));
  }
  for (const offer of ["chat", "grpc-websockets", "GRPCWS.V1.JSON", bearer("a"), metadata({})]) {
    await checks.check(`only ${offer.slice(0, 16)} is refused, and the body says why`, async () => {
      const { body } = await refusal(base, "bidi", { protocols: [offer] }, 400);
      assert.match(body, /grpcws\.v1\.json/);
    });
  }
  const seedRefusals = [
    ["a deadline that is none", { headers: { "grpc-timeout": "soon" } }],
    ["two authorizations", { headers: { authorization: "Bearer a", "grpc-metadata-authorization": "Bearer b" } }],
    ["a binary value that is no base64", { headers: { "grpc-metadata-x-bin": "?" } }],
  ];
  for (const [name, options] of seedRefusals) {
    await checks.check(`${name} [seed]`, () => refusal(base, "bidi", options, 400));
  }
  await rawHandshakes(checks, `${base}/ws/test/bidi`);
  for (const row of JSON.parse(readFileSync(VECTORS, "utf8")).rows) {
    await checks.check(`vector: ${row.name}`, () => negotiate(`${base}/ws/test/bidi`, row));
  }
}

async function accepted(base, options) {
  const stream = await open(base, "bidi", options);
  stream.send({ type: "end_send" });
  verifyEnd(await stream.ended(), ok());
  return stream;
}

async function rawHandshakes(checks, url) {
  const answer = async (lines, options) => {
    const raw = await RawSocket.connect(url);
    const response = await raw.handshake(lines, options);
    raw.destroy();
    return response;
  };
  const version = { without: ["Sec-WebSocket-Version"] };
  const table = [
    ["the version 12", ["Sec-WebSocket-Version: 12"], version, 426],
    ["no version", [], version, 400, 426],
    ["no key", [], { without: ["Sec-WebSocket-Key"] }, 400],
    ["a key that is too short", ["Sec-WebSocket-Key: AAAA"], { without: ["Sec-WebSocket-Key"] }, 400],
    ["no upgrade at all", [], { without: ["Upgrade", "Connection"] }, 400, 426],
    ["an upgrade with a body", ["Content-Length: 2"], { body: "{}" }, 400],
    ["an upgrade with a chunked body", ["Transfer-Encoding: chunked"], { body: "0\r\n\r\n" }, 400],
    ["no host", [], { without: ["Host"] }, 400],
    ["two hosts", ["Host: evil.example"], {}, 400],
    ["two deadlines", ["grpc-timeout: 1S", "grpc-timeout: 2S"], {}, 400],
    ["headers of 17 KiB", [`x-long: ${"a".repeat(17 * 1024)}`], {}, 431],
  ];
  for (const [name, lines, options, ...statuses] of table) {
    await checks.check(`handshake: ${name}`, async () => {
      const { status, headers, text } = await answer(lines, options);
      assert.ok(statuses.includes(status), text);
      if (status === 426) assert.equal(headers["sec-websocket-version"], "13");
      // What stands in `Upgrade` is named in `Connection` (RFC 9110 §7.8).
      assert.equal(headers.connection?.toLowerCase(), status === 426 ? "upgrade, close" : "close");
      assert.equal(headers.upgrade, status === 426 ? "websocket" : undefined);
    });
  }
  await checks.check("handshake: headers of 15 KiB are accepted", async () => {
    const { status, text } = await answer([`x-long: ${"a".repeat(7000)}`, `x-more: ${"a".repeat(7000)}`], {});
    assert.equal(status, 101, text);
  });
}

/** One row of the vectors: the lines as they are, and what the gateway makes of them. */
async function negotiate(url, row) {
  const raw = await RawSocket.connect(url);
  const answer = await raw.handshake(row.headers.map((value) => `Sec-WebSocket-Protocol: ${value}`));
  if (row.refused !== undefined) {
    raw.destroy();
    assert.equal(answer.status, row.refused, answer.text);
    assert.notEqual(answer.body, "");
    return;
  }
  assert.equal(answer.status, 101, answer.text);
  assert.equal(answer.headers["sec-websocket-protocol"], row.selected.echo ?? undefined);
  if (row.error !== undefined) {
    verifyEnd(await raw.ended(), error(row.error.code, /./, row.error.close));
    return;
  }
  if (row.selected.mode === "v1.proto") {
    raw.write(frame({ payload: '{"type":"end_send"}' }));
    verifyEnd(await raw.ended(), ok());
    return;
  }
  raw.write(frame({ payload: JSON.stringify({ type: "data", data: ECHO }) }));
  raw.write(frame({ payload: '{"type":"end_send"}' }));
  const end = await raw.ended();
  verifyEnd(end, ok());
  const seen = end.responses[0].metadata;
  assert.deepEqual(seen.authorization?.values, row.selected.authorization && [row.selected.authorization]);
  const expected = {};
  for (const [name, value] of row.selected.metadata) (expected[name] ??= []).push(value);
  for (const [name, values] of Object.entries(expected)) assert.deepEqual(seen[name]?.values, values, name);
}
