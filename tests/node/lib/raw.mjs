// A WebSocket client by hand, for frames that no library sends.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import net from "node:net";
import { withLimit } from "./checks.mjs";

const WAIT_MS = 8_000;

/** One frame; every field can be wrong on purpose. */
export function frame({ fin = true, rsv = 0, opcode = 1, masked = true, payload = "", length } = {}) {
  const bytes = Buffer.from(payload);
  const size = length ?? bytes.length;
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (size < 126) head.push(mask | size);
  else if (size < 65536) head.push(mask | 126, size >> 8, size & 255);
  else {
    const long = Buffer.alloc(8);
    long.writeBigUInt64BE(BigInt(size));
    head.push(mask | 127, ...long);
  }
  if (!masked) return Buffer.concat([Buffer.from(head), bytes]);
  const key = randomBytes(4);
  const hidden = Buffer.from(bytes.map((byte, index) => byte ^ key[index & 3]));
  return Buffer.concat([Buffer.from(head), key, hidden]);
}

export class RawSocket {
  #buffer = Buffer.alloc(0);
  #ended = false;
  #wake = () => {};

  /** Connects to the host of a ws:// address. */
  static async connect(url) {
    const { hostname, port, pathname, search, host } = new URL(url);
    const raw = new RawSocket();
    Object.assign(raw, { target: pathname + search, host });
    raw.socket = net.connect({ host: hostname, port: Number(port) });
    raw.socket.setNoDelay(true);
    raw.socket.on("data", (chunk) => {
      raw.#buffer = Buffer.concat([raw.#buffer, chunk]);
      raw.#wake();
    });
    for (const event of ["end", "close", "error"]) {
      raw.socket.on(event, () => {
        raw.#ended = true;
        raw.#wake();
      });
    }
    await withLimit(new Promise((resolve) => raw.socket.once("connect", resolve)), WAIT_MS, "connecting");
    return raw;
  }

  /** Connects and upgrades; the answer has to be 101. */
  static async open(url, protocol) {
    const raw = await RawSocket.connect(url);
    const answer = await raw.handshake(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]);
    assert.equal(answer.status, 101, answer.text);
    return raw;
  }

  /** Sends an upgrade. `without` drops standard lines whose name begins so; `lines` are added. */
  async handshake(lines, { without = [], method = "GET", body = "" } = {}) {
    const standard = [
      `Host: ${this.host}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      "Sec-WebSocket-Version: 13",
    ].filter((line) => !without.some((name) => line.startsWith(name)));
    this.write([`${method} ${this.target} HTTP/1.1`, ...standard, ...lines, "", body].join("\r\n"));
    return this.#response();
  }

  async #response() {
    let end = -1;
    await this.#until(() => (end = this.#buffer.indexOf("\r\n\r\n")) >= 0);
    assert.ok(end >= 0, "the connection ended before the response head did");
    const [first, ...rest] = this.#buffer.subarray(0, end).toString("latin1").split("\r\n");
    this.#buffer = this.#buffer.subarray(end + 4);
    const headers = {};
    for (const line of rest) {
      const at = line.indexOf(":");
      headers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
    }
    const status = Number(first.split(" ")[1]);
    let body = "";
    if (status !== 101) {
      const length = Number(headers["content-length"] ?? 0);
      await this.#until(() => this.#buffer.length >= length);
      body = this.#buffer.subarray(0, length).toString("utf8");
    }
    return { status, headers, body, text: `${first}\n${body}` };
  }

  write(bytes) {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  /** Waits until the condition holds or the connection has ended. */
  async #until(holds) {
    const deadline = Date.now() + WAIT_MS;
    while (!holds() && !this.#ended) {
      const change = new Promise((resolve) => (this.#wake = resolve));
      await withLimit(change, Math.max(deadline - Date.now(), 1), "an answer");
    }
  }

  /** The next frame, or `undefined` when the connection has ended. */
  async nextFrame() {
    let parsed;
    await this.#until(() => (parsed = this.#parse()) !== undefined);
    return parsed ?? this.#parse();
  }

  #parse() {
    const bytes = this.#buffer;
    if (bytes.length < 2) return undefined;
    let [at, length] = [2, bytes[1] & 0x7f];
    assert.equal(bytes[1] & 0x80, 0, "a gateway does not mask");
    if (length === 126) [at, length] = [4, bytes.length < 4 ? Infinity : bytes.readUInt16BE(2)];
    else if (length === 127) [at, length] = [10, bytes.length < 10 ? Infinity : Number(bytes.readBigUInt64BE(2))];
    if (bytes.length < at + length) return undefined;
    this.#buffer = bytes.subarray(at + length);
    return {
      fin: (bytes[0] & 0x80) !== 0,
      opcode: bytes[0] & 0x0f,
      payload: Buffer.from(bytes.subarray(at, at + length)),
    };
  }

  /**
   * Reads to the close frame, and to the end of the connection: like `Stream.ended`. Within a frame of its own a client
   * cannot answer the close frame; it hangs up.
   */
  async ended({ withinFrame = false } = {}) {
    const terminals = [];
    const responses = [];
    let close = { code: 1006, reason: "" };
    for (let next = await this.nextFrame(); next !== undefined; next = await this.nextFrame()) {
      if (next.opcode === 8) {
        const { payload } = next;
        close =
          payload.length === 0
            ? { code: 1005, reason: "" }
            : { code: payload.readUInt16BE(0), reason: payload.subarray(2).toString("utf8") };
        // The answer to the close, so that the gateway need not wait for it.
        if (withinFrame) this.socket.end();
        else this.write(frame({ opcode: 8, payload: payload.subarray(0, 2) }));
      } else if (next.opcode === 1) {
        const message = JSON.parse(next.payload.toString("utf8"));
        if (["error", "stream_end"].includes(message.type)) terminals.push(message);
        if (message.type === "data") responses.push(message.data);
      }
    }
    return { ...close, terminals, responses, afterTerminal: [] };
  }

  destroy() {
    this.socket.destroy();
  }
}
