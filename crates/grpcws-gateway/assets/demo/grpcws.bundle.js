// The npm package `grpcws`, built from clients/typescript by `npm run build:demo`. Do not edit it here.

// src/code.ts
var Code = {
  Ok: 0,
  Cancelled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16
};
function codeName(code) {
  const key = Object.keys(Code)[code] ?? "Unknown";
  return key.replace(/\B[A-Z]/g, "_$&").toUpperCase();
}

// src/error.ts
var GrpcWsError = class extends Error {
  /** The name of the class. */
  name = "GrpcWsError";
  /** The status code. */
  code;
  /** The canonical name of the code, such as `NOT_FOUND`. */
  status;
  /** The status message alone. */
  rawMessage;
  /** What the server attached to the status. */
  details = [];
  /** The response headers; none if the response was trailers alone. */
  headers;
  /** The trailers. */
  trailers = {};
  /** The WebSocket's close, if that decided the outcome. */
  close;
  /**
   * Whether the server may have seen the call. `false` only if it is certain that no request message left: then the
   * call can be repeated, whatever it does.
   */
  started = true;
  /** Makes an error, as a test or a token function may have to. */
  constructor(code, message, parts = {}) {
    const status = codeName(code);
    super(message ? `${status}: ${message}` : status);
    this.code = code;
    this.status = status;
    this.rawMessage = message;
    Object.assign(this, parts);
  }
};
function toError(cause, code, text, started) {
  return cause instanceof GrpcWsError ? cause : new GrpcWsError(code, `${text}: ${cause?.message ?? cause}`, { cause, started });
}

// src/call.ts
var forgotten = /* @__PURE__ */ watchForgotten();
function watchForgotten() {
  if (!globalThis.FinalizationRegistry) return void 0;
  return new FinalizationRegistry((driver) => {
    try {
      driver.cancel("the call was forgotten");
    } catch {
    }
  });
}
var Call = class {
  #driver;
  #encode;
  #iterator;
  #readable;
  #writable;
  /** @internal Calls are made by a `Client`. */
  constructor(driver, encode) {
    this.#driver = driver;
    this.#encode = encode;
    forgotten?.register(this, driver);
  }
  /**
   * Sends a request message. Resolves when the next one may be sent, as the gateway's window admits; rejects when the
   * call is over. Wait for it between many messages, or they queue up here.
   */
  send(message) {
    let frame = { data: "", size: 0 };
    try {
      frame = this.#encode(message);
    } catch (error) {
      this.#driver.fail(toError(error, Code.InvalidArgument, "the request message does not serialize"));
    }
    return this.#driver.send(frame);
  }
  /** Says that the last request message was sent. Responses go on. */
  halfClose() {
    this.#driver.halfClose();
    return this;
  }
  /** Sends the one request message of a unary or server-streaming method. */
  request(message) {
    void this.send(message);
    return this.halfClose();
  }
  /** The one response message of a unary or client-streaming method. Rejects unless the call ends with OK. */
  async response() {
    const driver = this.#driver;
    const first = await driver.read();
    const second = first && await driver.read();
    if (driver.outcome) throw driver.outcome;
    if (first && !second) return first.message;
    const error = new GrpcWsError(Code.Unimplemented, `${first ? "a second" : "no"} response message where there is to be one`);
    driver.fail(error);
    throw error;
  }
  /**
   * Sends all messages of a source, then half-closes. If the source throws, the call is cancelled, never half-closed: a
   * server must not take half of the messages for all. Rejects if the call fails; resolves early if it ends with OK.
   */
  pipe(messages) {
    const piped = Promise.race([this.#pipe(messages), this.#driver.status]).then(() => {
      if (this.error) throw this.error;
    });
    piped.catch(() => {
    });
    return piped;
  }
  async #pipe(messages) {
    try {
      for await (const message of messages) {
        if (this.#driver.isOver) break;
        await this.send(message);
      }
      this.halfClose();
    } catch (error) {
      this.#driver.fail(toError(error, Code.Cancelled, "the source of the request messages failed"));
    }
  }
  /** Cancels the call, at once: it ends with `CANCELLED`, and with the reason as the error's `cause`. */
  cancel(reason) {
    this.#driver.cancel(reason);
  }
  /** The response headers, or none if the call ended without. Never rejects. */
  get headers() {
    return this.#held(this.#driver.headers);
  }
  /** The trailers, once the call is over. Never rejects. */
  get trailers() {
    return this.status.then((status) => status.trailers);
  }
  /** How the call ended, once it has. Never rejects. */
  get status() {
    return this.#held(this.#driver.status);
  }
  /** Why the call failed, once it has. */
  get error() {
    return this.#driver.outcome ?? void 0;
  }
  /** The response messages. To leave the loop cancels the call; so does to forget it. */
  [Symbol.asyncIterator]() {
    let isLeft = false;
    return this.#iterator ??= {
      next: async () => {
        const item = await this.#driver.read();
        if (item) return { done: false, value: item.message };
        if (this.error && !isLeft) throw this.error;
        return { done: true, value: void 0 };
      },
      return: async () => {
        isLeft = true;
        this.cancel();
        return { done: true, value: void 0 };
      }
    };
  }
  /** The response messages as a stream. It errors if the call fails; to cancel it cancels the call. */
  get readable() {
    return this.#readable ??= new ReadableStream(
      {
        pull: async (controller) => {
          const item = await this.#driver.read();
          if (item) controller.enqueue(item.message);
          else if (this.error) controller.error(this.error);
          else controller.close();
        },
        cancel: (reason) => this.cancel(reason)
      },
      { highWaterMark: 0 }
    );
  }
  /** The request messages as a stream. To close it half-closes, to abort it cancels the call. */
  get writable() {
    return this.#writable ??= new WritableStream({
      write: (message) => this.send(message),
      close: () => void this.halfClose(),
      abort: (reason) => this.cancel(reason)
    });
  }
  /** Cancels the call if it runs, and waits for its end: for `await using`, in runtimes that have it. */
  async [Symbol.asyncDispose]() {
    this.cancel();
    await this.status;
  }
  /** Who waits for the promise holds the call, which is then not forgotten. */
  #held(promise) {
    return promise.then((value) => (this.#driver, value));
  }
};

// src/options.ts
var MAX_TIMER_MS = 2 ** 31 - 1;
function checkOptions(options) {
  for (const [name, value] of Object.entries(options)) {
    const least = name === "maxHandshakes" || name === "multiplier" ? 1 : 0;
    const isNumber = least || name === "credit" || name.endsWith("Ms");
    if (isNumber && value !== void 0 && !(typeof value === "number" && value >= least)) {
      throw new RangeError(`${name} is ${String(value)}: use a number from ${least} on`);
    }
  }
}

// src/backoff.ts
var Backoff = class {
  #options;
  #failures = 0;
  #since = now();
  constructor(options = {}) {
    checkOptions(options);
    this.#options = { initialMs: 1e3, multiplier: 1.6, maxMs: 3e4, ...options };
    listen();
  }
  /** An attempt begins. */
  begin() {
    this.#since = now();
  }
  /** An attempt succeeded: the next failure is a first one. */
  reset() {
    this.#failures = 0;
  }
  /**
   * Waits after a failure. When the network comes back, the page is shown again or comes out of the back-forward cache,
   * the wait ends; if that was just before the failure, and since the attempt began, there is none.
   */
  wait(signal) {
    const { initialMs, multiplier, maxMs } = this.#options;
    const longest = Math.min(maxMs, MAX_TIMER_MS, initialMs * multiplier ** this.#failures++);
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        waiting.delete(end);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, wokeAt >= Math.max(this.#since, now() - JUST_MS) ? 0 : longest * Math.random());
      waiting.add(end);
      signal?.addEventListener("abort", end);
      if (signal?.aborted) end();
    });
  }
};
var JUST_MS = 1e3;
var now = () => performance.now();
var waiting = /* @__PURE__ */ new Set();
var wokeAt = -1;
var isListening = false;
function wake() {
  wokeAt = now();
  for (const end of [...waiting]) end();
}
function listen() {
  const target = globalThis;
  if (isListening || !target.addEventListener) return;
  isListening = true;
  for (const type of ["online", "pageshow", "visibilitychange"]) target.addEventListener(type, wake);
}

// src/close.ts
function codeForClose(close) {
  if (close > 4e3 && close < 4017) return close - 4e3;
  if (close === 1003) return Code.InvalidArgument;
  if (close === 1008 || close === 1009) return Code.ResourceExhausted;
  return [1e3, 1002, 1007, 1011].includes(close) ? Code.Internal : Code.Unavailable;
}
function messageForClose(close, reason) {
  const name = `${codeName(codeForClose(close))}: `;
  if (reason.startsWith(name)) return reason.slice(name.length);
  return `the connection ended without a status, close code ${close}${reason && `: ${reason}`}`;
}

// src/handshake.ts
var CLOSE_MS = 100;
var underWay = 0;
var queue = [];
function admit() {
  for (let next = queue[0]; next && underWay < next.max; next = queue[0]) {
    queue.shift();
    underWay++;
    next.start();
  }
}
function handshake(url, protocols, options, handlers) {
  const { connectTimeoutMs = 1e4, maxHandshakes = 8 } = options;
  let state = "waiting";
  let socket;
  let timer;
  const settle = (next) => {
    if (state === "waiting") queue.splice(queue.indexOf(entry), 1);
    else if (state === "connecting") underWay--;
    else return false;
    clearTimeout(timer);
    state = next;
    queueMicrotask(admit);
    return true;
  };
  const fail = (code, message, closeCode = 0, reason = "", started = false) => {
    const close = closeCode ? { close: { code: closeCode, reason } } : {};
    if (settle("done")) handlers.onFailed(new GrpcWsError(code, message, { ...close, started }));
  };
  const refused = () => fail(Code.Unavailable, REFUSED, 1006);
  const start = () => {
    state = "connecting";
    const WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (!WebSocket) return fail(Code.FailedPrecondition, "there is no WebSocket here: pass one as the option WebSocket, such as that of the package ws");
    try {
      socket = new WebSocket(url, protocols);
    } catch (error) {
      return fail(Code.InvalidArgument, `${error.name}: this page or runtime cannot open a WebSocket to ${url}`);
    }
    socket.binaryType = "arraybuffer";
    timer = setTimeout(() => {
      fail(Code.Unavailable, `the gateway did not accept the WebSocket within ${connectTimeoutMs} ms`);
      drop(socket);
    }, Math.min(connectTimeoutMs, MAX_TIMER_MS));
    socket.onopen = () => {
      if (settle("open")) handlers.onOpen(socket);
    };
    socket.onmessage = ({ data }) => {
      if (state === "open") handlers.onMessage(typeof data === "string" ? data : new Uint8Array(data));
    };
    socket.onerror = () => {
      if (state === "connecting") setTimeout(refused, CLOSE_MS);
    };
    socket.onclose = ({ code = 0, reason = "" }) => {
      if (state === "open") {
        state = "done";
        handlers.onClose(code, reason);
      } else if (!code || code === 1006) refused();
      else fail(codeForClose(code), messageForClose(code, reason), code, reason, true);
    };
  };
  const entry = { max: maxHandshakes, start };
  queue.push(entry);
  admit();
  return () => {
    if (settle("done")) drop(socket);
  };
}
function drop(socket) {
  if (socket?.terminate) socket.terminate();
  else socket?.close();
}
var REFUSED = "the WebSocket was refused, and a page is not told why (explainRefusal asks): no gateway at this URL, no such route (404), an origin that is not allowed (403), headers over 16 KiB (431), or 200 WebSockets open";

// src/encoding.ts
function decodeBase64(text) {
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
}
function encodeBase64(content) {
  let text = content;
  if (typeof content !== "string") {
    text = "";
    for (const byte of content) text += String.fromCharCode(byte);
  }
  return btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}
function utf8Length(text) {
  let length = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 127) length += unit < 2048 || (unit & 63488) === 55296 ? 1 : 2;
  }
  return length;
}

// src/metadata.ts
var MAX_HANDSHAKE = 16384;
function readMetadata(init, names) {
  for (const [key, value] of init && Symbol.iterator in init ? init : Object.entries(init ?? {})) {
    const name = key.toLowerCase();
    const values = [value].flat().filter((one) => one !== void 0);
    for (const one of values) {
      const isText = typeof one === "string";
      if (/[^\w.-]|^$/.test(name) || (isText ? /[^ -~]/.test(one) : !name.endsWith("-bin"))) {
        refuse(`${JSON.stringify(key)} is no name of metadata, or its value is not printable ASCII: send bytes under a name that ends in -bin`);
      }
      names.set(name, [...names.get(name) ?? [], isText ? one : encodeBase64(one)]);
    }
  }
}
function subprotocols(mode, token, names) {
  const protocols = [mode];
  if (token !== void 0) {
    if (/[^!-~]|^$/.test(token)) refuse("the token is not of visible ASCII characters");
    protocols.push(`grpcws.bearer.${encodeBase64(token)}`);
  }
  if (names.size) protocols.push(`grpcws.metadata.${encodeBase64(JSON.stringify(Object.fromEntries(names)))}`);
  if (protocols.join().length > MAX_HANDSHAKE) refuse(`token and metadata take more than the ${MAX_HANDSHAKE} bytes of a handshake`);
  return protocols;
}
function refuse(reason) {
  throw new GrpcWsError(Code.InvalidArgument, reason, { started: false });
}
function receivedMetadata(object) {
  return Object.fromEntries(
    Object.entries(object ?? {}).flatMap(([name, values]) => {
      const valid = [values].flat().filter((value) => typeof value === "string" && !/[^ -~]/.test(value));
      return valid.length && !/[^0-9a-z_.-]|^$/.test(name) ? [[name, valid]] : [];
    })
  );
}
function formatTimeout(ms) {
  const left = Math.max(0, Math.ceil(ms));
  return left < 1e8 ? `${left}m` : `${Math.min(Math.ceil(left / 1e3), 99999999)}S`;
}

// src/message.ts
function parseMessage(text) {
  const message = JSON.parse(text);
  if (typeof message?.type !== "string") throw new Error("a text frame without a type");
  return message;
}
function readError({ code, message, error, details }) {
  return new GrpcWsError(Object.values(Code).includes(code) ? code || Code.Unknown : Code.Unknown, String(message ?? error ?? ""), {
    details: Array.isArray(details) ? details.flatMap(readDetail) : []
  });
}
function readDetail({ type, value, debug }) {
  try {
    return [{ type, value: decodeBase64(value), debug }];
  } catch {
    return [];
  }
}

// src/session.ts
var PROBE_MS = 1e4;
var LATE_MS = 1e3;
var ClientSession = class {
  /** What the gateway said of itself, once it has. */
  open;
  /** How the call ended, once it has; `null` for OK. */
  outcome;
  trailers = {};
  /** Whether nothing is left to be done, and the socket is to be dropped. */
  isClosed = false;
  #mode;
  #options;
  #headers;
  #isHalfClosed = false;
  /** What the gateway takes. It is not known before `open`, but every window admits one message. */
  #window = 1;
  /** What came and was not taken by the application, and what was taken and not granted again. */
  #held = 0;
  #ungranted = 0;
  #pingId = 0;
  #nextPing;
  #heard;
  /** How many probes there were since the gateway was heard, and until when the last is to be answered. */
  #probes = 0;
  #probeUntil = 0;
  #lingerUntil = 0;
  #pending = [];
  /** A session begins when its WebSocket is open. */
  constructor(mode, options, now2) {
    this.#mode = mode;
    this.#options = options;
    this.#heard = now2;
    this.#nextPing = now2 + (options.pingPeriodMs || Infinity);
  }
  /** Whether a request message may be sent now. */
  get canSend() {
    return this.outcome === void 0 && !this.#isHalfClosed && this.#window > 0;
  }
  /** A request message is in the socket; `bytes` is the length of its frame's payload. */
  messageSent(bytes) {
    this.#window -= bytes || 1;
  }
  /** The application has sent its last request message. */
  halfClose() {
    if (this.outcome === void 0 && !this.#isHalfClosed) this.#say("end_send");
    this.#isHalfClosed = true;
  }
  /**
   * The application took a response message: the gateway is granted as much again. A grant waits until half of the
   * credit is worth one; what is neither held nor granted is less than that, so the gateway never stalls.
   */
  messageTaken(cost) {
    this.#held -= cost;
    this.#ungranted += cost;
    if (this.outcome === void 0 && this.#options.credit && this.#ungranted >= this.#options.credit / 2) {
      this.#say("credit", "bytes", this.#ungranted);
      this.#ungranted = 0;
    }
  }
  /** Gives the call up with this error, at once: the gateway is sent `cancel` and the close frame. */
  abort(error, now2) {
    if (this.outcome !== void 0) return;
    this.#end(error, now2);
    this.#say("cancel");
    this.#pending.push(null);
  }
  /** Takes a frame of the gateway. After the outcome none means anything. */
  receive(frame, now2) {
    this.#heard = now2;
    this.#probes = 0;
    if (this.outcome !== void 0) return void 0;
    try {
      return typeof frame === "string" ? this.#text(parseMessage(frame), frame, now2) : this.#message("grpcws.v1.proto", frame, frame.length);
    } catch (error) {
      this.abort(new GrpcWsError(Code.Internal, `the gateway broke the protocol: ${error.message}`), now2);
      return void 0;
    }
  }
  #text(message, frame, now2) {
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
        this.#end(message.type === "error" ? readError(message) : null, now2);
        break;
      case "credit":
        this.#grant(message.bytes);
        break;
      case "ping":
        this.#say("pong", "pingId", message.pingId);
    }
    return void 0;
  }
  /** The WebSocket is closed; nothing more can be done. */
  closed(code, reason, now2) {
    if (this.outcome === void 0) {
      this.#end(new GrpcWsError(codeForClose(code), messageForClose(code, reason), { close: { code, reason } }), now2);
    }
    this.isClosed = true;
  }
  /** The next thing to send: a text, or `null` for the close frame. Nothing follows that. */
  pollTransmit() {
    return this.isClosed ? void 0 : this.#pending.shift();
  }
  /** When `handleTimeout` is to be called next; `Infinity` for never, as things stand. */
  pollTimeout() {
    if (this.outcome !== void 0) return this.isClosed ? Infinity : this.#lingerUntil;
    return Math.min(this.#options.deadline, this.#nextPing, this.#silentAt());
  }
  /** Does what is due. What has come from the gateway is to be received before. */
  handleTimeout(now2) {
    const silentAt = this.#silentAt();
    if (this.outcome !== void 0) {
      this.isClosed ||= this.#lingerUntil <= now2;
    } else if (this.#options.deadline <= now2) {
      this.abort(new GrpcWsError(Code.DeadlineExceeded, "deadline exceeded"), now2);
    } else if (silentAt <= now2) {
      if (this.#probes === 0 || this.#probes === 1 && now2 - silentAt > LATE_MS) {
        this.#probes++;
        this.#probeUntil = now2 + PROBE_MS;
        this.#ping();
      } else {
        const seconds = Math.round((now2 - this.#heard) / 1e3);
        this.abort(new GrpcWsError(Code.Unavailable, `nothing was heard of the gateway for ${seconds} s`), now2);
      }
    } else if (this.#nextPing <= now2) {
      this.#nextPing = now2 + this.#options.pingPeriodMs;
      this.#ping();
    }
  }
  /** When a gateway that is to speak by itself was silent for too long. It says `open` at once, then it pings. */
  #silentAt() {
    if (this.#probes) return this.#probeUntil;
    const { pongTimeoutMs, pingPeriodMs } = this.#options;
    const period = this.open ? this.open.pingPeriodMs | 0 : 1;
    return pongTimeoutMs && (period || pingPeriodMs) ? this.#heard + Math.max(pongTimeoutMs, 3 * period) : Infinity;
  }
  #message(mode, message, length) {
    if (mode !== this.#mode) throw new Error(`a message of ${mode} in ${this.#mode}`);
    if (this.#options.credit && this.#held >= this.#options.credit) throw new Error("a response message beyond the credit");
    const cost = length || 1;
    this.#held += cost;
    return { message, cost };
  }
  #grant(bytes) {
    this.#window += bytes;
    if (!(bytes > 0) || !Number.isSafeInteger(this.#window)) throw new Error("a window that is not from 1 to 2^53 - 1");
  }
  #end(outcome, now2) {
    if (outcome) Object.assign(outcome, { headers: this.#headers, trailers: this.trailers });
    this.outcome = outcome;
    this.#lingerUntil = now2 + this.#options.lingerMs;
    this.#pending = [];
  }
  #ping() {
    this.#say("ping", "pingId", ++this.#pingId);
  }
  #say(type, name, value) {
    this.#pending.push(JSON.stringify(name ? { type, [name]: value } : { type }));
  }
};

// src/driver.ts
var calls = 0;
var Driver = class {
  /** How the call ended, once it has; `null` for OK. */
  outcome;
  /** Neither rejects. */
  headers;
  status;
  #info;
  #url;
  #mode;
  #client;
  #own;
  #deadline;
  #credit;
  #onAbort = () => this.cancel(this.#own.signal?.reason);
  #session;
  #socket;
  /** Give up what the call waits for before its WebSocket is open: an attempt, and the time between two. */
  #giveUp = () => {
  };
  #stop = new AbortController();
  #timer;
  #timerAt = Infinity;
  #outbox = [];
  #writers = [];
  #isHalfClosed = false;
  #inbox = [];
  #readers = [];
  #tellHeaders;
  #tellStatus;
  constructor(url, method, mode, client, own) {
    this.#info = { method, id: ++calls };
    this.#url = url;
    this.#mode = mode;
    this.#client = client;
    this.#own = own;
    this.#deadline = performance.now() + (own.timeoutMs ?? client.timeoutMs ?? Infinity);
    this.#credit = own.credit ?? client.credit ?? 1 << 20;
    this.headers = new Promise((resolve) => this.#tellHeaders = resolve);
    this.status = new Promise((resolve) => this.#tellStatus = resolve);
    this.#tell("start");
    own.signal?.addEventListener("abort", this.#onAbort);
    if (own.signal?.aborted) this.#onAbort();
    this.#arm();
    void this.#connect();
  }
  // === What the application wants ===
  /** Whether the outcome is known. */
  get isOver() {
    return this.outcome !== void 0;
  }
  /** Sends a frame when its turn comes; resolves when the next may be sent. */
  send(frame) {
    const sent = new Promise((resolve, reject) => {
      if (this.isOver || this.#isHalfClosed) {
        return reject(this.#refusal());
      }
      this.#outbox.push(frame);
      this.#writers.push({ resolve, reject });
      this.#pump();
    });
    sent.catch(() => {
    });
    return sent;
  }
  #refusal() {
    return this.outcome ?? new GrpcWsError(Code.FailedPrecondition, "the call takes no more messages");
  }
  halfClose() {
    this.#isHalfClosed = true;
    this.#pump();
  }
  /** Ends the call with `CANCELLED`, at once. */
  cancel(cause) {
    this.fail(new GrpcWsError(Code.Cancelled, "call cancelled by the client", { cause, started: !!this.#session }));
  }
  /** Ends the call with this error, at once. Without effect on a call that is over. */
  fail(error) {
    if (this.isOver) return;
    this.#inbox = [];
    this.#session?.abort(error, performance.now());
    if (this.#session) this.#pump();
    else this.#finish(error);
  }
  /** The next message, or nothing at the end. Messages that came before the end are read before it. */
  read() {
    return new Promise((resolve) => {
      this.#readers.push(resolve);
      this.#deliver();
    });
  }
  // === Connecting ===
  async #connect() {
    const backoff = new Backoff(this.#client.backoff);
    let previous;
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
  async #attempt(attempt, previous) {
    let protocols;
    try {
      protocols = await this.#protocols(attempt, previous);
    } catch (error) {
      return toError(error, Code.Unauthenticated, "token or metadata could not be had", false);
    }
    if (this.isOver) return void 0;
    const { explain } = this.#client;
    const refusal = { url: this.#url, protocols, signal: this.#stop.signal };
    return new Promise((resolve) => {
      const giveUp = handshake(this.#url, protocols, this.#client, {
        // What cannot be explained stays what it is.
        onFailed: (error) => resolve(explain && error.close?.code === 1006 ? Promise.resolve(refusal).then(explain).catch(() => error) : error),
        onOpen: (socket) => {
          resolve(void 0);
          this.#opened(socket);
        },
        onMessage: (data) => this.#received(data),
        onClose: (code, reason) => {
          this.#session?.closed(code, reason, performance.now());
          this.#pump();
        }
      });
      this.#giveUp = () => {
        giveUp();
        resolve(void 0);
      };
    });
  }
  async #protocols(attempt, previous) {
    const { token, metadata } = this.#client;
    const bearer = typeof token === "function" ? await token({ method: this.#info.method, attempt, previous }) : token;
    const names = /* @__PURE__ */ new Map();
    readMetadata(typeof metadata === "function" ? await metadata() : metadata, names);
    readMetadata(this.#own.metadata, names);
    if (this.#deadline < Infinity) names.set("grpc-timeout", [formatTimeout(this.#deadline - performance.now())]);
    names.delete("grpcws-credit");
    if (this.#credit) names.set("grpcws-credit", [`${this.#credit}`]);
    return subprotocols(this.#mode, bearer, names);
  }
  #opened(socket) {
    this.#socket = socket;
    const { pingPeriodMs = 0, pongTimeoutMs = 9e4, lingerMs = 2e3 } = this.#client;
    const options = { deadline: this.#deadline, credit: this.#credit, pingPeriodMs, pongTimeoutMs, lingerMs };
    this.#session = new ClientSession(this.#mode, options, performance.now());
    this.#pump();
  }
  // === Moving messages ===
  #received(data) {
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
  #deliver() {
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
  #pump() {
    const session = this.#session;
    if (session) {
      this.#transmit(session);
      while (this.#outbox.length && session.canSend) this.#sendMessage(session, this.#outbox.shift());
      if (this.#isHalfClosed && !this.#outbox.length) session.halfClose();
      this.#transmit(session);
      if (!this.#outbox.length && (this.#isHalfClosed || session.canSend)) {
        for (const { resolve } of this.#writers.splice(0)) resolve();
      }
      if (session.outcome !== void 0) this.#finish(session.outcome, session.trailers);
      if (session.isClosed) {
        drop(this.#socket);
        this.#socket = void 0;
      }
    }
    this.#arm();
  }
  #transmit(session) {
    for (let next = session.pollTransmit(); next !== void 0; next = session.pollTransmit()) {
      if (next === null) this.#socket?.close(1e3);
      else this.#socket?.send(next);
    }
  }
  #sendMessage(session, { data, size }) {
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
  #finish(outcome, trailers = {}) {
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
  #arm() {
    const due = this.#session?.pollTimeout() ?? (this.isOver ? Infinity : this.#deadline);
    if (due >= this.#timerAt && due < Infinity) return;
    clearTimeout(this.#timer);
    this.#timerAt = due;
    if (due === Infinity) return;
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      const now2 = performance.now();
      if (!this.#session && this.#deadline <= now2) this.fail(new GrpcWsError(Code.DeadlineExceeded, "deadline exceeded", { started: false }));
      this.#session?.handleTimeout(now2);
      this.#pump();
    }, Math.min(Math.ceil(Math.max(0, due - performance.now())), MAX_TIMER_MS));
  }
  #tell(event, what) {
    const listener = this.#client.on?.[event];
    if (listener) queueMicrotask(() => listener(this.#info, what));
  }
};

// src/client.ts
var ABSOLUTE = /^(?:http|ws)(s?):\/\/([^/?#@\s]+)(\/[^?#\s]*)?$/;
var Client = class {
  #base;
  #options;
  /**
   * Makes a client. It opens nothing before the first call.
   *
   * @param url Where the gateway is: `https:` or `wss:`, `http:` or `ws:`; in a page also relative to it. Without a path
   *   the gateway's default prefix `/ws` is taken.
   */
  constructor(url, options = {}) {
    const parts = ABSOLUTE.exec(`${url}`) ?? (globalThis.location && ABSOLUTE.exec(new URL(url, location.href).href));
    if (!parts) throw new TypeError("the URL of a gateway begins with https:, wss:, http: or ws:, and has no user, query and fragment");
    const [, secure = "", host, path = ""] = parts;
    this.#base = `ws${secure}://${host}${path.replace(/\/+$/, "") || "/ws"}/`;
    checkOptions({ ...options, ...options.backoff });
    this.#options = options;
  }
  /**
   * Calls a method with messages in protobuf's wire format, in `grpcws.v1.proto`.
   *
   * @param method `package.Service/Method`, or the path of a route of the gateway below its prefix.
   */
  call(method, options) {
    return new Call(this.#drive(method, "grpcws.v1.proto", options), encodeBinary);
  }
  /**
   * Calls a method with messages in protojson, in `grpcws.v1.json`.
   *
   * @param method `package.Service/Method`, or the path of a route of the gateway below its prefix.
   */
  json(method, options) {
    return new Call(this.#drive(method, "grpcws.v1.json", options), encodeJson);
  }
  #drive(method, mode, options = {}) {
    checkOptions(options);
    return new Driver(this.#base + method.replace(/^\//, ""), method, mode, this.#options, options);
  }
};
function encodeBinary(message) {
  return { data: message, size: message.length };
}
function encodeJson(message) {
  const json = JSON.stringify(message);
  if (json === void 0) throw new TypeError(`${typeof message} is no JSON value`);
  const data = `{"type":"data","data":${json}}`;
  return { data, size: utf8Length(data) };
}
export {
  Client,
  Code,
  codeName
};
