// Windows in both directions: PROTOCOL.md 7.
import assert from "node:assert/strict";
import { sleep } from "../lib/checks.mjs";
import { error, ok } from "../lib/end.mjs";

const V1 = ["json", "proto"];
const offer = (credit) => {
  const text = JSON.stringify({ "grpcws-credit": credit });
  return { protocols: [`grpcws.metadata.${Buffer.from(text).toString("base64url")}`] };
};
const responses = (stream) => stream.messages.filter(({ type }) => type === "data").length;

export const rows = [
  {
    name: "a window lets one message overdraw it, and each credit lets the next pass",
    modes: V1,
    path: "server-stream?count=4&size=100",
    options: offer("1"),
    act: async (stream) => {
      await sleep(300);
      assert.equal(responses(stream), 1);
      stream.send({ type: "credit", bytes: stream.sizes[0] - 1 });
      await sleep(200);
      assert.equal(responses(stream), 1, "the window is still at zero");
      stream.send({ type: "credit", bytes: 1 });
      await sleep(200);
      assert.equal(responses(stream), 2, "the window is above zero for one message");
      stream.send({ type: "credit", bytes: 1_000_000 });
    },
    want: ok(),
    after: ({ responses }) => assert.equal(responses.length, 4),
  },
  {
    name: "a cancel needs no credit",
    modes: V1,
    path: "server-stream?count=4&size=100",
    options: offer("1"),
    act: async (stream) => {
      await stream.response();
      stream.send({ type: "cancel" });
    },
    want: error(1, "call cancelled by the client", 1000),
    after: ({ responses }) => assert.equal(responses.length, 1),
  },
  ...["0", "-1", "1.5", "x", "", "9007199254740992", "1e3"].map((credit) => ({
    name: `an offer of ${JSON.stringify(credit)} is no window`,
    modes: V1,
    path: "server-stream?count=1",
    options: offer(credit),
    want: error(3, /credit/),
  })),
  ...[0, -1, 1.5, "5", null, 9007199254740992].map((bytes) => ({
    name: `credit of ${JSON.stringify(bytes)}`,
    modes: V1,
    path: "bidi",
    options: offer("1"),
    act: (stream) => stream.send({ type: "credit", bytes }),
    want: error(3, /./),
  })),
  {
    name: "a window above 2^53 - 1",
    modes: V1,
    path: "bidi",
    options: offer("1"),
    act: (stream) => stream.send({ type: "credit", bytes: 9007199254740991 }),
    want: error(3, /./),
  },
  {
    name: "credit in seed mode",
    modes: ["seed"],
    path: "bidi",
    act: (stream) => stream.send({ type: "credit", bytes: 5 }),
    want: error(3, /./),
  },
  {
    name: "credit where no window was offered has no effect",
    modes: V1,
    path: "bidi",
    act: async (stream) => {
      stream.send({ type: "credit", bytes: 5 });
      stream.request({ sequence: "1" });
      await stream.response();
      stream.send({ type: "end_send" });
    },
    want: ok(),
  },
  {
    name: "the gateway grants what the upstream has taken",
    modes: V1,
    path: "client-stream",
    act: async (stream) => {
      const { receiveWindow } = await stream.nextOf("open");
      const payload = Buffer.alloc(1000).toString("base64");
      let window = receiveWindow;
      let granted = 0;
      for (let sequence = 1; sequence <= 400; sequence += 1) {
        while (window <= 0) {
          const { bytes } = await stream.nextOf("credit");
          granted += bytes;
          window += bytes;
        }
        // At least what a frame of either mode holds: the client stays inside its window.
        window -= stream.mode === "json" ? payload.length + 60 : 1010;
        stream.request({ sequence: String(sequence), payload });
      }
      assert.ok(granted > 4 * receiveWindow, `${granted}`);
      stream.send({ type: "end_send" });
    },
    want: ok(),
    after: ({ responses: [summary] }) => assert.deepEqual([summary.messages, summary.inOrder], ["400", true]),
  },
  {
    name: "inside its window a client can cancel although the upstream reads nothing",
    modes: V1,
    path: "bidi",
    options: { headers: { "grpc-metadata-test-script": "ignore_input=true&hold_open_ms=-1" } },
    act: async (stream) => {
      const { receiveWindow } = await stream.nextOf("open");
      const payload = Buffer.alloc(1000).toString("base64");
      for (let sent = 0; sent < receiveWindow - 3000; sent += 1500) stream.request({ payload });
      await sleep(300);
      stream.cancelledAt = Date.now();
      stream.send({ type: "cancel" });
    },
    want: error(1, "call cancelled by the client", 1000),
    after: (_, stream) => assert.ok(Date.now() - stream.cancelledAt < 500),
  },
];
