// Opens WebSockets: not too many at a time, and with an answer in any case.
import { codeForClose, messageForClose } from "./close.ts";
import { Code } from "./code.ts";
import { GrpcWsError } from "./error.ts";
import { MAX_TIMER_MS, type ClientOptions, type WebSocketConstructor, type WebSocketLike } from "./options.ts";

/** What comes of a WebSocket: `onFailed`, or `onOpen`, then messages, then `onClose`. */
export interface SocketHandlers {
  onFailed(error: GrpcWsError): void;
  onOpen(socket: WebSocketLike): void;
  onMessage(data: string | Uint8Array<ArrayBuffer>): void;
  onClose(code: number, reason: string): void;
}

/** How long an `error` may come before its `close`: Node 22 sends none where a connection is refused. */
const CLOSE_MS = 100;

// The gate of the page: all clients share it, as all share the browser.
let underWay = 0;
const queue: { max: number; start: () => void }[] = [];

function admit(): void {
  for (let next = queue[0]; next && underWay < next.max; next = queue[0]) {
    queue.shift();
    underWay++;
    next.start();
  }
}

/** Opens a WebSocket. Returns a function that gives it up, with effect until one of the handlers was called. */
export function handshake(url: string, protocols: string[], options: ClientOptions, handlers: SocketHandlers): () => void {
  const { connectTimeoutMs = 10_000, maxHandshakes = 8 } = options;
  let state: "waiting" | "connecting" | "open" | "done" = "waiting";
  let socket: WebSocketLike | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Leaves the gate; `false` if that has happened. */
  const settle = (next: "open" | "done"): boolean => {
    if (state === "waiting") queue.splice(queue.indexOf(entry), 1);
    else if (state === "connecting") underWay--;
    else return false;
    clearTimeout(timer);
    state = next;
    queueMicrotask(admit);
    return true;
  };
  const fail = (code: Code, message: string, closeCode = 0, reason = "", started = false): void => {
    const close = closeCode ? { close: { code: closeCode, reason } } : {};
    if (settle("done")) handlers.onFailed(new GrpcWsError(code, message, { ...close, started }));
  };
  const refused = (): void => fail(Code.Unavailable, REFUSED, 1006);

  const start = (): void => {
    state = "connecting";
    const WebSocket = options.WebSocket ?? (globalThis.WebSocket as unknown as WebSocketConstructor | undefined);
    if (!WebSocket) return fail(Code.FailedPrecondition, "there is no WebSocket here: pass one as the option WebSocket, such as that of the package ws");
    try {
      socket = new WebSocket(url, protocols);
    } catch (error) {
      // Its text may have the sub-protocols in it, which are secret.
      return fail(Code.InvalidArgument, `${(error as Error).name}: this page or runtime cannot open a WebSocket to ${url}`);
    }
    // Before anything arrives: the default is another one everywhere.
    socket.binaryType = "arraybuffer";
    timer = setTimeout(() => {
      fail(Code.Unavailable, `the gateway did not accept the WebSocket within ${connectTimeoutMs} ms`);
      drop(socket);
    }, Math.min(connectTimeoutMs, MAX_TIMER_MS));
    socket.onopen = () => {
      if (settle("open")) handlers.onOpen(socket as WebSocketLike);
    };
    socket.onmessage = ({ data }: { data: string | ArrayBuffer }) => {
      if (state === "open") handlers.onMessage(typeof data === "string" ? data : new Uint8Array(data));
    };
    socket.onerror = () => {
      if (state === "connecting") setTimeout(refused, CLOSE_MS);
    };
    socket.onclose = ({ code = 0, reason = "" }: { code?: number; reason?: string }) => {
      if (state === "open") {
        state = "done";
        handlers.onClose(code, reason);
      } else if (!code || code === 1006) refused();
      // Firefox can show a close without `open`: then the gateway had the call.
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

/** Ends a WebSocket at once, as far as the runtime has a way to. */
export function drop(socket: (WebSocketLike & { terminate?: () => void }) | undefined): void {
  if (socket?.terminate) socket.terminate();
  else socket?.close();
}

const REFUSED =
  "the WebSocket was refused, and a page is not told why (explainRefusal asks): no gateway at this URL, no such route (404), an origin " +
  "that is not allowed (403), headers over 16 KiB (431), or 200 WebSockets open";
