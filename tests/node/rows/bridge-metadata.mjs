// Metadata both ways: PROTOCOL.md 9.
import assert from "node:assert/strict";
import { ok } from "../lib/end.mjs";
import { ALL, V1, scripted } from "./bridge-kinds.mjs";

const [IN_HEADERS, IN_TRAILERS, IN_MESSAGE] = [1, 2, 3];
const ECHO = [IN_HEADERS, IN_TRAILERS];
const encoded = (text) => Buffer.from(text).toString("base64url");
const BY_HEADERS = {
  headers: {
    authorization: "Bearer a token",
    "grpc-metadata-x-list": ["1", "2"],
    "grpc-metadata-x-bytes-bin": "AP+rq6s=",
    "grpc-metadata-X-Upper": "kept",
  },
};
const BY_SUB_PROTOCOL = {
  protocols: [
    `grpcws.bearer.${encoded("token")}`,
    `grpcws.metadata.${encoded(JSON.stringify({ "x-list": ["1", "2"], "x-bytes-bin": "AP+rq6s", "X-Upper": "kept" }))}`,
  ],
};

/** What the server echoed; some servers join the values of a name. */
function verifyEcho(authorization) {
  return (metadata) => {
    const value = (name) => metadata[`echo-${name}`]?.join(", ");
    assert.equal(value("authorization"), authorization);
    assert.equal(value("x-list"), "1, 2");
    assert.equal(value("x-bytes-bin"), "AP+rq6s");
    assert.equal(value("x-upper"), "kept");
  };
}

function echoing(name, options, authorization) {
  const verify = verifyEcho(authorization);
  return {
    name,
    options,
    act: (stream) => stream.request({ echoMetadata: ECHO }),
    trailers: verify,
    after: (_, stream) => {
      if (stream.mode !== "seed") verify(stream.messages.find(({ type }) => type === "headers").headers);
    },
  };
}

const request = [
  echoing("request metadata by headers", BY_HEADERS, "Bearer a token"),
  { ...echoing("request metadata by sub-protocols", BY_SUB_PROTOCOL, "Bearer token"), modes: V1 },
  {
    name: "what is not metadata stays at the gateway",
    options: { headers: { cookie: "secret=1", "x-not-allowed": "1" } },
    act: (stream) => stream.request({ echoMetadata: [IN_MESSAGE] }),
    after: ({ responses: [{ metadata }] }) => {
      for (const name of ["cookie", "x-not-allowed", "sec-websocket-key", "host"]) assert.equal(metadata[name], undefined, name);
      assert.ok(metadata["x-forwarded-for"] !== undefined);
    },
  },
  {
    name: "a deadline is handed on",
    options: { headers: { "grpc-timeout": "10S" } },
    act: (stream) => stream.request({ echoMetadata: [IN_MESSAGE] }),
    after: ({ responses: [{ metadata }] }) => {
      const [, digits, unit] = metadata["grpc-timeout"].values[0].match(/^(\d{1,8})([Smun])$/);
      const seconds = Number(digits) / { S: 1, m: 1e3, u: 1e6, n: 1e9 }[unit];
      assert.ok(seconds > 1 && seconds <= 10, `${seconds} s are left`);
    },
  },
].map((row) => ({ method: "Unary", ...row }));

const asked = {
  responseHeaders: { "x-head": { values: ["1", "2"] }, "x-head-bin": { values: ["AP8="] } },
  responseTrailers: { "x-tail": { values: ["7", "8"] }, "x-tail-bin": { values: ["AAE="] } },
};

const response = [
  { method: "Unary", act: (stream) => stream.request(asked) },
  { method: "ServerStream", act: (stream) => stream.request({ count: "2", ...asked }) },
  {
    method: "ClientStream",
    act: (stream) => {
      stream.request({ script: asked });
      stream.send({ type: "end_send" });
    },
  },
  { method: "Bidi", options: scripted(asked), act: (stream) => stream.send({ type: "end_send" }) },
].map((row) => ({
  name: `response headers and trailers of ${row.method}`,
  extra: { trailers: { "x-tail": ["7", "8"], "x-tail-bin": ["AAE"] } },
  after: (_, stream) => {
    if (stream.mode === "seed") return;
    const types = stream.messages.map(({ type }) => type);
    assert.deepEqual([types[0], types[1], types.lastIndexOf("headers")], ["open", "headers", 1]);
    const { headers } = stream.messages[1];
    assert.deepEqual([headers["x-head"], headers["x-head-bin"]], [["1", "2"], ["AP8"]]);
  },
  ...row,
}));

export const rows = [...request, ...response].map((row) => ({ modes: ALL, want: ok(), ...row }));
