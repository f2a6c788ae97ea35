// Sizes, fragments, text that is none, and frames that RFC 6455 forbids: PROTOCOL.md 6.1 and 13.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { error, ok, silent, verifyEnd } from "../lib/end.mjs";
import { RawSocket, frame } from "../lib/raw.mjs";
import { SUB_PROTOCOL } from "../lib/stream.mjs";

const ALL = ["seed", "json", "proto"];
const JSON_MODES = ["seed", "json"];
const MIB = 1024 * 1024;
/** The default of PROTOCOL.md 13; a v1 stream compares it with what `open` says. */
export const LIMIT = 4 * MIB;

const tooLarge = error(8, `message is larger than ${LIMIT} bytes`, 1009);
const text = { binary: false };

/** A request of exactly so many bytes, answered by a small response. */
function requestOf(mode, size) {
  if (mode === "proto") {
    // `script.size` is 1, and `payload` fills the rest.
    const script = Buffer.from([0x22, 0x02, 0x20, 0x01]);
    const length = size - script.length - 5;
    return Buffer.concat([script, Buffer.from([0x12, ...varint4(length)]), Buffer.alloc(length, 0x61)]);
  }
  const head = '{"type":"data","data":{"script":{"size":1}}}';
  return head + " ".repeat(size - head.length);
}

const varint4 = (number) => [0, 7, 14, 21].map((shift) => ((number >> shift) & 0x7f) | (shift < 21 ? 0x80 : 0));

const sizes = [
  {
    name: "a message of exactly the limit",
    act: async (stream) => {
      if (stream.mode !== "seed") assert.equal((await stream.nextOf("open")).maxMessageBytes, LIMIT);
      stream.send(requestOf(stream.mode, LIMIT));
      assert.equal((await stream.response()).received, "1");
      stream.send({ type: "end_send" });
    },
    want: ok(),
  },
  { name: "a message of one byte more", act: (stream) => stream.send(requestOf(stream.mode, LIMIT + 1)), want: tooLarge },
  { name: "a message of four times the limit", act: (stream) => stream.send(requestOf(stream.mode, 4 * LIMIT)), want: tooLarge },
  {
    name: "a message over the limit in fragments",
    act: (stream) => {
      const message = requestOf(stream.mode, 2 * LIMIT);
      const kind = { binary: stream.mode === "proto" };
      for (let at = 0; at < message.length; at += MIB / 4) {
        const fin = at + MIB / 4 >= message.length;
        stream.socket.send(message.slice(at, at + MIB / 4), { ...kind, fin });
      }
    },
    want: tooLarge,
  },
];

const fragments = [
  {
    name: "a message in fragments, cut inside a character",
    modes: JSON_MODES,
    act: async (stream) => {
      const message = Buffer.from('{"type":"data","data":{"sequence":"5","values":{"stringValue":"😈"}}}');
      const at = message.indexOf("😈");
      stream.send(message.subarray(0, at + 2), { ...text, fin: false });
      stream.send(message.subarray(at + 2, at + 3), { ...text, fin: false });
      stream.socket.ping("between");
      stream.send(message.subarray(at + 3), { ...text, fin: true });
      const { requestSequence, values } = await stream.response();
      assert.deepEqual([requestSequence, values.stringValue], ["5", "😈"]);
      stream.send({ type: "end_send" });
    },
    want: ok(),
  },
  {
    name: "a WebSocket ping is answered",
    act: async (stream) => {
      const answered = new Promise((resolve) => stream.socket.once("pong", resolve));
      stream.socket.ping("are you there");
      assert.equal((await answered).toString(), "are you there");
      stream.send({ type: "end_send" });
    },
    want: ok(),
  },
];

const invalidUtf8 = [
  ["a byte that no text has", [[0x7b, 0xff]]],
  ["a lone surrogate", [[0xed, 0xa0, 0x80]]],
  ["an overlong form", [[0xc0, 0xaf]]],
  ["a character cut off at the end", [[0x7b, 0xf0, 0x9f, 0x98]]],
  ["a byte that no text has, in the second fragment", [[0x7b], [0xff], [0x7d]]],
  ["a character that the next fragment does not finish", [[0x7b, 0xf0, 0x9f], [0x7d]]],
].map(([name, parts]) => ({
  name: `not UTF-8: ${name}`,
  act: (stream) =>
    parts.forEach((part, index) => stream.send(Buffer.from(part), { ...text, fin: index === parts.length - 1 })),
  want: silent(1007, 13),
}));

export const rows = [...sizes, ...fragments, ...invalidUtf8].map((row) => ({ modes: ALL, path: "bidi", ...row }));

const ping = '{"type":"ping"}';

/** Bytes that break RFC 6455, each sent by hand. */
const violations = [
  ["an unmasked text frame", [frame({ masked: false, payload: ping })]],
  ["an unmasked ping", [frame({ masked: false, opcode: 9 })]],
  ["the reserved opcode 3", [frame({ opcode: 3, payload: ping })]],
  ["the reserved control opcode 11", [frame({ opcode: 11 })]],
  ...[4, 2, 1].map((rsv) => [`reserved bit ${rsv}`, [frame({ rsv, payload: ping })]]),
  ["a ping of 126 bytes", [frame({ opcode: 9, payload: "x".repeat(126) })]],
  ["a ping in fragments", [frame({ fin: false, opcode: 9, payload: "x" })]],
  ["a close of 126 bytes", [frame({ opcode: 8, payload: Buffer.concat([Buffer.from([3, 232]), Buffer.alloc(124, 97)]) })]],
  ["a continuation of nothing", [frame({ opcode: 0, payload: ping })]],
  ["a new message inside another", [frame({ fin: false, payload: "{" }), frame({ payload: ping })]],
  ["a close of one byte", [frame({ opcode: 8, payload: "x" })]],
];

/** Close frames with a code that nobody may send. They are answered, and PROTOCOL.md §6.2 leaves the reason of an answer open. */
const badCloses = [0, 999, 1004, 1005, 1006, 1015, 2999].map((code) => [
  `a close with the code ${code}`,
  [frame({ opcode: 8, payload: Buffer.from([code >> 8, code & 255]) })],
]);

/** The checks that need a socket of their own. */
export function rawChecks(checks, base) {
  const url = `${base}/ws/test/bidi`;
  const tasks = [];
  for (const mode of ALL) {
    for (const [name, parts] of violations) {
      tasks.push([`violation: ${name} [${mode}]`, () => violate(url, mode, parts)]);
    }
    for (const [name, parts] of badCloses) {
      tasks.push([`violation: ${name} [${mode}]`, () => violate(url, mode, parts, { anyReason: true })]);
    }
    tasks.push([`a message over the limit while the client is still sending [${mode}]`, () => stillSending(url, mode)]);
    tasks.push([`one byte at a time [${mode}]`, () => byteByByte(url, mode)]);
    tasks.push([`the connection ends without a close frame [${mode}]`, () => endWithoutClose(url, mode)]);
  }
  return tasks.reduce((done, [name, run]) => done.then(() => checks.check(name, run)), Promise.resolve());
}

async function violate(url, mode, parts, { anyReason = false } = {}) {
  const raw = await RawSocket.open(url, SUB_PROTOCOL[mode]);
  for (const part of parts) raw.write(part);
  const end = await raw.ended();
  verifyEnd(anyReason ? { ...end, reason: "INTERNAL" } : end, silent(1002, 13));
}

/** A frame that claims 64 MiB: the answer has to come while it is being sent. */
async function stillSending(url, mode) {
  const raw = await RawSocket.open(url, SUB_PROTOCOL[mode]);
  const claimed = 64 * MIB;
  raw.write(frame({ opcode: mode === "proto" ? 2 : 1, length: claimed }));
  const chunk = Buffer.alloc(16 * 1024, 0x20);
  const sending = { bytes: 0, over: false };
  const pump = async () => {
    while (!sending.over && sending.bytes < claimed - chunk.length) {
      raw.write(chunk);
      sending.bytes += chunk.length;
      await delay(1);
    }
  };
  const pumped = pump();
  const end = await raw.ended({ withinFrame: true });
  sending.over = true;
  await pumped;
  verifyEnd(end, tooLarge);
  assert.ok(sending.bytes < claimed / 2, `the answer came after ${sending.bytes} bytes`);
}

async function byteByByte(url, mode) {
  const raw = await RawSocket.open(url, SUB_PROTOCOL[mode]);
  for (const byte of frame({ payload: '{"type":"end_send"}' })) {
    raw.write(Buffer.from([byte]));
    await delay(1);
  }
  verifyEnd(await raw.ended(), ok());
}

/** A FIN is no half-close: the gateway closes its side too, and says nothing more about the call. */
async function endWithoutClose(url, mode) {
  const raw = await RawSocket.open(url, SUB_PROTOCOL[mode]);
  raw.socket.end();
  const end = await raw.ended();
  assert.deepEqual([end.terminals, end.responses], [[], []]);
}
