// The client's side of one stream, without a socket and without a clock: frames of the gateway and what the application
// wants go in, what the application is to see and what the gateway is to be sent come out.
//
//   live ── a terminal message, a close, the deadline, silence, a violation, an abort ──▶ ended ── close, linger ──▶ closed
//
// The first thing that ends a stream is its outcome (PROTOCOL §6.3), and all later ones are ignored. OK comes from
// `stream_end` and from nothing else. After each input, the driver sends what `pollTransmit` has.
import { codeForClose, messageForClose } from "./close.ts";
import { Code } from "./code.ts";
import { utf8Length } from "./encoding.ts";
import { GrpcWsError } from "./error.ts";
import { parseMessage, readError, type GatewayMessage, type Open } from "./message.ts";
import { receivedMetadata, type Metadata } from "./metadata.ts";

/** How request and response messages travel. */
export type Mode = "grpcws.v1.json" | "grpcws.v1.proto";

/** Times in milliseconds and windows in bytes. All times are instants or spans of one monotonic clock. */
export interface SessionOptions {
  /** When the call ends with `DEADLINE_EXCEEDED`; `Infinity` for never. */
  deadline: number;
  /** The credit that the handshake offered; 0 for none. */
  credit: number;
  /** The time between two pings of the client; 0 for none. */
  pingPeriodMs: number;
  /** How long the gateway may be silent before it is probed; at least three of its ping periods. 0 for ever. */
  pongTimeoutMs: number;
  /** How long an ended call waits for the gateway's close. */
  lingerMs: number;
}

/** What a frame means for the application: one of these, or nothing. */
export interface SessionEvent {
  headers?: Metadata;
  open?: Open;
  message?: unknown;
  /** By what a message counts against the credit; not 0 for any message. */
  cost?: number;
}

/** How long a probe waits for an answer. */
const PROBE_MS = 10_000;
/** A timer that fires later than this proves nothing: the page or the machine stood still. */
const LATE_MS = 1_000;

/** The client's side of one stream. */
export class ClientSession {
  /** What the gateway said of itself, once it has. */
  open: Open | undefined;
  /** How the call ended, once it has; `null` for OK. */
  outcome: GrpcWsError | null | undefined;
  trailers: Metadata = {};
  /** Whether nothing is left to be done, and the socket is to be dropped. */
  isClosed = false;

  readonly #mode: Mode;
  readonly #options: SessionOptions;
  #headers: Metadata | undefined;
  #isHalfClosed = false;
  /** What the gateway takes. It is not known before `open`, but every window admits one message. */
  #window = 1;
  /** What came and was not taken by the application, and what was taken and not granted again. */
  #held = 0;
  #ungranted = 0;
  #pingId = 0;
  #nextPing: number;
  #heard: number;
  /** How many probes there were since the gateway was heard, and until when the last is to be answered. */
  #probes = 0;
  #probeUntil = 0;
  #lingerUntil = 0;
  #pending: (string | null)[] = [];

  /** A session begins when its WebSocket is open. */
  constructor(mode: Mode, options: SessionOptions, now: number) {
    this.#mode = mode;
    this.#options = options;
    this.#heard = now;
    this.#nextPing = now + (options.pingPeriodMs || Infinity);
  }

  /** Whether a request message may be sent now. */
  get canSend(): boolean {
    return this.outcome === undefined && !this.#isHalfClosed && this.#window > 0;
  }

  /** A request message is in the socket; `bytes` is the length of its frame's payload. */
  messageSent(bytes: number): void {
    this.#window -= bytes || 1;
  }

  /** The application has sent its last request message. */
  halfClose(): void {
    if (this.outcome === undefined && !this.#isHalfClosed) this.#say("end_send");
    this.#isHalfClosed = true;
  }

  /**
   * The application took a response message: the gateway is granted as much again. A grant waits until half of the
   * credit is worth one; what is neither held nor granted is less than that, so the gateway never stalls.
   */
  messageTaken(cost: number): void {
    this.#held -= cost;
    this.#ungranted += cost;
    if (this.outcome === undefined && this.#options.credit && this.#ungranted >= this.#options.credit / 2) {
      this.#say("credit", "bytes", this.#ungranted);
      this.#ungranted = 0;
    }
  }

  /** Gives the call up with this error, at once: the gateway is sent `cancel` and the close frame. */
  abort(error: GrpcWsError, now: number): void {
    if (this.outcome !== undefined) return;
    this.#end(error, now);
    this.#say("cancel");
    this.#pending.push(null);
  }

  /** Takes a frame of the gateway. After the outcome none means anything. */
  receive(frame: string | Uint8Array, now: number): SessionEvent | undefined {
    this.#heard = now;
    this.#probes = 0;
    if (this.outcome !== undefined) return undefined;
    try {
      return typeof frame === "string" ? this.#text(parseMessage(frame), frame, now) : this.#message("grpcws.v1.proto", frame, frame.length);
    } catch (error) {
      // Nothing that it says later can be trusted.
      this.abort(new GrpcWsError(Code.Internal, `the gateway broke the protocol: ${(error as Error).message}`), now);
      return undefined;
    }
  }

  #text(message: GatewayMessage, frame: string, now: number): SessionEvent | undefined {
    switch (message.type) {
      case "open":
        if (this.open) throw new Error("a second open");
        this.open = message;
        this.#window--;
        this.#grant(message.receiveWindow);
        return { open: message };
      case "headers":
        if (this.#headers) throw new Error("second headers");
        this.#headers = receivedMetadata(message.headers);
        return { headers: this.#headers };
      case "data":
        return this.#message("grpcws.v1.json", message.data ?? null, this.#options.credit && utf8Length(frame));
      case "stream_end":
      case "error":
        this.trailers = receivedMetadata(message.trailers);
        this.#end(message.type === "error" ? readError(message) : null, now);
        break;
      case "credit":
        this.#grant(message.bytes);
        break;
      case "ping":
        this.#say("pong", "pingId", message.pingId);
    }
    return undefined;
  }

  /** The WebSocket is closed; nothing more can be done. */
  closed(code: number, reason: string, now: number): void {
    if (this.outcome === undefined) {
      this.#end(new GrpcWsError(codeForClose(code), messageForClose(code, reason), { close: { code, reason } }), now);
    }
    this.isClosed = true;
  }

  /** The next thing to send: a text, or `null` for the close frame. Nothing follows that. */
  pollTransmit(): string | null | undefined {
    return this.isClosed ? undefined : this.#pending.shift();
  }

  /** When `handleTimeout` is to be called next; `Infinity` for never, as things stand. */
  pollTimeout(): number {
    if (this.outcome !== undefined) return this.isClosed ? Infinity : this.#lingerUntil;
    return Math.min(this.#options.deadline, this.#nextPing, this.#silentAt());
  }

  /** Does what is due. What has come from the gateway is to be received before. */
  handleTimeout(now: number): void {
    const silentAt = this.#silentAt();
    if (this.outcome !== undefined) {
      this.isClosed ||= this.#lingerUntil <= now;
    } else if (this.#options.deadline <= now) {
      this.abort(new GrpcWsError(Code.DeadlineExceeded, "deadline exceeded"), now);
    } else if (silentAt <= now) {
      // If a probe is judged late, what has come may not have been read: there is one more.
      if (this.#probes === 0 || (this.#probes === 1 && now - silentAt > LATE_MS)) {
        this.#probes++;
        this.#probeUntil = now + PROBE_MS;
        this.#ping();
      } else {
        const seconds = Math.round((now - this.#heard) / 1000);
        this.abort(new GrpcWsError(Code.Unavailable, `nothing was heard of the gateway for ${seconds} s`), now);
      }
    } else if (this.#nextPing <= now) {
      this.#nextPing = now + this.#options.pingPeriodMs;
      this.#ping();
    }
  }

  /** When a gateway that is to speak by itself was silent for too long. It says `open` at once, then it pings. */
  #silentAt(): number {
    if (this.#probes) return this.#probeUntil;
    const { pongTimeoutMs, pingPeriodMs } = this.#options;
    const period = this.open ? this.open.pingPeriodMs | 0 : 1;
    return pongTimeoutMs && (period || pingPeriodMs) ? this.#heard + Math.max(pongTimeoutMs, 3 * period) : Infinity;
  }

  #message(mode: Mode, message: unknown, length: number): SessionEvent {
    if (mode !== this.#mode) throw new Error(`a message of ${mode} in ${this.#mode}`);
    if (this.#options.credit && this.#held >= this.#options.credit) throw new Error("a response message beyond the credit");
    // An empty frame counts as well (PROTOCOL §7).
    const cost = length || 1;
    this.#held += cost;
    return { message, cost };
  }

  #grant(bytes: number): void {
    this.#window += bytes;
    // A foreign gateway's number may be missing, or no number.
    if (!(bytes > 0) || !Number.isSafeInteger(this.#window)) throw new Error("a window that is not from 1 to 2^53 - 1");
  }

  #end(outcome: GrpcWsError | null, now: number): void {
    if (outcome) Object.assign(outcome, { headers: this.#headers, trailers: this.trailers });
    this.outcome = outcome;
    this.#lingerUntil = now + this.#options.lingerMs;
    this.#pending = [];
  }

  #ping(): void {
    this.#say("ping", "pingId", ++this.#pingId);
  }

  #say(type: string, name?: string, value?: number): void {
    this.#pending.push(JSON.stringify(name ? { type, [name]: value } : { type }));
  }
}
