// Two WebSockets over one HTTP/2 connection (RFC 8441), with Node's own HTTP/2 client and the frames of npm `ws`.
//
//     node h2.mjs ws://HOST:PORT
//
// The endpoint is that of abuse.mjs, reached in cleartext with prior knowledge.
import assert from "node:assert/strict";
import http2 from "node:http2";
import net from "node:net";
import { Receiver, Sender } from "ws";
import { Checks, readArguments, sleep, withLimit } from "./lib/checks.mjs";
import { error, ok, silent, verifyEnd } from "./lib/end.mjs";
import { SUB_PROTOCOL } from "./lib/stream.mjs";
import { decode, encode } from "./lib/wire.mjs";

const WAIT_MS = 8_000;
const { base, only } = readArguments("usage: node h2.mjs ws://HOST:PORT [--only PART-OF-A-NAME]");
const authority = new URL(base).host;

/** One HTTP/2 connection over one TCP connection that this program opened itself. */
async function connect() {
  const { hostname, port } = new URL(base);
  const tcp = net.connect({ host: hostname, port: Number(port) });
  await withLimit(new Promise((resolve) => tcp.once("connect", resolve)), WAIT_MS, "connecting");
  const session = http2.connect(`http://${authority}`, { createConnection: () => tcp });
  session.on("error", () => {});
  await withLimit(new Promise((resolve) => session.once("remoteSettings", resolve)), WAIT_MS, "the settings");
  return session;
}

/** Sends an extended CONNECT; resolves with the stream and the response headers. */
async function upgrade(session, path, headers = {}) {
  const stream = session.request(
    {
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "http",
      ":authority": authority,
      ":path": `/ws/test/${path}`,
      "sec-websocket-version": "13",
      ...headers,
    },
    { endStream: false },
  );
  stream.on("error", () => {});
  const response = await withLimit(
    new Promise((resolve) => stream.once("response", resolve)),
    WAIT_MS,
    "the answer to CONNECT",
  );
  return { stream, response };
}

/** A WebSocket on an HTTP/2 stream. */
class Socket {
  messages = [];
  #wake = () => {};

  static async open(session, path, mode = "seed", headers = {}) {
    const protocol = SUB_PROTOCOL[mode];
    const offer = protocol === undefined ? {} : { "sec-websocket-protocol": protocol };
    const { stream, response } = await upgrade(session, path, { ...offer, ...headers });
    assert.equal(response[":status"], 200);
    assert.equal(response["sec-websocket-protocol"], protocol);
    return new Socket(stream, mode);
  }

  constructor(stream, mode) {
    Object.assign(this, { stream, mode });
    this.sender = new Sender(stream, {});
    const receiver = new Receiver({ isServer: false });
    receiver.on("message", (content, isBinary) => {
      const message = isBinary
        ? { type: "data", data: decode("BidiResponse", content) }
        : JSON.parse(content.toString("utf8"));
      if (message.type !== "ping") this.messages.push(message);
      this.#wake();
    });
    receiver.on("ping", (content) => this.sender.pong(content, true));
    receiver.on("conclude", (code, reason) => {
      this.closed = { code, reason: reason.toString("utf8") };
      this.sender.close(code === 1005 ? undefined : code, "", true, () => stream.end());
      this.#wake();
    });
    // What the stream has delivered is read to its end before the socket counts as lost.
    stream.on("close", () => receiver.end());
    receiver.on("finish", () => {
      this.closed ??= { code: 1006, reason: "" };
      this.#wake();
    });
    receiver.on("error", () => stream.close(http2.constants.NGHTTP2_PROTOCOL_ERROR));
    stream.pipe(receiver);
    this.at = 0;
  }

  #write(content, binary) {
    this.sender.send(content, { binary, mask: true, fin: true, compress: false });
  }

  send(message) {
    this.#write(JSON.stringify(message), false);
  }

  request(message) {
    if (this.mode === "proto") this.#write(encode("BidiRequest", message), true);
    else this.send({ type: "data", data: message });
  }

  async #until(holds) {
    const deadline = Date.now() + WAIT_MS;
    while (!holds()) {
      const change = new Promise((resolve) => (this.#wake = resolve));
      await withLimit(change, Math.max(deadline - Date.now(), 1), "the next message");
    }
  }

  /** The payload of the next response message. */
  async response() {
    for (;;) {
      await this.#until(() => this.at < this.messages.length || this.closed !== undefined);
      const message = this.messages[this.at++];
      assert.notEqual(message, undefined, `no response before ${JSON.stringify(this.closed)}`);
      if (message.type === "data") return message.data;
    }
  }

  async ended() {
    await this.#until(() => this.closed !== undefined);
    const isTerminal = ({ type }) => type === "stream_end" || type === "error";
    const responses = this.messages.filter(({ type }) => type === "data").map(({ data }) => data);
    return { ...this.closed, terminals: this.messages.filter(isTerminal), responses, afterTerminal: [] };
  }
}

/** Both sockets echo in turns; then one half-closes, and the other fails. */
async function interleaved(first, second) {
  for (let sequence = 1; sequence <= 50; sequence += 1) {
    first.request({ sequence: String(sequence), payload: "AQ==" });
    second.request({ sequence: String(-sequence), payload: "Ag==" });
    const [one, two] = await Promise.all([first.response(), second.response()]);
    assert.deepEqual([one.requestSequence, one.payload, one.received], [String(sequence), "AQ==", String(sequence)]);
    assert.deepEqual([two.requestSequence, two.payload, two.received], [String(-sequence), "Ag==", String(sequence)]);
  }
  first.send({ type: "end_send" });
  verifyEnd(await first.ended(), ok());
  second.request({ sequence: "-51" });
  assert.equal((await second.response()).requestSequence, "-51");
  second.send({ type: "no such type" });
  second.send({ type: "cancel" });
  return second.ended();
}

const checks = new Checks(only);

await checks.check("the endpoint announces extended CONNECT", async () => {
  const session = await connect();
  assert.equal(session.remoteSettings.enableConnectProtocol, true);
  session.destroy();
});

for (const [one, two] of [["seed", "seed"], ["json", "proto"], ["proto", "seed"]]) {
  await checks.check(`two WebSockets over one TCP connection [${one}, ${two}]`, async () => {
    const session = await connect();
    const sockets = await Promise.all([Socket.open(session, "bidi", one), Socket.open(session, "bidi", two)]);
    // One session is one TCP connection; its streams have numbers of their own.
    assert.ok(sockets.every(({ stream }) => stream.session === session));
    assert.notEqual(sockets[0].stream.id, sockets[1].stream.id);
    const end = await interleaved(...sockets);
    const want = two === "seed" ? silent(1000, 1) : error(3, 'unknown message type "no such type"');
    verifyEnd(end, want);
    assert.equal(session.destroyed, false, "the connection outlives its sockets");
    session.destroy();
  });
}

await checks.check("a reset of one stream leaves the other alone", async () => {
  const session = await connect();
  const [first, second] = [await Socket.open(session, "bidi", "json"), await Socket.open(session, "bidi", "json")];
  first.request({ sequence: "1" });
  await first.response();
  first.stream.close(http2.constants.NGHTTP2_CANCEL);
  await sleep(100);
  second.request({ sequence: "2" });
  assert.equal((await second.response()).requestSequence, "2");
  second.send({ type: "end_send" });
  verifyEnd(await second.ended(), ok());
  session.destroy();
});

await checks.check("a socket that does not read leaves the other alone", async () => {
  const session = await connect();
  const busy = await Socket.open(session, "server-stream?count=100000&size=1000", "json");
  busy.stream.pause();
  const second = await Socket.open(session, "bidi", "json");
  for (const sequence of ["1", "2", "3"]) {
    second.request({ sequence });
    assert.equal((await second.response()).requestSequence, sequence);
    await sleep(50);
  }
  second.send({ type: "end_send" });
  verifyEnd(await second.ended(), ok());
  session.destroy();
});

await checks.check("20,000 responses over HTTP/2", async () => {
  const session = await connect();
  const socket = await Socket.open(session, "server-stream?count=20000&size=100", "seed");
  const end = await socket.ended();
  verifyEnd(end, ok());
  end.responses.forEach(({ sequence = "0" }, index) => assert.equal(sequence, String(index)));
  assert.equal(end.responses.length, 20_000);
  session.destroy();
});

await checks.check("a deadline over HTTP/2", async () => {
  const session = await connect();
  const socket = await Socket.open(session, "bidi", "json", { "grpc-timeout": "150m" });
  verifyEnd(await socket.ended(), error(4, "deadline exceeded"));
  session.destroy();
});

for (const [name, path, headers, status] of [
  ["an unknown sub-protocol", "bidi", { "sec-websocket-protocol": "chat" }, 400],
  ["a foreign origin", "bidi", { origin: "http://evil.example" }, 403],
  ["a path that is no route", "nowhere", {}, 404],
  ["the version 12", "bidi", { "sec-websocket-version": "12" }, 426],
]) {
  await checks.check(`refused over HTTP/2: ${name}`, async () => {
    const session = await connect();
    const { response } = await upgrade(session, path, headers);
    assert.equal(response[":status"], status);
    const socket = await Socket.open(session, "bidi", "seed", { origin: `http://${authority}` });
    socket.send({ type: "end_send" });
    verifyEnd(await socket.ended(), ok());
    session.destroy();
  });
}

checks.finish();
