// Generated clients against a gateway, unchanged: Connect-ES, ts-proto, protobuf-ts.
import { Code as ConnectCode, ConnectError, createClient, createContextKey, createContextValues, type Client as ConnectClient, type Interceptor } from "@connectrpc/connect";
import { createRegistry } from "@bufbuild/protobuf";
import { DurationSchema, file_google_protobuf_duration } from "@bufbuild/protobuf/wkt";
import type { RpcError } from "@protobuf-ts/runtime-rpc";
import { createGrpcWsBinaryTransport, createGrpcWsTransport, type GrpcWsTransportOptions } from "../../src/connect.ts";
import { GrpcWsError, resume } from "../../src/index.ts";
import { GrpcWsTransport } from "../../src/protobuf-ts.ts";
import { createRpc } from "../../src/ts-proto.ts";
import { file_grpcws_test_v1_test, TestService } from "../gen/es/grpcws/test/v1/test_pb.ts";
import { TestServiceClient } from "../gen/protobuf-ts/grpcws/test/v1/test.client.ts";
import { TestServiceClientImpl } from "../gen/ts-proto/grpcws/test/v1/test.ts";
import { isCancelled } from "./core.ts";
import { collect, each, equal, failure, ok, sleep, tag, type Environment, type Row } from "./suite.ts";

const registry = createRegistry(file_grpcws_test_v1_test, file_google_protobuf_duration);

function connect({ url, WebSocket }: Environment, options: Partial<GrpcWsTransportOptions> = {}): ConnectClient<typeof TestService> {
  return createClient(TestService, createGrpcWsTransport({ baseUrl: url, ...(WebSocket ? { WebSocket } : {}), jsonOptions: { registry }, ...options }));
}

const FORMATS: [string, Partial<GrpcWsTransportOptions>][] = [["binary", {}], ["JSON", { useBinaryFormat: false }]];

const connectKinds: Row[] = FORMATS.map(([format, options]) => ({
  name: `Connect, ${format}: the four kinds`,
  async run(environment) {
    const client = connect(environment, options);
    equal((await client.unary({ sequence: 7n })).sequence, 7n);
    const streamed = await collect(client.serverStream({ count: 3n, firstSequence: 1n, size: 2 }));
    equal(streamed.map(({ sequence }) => sequence), [1n, 2n, 3n]);
    equal((await client.clientStream(each({ sequence: 1n }, { sequence: 2n }))).messages, 2n);
    let answered: (() => void) | undefined;
    const requests = (async function* () {
      for (let sequence = 1n; sequence <= 3n; sequence++) {
        const answer = new Promise<void>((resolve) => (answered = resolve));
        yield { sequence };
        await answer;
      }
    })();
    const seen: unknown[] = [];
    for await (const { requestSequence } of client.bidi(requests)) {
      seen.push(requestSequence);
      answered?.();
    }
    equal(seen, [1n, 2n, 3n]);
  },
}));

const connectRest: Row[] = [
  {
    name: "Connect: the transport for binary alone",
    async run(environment) {
      const { WebSocket } = environment;
      const client = createClient(TestService, createGrpcWsBinaryTransport({ baseUrl: environment.url, ...(WebSocket ? { WebSocket } : {}) }));
      equal((await client.unary({ sequence: 7n })).sequence, 7n);
    },
  },
  {
    name: "Connect: interceptors that wait, context values, headers, trailers and callbacks",
    async run(environment) {
      const key = createContextKey("none");
      const seen: unknown[] = [];
      const interceptor: Interceptor = (next) => async (req) => {
        await sleep(20);
        req.header.set("x-token", req.contextValues.get(key));
        const response = await next(req);
        seen.push([req.stream, req.url.endsWith(`/${req.method.parent.typeName}/${req.method.name}`), response.header.get("echo-x-token")]);
        return response;
      };
      const client = connect(environment, { interceptors: [interceptor] });
      const told: unknown[] = [];
      const options = {
        headers: { "x-a": "1" }, contextValues: createContextValues().set(key, "secret"),
        onHeader: (headers: Headers) => void told.push(headers.get("echo-x-a")), onTrailer: (trailers: Headers) => void told.push(trailers.get("x-t")),
      };
      const request = { echoMetadata: [1], responseTrailers: { "x-t": { values: ["2"] } } };
      await client.unary(request, options);
      await collect(client.serverStream({ ...request, count: 1n }, options));
      equal(seen, [[false, true, "secret"], [true, true, "secret"]]);
      equal(told, ["1", "2", "1", "2"]);
    },
  },
  {
    name: "Connect: an error with its details, by their type",
    async run(environment) {
      const details = [{ typeUrl: "type.googleapis.com/google.protobuf.Duration", value: new Uint8Array([8, 5]) }];
      const request = { fail: { code: 8, message: "too many", details }, responseTrailers: { "x-t": { values: ["1"] } } };
      for (const [, options] of FORMATS) {
        const client = connect(environment, options);
        for (const call of [() => client.unary(request), () => collect(client.serverStream(request))]) {
          const error = await failure<ConnectError>(call());
          ok(error instanceof ConnectError, String(error));
          equal([error.code, error.rawMessage, error.metadata.get("x-t")], [ConnectCode.ResourceExhausted, "too many", "1"]);
          equal(error.findDetails(DurationSchema).map(({ seconds }) => seconds), [5n]);
        }
      }
    },
  },
  {
    name: "Connect: a timeout",
    async run(environment) {
      const client = connect(environment, { defaultTimeoutMs: 250 });
      equal((await failure<ConnectError>(client.unary({ initialDelayMs: 5_000 }))).code, ConnectCode.DeadlineExceeded);
      equal((await failure<ConnectError>(collect(client.serverStream({ holdOpenMs: -1n })))).code, ConnectCode.DeadlineExceeded);
      // 0 is none.
      equal((await client.unary({ sequence: 1n, initialDelayMs: 300 }, { timeoutMs: 0 })).sequence, 1n);
    },
  },
  {
    name: "Connect: break and abort reach the upstream",
    async run(environment) {
      const client = connect(environment);
      const left = tag();
      for await (const _ of client.serverStream({ tag: left, count: 2n, holdOpenMs: -1n })) break;
      await isCancelled(environment, left);
      const [label, abort] = [tag(), new AbortController()];
      const loop = collect(client.serverStream({ tag: label, count: 1n, holdOpenMs: -1n }, { signal: abort.signal }));
      await sleep(200);
      abort.abort();
      equal((await failure<ConnectError>(loop)).code, ConnectCode.Canceled);
      await isCancelled(environment, label);
    },
  },
  {
    name: "Connect: a source that throws is what the call throws",
    async run(environment) {
      const problem = new ConnectError("disk", ConnectCode.DataLoss);
      const source = (async function* () {
        yield { sequence: 1n };
        throw problem;
      })();
      equal((await failure<ConnectError>(connect(environment).clientStream(source))).rawMessage, "disk");
    },
  },
  {
    name: "Connect: resume takes its streams",
    async run(environment) {
      const client = connect(environment);
      const stream = resume<{ sequence: bigint }>((last, attempt, signal) => {
        const first = (last?.sequence ?? 0n) + 1n;
        return client.serverStream({ count: 6n - first + 1n, firstSequence: first, ...(attempt ? {} : { fail: { code: 14, after: 2n } }) }, { signal });
      }, { backoff: { initialMs: 1 } });
      equal((await collect(stream)).map(({ sequence }) => sequence), [1n, 2n, 3n, 4n, 5n, 6n]);
    },
  },
];

const tsProto: Row[] = [
  {
    name: "ts-proto: the four kinds",
    async run({ url, WebSocket }) {
      const client = new TestServiceClientImpl(createRpc(url, WebSocket ? { WebSocket } : {}));
      // Its messages have every field; each kind has some of these.
      const none = { tag: "", size: 0, initialDelayMs: 0, echoMetadata: [], responseHeaders: {}, responseTrailers: {}, payload: new Uint8Array() };
      const partial = <T>(message: T): T & typeof none => ({ ...none, ...message });
      equal((await client.Unary(partial({ sequence: "7" }))).sequence, "7");
      const stream = client.ServerStream(partial({ count: "3", rate: 0, firstSequence: "1", holdOpenMs: "0", flushEach: false, stamp: false }));
      equal((await collect(stream)).map(({ sequence }) => sequence), ["1", "2", "3"]);
      equal((await client.ClientStream(each(partial({ sequence: "1" }), partial({ sequence: "2" })))).messages, "2");
      const bidi = client.Bidi(each(partial({ sequence: "1" }), partial({ sequence: "2" })));
      equal((await collect(bidi)).map(({ requestSequence }) => requestSequence), ["1", "2"]);
      const error = await failure<GrpcWsError>(client.Unary(partial({ sequence: "1", fail: { code: 5, message: "why", details: [], after: "0" } })));
      equal(error.message, "NOT_FOUND: why");
    },
  },
];

const protobufTs: Row[] = (["binary", "json"] as const).map((format) => ({
  name: `protobuf-ts, ${format}: the four kinds`,
  async run(environment) {
    const { url, WebSocket } = environment;
    const client = new TestServiceClient(new GrpcWsTransport({ baseUrl: url, format, ...(WebSocket ? { WebSocket } : {}) }));
    const none = { size: 0, initialDelayMs: 0, echoMetadata: [], responseHeaders: {}, responseTrailers: {}, payload: new Uint8Array(), tag: "" };
    const unary = await client.unary({ ...none, sequence: "7", echoMetadata: [1] }, { meta: { "x-a": ["1", "2"], "x-b": "3" } });
    equal([unary.response.sequence, unary.status.code, unary.headers["echo-x-a"], unary.headers["echo-x-b"]], ["7", "OK", ["1", "2"], "3"]);

    const request = { ...none, count: "3", rate: 0, firstSequence: "1", holdOpenMs: "0", flushEach: false, stamp: false };
    const stream = client.serverStream(request);
    const heard: unknown[] = [];
    stream.responses.onMessage(({ sequence }) => heard.push(sequence));
    let isComplete = false;
    stream.responses.onComplete(() => (isComplete = true));
    equal((await collect(stream.responses)).map(({ sequence }) => sequence), ["1", "2", "3"]);
    equal([heard, isComplete, (await stream).status.code], [["1", "2", "3"], true, "OK"]);

    const upload = client.clientStream();
    for (const sequence of ["1", "2"]) await upload.requests.send({ sequence, payload: new Uint8Array() });
    await upload.requests.complete();
    equal((await upload.response).messages, "2");

    const bidi = client.bidi();
    const responses = bidi.responses[Symbol.asyncIterator]();
    for (const sequence of ["1", "2", "3"]) {
      await bidi.requests.send({ sequence, payload: new Uint8Array() });
      equal((await responses.next()).value?.requestSequence, sequence);
    }
    await bidi.requests.complete();
    ok((await responses.next()).done, "the call ends");

    const fail = { code: 5, message: "why", details: [], after: "0" };
    const error = await failure<RpcError>(client.unary({ ...none, sequence: "1", fail }).response);
    equal([error.name, error.code, error.message, error.methodName], ["RpcError", "NOT_FOUND", "why", "Unary"]);
    equal((await failure<RpcError>(collect(client.serverStream({ ...request, fail }).responses))).code, "NOT_FOUND");
    const abort = new AbortController();
    const held = client.serverStream({ ...request, holdOpenMs: "-1" }, { abort: abort.signal });
    const iterator = held.responses[Symbol.asyncIterator]();
    for (const sequence of ["1", "2", "3"]) equal((await iterator.next()).value?.sequence, sequence);
    abort.abort();
    equal((await failure<RpcError>(iterator.next())).code, "CANCELLED");
    equal((await failure<RpcError>(client.unary({ ...none, sequence: "1", initialDelayMs: 5_000 }, { timeout: 200 }).response)).code, "DEADLINE_EXCEEDED");
    const left = tag();
    for await (const _ of client.serverStream({ ...request, tag: left, holdOpenMs: "-1" }).responses) break;
    await isCancelled(environment, left);
  },
}));

export const generated: Row[] = [...connectKinds, ...connectRest, ...tsProto, ...protobufTs];
