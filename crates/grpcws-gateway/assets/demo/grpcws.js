// The grpcws wire protocol, `grpcws.v1.json`: one WebSocket carries one gRPC call. See PROTOCOL.md.

/** The canonical names of gRPC's status codes, by number. */
export const STATUS_NAMES = [
  "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
  "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
];

/** Bytes that the gateway may send ahead of what this client has handled (PROTOCOL §7.1). */
const RECEIVE_CREDIT = 65536;

const encoder = new TextEncoder();

/**
 * One call.
 *
 * Handlers, all optional: `frame({direction, type, bytes, text})` for every frame that passes, `open(message)`,
 * `headers(headers)`, `data(message)`, and `end(end)` once, where `end` is
 * `{code, status, message, trailers, closeCode, closeReason, terminal}`.
 */
export class Call {
  #socket;
  #handlers;
  #terminal = null;
  #cancelled = false;
  #halfClosed = false;
  #ended = false;
  #queue = [];
  #sendWindow = Infinity;
  #sentBeforeOpen = 0;
  #isOpen = false;
  #handledBytes = 0;

  constructor(path, handlers = {}) {
    this.#handlers = handlers;
    const url = new URL(path, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const metadata = JSON.stringify({ "grpcws-credit": String(RECEIVE_CREDIT) });
    this.#socket = new WebSocket(url, ["grpcws.v1.json", `grpcws.metadata.${base64url(metadata)}`]);
    this.#socket.addEventListener("open", () => this.#flush());
    this.#socket.addEventListener("message", (event) => this.#receive(event.data));
    this.#socket.addEventListener("close", (event) => this.#finish(event.code, event.reason));
  }

  /** Sends a request message. */
  send(data) {
    if (!this.#halfClosed && !this.#cancelled) this.#enqueue({ type: "data", data });
  }

  /** Half-close: no request message follows, the responses go on. */
  halfClose() {
    if (this.#halfClosed || this.#cancelled) return;
    this.#halfClosed = true;
    this.#enqueue({ type: "end_send" });
  }

  /** Ends the call; what is still queued is not sent. */
  cancel() {
    if (this.#cancelled || this.#ended) return;
    this.#cancelled = true;
    this.#queue = [];
    if (this.#socket.readyState === WebSocket.OPEN) this.#write({ type: "cancel" });
    else this.#socket.close();
  }

  #enqueue(message) {
    this.#queue.push(message);
    this.#flush();
  }

  /** Sends what the window allows: data while it is above zero, and control messages behind that data. */
  #flush() {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    while (this.#queue.length > 0) {
      const isData = this.#queue[0].type === "data";
      if (isData && this.#sendWindow <= 0) return;
      const bytes = this.#write(this.#queue.shift());
      if (!isData) continue;
      this.#sendWindow -= bytes;
      if (!this.#isOpen) this.#sentBeforeOpen += bytes;
    }
  }

  #write(message) {
    const text = JSON.stringify(message);
    const bytes = encoder.encode(text).length;
    this.#socket.send(text);
    this.#handlers.frame?.({ direction: "sent", type: message.type, bytes, text });
    return bytes;
  }

  #receive(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      this.#fail("the gateway has sent a frame that is not JSON");
      return;
    }
    const bytes = encoder.encode(text).length;
    this.#handlers.frame?.({ direction: "received", type: message.type, bytes, text });
    switch (message.type) {
      case "open":
        this.#isOpen = true;
        this.#sendWindow = message.receiveWindow - this.#sentBeforeOpen;
        this.#handlers.open?.(message);
        break;
      case "headers":
        this.#handlers.headers?.(message.headers);
        break;
      case "data":
        this.#handlers.data?.(message.data);
        this.#grant(bytes);
        break;
      case "credit":
        this.#sendWindow += message.bytes;
        this.#flush();
        break;
      case "ping":
        this.#write({ type: "pong", pingId: message.pingId });
        break;
      case "stream_end":
        this.#terminal = { code: 0, message: "", trailers: message.trailers ?? {} };
        break;
      case "error":
        this.#terminal = { code: message.code, message: message.message, trailers: message.trailers ?? {} };
        break;
      // Types that this client does not know are ignored (PROTOCOL §4.1).
    }
  }

  /** Lets the gateway send as much again as was handled, in few messages. */
  #grant(bytes) {
    this.#handledBytes += bytes;
    if (this.#handledBytes < RECEIVE_CREDIT / 2 || this.#socket.readyState !== WebSocket.OPEN) return;
    this.#write({ type: "credit", bytes: this.#handledBytes });
    this.#handledBytes = 0;
  }

  #fail(message) {
    this.#terminal ??= { code: 13, message, trailers: {} };
    this.#socket.close();
  }

  #finish(closeCode, closeReason) {
    if (this.#ended) return;
    this.#ended = true;
    const terminal = this.#terminal;
    const code = terminal?.code ?? (this.#cancelled ? 1 : codeOfClose(closeCode));
    this.#handlers.end?.({
      code,
      status: STATUS_NAMES[code] ?? "UNKNOWN",
      message: terminal?.message ?? closeReason,
      trailers: terminal?.trailers ?? {},
      closeCode,
      closeReason,
      terminal: terminal !== null,
    });
  }
}

/** The status of a stream that ended without a terminal message (PROTOCOL §6.3). */
export function codeOfClose(closeCode) {
  if (closeCode > 4000 && closeCode <= 4016) return closeCode - 4000;
  switch (closeCode) {
    case 1000:
    case 1002:
    case 1007:
    case 1011:
      return 13;
    case 1003:
      return 3;
    case 1008:
    case 1009:
      return 8;
    default:
      return 14;
  }
}

function base64url(text) {
  const binary = String.fromCharCode(...encoder.encode(text));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
