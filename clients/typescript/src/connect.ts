/**
 * A transport for Connect-ES: generated clients do all four kinds of calls in a browser.
 *
 * ```ts
 * import { createClient } from "@connectrpc/connect";
 * import { createGrpcWsTransport } from "grpcws/connect";
 *
 * const client = createClient(ChatService, createGrpcWsTransport({ baseUrl: "https://api.example.com" }));
 * ```
 *
 * There is no option for compression: a browser's WebSocket has its own, and what goes to the server is the gateway's
 * business.
 *
 * @module
 */
import {
  fromBinary, fromJson, toBinary, toJson,
  type BinaryReadOptions, type BinaryWriteOptions, type DescMessage, type DescMethod, type JsonReadOptions, type JsonValue,
  type JsonWriteOptions, type Message, type MessageShape,
} from "@bufbuild/protobuf";
import {
  Code, ConnectError, createContextValues,
  type Interceptor, type StreamRequest, type StreamResponse, type Transport, type UnaryRequest, type UnaryResponse,
} from "@connectrpc/connect";
import { createMethodUrl, runStreamingCall, runUnaryCall } from "@connectrpc/connect/protocol";
import { Client, GrpcWsError, type Call, type CallOptions, type ClientOptions, type Metadata } from "./index.ts";

/** Options of {@link createGrpcWsTransport}: those of a `Client`, and those that Connect's transports have. */
export interface GrpcWsTransportOptions extends Omit<ClientOptions, "timeoutMs"> {
  /** Where the gateway is, as for `Client`. */
  baseUrl: string;
  /** Whether messages travel in protobuf's wire format, and not as JSON. Default: true. */
  useBinaryFormat?: boolean;
  /** Interceptors, applied to all calls. */
  interceptors?: Interceptor[];
  /** The timeout of calls that have none of their own. 0 or less is none. */
  defaultTimeoutMs?: number;
  /** Options for JSON; a registry in them has to have the messages in every `Any`. */
  jsonOptions?: Partial<JsonReadOptions & JsonWriteOptions>;
  /** Options for protobuf's wire format. */
  binaryOptions?: Partial<BinaryReadOptions & BinaryWriteOptions>;
  /** A transport for unary calls, which need no WebSocket: such as `createGrpcWebTransport`. */
  unary?: Transport;
}

/** Options of {@link createGrpcWsBinaryTransport}. */
export type GrpcWsBinaryTransportOptions = Omit<GrpcWsTransportOptions, "useBinaryFormat" | "jsonOptions">;

/** Creates a transport whose messages travel in protobuf's wire format or as JSON. */
export function createGrpcWsTransport(options: GrpcWsTransportOptions): Transport {
  return (options.useBinaryFormat ?? true) ? transport(options, binary(options)) : transport(options, json(options));
}

/** Creates a transport for protobuf's wire format alone. A bundle with it is about 9 kB smaller. */
export function createGrpcWsBinaryTransport(options: GrpcWsBinaryTransportOptions): Transport {
  return transport(options, binary(options));
}

/** How messages travel. */
interface Codec<Wire> {
  open(client: Client, method: string, options: CallOptions): Call<Wire, Wire>;
  encode(type: DescMessage, message: Message): Wire;
  decode(type: DescMessage, data: Wire): Message;
}

function binary({ binaryOptions }: GrpcWsTransportOptions): Codec<Uint8Array> {
  return {
    open: (client, method, options) => client.call(method, options),
    encode: (type, message) => toBinary(type, message, binaryOptions),
    decode: (type, data) => fromBinary(type, data, binaryOptions),
  };
}

function json({ jsonOptions }: GrpcWsTransportOptions): Codec<JsonValue> {
  // As Connect's own: a server may be newer than the client.
  const options = { ignoreUnknownFields: true, ...jsonOptions };
  return {
    open: (client, method, own) => client.json<JsonValue, JsonValue>(method, own),
    encode: (type, message) => toJson(type, message, options),
    decode: (type, data) => fromJson(type, data, options),
  };
}

function transport<Wire>(options: GrpcWsTransportOptions, codec: Codec<Wire>): Transport {
  const { baseUrl, interceptors, defaultTimeoutMs, unary, ...rest } = options;
  const client = new Client(baseUrl, rest);

  /** What both kinds of calls have in common; the socket opens behind the interceptors. */
  const prepare = (method: DescMethod, header: HeadersInit | undefined, contextValues = createContextValues(), timeout = defaultTimeoutMs) => {
    const timeoutMs = timeout !== undefined && timeout > 0 ? timeout : undefined;
    const deadline = performance.now() + (timeoutMs ?? Infinity);
    return {
      timeoutMs,
      common: { service: method.parent, requestMethod: "POST", url: createMethodUrl(baseUrl, method), header: new Headers(header), contextValues },
      open: (req: { header: Headers; signal: AbortSignal }): Call<Wire, Wire> =>
        codec.open(client, `${method.parent.typeName}/${method.name}`, {
          metadata: req.header,
          signal: req.signal,
          ...(timeoutMs === undefined ? {} : { timeoutMs: Math.max(0, deadline - performance.now()) }),
        }),
    };
  };

  return {
    unary<I extends DescMessage, O extends DescMessage>(...[method, signal, timeout, header, input, contextValues]: Parameters<Transport["unary"]>): Promise<UnaryResponse<I, O>> {
      if (unary) return unary.unary(method, signal, timeout, header, input, contextValues) as Promise<UnaryResponse<I, O>>;
      const { timeoutMs, common, open } = prepare(method, header, contextValues, timeout);
      return runUnaryCall({
        ...optional({ signal, timeoutMs, interceptors }),
        req: { ...common, stream: false, method, message: input },
        next: async (req: UnaryRequest): Promise<UnaryResponse> => {
          try {
            const request = codec.encode(method.input, req.message);
            const call = open(req);
            const message = codec.decode(method.output, await call.request(request).response()) as MessageShape<O>;
            return { stream: false, service: method.parent, method, message, header: toHeaders(await call.headers), trailer: toHeaders(await call.trailers) };
          } catch (error) {
            throw toConnectError(error);
          }
        },
      }) as Promise<UnaryResponse<I, O>>;
    },

    stream<I extends DescMessage, O extends DescMessage>(...[method, signal, timeout, header, input, contextValues]: Parameters<Transport["stream"]>): Promise<StreamResponse<I, O>> {
      const { timeoutMs, common, open } = prepare(method, header, contextValues, timeout);
      return runStreamingCall({
        ...optional({ signal, timeoutMs, interceptors }),
        req: { ...common, stream: true, method, message: input },
        next: async (req: StreamRequest): Promise<StreamResponse> => {
          const call = open(req);
          void send(call, req.message, (message) => codec.encode(method.input, message));
          const headers = toHeaders(await call.headers);
          // A response that is trailers alone has no messages either.
          if (call.error && !call.error.headers) throw toConnectError(call.error);
          const trailer = new Headers();
          const message = receive(call, trailer, (data) => codec.decode(method.output, data));
          return { stream: true, service: method.parent, method, header: headers, trailer, message };
        },
      }) as unknown as Promise<StreamResponse<I, O>>;
    },
  };
}

/** Without the members that are undefined, for exact optional types. */
function optional<T extends object>(object: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never;
}

/** Sends all messages. Connect ends the source itself when the call is over, so nothing hangs on it here. */
async function send<Wire>(call: Call<Wire, Wire>, messages: AsyncIterable<Message>, encode: (message: Message) => Wire): Promise<void> {
  try {
    for await (const message of messages) await call.send(encode(message));
    call.halfClose();
  } catch (error) {
    // The source failed, or a message does not serialize: what was sent must not look like all there is.
    call.cancel(ConnectError.from(error, Code.Canceled));
  }
}

function receive<Wire>(call: Call<Wire, Wire>, trailer: Headers, decode: (data: Wire) => Message): AsyncIterable<Message> {
  return {
    [Symbol.asyncIterator]() {
      const wire = call[Symbol.asyncIterator]();
      return {
        async next() {
          try {
            const { done, value } = await wire.next();
            if (!done) return { done, value: decode(value) };
            await fill(call, trailer);
            return { done, value };
          } catch (error) {
            // A message that does not parse ends the call.
            call.cancel(error);
            await fill(call, trailer);
            throw toConnectError(error);
          }
        },
        async return() {
          await wire.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

async function fill<Wire>(call: Call<Wire, Wire>, trailer: Headers): Promise<void> {
  toHeaders(await call.trailers, trailer);
}

function toHeaders(metadata: Metadata, headers: Headers = new Headers()): Headers {
  for (const [name, values] of Object.entries(metadata)) for (const value of values) headers.append(name, value);
  return headers;
}

function toConnectError(error: unknown): ConnectError {
  if (!(error instanceof GrpcWsError)) return ConnectError.from(error, Code.Internal);
  // A request that did not serialize, an interceptor that refused, a deadline of Connect's own.
  if (error.cause instanceof ConnectError) return error.cause;
  const metadata = toHeaders(error.trailers, toHeaders(error.headers ?? {}));
  const result = new ConnectError(error.rawMessage, error.code as number as Code, metadata, undefined, error);
  result.details = error.details.map(({ type, value, debug }) => ({ type, value, ...(debug === undefined ? {} : { debug: debug as JsonValue }) }));
  return result;
}
