/**
 * A gateway in memory, for tests of an application: no port, no server, the real client.
 *
 * ```ts
 * const gateway = fakeGateway({
 *   "game.v1.Games/Watch": async function* (requests) {
 *     for await (const request of requests) yield { gameId: request.gameId };
 *   },
 * });
 * const client = new Client("http://gateway", { WebSocket: gateway.WebSocket });
 * ```
 *
 * @module
 */
import { Code, codeName, decodeBase64, GrpcWsError, type Metadata, type MetadataInit, type WebSocketConstructor, type WebSocketLike } from "./index.ts";
import { encodeBase64, utf8Length } from "./encoding.ts";
import { readMetadata } from "./metadata.ts";

/** One call that a fake gateway was asked for. */
export interface FakeCall {
  /** `package.Service/Method`, or the path of the route. */
  readonly method: string;
  /** Whether messages are values of JSON, or bytes of protobuf. */
  readonly mode: "json" | "proto";
  /** The request metadata; a token is in `authorization`. */
  readonly metadata: Metadata;
  /** The request messages that came so far. */
  readonly requests: readonly unknown[];
  /** The sub-protocols that the client offered. */
  readonly protocols: readonly string[];
  /** Aborted when the client cancels or vanishes, or the deadline passes. */
  readonly signal: AbortSignal;
  /** How the call ended, once it has. */
  readonly code: Code | undefined;
  /** Sets the response headers; they go before the first message. */
  setHeaders(headers: MetadataInit): void;
  /** Sets the trailers. */
  setTrailers(trailers: MetadataInit): void;
}

/**
 * Answers a call: with the messages that it yields, or with the one that it returns. What it throws is the status: a
 * `GrpcWsError` or a Connect error with its code, anything else as `UNKNOWN`.
 */
// Messages are of whatever type the test says.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type FakeHandler = (requests: AsyncIterable<any>, call: FakeCall) => AsyncIterable<any> | Promise<any>;

/** Options of {@link fakeGateway}. */
export interface FakeGatewayOptions {
  /** The window for request messages, in bytes. Default: 64 KiB. */
  receiveWindow?: number;
  /** The largest frame that the gateway takes. Default: 4 MiB. */
  maxMessageBytes?: number;
}

/** A gateway in memory. */
export interface FakeGateway {
  /** What the client is given as the option `WebSocket`. */
  readonly WebSocket: WebSocketConstructor;
  /** Every call so far, the first one first. */
  readonly calls: readonly FakeCall[];
  /** Whether handshakes succeed. Set it to false to see what an application does without its gateway. */
  isReachable: boolean;
  /** Breaks every connection, as a network does: the calls end with `UNAVAILABLE`. */
  drop(): void;
  /** Ends every call as a gateway does that shuts down, and is not reachable from then on. */
  close(): void;
}

/** Creates a gateway in memory that answers the calls of these methods. */
export function fakeGateway(handlers: Record<string, FakeHandler>, options: FakeGatewayOptions = {}): FakeGateway {
  const streams = new Set<FakeStream>();
  const calls: FakeCall[] = [];
  const gateway: FakeGateway = {
    calls,
    isReachable: true,
    drop: () => streams.forEach((stream) => stream.vanish()),
    close() {
      gateway.isReachable = false;
      for (const stream of streams) stream.finish(new GrpcWsError(Code.Unavailable, "the gateway is shutting down"), 1012);
    },
    WebSocket: class implements WebSocketLike {
      readyState = 0;
      binaryType = "blob";
      onopen: ((event: object) => void) | null = null;
      onmessage: ((event: object) => void) | null = null;
      onerror: ((event: object) => void) | null = null;
      onclose: ((event: object) => void) | null = null;
      #stream: FakeStream | undefined;

      constructor(url: string, protocols: string[]) {
        queueMicrotask(() => {
          if (this.readyState !== 0) return;
          if (!gateway.isReachable) {
            this.onerror?.({});
            return this.#closed(1006, "");
          }
          this.readyState = 1;
          this.onopen?.({});
          const stream = new FakeStream(url, protocols, options, (data) => this.readyState === 1 && this.onmessage?.({ data }), (code, reason) => {
            streams.delete(stream);
            this.#closed(code, reason);
          });
          this.#stream = stream;
          streams.add(stream);
          calls.push(stream);
          // What was sent on `open` waits for the gateway's own first message.
          const early = this.#early;
          this.#early = [];
          stream.start(handlers);
          for (const data of early) stream.receive(data);
        });
      }
      #early: (string | Uint8Array)[] = [];

      send(data: string | Uint8Array): void {
        const content = typeof data === "string" ? data : data.slice();
        if (this.readyState !== 1) return;
        if (!this.#stream) this.#early.push(content);
        else queueMicrotask(() => this.#stream?.receive(content));
      }
      close(code = 1005, reason = ""): void {
        if (this.readyState > 1) return;
        this.readyState = 2;
        queueMicrotask(() => {
          this.#stream?.vanish(code, reason);
          this.#closed(this.#stream ? code : 1006, reason);
        });
      }
      #closed(code: number, reason: string): void {
        if (this.readyState === 3) return;
        this.readyState = 3;
        // As a network's: after the messages that are on their way.
        queueMicrotask(() => this.onclose?.({ code, reason, wasClean: code !== 1006 }));
      }
    },
  };
  return gateway;
}

/** The gateway's side of one stream, with the handler as its upstream. */
class FakeStream implements FakeCall {
  readonly method: string;
  readonly mode: "json" | "proto";
  readonly metadata: Metadata;
  readonly requests: unknown[] = [];
  readonly protocols: readonly string[];
  code: Code | undefined;
  readonly #abort: AbortController = new AbortController();
  readonly #options: FakeGatewayOptions;
  readonly #say: (data: string | ArrayBuffer) => unknown;
  readonly #close: (code: number, reason: string) => void;
  #headers: Record<string, string[]> | undefined = {};
  #trailers: Record<string, string[]> = {};
  /** What the client takes; not limited where it offered no credit. */
  #credit: number;
  #arrived: { message: unknown; size: number }[] = [];
  #isHalfClosed = false;
  #wake: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, protocols: string[], options: FakeGatewayOptions, say: (data: string | ArrayBuffer) => unknown, close: (code: number, reason: string) => void) {
    const { pathname, search } = new URL(url);
    this.method = `${pathname.replace(/^\/ws\//, "").replace(/^\//, "")}${search}`;
    this.mode = protocols.includes("grpcws.v1.proto") ? "proto" : "json";
    this.protocols = protocols;
    this.#options = options;
    this.#say = say;
    this.#close = close;
    const { "grpcws-credit": credit, ...metadata } = offered(protocols);
    this.metadata = metadata;
    this.#credit = credit ? Number(credit[0]) : Infinity;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }
  setHeaders(headers: MetadataInit): void {
    this.#headers = object(headers);
  }
  setTrailers(trailers: MetadataInit): void {
    this.#trailers = object(trailers);
  }

  start(handlers: Record<string, FakeHandler>): void {
    const { receiveWindow = 65_536, maxMessageBytes = 4_194_304 } = this.#options;
    this.#tell({ type: "open", features: ["credit"], maxMessageBytes, receiveWindow, pingPeriodMs: 0 });
    const timeout = /^(\d+)([mS])$/.exec(this.metadata["grpc-timeout"]?.[0] ?? "");
    if (timeout) {
      const ms = Number(timeout[1]) * (timeout[2] === "S" ? 1000 : 1);
      this.#timer = setTimeout(() => this.finish(new GrpcWsError(Code.DeadlineExceeded, "deadline exceeded")), Math.min(ms, 2 ** 31 - 1));
    }
    const handler = Object.hasOwn(handlers, this.method) ? handlers[this.method] : undefined;
    if (handler) void this.#run(handler);
    else this.finish(new GrpcWsError(Code.Unimplemented, `unknown method ${this.method}`));
  }

  async #run(handler: FakeHandler): Promise<void> {
    try {
      const answer: AsyncIterable<unknown> | Promise<unknown> = handler(this.#incoming(), this);
      if (Symbol.asyncIterator in answer) {
        for await (const message of answer) {
          if (!(await this.#send(message))) break;
        }
      } else {
        await this.#send(await answer);
      }
      this.#tellHeaders();
      this.finish(null);
    } catch (error) {
      this.finish(toStatus(error));
    }
  }

  async *#incoming(): AsyncGenerator<unknown> {
    for (;;) {
      const next = this.#arrived.shift();
      if (next) {
        this.#tell({ type: "credit", bytes: next.size });
        yield next.message;
      } else if (this.code !== undefined || this.#isHalfClosed) {
        // Half of the messages is never taken for all.
        if (!this.#isHalfClosed) throw new GrpcWsError(Code.Cancelled, "the client is gone");
        return;
      } else {
        await new Promise<void>((resolve) => this.#wake.push(resolve));
      }
    }
  }

  /** Sends a message when the client takes one; `false` if the call is over. */
  async #send(message: unknown): Promise<boolean> {
    while (this.#credit <= 0 && this.code === undefined) await new Promise<void>((resolve) => this.#wake.push(resolve));
    if (this.code !== undefined) return false;
    this.#tellHeaders();
    if (this.mode === "proto") {
      const bytes = (message as Uint8Array).slice();
      this.#credit -= bytes.length || 1;
      this.#say(bytes.buffer);
    } else {
      const text = JSON.stringify({ type: "data", data: message });
      this.#credit -= utf8Length(text);
      this.#say(text);
    }
    return true;
  }

  /** Takes a frame of the client. After the end none means anything. */
  receive(data: string | Uint8Array): void {
    if (this.code !== undefined) return;
    if (typeof data !== "string") return this.#request(data, data.length || 1);
    const message = JSON.parse(data) as { type: string; data?: unknown; bytes?: number; pingId?: number };
    switch (message.type) {
      case "data":
        return this.#request(message.data, utf8Length(data));
      case "end_send":
        this.#isHalfClosed = true;
        break;
      case "cancel":
        return this.finish(new GrpcWsError(Code.Cancelled, "call cancelled by the client"), 1000);
      case "credit":
        this.#credit += message.bytes ?? 0;
        break;
      case "ping":
        this.#tell({ type: "pong", pingId: message.pingId });
    }
    this.#wakeAll();
  }

  #request(message: unknown, size: number): void {
    this.requests.push(message);
    this.#arrived.push({ message, size });
    this.#wakeAll();
  }

  /** Ends the call with a terminal message; the first end counts. */
  finish(error: GrpcWsError | null, close?: number): void {
    if (this.code !== undefined) return;
    const code = error?.code ?? Code.Ok;
    const trailers = { ...this.#trailers, ...error?.trailers };
    const present = Object.keys(trailers).length ? { trailers } : {};
    if (error) {
      const details = error.details.map(({ type, value, debug }) => ({ type, value: encodeBase64(value), debug }));
      this.#tell({ type: "error", error: String(error), code, status: codeName(code), message: error.rawMessage, ...(details.length ? { details } : {}), ...present });
    } else {
      this.#tell({ type: "stream_end", ...present });
    }
    this.#over(code);
    this.#close(close ?? (code === Code.Ok ? 1000 : 4000 + code), error?.message ?? "OK");
  }

  /** The connection is closed or broken. */
  vanish(code = 1006, reason = ""): void {
    if (this.code === undefined) this.#over(Code.Cancelled);
    this.#close(code, reason);
  }

  #over(code: Code): void {
    this.code = code;
    clearTimeout(this.#timer);
    this.#abort.abort();
    this.#wakeAll();
  }

  #tellHeaders(): void {
    if (this.#headers && this.code === undefined) this.#tell({ type: "headers", headers: this.#headers });
    this.#headers = undefined;
  }
  #tell(message: object): void {
    this.#say(JSON.stringify(message));
  }
  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** The metadata of the offered sub-protocols. */
function offered(protocols: string[]): Record<string, string[]> {
  const metadata: Record<string, string[]> = {};
  for (const name of protocols) {
    const [, kind, value] = /^grpcws\.(bearer|metadata)\.(.*)$/.exec(name) ?? [];
    if (value === undefined) continue;
    const text = String.fromCharCode(...decodeBase64(value));
    if (kind === "bearer") metadata.authorization = [`Bearer ${text}`];
    else Object.assign(metadata, JSON.parse(text));
  }
  return metadata;
}

function object(init: MetadataInit): Record<string, string[]> {
  const names = new Map<string, string[]>();
  readMetadata(init, names);
  return Object.fromEntries(names);
}

/** Connect's errors have the same codes, and details of the same form. */
function toStatus(error: unknown): GrpcWsError {
  if (error instanceof GrpcWsError) return error;
  const { code, rawMessage, message } = error as { code?: unknown; rawMessage?: string; message?: string };
  const isCode = Object.values(Code).some((one) => one === code && one !== Code.Ok);
  return new GrpcWsError(isCode ? (code as Code) : Code.Unknown, rawMessage ?? message ?? String(error));
}
