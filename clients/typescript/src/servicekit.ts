/**
 * What `@panyam/servicekit-client` 0.0.6 exports, with the same behaviour: an application switches by its import line.
 * It speaks the seed mode of the protocol, without credentials, credit and status codes. The clients for server-sent
 * events of later versions are not here.
 *
 * @module
 */

/** The types of messages. */
export type MessageType = "data" | "error" | "stream_end" | "ping" | "pong" | "cancel" | "end_send";

/** A message in its envelope. */
export interface ControlMessage {
  type: MessageType;
  data?: unknown;
  error?: string;
  pingId?: number;
}

/** The states of a WebSocket. */
export const ReadyState: { readonly CONNECTING: 0; readonly OPEN: 1; readonly CLOSING: 2; readonly CLOSED: 3 } = {
  CONNECTING: 0,
  OPEN: 1,
  CLOSING: 2,
  CLOSED: 3,
};

/** A state of a WebSocket. */
export type ReadyStateType = (typeof ReadyState)[keyof typeof ReadyState];

/** Options of the clients. */
export interface ClientOptions<I = unknown, O = unknown> {
  /** Whether pings are answered. Default: true. */
  autoPong?: boolean;
  /** The WebSocket to use. Default: the runtime's own. */
  WebSocket?: typeof WebSocket;
  /** How messages are read and written. Default: as JSON. */
  codec?: Codec<I, O>;
}

/** Reads and writes messages. */
export interface Codec<I = unknown, O = unknown> {
  /** Reads a message. */
  decode(data: string | ArrayBuffer): I;
  /** Writes a message. */
  encode(message: O): string | ArrayBuffer;
}

/** Takes a message. */
export type MessageHandler<T = unknown> = (data: T) => void;
/** Takes the text of an error. */
export type ErrorHandler = (error: string) => void;
/** Is told that something happened. */
export type VoidHandler = () => void;

/** Messages as JSON. */
export class JSONCodec<I = unknown, O = unknown> implements Codec<I, O> {
  /** Reads a message. */
  decode(data: string | ArrayBuffer): I {
    return JSON.parse(typeof data === "string" ? data : new TextDecoder().decode(data)) as I;
  }
  /** Writes a message. */
  encode(message: O): string {
    return JSON.stringify(message);
  }
}

/** Messages as bytes, by functions of the application. */
export class BinaryCodec<I, O> implements Codec<I, O> {
  readonly #read: (data: ArrayBuffer) => I;
  readonly #write: (message: O) => Uint8Array;

  /** Makes a codec of two functions. */
  constructor(decode: (data: ArrayBuffer) => I, encode: (message: O) => Uint8Array) {
    this.#read = decode;
    this.#write = encode;
  }
  /** Reads a message. */
  decode(data: string | ArrayBuffer): I {
    if (typeof data === "string") throw new Error("BinaryCodec received text data, expected binary");
    return this.#read(data);
  }
  /** Writes a message. */
  encode(message: O): ArrayBuffer {
    // A copy of the message alone: the bytes may be a view of something larger.
    return this.#write(message).slice().buffer as ArrayBuffer;
  }
}

const nothing = (): void => {};

/** A WebSocket that answers pings and reads messages by a codec. */
export class BaseWSClient<I = unknown, O = unknown> {
  /** Takes each message. */
  onMessage: MessageHandler<I> = nothing;
  /** Told of each ping. */
  onPing: (pingId: number) => void = nothing;
  /** Told of the close. */
  onClose: VoidHandler = nothing;
  /** Told of errors. */
  onError: ErrorHandler = nothing;
  readonly #codec: Codec<I, O>;
  readonly #autoPong: boolean;
  readonly #WebSocket: typeof WebSocket;
  #socket: WebSocket | null = null;

  /** Makes one; a client is not connected yet. */
  constructor({ autoPong, WebSocket, codec }: ClientOptions<I, O> = {}) {
    this.#autoPong = autoPong ?? true;
    this.#WebSocket = WebSocket ?? globalThis.WebSocket;
    this.#codec = codec ?? new JSONCodec();
  }

  /** The codec. */
  get codec(): Codec<I, O> {
    return this.#codec;
  }
  /** Whether the WebSocket is open. */
  get isConnected(): boolean {
    return this.readyState === ReadyState.OPEN;
  }
  /** The state of the WebSocket. */
  get readyState(): number {
    return this.#socket?.readyState ?? ReadyState.CLOSED;
  }

  /** Opens the WebSocket. Resolves at once if one is open; rejects, after `onError`, if it does not open. */
  connect(url: string): Promise<void> {
    if (this.isConnected) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const socket = new this.#WebSocket(url);
      this.#socket = socket;
      socket.binaryType = "arraybuffer";
      socket.onopen = () => resolve();
      socket.onerror = () => {
        const text = "WebSocket error";
        this.onError(text);
        reject(new Error(text));
      };
      socket.onclose = () => this.onClose();
      socket.onmessage = ({ data }) => this.#receive(data as string | ArrayBuffer);
    });
  }

  /** Sends a message. Throws if the WebSocket is not open. */
  send(data: O): void {
    this.#open().send(this.#codec.encode(data));
  }
  /** Sends what is encoded already. Throws if the WebSocket is not open. */
  sendRaw(message: string | ArrayBuffer): void {
    this.#open().send(message);
  }
  /** Closes the WebSocket. */
  close(): void {
    this.#socket?.close();
    this.#socket = null;
  }

  #open(): WebSocket {
    if (!this.#socket || !this.isConnected) throw new Error("WebSocket is not connected");
    return this.#socket;
  }

  #receive(data: string | ArrayBuffer): void {
    if (typeof data !== "string") return this.#decode(data, "binary message");
    let message: unknown;
    try {
      message = JSON.parse(data);
    } catch {
      return this.#decode(data, "text message");
    }
    // Pings are seen before the codec, which may be for bytes alone.
    const { type, pingId } = (typeof message === "object" && message ? message : {}) as Partial<ControlMessage>;
    if (type !== "ping") return this.#decode(data, "message");
    if (this.#autoPong && pingId !== undefined) this.sendRaw(JSON.stringify({ type: "pong", pingId }));
    this.onPing(pingId ?? 0);
  }

  #decode(data: string | ArrayBuffer, what: string): void {
    try {
      this.onMessage(this.#codec.decode(data));
    } catch (error) {
      this.onError(`Failed to decode ${what}: ${error}`);
    }
  }
}

/** Drives the client of a test. It sees application data alone, without envelopes. */
export interface MockController {
  /** The data messages that the client sent. */
  readonly sentMessages: unknown[];
  /** Opens the WebSocket. */
  simulateOpen(): void;
  /** The server sends a message. */
  simulateMessage(data: unknown): void;
  /** The server reports an error. */
  simulateError(message?: string): void;
  /** The WebSocket closes. */
  simulateClose(code?: number): void;
  /** The state of the WebSocket. */
  readonly readyState: number;
}

/** A client for streams, with the envelope of the protocol around each message. */
export class GRPCWSClient {
  /** Takes each message. */
  onMessage: MessageHandler = nothing;
  /** Told that the call has ended well. */
  onStreamEnd: VoidHandler = nothing;
  /** Told of errors. */
  onError: ErrorHandler = nothing;
  /** Told of the close. */
  onClose: VoidHandler = nothing;
  /** Told of each ping. */
  onPing: (pingId: number) => void = nothing;
  readonly #base: BaseWSClient;

  /** Makes one; a client is not connected yet. */
  constructor(options: ClientOptions = {}) {
    const base = (this.#base = new BaseWSClient(options));
    base.onMessage = (message) => this.#receive(message);
    base.onClose = () => this.onClose();
    base.onError = (error) => this.onError(error);
    base.onPing = (pingId) => this.onPing(pingId);
  }

  /** Whether the WebSocket is open. */
  get isConnected(): boolean {
    return this.#base.isConnected;
  }
  /** The state of the WebSocket. */
  get readyState(): number {
    return this.#base.readyState;
  }
  /** Opens the WebSocket. Rejects, after `onError`, if it does not open. */
  connect(url: string): Promise<void> {
    return this.#base.connect(url);
  }
  /** Sends a message. */
  send(data: unknown): void {
    this.#base.send({ type: "data", data });
  }
  /** Says that the last message was sent. */
  endSend(): void {
    this.#base.send({ type: "end_send" });
  }
  /** Ends the call. */
  cancel(): void {
    this.#base.send({ type: "cancel" });
  }
  /** Closes the WebSocket. */
  close(): void {
    this.#base.close();
  }

  /** Creates a client without a network, and what drives it in a test. */
  static createMock(): { client: GRPCWSClient; controller: MockController } {
    const { WebSocket, controller: raw } = createMockWSPair();
    const tell = (message: ControlMessage): void => raw.simulateRawMessage(JSON.stringify(message));
    const controller: MockController = {
      get sentMessages() {
        return raw.sentRaw.flatMap((frame) => {
          try {
            const { type, data } = JSON.parse(frame as string) as ControlMessage;
            return type === "data" ? [data] : [];
          } catch {
            return [];
          }
        });
      },
      get readyState() {
        return raw.readyState;
      },
      simulateOpen: () => raw.simulateOpen(),
      simulateMessage: (data) => tell({ type: "data", data }),
      simulateError: (message) => tell({ type: "error", error: message ?? "Mock error" }),
      simulateClose: (code) => raw.simulateClose(code),
    };
    return { client: new GRPCWSClient({ WebSocket }), controller };
  }

  #receive(message: unknown): void {
    const { type, data, error } = (typeof message === "object" && message ? message : {}) as Partial<ControlMessage>;
    if (typeof type !== "string") return console.warn("Received non-envelope message:", message);
    switch (type) {
      case "data":
        return this.onMessage(data);
      case "stream_end":
        return this.onStreamEnd();
      case "error":
        return this.onError(error ?? "Unknown error");
      default:
        console.warn("Unknown message type:", type);
    }
  }
}

/** `GRPCWSClient` with types for its messages. */
export class TypedGRPCWSClient<TIn, TOut> {
  /** Takes each message. */
  onMessage: (data: TOut) => void = nothing;
  /** Told that the call has ended well. */
  onStreamEnd: VoidHandler = nothing;
  /** Told of errors. */
  onError: ErrorHandler = nothing;
  /** Told of the close. */
  onClose: VoidHandler = nothing;
  /** Told of each ping. */
  onPing: (pingId: number) => void = nothing;
  readonly #client: GRPCWSClient;

  /** Makes one; a client is not connected yet. */
  constructor(options: ClientOptions = {}) {
    const client = (this.#client = new GRPCWSClient(options));
    client.onMessage = (data) => this.onMessage(data as TOut);
    client.onStreamEnd = () => this.onStreamEnd();
    client.onError = (error) => this.onError(error);
    client.onClose = () => this.onClose();
    client.onPing = (pingId) => this.onPing(pingId);
  }

  /** Whether the WebSocket is open. */
  get isConnected(): boolean {
    return this.#client.isConnected;
  }
  /** The state of the WebSocket. */
  get readyState(): number {
    return this.#client.readyState;
  }
  /** Opens the WebSocket. Rejects, after `onError`, if it does not open. */
  connect(url: string): Promise<void> {
    return this.#client.connect(url);
  }
  /** Sends a message. Throws if the WebSocket is not open. */
  send(data: TIn): void {
    this.#client.send(data);
  }
  /** Says that the last message was sent. */
  endSend(): void {
    this.#client.endSend();
  }
  /** Ends the call. */
  cancel(): void {
    this.#client.cancel();
  }
  /** Closes the WebSocket. */
  close(): void {
    this.#client.close();
  }
}

/** Drives a WebSocket that is none. */
export interface MockWSController {
  /** What was sent over the last WebSocket. */
  readonly sentRaw: readonly (string | ArrayBuffer)[];
  /** Opens the WebSocket. */
  simulateOpen(): void;
  /** The server sends a frame. */
  simulateRawMessage(data: string | ArrayBuffer): void;
  /** The WebSocket fails. */
  simulateWsError(): void;
  /** The WebSocket closes. */
  simulateClose(code?: number): void;
  /** The state of the WebSocket. */
  readonly readyState: number;
}

/** Creates a constructor of WebSockets that are none, and what drives the last one. */
export function createMockWSPair(): { WebSocket: typeof globalThis.WebSocket; controller: MockWSController } {
  let last: MockWebSocket | undefined;
  class MockWebSocket {
    readyState: number = ReadyState.CONNECTING;
    binaryType = "";
    onopen: ((event: object) => void) | null = null;
    onmessage: ((event: object) => void) | null = null;
    onerror: ((event: object) => void) | null = null;
    onclose: ((event: object) => void) | null = null;
    readonly sentRaw: (string | ArrayBuffer)[] = [];

    constructor(_url: string) {
      last = this;
    }
    send(data: string | ArrayBuffer): void {
      this.sentRaw.push(data);
    }
    close(): void {
      this.readyState = ReadyState.CLOSED;
      this.onclose?.({});
    }
  }
  const connected = (name: string): MockWebSocket => {
    if (!last) throw new Error(`Call client.connect() before ${name}()`);
    return last;
  };
  const controller: MockWSController = {
    get sentRaw() {
      return last?.sentRaw ?? [];
    },
    get readyState() {
      return last?.readyState ?? ReadyState.CLOSED;
    },
    simulateOpen() {
      const socket = connected("simulateOpen");
      socket.readyState = ReadyState.OPEN;
      socket.onopen?.({});
    },
    simulateRawMessage: (data) => connected("simulateRawMessage").onmessage?.({ data }),
    simulateWsError: () => connected("simulateWsError").onerror?.({}),
    simulateClose: () => connected("simulateClose").close(),
  };
  return { WebSocket: MockWebSocket as never, controller };
}
