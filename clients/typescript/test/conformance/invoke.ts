// Makes one call as connectrpc/conformance's runner says, through `createGrpcWsTransport`, in any runtime.
import { create, createRegistry, fromBinary, toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { anyUnpack, AnySchema, type Any } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type CallOptions } from "@connectrpc/connect";
import { createGrpcWsTransport } from "../../src/connect.ts";
import type { WebSocketConstructor } from "../../src/index.ts";
import {
  ClientCompatRequestSchema, ClientCompatResponseSchema, ClientResponseResultSchema, type ClientCompatRequest, type ClientResponseResult,
} from "../gen/conformance/connectrpc/conformance/v1/client_compat_pb.ts";
import { StreamType } from "../gen/conformance/connectrpc/conformance/v1/config_pb.ts";
import { ConformanceService, ConformancePayloadSchema, ErrorSchema, file_connectrpc_conformance_v1_service, HeaderSchema, type ConformancePayload } from "../gen/conformance/connectrpc/conformance/v1/service_pb.ts";

// In JSON the messages in every `Any` have to be known.
const registry = createRegistry(file_connectrpc_conformance_v1_service);

/** Takes a request of the runner and returns the response to it, both in protobuf's wire format. */
export async function invoke(bytes: Uint8Array, baseUrl: string, mode: string, WebSocket?: WebSocketConstructor): Promise<Uint8Array> {
  const request = fromBinary(ClientCompatRequestSchema, bytes);
  const { testName } = request;
  try {
    const value = await new Invocation(request, baseUrl, mode, WebSocket).run();
    return toBinary(ClientCompatResponseSchema, create(ClientCompatResponseSchema, { testName, result: { case: "response", value } }));
  } catch (error) {
    const value = { message: String((error as Error).stack ?? error) };
    return toBinary(ClientCompatResponseSchema, create(ClientCompatResponseSchema, { testName, result: { case: "error", value } }));
  }
}

const sleep = (ms: number): Promise<void> | undefined => (ms ? new Promise((resolve) => setTimeout(resolve, ms)) : undefined);

/** The requests of a bidi call, sent one after another. */
class Requests<T> implements AsyncIterable<T> {
  #queue: T[] = [];
  #isOver = false;
  #wake: (() => void) | undefined;
  push(message: T): void {
    this.#queue.push(message);
    this.#wake?.();
  }
  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      if (this.#queue.length) yield this.#queue.shift() as T;
      else if (this.#isOver) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

class Invocation {
  readonly #request: ClientCompatRequest;
  readonly #client;
  readonly #result: ClientResponseResult = create(ClientResponseResultSchema);
  readonly #abort = new AbortController();
  readonly #options: CallOptions;

  constructor(request: ClientCompatRequest, baseUrl: string, mode: string, WebSocket?: WebSocketConstructor) {
    this.#request = request;
    const transport = createGrpcWsTransport({ baseUrl, useBinaryFormat: mode === "proto", jsonOptions: { registry }, ...(WebSocket ? { WebSocket } : {}) });
    this.#client = createClient(ConformanceService, transport);
    const headers = new Headers();
    for (const { name, value } of request.requestHeaders) for (const one of value) headers.append(name, one);
    this.#options = {
      headers,
      signal: this.#abort.signal,
      ...(request.timeoutMs === undefined ? {} : { timeoutMs: request.timeoutMs }),
      onHeader: (headers) => (this.#result.responseHeaders = list(headers)),
      onTrailer: (trailers) => (this.#result.responseTrailers = list(trailers)),
    };
  }

  async run(): Promise<ClientResponseResult> {
    try {
      await this.#call();
    } catch (error) {
      const failure = ConnectError.from(error);
      const details = failure.details.map((detail) => ("type" in detail ? create(AnySchema, { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value }) : fail("an outgoing detail")));
      this.#result.error = create(ErrorSchema, { code: failure.code as number, message: failure.rawMessage, details });
      if (!this.#result.responseTrailers.length) this.#result.responseTrailers = list(failure.metadata);
    }
    return this.#result;
  }

  #messages<T extends DescMessage>(schema: T): MessageShape<T>[] {
    return this.#request.requestMessages.map((any: Any) => anyUnpack(any, schema) ?? fail(`no ${schema.typeName}: ${any.typeUrl}`));
  }

  #received(payload: ConformancePayload | undefined): void {
    this.#result.payloads.push(payload ?? create(ConformancePayloadSchema));
    const { cancelTiming } = this.#request.cancel ?? {};
    if (cancelTiming?.case === "afterNumResponses" && cancelTiming.value === this.#result.payloads.length) this.#abort.abort();
  }

  /** The last message is sent; what is next is the half-close. */
  async #beforeHalfClose(): Promise<void> {
    const timing = this.#request.cancel?.cancelTiming;
    if (timing?.case === "beforeCloseSend") {
      this.#abort.abort();
      await new Promise(() => {});
    }
  }

  #afterHalfClose(): void {
    const timing = this.#request.cancel?.cancelTiming;
    if (timing?.case === "afterCloseSendMs") setTimeout(() => this.#abort.abort(), timing.value);
  }

  async #call(): Promise<void> {
    const { method = "", requestDelayMs } = this.#request;
    const client = this.#client;
    switch (method) {
      case "Unary":
      case "IdempotentUnary": {
        const name = method === "Unary" ? "unary" : "idempotentUnary";
        const [message] = this.#messages(ConformanceService.method[name].input);
        await sleep(requestDelayMs);
        const response = client[name](message as never, this.#options);
        this.#afterHalfClose();
        return this.#received((await response).payload);
      }
      case "Unimplemented": {
        const [message] = this.#messages(ConformanceService.method.unimplemented.input);
        await client.unimplemented(message as never, this.#options);
        return;
      }
      case "ServerStream": {
        const [message] = this.#messages(ConformanceService.method.serverStream.input);
        await sleep(requestDelayMs);
        const responses = client.serverStream(message as never, this.#options);
        this.#afterHalfClose();
        for await (const { payload } of responses) this.#received(payload);
        return;
      }
      case "ClientStream": {
        const messages = this.#messages(ConformanceService.method.clientStream.input);
        const source = async function* (this: Invocation): AsyncGenerator<(typeof messages)[number]> {
          for (const message of messages) {
            await sleep(requestDelayMs);
            yield message;
          }
          await this.#beforeHalfClose();
          this.#afterHalfClose();
        };
        return this.#received((await client.clientStream(source.call(this), this.#options)).payload);
      }
      case "BidiStream":
        return this.#bidi();
      default:
        fail(`no method ${method}`);
    }
  }

  async #bidi(): Promise<void> {
    const messages = this.#messages(ConformanceService.method.bidiStream.input);
    const inTurns = this.#request.streamType === StreamType.FULL_DUPLEX_BIDI_STREAM;
    const requests = new Requests<(typeof messages)[number]>();
    const responses = this.#client.bidiStream(requests, this.#options)[Symbol.asyncIterator]();
    const timing = this.#request.cancel?.cancelTiming;
    if (timing?.case === "afterNumResponses" && timing.value === 0) this.#abort.abort();
    try {
      for (const message of messages) {
        await sleep(this.#request.requestDelayMs);
        requests.push(message);
        if (!inTurns) continue;
        const { done, value } = await responses.next();
        if (done) break;
        this.#received(value.payload);
      }
      if (timing?.case === "beforeCloseSend") this.#abort.abort();
      else requests.end();
      this.#afterHalfClose();
      for (let next = await responses.next(); !next.done; next = await responses.next()) this.#received(next.value.payload);
    } finally {
      requests.end();
    }
  }
}

function list(headers: Headers): ClientResponseResult["responseHeaders"] {
  // Headers joins the values of a name.
  return [...headers].map(([name, value]) => create(HeaderSchema, { name, value: value.split(", ") }));
}

function fail(reason: string): never {
  throw new Error(reason || Code[Code.Internal]);
}
