// A WebSocket whose other side is the test.
import type { WebSocketConstructor, WebSocketLike } from "../../src/options.ts";

export const OPEN: object = { type: "open", features: ["credit"], maxMessageBytes: 4194304, receiveWindow: 65536, pingPeriodMs: 30000 };

export class ScriptedSocket implements WebSocketLike {
  readyState = 0;
  binaryType = "blob";
  onopen: any;
  onmessage: any;
  onerror: any;
  onclose: any;
  /** What the client sent; `{ close }` is its close frame. */
  readonly sent: (string | Uint8Array | { close: number | undefined })[] = [];
  terminated = false;
  readonly #waiting: (() => void)[] = [];

  readonly url: string;
  readonly protocols: string[];

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.protocols = protocols;
  }

  /** The gateway accepts the WebSocket, and says `open` unless that is `null`. */
  accept(open: object | null = {}): this {
    this.readyState = 1;
    this.onopen?.({});
    if (open) this.say({ ...OPEN, ...open });
    return this;
  }
  say(message: object | string | Uint8Array): this {
    const data = message instanceof Uint8Array ? message.slice().buffer : typeof message === "string" ? message : JSON.stringify(message);
    this.onmessage?.({ data });
    return this;
  }
  end(code = 1000, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }
  fail(): void {
    this.onerror?.({});
    this.end(1006);
  }
  send(data: string | Uint8Array): void {
    if (this.readyState === 0) throw new Error("InvalidStateError");
    this.sent.push(data);
    for (const wake of this.#waiting.splice(0)) wake();
  }
  close(code?: number, reason?: string): void {
    if (code !== undefined && code !== 1000 && (code < 3000 || code > 4999)) throw new Error("InvalidAccessError");
    if (reason && new TextEncoder().encode(reason).length > 123) throw new Error("SyntaxError");
    this.readyState = 2;
    this.sent.push({ close: code });
  }
  get messages(): any[] {
    return this.sent.map((frame) => (typeof frame === "string" ? JSON.parse(frame) : frame));
  }
  /** The metadata of the handshake. */
  get metadata(): Record<string, string[]> {
    const found = this.protocols.find((name) => name.startsWith("grpcws.metadata."));
    return found ? JSON.parse(Buffer.from(found.slice(16), "base64url").toString()) : {};
  }
}

const all: ScriptedSocket[] = [];

/** Ends the handshakes that are under way, of which there is a limit. */
export function endAll(): void {
  for (const socket of all.splice(0)) if (socket.readyState === 0) socket.end(1006);
}

/** The constructor of scripted sockets, and those that were made. */
export function script(): { WebSocket: WebSocketConstructor; sockets: ScriptedSocket[]; next(): Promise<ScriptedSocket> } {
  const sockets: ScriptedSocket[] = [];
  const waiting: ((socket: ScriptedSocket) => void)[] = [];
  let taken = 0;
  class WebSocket extends ScriptedSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      sockets.push(this);
      all.push(this);
      const resolve = waiting.shift();
      if (!resolve) return;
      taken++;
      // The client is still in the constructor's expression.
      queueMicrotask(() => resolve(this));
    }
  }
  return {
    WebSocket,
    sockets,
    next: () => {
      const socket = sockets[taken];
      if (!socket) return new Promise((resolve) => waiting.push(resolve));
      taken++;
      return Promise.resolve(socket);
    },
  };
}

export const tick = async (times = 5): Promise<void> => {
  for (let count = 0; count < times; count++) await Promise.resolve();
};
