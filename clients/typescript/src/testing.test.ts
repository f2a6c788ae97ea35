import { ConnectError, Code as ConnectCode, createClient } from "@connectrpc/connect";
import { fromBinary, toBinary, create } from "@bufbuild/protobuf";
import { describe, expect, test, vi } from "vitest";
import { BidiRequestSchema, BidiResponseSchema, TestService } from "../test/gen/es/grpcws/test/v1/test_pb.ts";
import { createGrpcWsTransport } from "./connect.ts";
import { Client, Code, GrpcWsError, resume } from "./index.ts";
import { fakeGateway, type FakeHandler } from "./testing.ts";

const start = (handler: FakeHandler, options = {}) => {
  const gateway = fakeGateway({ "a.B/C": handler }, options);
  const client = new Client("http://gateway", { WebSocket: gateway.WebSocket });
  return { gateway, client };
};
const collect = async <T>(messages: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const message of messages) all.push(message);
  return all;
};

describe("a fake gateway", () => {
  test("answers unary calls with what the handler returns", async () => {
    const { client, gateway } = start(async (requests) => {
      for await (const { n } of requests) return { n: n + 1 };
    });
    expect(await client.json("a.B/C").request({ n: 1 }).response()).toEqual({ n: 2 });
    expect(gateway.calls).toHaveLength(1);
    expect(gateway.calls[0]).toMatchObject({ method: "a.B/C", mode: "json", requests: [{ n: 1 }], code: Code.Ok });
  });

  test("streams in both directions, with metadata", async () => {
    const { client, gateway } = start(async function* (requests, call) {
      call.setHeaders({ "x-h": "1" });
      call.setTrailers({ "x-t-bin": new Uint8Array([1]) });
      yield "first";
      for await (const request of requests) yield request;
    });
    const call = client.json<number, unknown>("a.B/C", { metadata: { "x-a": "2" } });
    void call.pipe([1, 2, 3]);
    expect(await collect(call)).toEqual(["first", 1, 2, 3]);
    expect(await call.headers).toEqual({ "x-h": ["1"] });
    expect(await call.trailers).toEqual({ "x-t-bin": ["AQ"] });
    expect(gateway.calls[0]?.metadata).toEqual({ "x-a": ["2"] });
  });

  test("what a handler throws is the status", async () => {
    const detail = { type: "a.D", value: new Uint8Array([1]), debug: { x: 1 } };
    for (const [thrown, expected] of [
      [new GrpcWsError(Code.NotFound, "no", { details: [detail], trailers: { a: ["b"] } }), { code: 5, rawMessage: "no", details: [detail], trailers: { a: ["b"] } }],
      [new ConnectError("denied", ConnectCode.PermissionDenied), { code: 7, rawMessage: "denied" }],
      [new Error("bug"), { code: Code.Unknown, rawMessage: "bug" }],
    ] as const) {
      const { client } = start(async () => { throw thrown; });
      await expect(client.json("a.B/C").request({}).response()).rejects.toMatchObject(expected);
    }
  });

  test("an unknown method, and one of Object's, is UNIMPLEMENTED", async () => {
    const { client } = start(async () => 1);
    for (const method of ["a.B/D", "constructor"]) await expect(client.json(method).request({}).response()).rejects.toMatchObject({ code: Code.Unimplemented });
  });

  test("keeps to the client's credit, and the client to its window", async () => {
    let sent = 0;
    const { client } = start(async function* (requests) {
      for await (const request of requests) if (request === "x".repeat(30)) sent += 0;
      for (; sent < 100; sent++) yield "y".repeat(50);
    }, { receiveWindow: 60 });
    const call = client.json<string, string>("a.B/C", { credit: 200 });
    await call.pipe(Array.from({ length: 20 }, () => "x".repeat(30)));
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(sent).toBeLessThan(5);
    expect(await collect(call)).toHaveLength(100);
  });

  test("a cancel, a deadline and a lost client abort the handler's signal, and end its requests with an error", async () => {
    for (const end of ["cancel", "deadline"]) {
      const ended = vi.fn();
      const { client, gateway } = start(async function* (requests, { signal }) {
        signal.addEventListener("abort", ended);
        try {
          for await (const _ of requests);
          ended("complete");
        } catch (error) {
          ended((error as GrpcWsError).code);
        }
      });
      const call = client.json("a.B/C", end === "deadline" ? { timeoutMs: 20 } : {});
      await call.send(1);
      if (end === "cancel") call.cancel();
      await call.status;
      await vi.waitFor(() => expect(ended.mock.calls.at(-1)).toEqual([Code.Cancelled]));
      expect(gateway.calls[0]?.signal.aborted).toBe(true);
    }
  });

  test("drop, close and isReachable show an application what a bad network does", async () => {
    const { client, gateway } = start(async function* (_, { requests }) {
      yield requests.length;
      await new Promise(() => {});
    });
    const [dropped, closed] = [client.json("a.B/C"), client.json("a.B/C")].map((call) => call[Symbol.asyncIterator]());
    await dropped?.next();
    await closed?.next();
    gateway.drop();
    await expect(dropped?.next()).rejects.toMatchObject({ code: Code.Unavailable, close: { code: 1006 } });
    const third = client.json("a.B/C")[Symbol.asyncIterator]();
    await third.next();
    gateway.close();
    await expect(third.next()).rejects.toMatchObject({ code: Code.Unavailable, rawMessage: "the gateway is shutting down" });
    await expect(client.json("a.B/C").response()).rejects.toMatchObject({ code: Code.Unavailable, started: false });
    gateway.isReachable = true;
    await client.json("a.B/C")[Symbol.asyncIterator]().next();
  });

  test("resume goes on over a hundred drops", async () => {
    const { client, gateway } = start(async function* (requests) {
      for await (const from of requests) for (let n = from; n < 300; n++) yield n;
    });
    const seen: number[] = [];
    const stream = resume<number>((last = -1, _, signal) => client.json<number, number>("a.B/C", { signal, credit: 30 }).request(last + 1), { backoff: { initialMs: 0 } });
    for await (const n of stream) {
      seen.push(n);
      if (n % 3 === 2) gateway.drop();
    }
    expect(seen).toEqual(Array.from({ length: 300 }, (_, n) => n));
    expect(gateway.calls.length).toBeGreaterThan(90);
  });

  test("Connect clients in the binary format", async () => {
    const gateway = fakeGateway({
      "grpcws.test.v1.TestService/Bidi": async function* (requests: AsyncIterable<Uint8Array>) {
        for await (const bytes of requests) yield toBinary(BidiResponseSchema, create(BidiResponseSchema, { received: fromBinary(BidiRequestSchema, bytes).sequence }));
      },
    });
    const client = createClient(TestService, createGrpcWsTransport({ baseUrl: "http://gateway", WebSocket: gateway.WebSocket, token: "t" }));
    const responses = client.bidi((async function* () { yield { sequence: 1n }; yield { sequence: 2n }; })());
    expect((await collect(responses)).map(({ received }) => received)).toEqual([1n, 2n]);
    expect(gateway.calls[0]).toMatchObject({ mode: "proto", metadata: { authorization: ["Bearer t"] } });
  });

  test("break ends the call with Connect 2.1 too, whose clients tell no transport: at the next garbage collection", async () => {
    vi.resetModules();
    vi.doMock("@connectrpc/connect", () => import("connect-2.1"));
    vi.doMock("@connectrpc/connect/protocol", () => import("connect-2.1/protocol"));
    const { createClient } = await import("connect-2.1");
    const { createGrpcWsTransport } = await import("./connect.ts");
    const gateway = fakeGateway({ "grpcws.test.v1.TestService/ServerStream": async function* () { yield new Uint8Array(); yield new Uint8Array(); await new Promise(() => {}); } });
    const client = createClient(TestService, createGrpcWsTransport({ baseUrl: "http://gateway", WebSocket: gateway.WebSocket }) as never);
    for (let count = 0; count < 5; count++) for await (const _ of client.serverStream({})) break;
    await vi.waitFor(async () => {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 2));
      expect(gateway.calls.map(({ code }) => code)).toEqual(Array.from({ length: 5 }, () => Code.Cancelled));
    }, 5_000);
    vi.doUnmock("@connectrpc/connect");
    vi.doUnmock("@connectrpc/connect/protocol");
  });
});
