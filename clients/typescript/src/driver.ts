// Runs one call: opens the WebSocket, then moves everything between socket, session and application. It knows nothing of
// the `Call` that the application holds, so that a forgotten call can be noticed and cancelled.
import { Backoff } from "./backoff.ts";
import { Code } from "./code.ts";
import { GrpcWsError, toError, type Status } from "./error.ts";
import { drop, handshake } from "./handshake.ts";
import { formatTimeout, readMetadata, subprotocols, type Metadata } from "./metadata.ts";
import { MAX_TIMER_MS, type CallInfo, type CallOptions, type ClientEvents, type ClientOptions, type WebSocketLike } from "./options.ts";
import { ClientSession, type Mode, type SessionEvent } from "./session.ts";

/** A frame of a request message, and what it counts against the window. */
export interface Frame {
  data: string | Uint8Array<ArrayBuffer>;
  size: number;
}

/** What settles a promise. */
interface Settle {
  resolve(): void;
  reject(error: GrpcWsError): void;
}

let calls = 0;

/** The one that runs a call. */
export class Driver {
  /** How the call ended, once it has; `null` for OK. */
  outcome: GrpcWsError | null | undefined;
  /** Neither rejects. */
  readonly headers: Promise<Metadata>;
  readonly status: Promise<Status>;

  readonly #info: CallInfo;
  readonly #url: string;
  readonly #mode: Mode;
  readonly #client: ClientOptions;
  readonly #own: CallOptions;
  readonly #deadline: number;
  readonly #credit: number;
  readonly #onAbort = (): void => this.cancel(this.#own.signal?.reason);

  #session: ClientSession | undefined;
  #socket: WebSocketLike | undefined;
  /** Give up what the call waits for before its WebSocket is open: an attempt, and the time between two. */
  #giveUp: () => void = () => {};
  readonly #stop: AbortController = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  readonly #outbox: Frame[] = [];
  #writers: Settle[] = [];
  #isHalfClosed = false;
  #inbox: SessionEvent[] = [];
  readonly #readers: ((item: SessionEvent | undefined) => void)[] = [];
  #tellHeaders!: (headers: Metadata) => void;
  #tellStatus!: (status: Status) => void;

  constructor(url: string, method: string, mode: Mode, client: ClientOptions, own: CallOptions) {
    this.#info = { method, id: ++calls };
    this.#url = url;
    this.#mode = mode;
    this.#client = client;
    this.#own = own;
    this.#deadline = performance.now() + (own.timeoutMs ?? client.timeoutMs ?? Infinity);
    this.#credit = own.credit ?? client.credit ?? 1 << 20;
    this.headers = new Promise((resolve) => (this.#tellHeaders = resolve));
    this.status = new Promise((resolve) => (this.#tellStatus = resolve));
    this.#tell("start");
    own.signal?.addEventListener("abort", this.#onAbort);
    if (own.signal?.aborted) this.#onAbort();
    this.#arm();
    void this.#connect();
  }

  // === What the application wants ===

  /** Whether the outcome is known. */
  get isOver(): boolean {
    return this.outcome !== undefined;
  }

  /** Sends a frame when its turn comes; resolves when the next may be sent. */
  send(frame: Frame): Promise<void> {
    const sent = new Promise<void>((resolve, reject) => {
      if (this.isOver || this.#isHalfClosed) {
        return reject(this.#refusal());
      }
      this.#outbox.push(frame);
      this.#writers.push({ resolve, reject });
      this.#pump();
    });
    // The caller need not handle it: the outcome says the same.
    sent.catch(() => {});
    return sent;
  }

  #refusal(): GrpcWsError {
    return this.outcome ?? new GrpcWsError(Code.FailedPrecondition, "the call takes no more messages");
  }

  halfClose(): void {
    this.#isHalfClosed = true;
    this.#pump();
  }

  /** Ends the call with `CANCELLED`, at once. */
  cancel(cause?: unknown): void {
    this.fail(new GrpcWsError(Code.Cancelled, "call cancelled by the client", { cause, started: !!this.#session }));
  }

  /** Ends the call with this error, at once. Without effect on a call that is over. */
  fail(error: GrpcWsError): void {
    if (this.isOver) return;
    // Who gives a call up is not told what came before.
    this.#inbox = [];
    this.#session?.abort(error, performance.now());
    if (this.#session) this.#pump();
    else this.#finish(error);
  }

  /** The next message, or nothing at the end. Messages that came before the end are read before it. */
  read(): Promise<SessionEvent | undefined> {
    return new Promise((resolve) => {
      this.#readers.push(resolve);
      this.#deliver();
    });
  }

  // === Connecting ===

  async #connect(): Promise<void> {
    const backoff = new Backoff(this.#client.backoff);
    let previous: GrpcWsError | undefined;
    for (let attempt = 0; !this.isOver; attempt++) {
      backoff.begin();
      previous = await this.#attempt(attempt, previous);
      if (!previous) return;
      const waits = this.#own.waitForReady ?? this.#client.waitForReady;
      if (!waits || previous.started || previous.code !== Code.Unavailable) return this.#finish(previous);
      await backoff.wait(this.#stop.signal);
    }
  }

  /** Opens the WebSocket; what comes of it goes to the session. Returns why it did not open. */
  async #attempt(attempt: number, previous: GrpcWsError | undefined): Promise<GrpcWsError | undefined> {
    let protocols: string[];
    try {
      protocols = await this.#protocols(attempt, previous);
    } catch (error) {
      return toError(error, Code.Unauthenticated, "token or metadata could not be had", false);
    }
    if (this.isOver) return undefined;
    const { explain } = this.#client;
    const refusal = { url: this.#url, protocols, signal: this.#stop.signal };
    return new Promise((resolve) => {
      const giveUp = handshake(this.#url, protocols, this.#client, {
        // What cannot be explained stays what it is.
        onFailed: (error) => resolve(explain && error.close?.code === 1006 ? Promise.resolve(refusal).then(explain).catch(() => error) : error),
        onOpen: (socket) => {
          resolve(undefined);
          this.#opened(socket);
        },
        onMessage: (data) => this.#received(data),
        onClose: (code, reason) => {
          this.#session?.closed(code, reason, performance.now());
          this.#pump();
        },
      });
      this.#giveUp = () => {
        giveUp();
        resolve(undefined);
      };
    });
  }

  async #protocols(attempt: number, previous: GrpcWsError | undefined): Promise<string[]> {
    const { token, metadata } = this.#client;
    const bearer = typeof token === "function" ? await token({ method: this.#info.method, attempt, previous }) : token;
    const names = new Map<string, string[]>();
    readMetadata(typeof metadata === "function" ? await metadata() : metadata, names);
    readMetadata(this.#own.metadata, names);
    if (this.#deadline < Infinity) names.set("grpc-timeout", [formatTimeout(this.#deadline - performance.now())]);
    names.delete("grpcws-credit");
    if (this.#credit) names.set("grpcws-credit", [`${this.#credit}`]);
    return subprotocols(this.#mode, bearer, names);
  }

  #opened(socket: WebSocketLike): void {
    this.#socket = socket;
    const { pingPeriodMs = 0, pongTimeoutMs = 90_000, lingerMs = 2_000 } = this.#client;
    const options = { deadline: this.#deadline, credit: this.#credit, pingPeriodMs, pongTimeoutMs, lingerMs };
    this.#session = new ClientSession(this.#mode, options, performance.now());
    this.#pump();
  }

  // === Moving messages ===

  #received(data: string | Uint8Array<ArrayBuffer>): void {
    const event = this.#session?.receive(data, performance.now());
    if (event?.open) this.#tell("open", event.open);
    if (event?.headers) {
      this.#tellHeaders(event.headers);
      this.#tell("headers", event.headers);
    }
    if (event?.cost) {
      this.#inbox.push(event);
      this.#tell("received", event.cost);
    }
    this.#deliver();
    this.#pump();
  }

  #deliver(): void {
    while (this.#readers.length && (this.#inbox.length || this.isOver)) {
      const next = this.#inbox.shift();
      this.#readers.shift()?.(next);
      if (next?.cost) {
        this.#session?.messageTaken(next.cost);
        this.#pump();
      }
    }
  }

  /** Sends what may be sent, tells the end once it is known, and arms the timer. */
  #pump(): void {
    const session = this.#session;
    if (session) {
      this.#transmit(session);
      while (this.#outbox.length && session.canSend) this.#sendMessage(session, this.#outbox.shift() as Frame);
      if (this.#isHalfClosed && !this.#outbox.length) session.halfClose();
      this.#transmit(session);
      if (!this.#outbox.length && (this.#isHalfClosed || session.canSend)) {
        for (const { resolve } of this.#writers.splice(0)) resolve();
      }
      if (session.outcome !== undefined) this.#finish(session.outcome, session.trailers);
      if (session.isClosed) {
        drop(this.#socket);
        this.#socket = undefined;
      }
    }
    this.#arm();
  }

  #transmit(session: ClientSession): void {
    for (let next = session.pollTransmit(); next !== undefined; next = session.pollTransmit()) {
      if (next === null) this.#socket?.close(1000);
      else this.#socket?.send(next);
    }
  }

  #sendMessage(session: ClientSession, { data, size }: Frame): void {
    const limit = session.open?.maxMessageBytes ?? Infinity;
    if (size > limit) {
      return this.fail(new GrpcWsError(Code.ResourceExhausted, `a request message has ${size} bytes, and the gateway takes ${limit}`));
    }
    this.#socket?.send(data);
    session.messageSent(size);
    this.#tell("sent", size);
  }

  // === The end ===

  /** Tells the outcome. */
  #finish(outcome: GrpcWsError | null, trailers: Metadata = {}): void {
    if (this.isOver) return;
    this.outcome = outcome;
    this.#own.signal?.removeEventListener("abort", this.#onAbort);
    this.#giveUp();
    this.#stop.abort();
    this.#outbox.length = 0;
    for (const { reject } of this.#writers.splice(0)) reject(this.#refusal());
    const status = { code: outcome?.code ?? Code.Ok, message: outcome?.rawMessage ?? "", trailers };
    this.#tellHeaders({});
    this.#tellStatus(status);
    this.#tell("end", status);
    this.#deliver();
  }

  /** Arms the timer for what is due next. One that fires early costs a look, so it is set anew only if it were late. */
  #arm(): void {
    const due = this.#session?.pollTimeout() ?? (this.isOver ? Infinity : this.#deadline);
    if (due >= this.#timerAt && due < Infinity) return;
    clearTimeout(this.#timer);
    this.#timerAt = due;
    if (due === Infinity) return;
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      const now = performance.now();
      if (!this.#session && this.#deadline <= now) this.fail(new GrpcWsError(Code.DeadlineExceeded, "deadline exceeded", { started: false }));
      this.#session?.handleTimeout(now);
      this.#pump();
    }, Math.min(Math.ceil(Math.max(0, due - performance.now())), MAX_TIMER_MS));
  }

  #tell<K extends keyof ClientEvents>(event: K, what?: Parameters<ClientEvents[K]>[1]): void {
    const listener = this.#client.on?.[event] as ((call: CallInfo, what: unknown) => void) | undefined;
    // Not here: the call does not depend on what a listener does or throws.
    if (listener) queueMicrotask(() => listener(this.#info, what));
  }
}
