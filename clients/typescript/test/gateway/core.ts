// The core against a gateway.
import { Client, Code, decodeBase64, explainRefusal, GrpcWsError, resume, type Call, type CallOptions, type ClientOptions } from "../../src/index.ts";
import { collect, each, equal, failure, ok, sleep, tag, until, type Environment, type Row } from "./suite.ts";

const SERVICE = "grpcws.test.v1.TestService";

export function client({ url, WebSocket }: Environment, options: ClientOptions = {}): Client {
  return new Client(url, { ...(WebSocket ? { WebSocket } : {}), ...options });
}

type Json = Record<string, unknown>;
const call = (environment: Environment, method: string, own?: CallOptions, options?: ClientOptions): Call<Json, Json> =>
  client(environment, options).json<Json, Json>(`${SERVICE}/${method}`, own);

/** How the calls with a tag stand with the upstream. */
export async function stats(environment: Environment, tag: string): Promise<Record<"live" | "started" | "completed" | "cancelled", number>> {
  const counts = await call(environment, "Stats").request({ tag }).response();
  const number = (name: string): number => Number(counts[name] ?? 0);
  return { live: number("live"), started: number("started"), completed: number("completed"), cancelled: number("cancelled") };
}

export async function isCancelled(environment: Environment, tag: string): Promise<void> {
  await until(async () => (await stats(environment, tag)).cancelled === 1, "the upstream sees the cancel");
}

const numbers = (count: number, first = 1): string[] => Array.from({ length: count }, (_, index) => String(first + index));

export const core: Row[] = [
  {
    name: "unary",
    async run(environment) {
      const running = call(environment, "Unary").request({ sequence: "7", payload: "AQI=" });
      equal(await running.response(), { sequence: "7", payload: "AQI=" });
      equal((await running.status).code, 0);
    },
  },
  {
    name: "server streaming",
    async run(environment) {
      const messages = await collect(call(environment, "ServerStream").request({ count: "300", firstSequence: "1", size: 1000 }));
      equal(messages.map(({ sequence }) => sequence), numbers(300));
    },
  },
  {
    name: "client streaming",
    async run(environment) {
      const running = call(environment, "ClientStream");
      await running.send({ sequence: "1", payload: "AAE=" });
      await running.send({ sequence: "2" });
      const summary = await running.halfClose().response();
      equal(summary, { messages: "2", bytes: "2", firstSequence: "1", lastSequence: "2", inOrder: true });
    },
  },
  {
    name: "bidi in turns",
    async run(environment) {
      const running = call(environment, "Bidi");
      const responses = running[Symbol.asyncIterator]();
      for (const sequence of numbers(20)) {
        await running.send({ sequence });
        const { value } = await responses.next();
        equal([value?.requestSequence, value?.received], [sequence, sequence]);
      }
      running.halfClose();
      equal(await responses.next(), { done: true });
    },
  },
  {
    name: "a server that speaks first is heard before a request",
    async run(environment) {
      const running = call(environment, "Bidi", { metadata: { "test-script": "speak_first=2&first_sequence=5" } });
      const responses = running[Symbol.asyncIterator]();
      equal((await responses.next()).value?.sequence, "5");
      equal((await responses.next()).value?.sequence, "6");
      running.halfClose();
      ok((await responses.next()).done, "the call ends");
    },
  },
  {
    name: "binary messages",
    async run(environment) {
      // UnaryRequest { sequence: 7, payload: 01 02 }
      const request = new Uint8Array([0x40, 7, 0x4a, 2, 1, 2]);
      equal(await client(environment).call(`${SERVICE}/Unary`).request(request).response(), new Uint8Array([8, 7, 0x12, 2, 1, 2]));
      equal(await client(environment).call(`${SERVICE}/Unary`).request(new Uint8Array()).response(), new Uint8Array());
    },
  },
  {
    name: "metadata goes up, headers and trailers come down, bytes too",
    async run(environment) {
      const metadata = { "x-a": ["1", "2"], "x-b-bin": new Uint8Array([255, 0, 254]) };
      const request = { echoMetadata: [1, 2], responseHeaders: { "x-h": { values: ["ä"] } }, responseTrailers: { "x-t-bin": { values: ["AQI"] } } };
      const running = call(environment, "Unary", { metadata }).request(request);
      await running.response();
      const [headers, trailers] = [await running.headers, await running.trailers];
      equal(headers["echo-x-a"], ["1", "2"]);
      equal(decodeBase64(headers["echo-x-b-bin"]?.[0] ?? ""), new Uint8Array([255, 0, 254]));
      equal(trailers["echo-x-a"], ["1", "2"]);
      equal(decodeBase64(trailers["x-t-bin"]?.[0] ?? ""), new Uint8Array([1, 2]));
    },
  },
  {
    name: "a token travels in the handshake",
    async run(environment) {
      const token = async ({ method }: { method: string }): Promise<string> => `t-${method.length}`;
      const running = call(environment, "Unary", {}, { token }).request({ echoMetadata: [1] });
      await running.response();
      equal((await running.headers)["echo-authorization"], [`Bearer t-${`${SERVICE}/Unary`.length}`]);
    },
  },
  {
    name: "a status with details and trailers",
    async run(environment) {
      const details = [{ "@type": "type.googleapis.com/google.protobuf.Duration", value: "5s" }];
      const fail = { code: 8, message: "too many players", details };
      const error = await failure<GrpcWsError>(call(environment, "Unary").request({ fail, responseTrailers: { "x-t": { values: ["1"] } } }).response());
      ok(error instanceof GrpcWsError, String(error));
      equal([error.code, error.status, error.rawMessage, error.started], [8, "RESOURCE_EXHAUSTED", "too many players", true]);
      equal(error.details, [{ type: "google.protobuf.Duration", value: new Uint8Array([8, 5]), debug: "5s" }]);
      equal(error.trailers["x-t"], ["1"]);
    },
  },
  {
    name: "a status behind messages",
    async run(environment) {
      const seen: unknown[] = [];
      const request = { count: "5", firstSequence: "1", fail: { code: 5, message: "why", after: "2" } };
      const error = await failure<GrpcWsError>((async () => {
        for await (const { sequence } of call(environment, "ServerStream").request(request)) seen.push(sequence);
      })());
      equal(seen, ["1", "2"]);
      equal(error.message, "NOT_FOUND: why");
    },
  },
  {
    name: "short streams are complete, sixty of them",
    async run(environment) {
      const rounds = await Promise.all(Array.from({ length: 60 }, () => collect(call(environment, "ServerStream").request({ count: "3", firstSequence: "1" }))));
      for (const messages of rounds) equal(messages.length, 3);
    },
  },
  {
    name: "an unknown method is UNIMPLEMENTED",
    async run(environment) {
      const error = await failure<GrpcWsError>(call(environment, "Nope").request({}).response());
      equal(error.code, Code.Unimplemented);
    },
  },
  {
    name: "a path that is no route, and a port where nobody listens, are UNAVAILABLE and have not started",
    async run(environment) {
      for (const url of [`${environment.url}/nowhere`, "ws://127.0.0.1:9"]) {
        const error = await failure<GrpcWsError>(call({ ...environment, url }, "Unary").request({}).response());
        equal([error.code, error.started], [Code.Unavailable, false], url);
        ok(error.message.includes("404"), error.message);
      }
    },
  },
  {
    name: "a client that asks why it was refused is told: nobody listens, or what does is no gateway",
    async run(environment) {
      const why = async (url: string, method: string): Promise<[Code, string]> => {
        const { code, rawMessage } = await failure<GrpcWsError>(call({ ...environment, url }, method, {}, { explain: explainRefusal, token: "t" }).request({}).response());
        return [code, rawMessage];
      };
      const [code, text] = await why(`${environment.url}/nowhere`, "Unary");
      equal(code, Code.Unavailable, text);
      // A page may not read what is no answer of a gateway, and so is not told the number.
      ok(/is not a gateway/.test(text), text);
      const [closed, nobody] = await why("ws://127.0.0.1:9", "Unary");
      equal(closed, Code.Unavailable);
      ok(nobody.includes("nothing answers at http://127.0.0.1:9/"), nobody);
    },
  },
  {
    name: "a client that asks why it was refused is told: too many streams, or in a page that its origin is not allowed",
    async run(environment) {
      const strict = { ...environment, url: environment.strictUrl };
      const held = call(strict, "ServerStream").request({ count: "1", holdOpenMs: "-1" });
      await held[Symbol.asyncIterator]().next().catch(() => {});
      const { rawMessage } = await failure<GrpcWsError>(call(strict, "Unary", {}, { explain: explainRefusal }).request({}).response());
      held.cancel();
      const isPage = !!globalThis.location && !("Deno" in globalThis);
      ok(isPage ? rawMessage.includes(`does not allow the origin ${location.origin}`) : /streams.*\(HTTP 503\)/.test(rawMessage), rawMessage);
    },
  },
  {
    name: "a message that does not fit its type is INVALID_ARGUMENT, with the place",
    async run(environment) {
      const error = await failure<GrpcWsError>(call(environment, "Unary").request({ sequence: true }).response());
      equal(error.code, Code.InvalidArgument);
      ok(error.rawMessage.startsWith("line 1 column "), error.message);
    },
  },
  {
    name: "a message over the limit is RESOURCE_EXHAUSTED, before the gateway says how much it takes and after",
    async run(environment) {
      const message = { payload: "A".repeat(5 * 1024 * 1024) };
      equal((await failure<GrpcWsError>(call(environment, "Unary").request(message).response())).code, Code.ResourceExhausted);
      const running = call(environment, "Bidi");
      await running.send({ sequence: "1" });
      const error = await failure<GrpcWsError>(running.send(message));
      equal(error.code, Code.ResourceExhausted);
      ok(error.rawMessage.includes("4194304"), error.message);
    },
  },
  {
    name: "the deadline ends the call",
    async run(environment) {
      const begin = performance.now();
      const error = await failure<GrpcWsError>(collect(call(environment, "ServerStream", { timeoutMs: 300 }).request({ holdOpenMs: "-1" })));
      equal(error.code, Code.DeadlineExceeded);
      ok(performance.now() - begin < 2_000, "it takes too long");
    },
  },
  {
    name: "leaving the loop cancels the call upstream",
    async run(environment) {
      const label = tag();
      for await (const _ of call(environment, "ServerStream").request({ tag: label, count: "2", holdOpenMs: "-1" })) break;
      await isCancelled(environment, label);
    },
  },
  {
    name: "an aborted signal cancels the call upstream",
    async run(environment) {
      const [label, abort] = [tag(), new AbortController()];
      const running = call(environment, "ServerStream", { signal: abort.signal }).request({ tag: label, count: "1", holdOpenMs: "-1" });
      const responses = running[Symbol.asyncIterator]();
      await responses.next();
      abort.abort(new Error("enough"));
      const error = await failure<GrpcWsError>(responses.next());
      equal([error.code, (error.cause as Error).message], [Code.Cancelled, "enough"]);
      await isCancelled(environment, label);
    },
  },
  {
    name: "a source that throws cancels the call upstream, which sees no end of the messages",
    async run(environment) {
      const label = tag();
      const running = call(environment, "ClientStream", { metadata: { "test-script": `tag=${label}` } });
      const source = (async function* () {
        yield { sequence: "1" };
        await sleep(50);
        throw new Error("disk");
      })();
      equal(((await failure<GrpcWsError>(running.pipe(source))).cause as Error).message, "disk");
      await isCancelled(environment, label);
    },
  },
  {
    name: "an upload of 8 MiB keeps to the window",
    async run(environment) {
      const running = call(environment, "ClientStream");
      const payload = "A".repeat(21_848);
      await running.pipe((async function* () {
        for (let sequence = 1; sequence <= 512; sequence++) yield { sequence: String(sequence), payload };
      })());
      const { messages, bytes, inOrder } = await running.response();
      equal([messages, bytes, inOrder], ["512", String(512 * 16_386), true]);
    },
  },
  {
    name: "a slow consumer of a flood holds the server back, and loses nothing",
    async run(environment) {
      const label = tag();
      const request = { tag: label, count: "2000", size: 16_384, firstSequence: "1" };
      const running = call(environment, "ServerStream", { credit: 65_536 }).request(request);
      await running.headers;
      await sleep(400);
      equal((await stats(environment, label)).completed, 0, "calls that the server could complete");
      const messages = await collect(running);
      equal(messages.map(({ sequence }) => sequence), numbers(2000));
    },
  },
  {
    name: "CJK at a small credit does not stall",
    async run(environment) {
      const running = call(environment, "Bidi", { credit: 700 });
      const stringValue = "漢字仮名交じり文".repeat(20);
      const received = collect(running);
      for (const sequence of numbers(100)) await running.send({ sequence, values: { stringValue } });
      running.halfClose();
      const messages = await received;
      equal(messages.length, 100);
      for (const { values } of messages) equal((values as Json).stringValue, stringValue);
    },
  },
  {
    name: "source.pipeThrough(call)",
    async run(environment) {
      const source = new ReadableStream<Json>({
        start(controller) {
          for (const sequence of numbers(5)) controller.enqueue({ sequence });
          controller.close();
        },
      });
      const reader = source.pipeThrough(call(environment, "Bidi")).getReader();
      const seen: unknown[] = [];
      for (let next = await reader.read(); !next.done; next = await reader.read()) seen.push(next.value.requestSequence);
      equal(seen, numbers(5));
    },
  },
  {
    // Chromium opens one WebSocket after the other to an address, and rests for 10 ms between two: it takes 1.0 s at least, and
    // 1.2 to 1.4 s on a busy machine of two cores. The others take 0.05 to 0.3 s.
    name: "a hundred streams opened at once start within 2 s",
    async run(environment) {
      const label = tag();
      let took = Infinity;
      // A busy machine makes it slow now and then, so the best of three counts.
      for (let round = 0; round < 3 && took >= 2_000; round++) {
        const begin = performance.now();
        const calls = Array.from({ length: 100 }, () => call(environment, "ServerStream").request({ tag: label, count: "1", holdOpenMs: "-1" }));
        await Promise.all(calls.map((running) => running[Symbol.asyncIterator]().next()));
        took = performance.now() - begin;
        for (const running of calls) running.cancel();
        await until(async () => (await stats(environment, label)).live === 0, "the upstream sees the cancels");
      }
      ok(took < 2_000, `it takes ${Math.round(took)} ms`);
    },
  },
  {
    name: "resume goes on behind the last message",
    async run(environment) {
      const stream = resume<Json>((last, attempt, signal) => {
        const first = Number(last?.sequence ?? 0) + 1;
        const fail = attempt < 2 ? { fail: { code: 14, message: "gone", after: "3" } } : {};
        return call(environment, "ServerStream", { signal }).request({ count: String(10 - first + 1), firstSequence: String(first), ...fail });
      }, { backoff: { initialMs: 1 } });
      equal((await collect(stream)).map(({ sequence }) => sequence), numbers(10));
    },
  },
  {
    name: "a client's pings are answered",
    async run(environment) {
      const running = call(environment, "Bidi", {}, { pingPeriodMs: 20, pongTimeoutMs: 60 });
      await sleep(300);
      await running.send({ sequence: "1" });
      const [message] = await collect(running.halfClose());
      equal(message?.requestSequence, "1");
    },
  },
  {
    name: "pipe takes what is iterable",
    async run(environment) {
      const running = call(environment, "ClientStream");
      await running.pipe([{ sequence: "1" }, { sequence: "2" }]);
      equal((await running.response()).messages, "2");
      const other = call(environment, "ClientStream");
      await other.pipe(each({ sequence: "1" }));
      equal((await other.response()).messages, "1");
    },
  },
];
