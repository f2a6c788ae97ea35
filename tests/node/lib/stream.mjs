// One grpcws stream through npm `ws`.
import assert from "node:assert/strict";
import WebSocket from "ws";
import { withLimit } from "./checks.mjs";
import { decode, encode } from "./wire.mjs";

const WAIT_MS = 8_000;

export const SUB_PROTOCOL = { seed: undefined, json: "grpcws.v1.json", proto: "grpcws.v1.proto" };

/** The handshake was answered with an HTTP status. */
export class Refused extends Error {
  constructor(status, headers, body) {
    super(`HTTP ${status}: ${body}`);
    Object.assign(this, { status, headers, body });
  }
}

/** The generic route of the test service. */
export const SERVICE = "grpcws.test.v1.TestService";
const SERVED = ["Unary", "ServerStream", "ClientStream", "Bidi", "Stats"];

/** What the methods' messages are called, by their paths. */
const METHODS = {
  "server-stream": { response: "ServerStreamResponse" },
  "client-stream": { request: "ClientStreamRequest", response: "ClientStreamResponse" },
  bidi: { request: "BidiRequest", response: "BidiResponse" },
  ...Object.fromEntries(
    SERVED.map((name) => [`${SERVICE}/${name}`, { request: `${name}Request`, response: `${name}Response` }]),
  ),
};

/**
 * Opens a stream.
 * `mode` is seed, json or proto; `protocols` are further names to offer; `headers` go with the handshake; `root` is
 * what stands before the path.
 */
export async function open(base, path, { mode = "seed", root = "/ws/test", protocols = [], headers = {}, ...options } = {}) {
  const offered = [SUB_PROTOCOL[mode], ...protocols].filter((name) => name !== undefined);
  const url = `${base}${root}/${path}`;
  const socket = new WebSocket(url, offered, { headers, perMessageDeflate: false, maxPayload: 0, ...options });
  const stream = new Stream(socket, mode, METHODS[path.split("?")[0]]);
  await withLimit(
    new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
      socket.once("unexpected-response", (_, response) => {
        let body = "";
        response.on("data", (chunk) => (body += chunk));
        response.on("end", () => reject(new Refused(response.statusCode, response.headers, body)));
      });
    }),
    WAIT_MS,
    "the handshake",
  );
  return stream;
}

export class Stream {
  /** Every message but pings, in order: the parsed JSON, or `{type: "data", data, binary: true}`. */
  messages = [];
  pings = [];
  /** The payload bytes of each response message's frame, which is what a window counts. */
  sizes = [];
  #unread = 0;
  #waiting = [];
  #closed;

  constructor(socket, mode, method) {
    Object.assign(this, { socket, mode, method });
    socket.on("message", (content, isBinary) => {
      try {
        this.#receive(content, isBinary);
      } catch (problem) {
        this.problem ??= problem;
      }
    });
    // An error is always followed by the close that the checks look at.
    socket.on("error", () => {});
    this.#closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => {
        this.isClosed = true;
        this.#wake();
        resolve({ code, reason: reason.toString("utf8") });
      });
    });
  }

  #receive(content, isBinary) {
    if (isBinary) {
      const data = decode(this.method.response, content);
      this.messages.push({ type: "data", data, binary: true });
      this.sizes.push(content.length);
    } else {
      const text = content.toString("utf8");
      const message = JSON.parse(text);
      // PROTOCOL.md 4.1: control messages are compact JSON.
      if (message.type !== "data") assert.equal(text, JSON.stringify(message));
      if (message.type === "ping") {
        this.pings.push(message.pingId);
        return;
      }
      this.messages.push(message);
      if (message.type === "data") this.sizes.push(content.length);
    }
    this.#wake();
  }

  #wake() {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Sends JSON text, or a string or bytes as they are. */
  send(content, options) {
    const raw = typeof content === "string" || Buffer.isBuffer(content);
    this.socket.send(raw ? content : JSON.stringify(content), options);
  }

  /** Sends a request message in the way of the mode. */
  request(message) {
    if (this.mode === "proto") this.send(encode(this.method.request, message));
    else this.send({ type: "data", data: message });
  }

  /** The next message but pings, or `undefined` after the close. */
  async next() {
    const deadline = Date.now() + WAIT_MS;
    while (this.#unread >= this.messages.length) {
      if (this.isClosed) return undefined;
      const change = new Promise((resolve) => this.#waiting.push(resolve));
      await withLimit(change, Math.max(deadline - Date.now(), 1), "the next message");
    }
    return this.messages[this.#unread++];
  }

  /** The next message of a type; those before it are passed over. */
  async nextOf(type) {
    for (;;) {
      const message = await this.next();
      assert.notEqual(message, undefined, `the stream ended without ${type}: ${JSON.stringify(this.messages)}`);
      if (message.type === type) return message;
    }
  }

  /** The payload of the next response message. */
  async response() {
    return (await this.nextOf("data")).data;
  }

  /** Waits for the close: its code and reason, the terminal messages, and the responses. */
  async ended() {
    const { code, reason } = await withLimit(this.#closed, WAIT_MS, "the close");
    if (this.problem !== undefined) throw this.problem;
    const isTerminal = ({ type }) => type === "stream_end" || type === "error";
    return {
      code,
      reason,
      terminals: this.messages.filter(isTerminal),
      responses: this.messages.filter(({ type }) => type === "data").map(({ data }) => data),
      afterTerminal: this.messages.slice(this.messages.findIndex(isTerminal) + 1 || Infinity),
    };
  }
}
