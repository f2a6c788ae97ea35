import type { BackoffOptions } from "./backoff.ts";
import type { GrpcWsError, Status } from "./error.ts";
import type { Open } from "./message.ts";
import type { Metadata, MetadataInit } from "./metadata.ts";

/** A value, or a promise of one. */
export type MaybePromise<T> = T | PromiseLike<T>;

/** As much of a WebSocket as the client uses: a browser's, Node's, Deno's, Bun's, React Native's, or that of `ws`. */
export interface WebSocketLike {
  readonly readyState: number;
  // Implementations type these in ways that do not fit each other.
  /* eslint-disable @typescript-eslint/no-explicit-any */
  binaryType: any;
  onopen: any;
  onmessage: any;
  onerror: any;
  onclose: any;
  /* eslint-enable @typescript-eslint/no-explicit-any */
  /** Sends a frame. */
  send(data: string | Uint8Array<ArrayBuffer>): void;
  /** Begins to close. */
  close(code?: number, reason?: string): void;
}

/** The constructor of a WebSocket. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** What is known of a call from its beginning. */
export interface CallInfo {
  /** The method, as it was given. */
  readonly method: string;
  /** The number of the call in this program. */
  readonly id: number;
}

/** What a token function is told. */
export interface TokenContext {
  /** The method that is called. */
  readonly method: string;
  /** 0 for the first attempt to connect, then one more each time. */
  readonly attempt: number;
  /** Why the attempt before failed. */
  readonly previous?: GrpcWsError | undefined;
}

/** A WebSocket that was refused. */
export interface Refusal {
  /** The address, `ws:` or `wss:`. */
  readonly url: string;
  /** The sub-protocols that were offered. They have token and metadata in them: log none of them. */
  readonly protocols: readonly string[];
  /** Aborted when the call is over. */
  readonly signal: AbortSignal;
}

/** What a client tells of its calls, for logs and metrics. What one of these throws is reported, and changes nothing. */
export interface ClientEvents {
  /** A call begins. */
  start(call: CallInfo): void;
  /** The gateway has accepted the WebSocket and said what it understands. */
  open(call: CallInfo, open: Open): void;
  /** The response headers came. */
  headers(call: CallInfo, headers: Metadata): void;
  /** A request message was handed to the socket. */
  sent(call: CallInfo, bytes: number): void;
  /** A response message came; `bytes` is what it counts against the credit, 0 where none is offered in JSON. */
  received(call: CallInfo, bytes: number): void;
  /** The call is over. */
  end(call: CallInfo, status: Status): void;
}

/** Options of a client. All times are in milliseconds. */
export interface ClientOptions {
  /** The bearer token of every call, or a function that is asked for it before each attempt to connect. */
  token?: string | ((context: TokenContext) => MaybePromise<string | undefined>);
  /** Metadata of every call, or a function that is asked before each attempt to connect. */
  metadata?: MetadataInit | (() => MaybePromise<MetadataInit>);
  /** How long a call may take, connecting included. The gateway is told, and both sides enforce it. Default: for ever. */
  timeoutMs?: number;
  /**
   * How many bytes of response messages may lie ready for the application; one message may overdraw it. The gateway
   * holds the server back beyond that. 0 turns it off: then what is not taken is kept without a limit. Default: 1 MiB.
   */
  credit?: number;
  /** How long one attempt to connect may take. Default: 10 s. */
  connectTimeoutMs?: number;
  /**
   * How long the gateway may be silent before it is probed; it then has 10 s to answer. Never shorter than three of the
   * gateway's ping periods. 0 turns it off: a connection that is lost without a word is then not found. Default: 90 s.
   */
  pongTimeoutMs?: number;
  /** The time between two pings of the client. Default: none, since the gateway pings. */
  pingPeriodMs?: number;
  /** How long an ended call waits for the gateway's close frame. Default: 2 s. */
  lingerMs?: number;
  /** Whether a call waits for a gateway that cannot be reached, in place of ending with `UNAVAILABLE`. Default: false. */
  waitForReady?: boolean;
  /** How long a call that waits for the gateway, or `resume`, leaves it alone after a failure. */
  backoff?: Partial<BackoffOptions>;
  /**
   * How many handshakes of this page or program may be under way, those of other clients included. Chromium delays
   * what is opened beyond ten or so by seconds. Default: 8.
   */
  maxHandshakes?: number;
  /**
   * Asked why a WebSocket was refused, which a page is not told: `explainRefusal`, which asks the gateway by HTTP. Its
   * error is what the call ends with. Default: none, and the error names what it can be.
   */
  explain?: (refusal: Refusal) => Promise<GrpcWsError>;
  /** The WebSocket to use. Default: the runtime's own; Node has one from version 22 on, so use the package `ws` before. */
  WebSocket?: WebSocketConstructor;
  /** What the client tells of its calls. */
  on?: Partial<ClientEvents>;
}

/** Options of one call. */
export interface CallOptions {
  /** Metadata of this call, in addition to the client's. */
  metadata?: MetadataInit;
  /** Overrides the client's `timeoutMs`. */
  timeoutMs?: number;
  /** Cancels the call when it is aborted. */
  signal?: AbortSignal;
  /** Overrides the client's `credit`. */
  credit?: number;
  /** Overrides the client's `waitForReady`. */
  waitForReady?: boolean;
}

/** The longest time of a timer: a longer one fires at once. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

/** Refuses numbers that cannot work, by the name of the option. */
export function checkOptions(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    const least = name === "maxHandshakes" || name === "multiplier" ? 1 : 0;
    const isNumber = least || name === "credit" || name.endsWith("Ms");
    if (isNumber && value !== undefined && !(typeof value === "number" && value >= least)) {
      throw new RangeError(`${name} is ${String(value)}: use a number from ${least} on`);
    }
  }
}
