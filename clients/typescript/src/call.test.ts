import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { script, tick, type ScriptedSocket } from "../test/lib/script.ts";
import { Client } from "./client.ts";
import { Code } from "./code.ts";
import { GrpcWsError } from "./error.ts";
import type { CallOptions, ClientOptions } from "./options.ts";

const DATA = (data: unknown): object => ({ type: "data", data });
const END = { type: "stream_end", trailers: { "x-t": ["1"] } };

async function start(options: ClientOptions = {}, own: CallOptions = {}): Promise<{ call: ReturnType<Client["json"]>; socket: ScriptedSocket }> {
  const { WebSocket, next } = script();
  const call = new Client("http://gateway", { WebSocket, ...options }).json("a.B/C", own);
  return { call, socket: await next() };
}

describe("the four kinds", () => {
  test("unary: the request goes with the socket's open event, before the gateway has said anything", async () => {
    const { call, socket } = await start();
    const response = call.request({ id: 1 }).response();
    expect(socket.sent).toEqual([]);
    socket.accept(null);
    expect(socket.messages).toEqual([DATA({ id: 1 }), { type: "end_send" }]);
    socket.say({ type: "headers", headers: { "x-h": ["a"] } }).say(DATA("yes")).say(END).end();
    expect(await response).toBe("yes");
    expect(await call.headers).toEqual({ "x-h": ["a"] });
    expect(await call.trailers).toEqual({ "x-t": ["1"] });
    expect(await call.status).toEqual({ code: 0, message: "", trailers: { "x-t": ["1"] } });
    expect(call.error).toBeUndefined();
  });

  test("server streaming: the messages before a failure are read before it", async () => {
    const { call, socket } = await start();
    call.request({});
    socket.accept().say(DATA(1)).say(DATA(2)).say({ type: "error", code: 5, message: "why" });
    const seen: unknown[] = [];
    const loop = (async () => {
      for await (const message of call) seen.push(message);
    })();
    await expect(loop).rejects.toMatchObject({ code: Code.NotFound, message: "NOT_FOUND: why", started: true });
    expect(seen).toEqual([1, 2]);
  });

  test("client streaming: messages wait for the window, and half-close for the messages", async () => {
    const { call, socket } = await start();
    let resolved = 0;
    for (const message of ["a", "b", "c"]) void call.send(message).then(() => resolved++);
    call.halfClose();
    socket.accept(null);
    expect(socket.messages).toEqual([DATA("a")]);
    await tick();
    expect(resolved).toBe(0);
    const size = JSON.stringify(DATA("a")).length;
    socket.say({ type: "open", maxMessageBytes: 1000, receiveWindow: size + 1, pingPeriodMs: 0 });
    expect(socket.messages).toEqual([DATA("a"), DATA("b")]);
    socket.say({ type: "credit", bytes: size });
    expect(socket.messages).toEqual([DATA("a"), DATA("b"), DATA("c"), { type: "end_send" }]);
    await tick();
    expect(resolved).toBe(3);
    const response = call.response();
    socket.say(DATA(3)).say(END);
    expect(await response).toBe(3);
  });

  test("bidi: responses come while requests go", async () => {
    const { call, socket } = await start();
    socket.accept();
    const messages = call[Symbol.asyncIterator]();
    for (const round of [1, 2, 3]) {
      await call.send(round);
      socket.say(DATA(round * 10));
      expect(await messages.next()).toEqual({ done: false, value: round * 10 });
    }
    call.halfClose();
    socket.say(END);
    expect(await messages.next()).toEqual({ done: true, value: undefined });
  });

  test("binary messages travel as they are", async () => {
    const { WebSocket, next } = script();
    const call = new Client("http://gateway", { WebSocket }).call("a.B/C").request(new Uint8Array([1, 2]));
    const socket = (await next()).accept();
    expect(socket.binaryType).toBe("arraybuffer");
    expect(socket.protocols[0]).toBe("grpcws.v1.proto");
    expect(socket.sent[0]).toEqual(new Uint8Array([1, 2]));
    socket.say(new Uint8Array([3])).say(END);
    expect(await call.response()).toEqual(new Uint8Array([3]));
  });
});

describe("response()", () => {
  test.each([
    ["none", [], "no response message"],
    ["a second", [DATA(1), DATA(2)], "a second response message"],
  ])("%s message is UNIMPLEMENTED", async (_, messages, text) => {
    const { call, socket } = await start();
    const response = call.request(1).response();
    socket.accept();
    for (const message of messages) socket.say(message);
    if (!messages.length) socket.say(END);
    await expect(response).rejects.toMatchObject({ code: Code.Unimplemented, rawMessage: expect.stringContaining(text) });
  });

  test("a message is dropped if the status is not OK", async () => {
    const { call, socket } = await start();
    const response = call.request(1).response();
    socket.accept().say(DATA(1)).say({ type: "error", code: 9, message: "m", trailers: { a: ["b"] }, details: [{ type: "x.Y", value: "AQI", debug: 7 }] });
    await expect(response).rejects.toMatchObject({ code: 9, trailers: { a: ["b"] }, details: [{ type: "x.Y", value: new Uint8Array([1, 2]), debug: 7 }] });
  });
});

describe("windows", () => {
  test("UTF-8 bytes of the frames are granted: CJK at a small credit does not stall", async () => {
    const message = "漢字仮名交じり文";
    const cost = Buffer.byteLength(JSON.stringify(DATA(message)));
    const { call, socket } = await start({ credit: cost * 2 });
    call.request(1);
    socket.accept();
    expect(socket.metadata["grpcws-credit"]).toEqual([String(cost * 2)]);
    let window = cost * 2;
    for (let count = 0; count < 50; count++) {
      expect(window).toBeGreaterThan(0);
      window -= cost;
      socket.say(DATA(message));
      await call[Symbol.asyncIterator]().next();
      for (const said of socket.messages.splice(0)) if (said.type === "credit") window += said.bytes;
      socket.sent.length = 0;
    }
  });

  test("nothing is granted for what is not taken", async () => {
    const { call, socket } = await start({ credit: 100 });
    call.request(1);
    socket.accept().say(DATA("x".repeat(90)));
    await tick();
    expect(socket.messages.filter(({ type }) => type === "credit")).toEqual([]);
    expect(call.error).toBeUndefined();
  });

  test("a message that is larger than the gateway takes is refused here", async () => {
    const { call, socket } = await start();
    socket.accept({ maxMessageBytes: 30 });
    await expect(call.send("x".repeat(30))).rejects.toMatchObject({
      code: Code.ResourceExhausted,
      rawMessage: "a request message has 55 bytes, and the gateway takes 30",
    });
    expect(socket.messages).toEqual([{ type: "cancel" }, { close: 1000 }]);
  });
});

describe("ends", () => {
  test("cancel says so to the gateway, closes with 1000, and ends what waits at once", async () => {
    const { call, socket } = await start();
    socket.accept();
    const next = call[Symbol.asyncIterator]().next();
    call.cancel(new Error("enough"));
    await expect(next).rejects.toMatchObject({ code: Code.Cancelled, cause: new Error("enough") });
    expect(socket.messages).toEqual([{ type: "cancel" }, { close: 1000 }]);
    socket.say(DATA(1)).end();
    await expect(call.send(1)).rejects.toMatchObject({ code: Code.Cancelled });
  });

  test("an aborted signal cancels; next() then ends at once and drops what had come", async () => {
    const abort = new AbortController();
    const { call, socket } = await start({}, { signal: abort.signal });
    socket.accept().say(DATA(1));
    abort.abort("why");
    await expect(call[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: Code.Cancelled, cause: "why", started: true });
    expect(socket.messages).toEqual([{ type: "cancel" }, { close: 1000 }]);
  });

  test("a signal that is aborted before opens no socket", async () => {
    const { WebSocket, sockets } = script();
    const call = new Client("http://gateway", { WebSocket }).json("a.B/C", { signal: AbortSignal.abort() });
    await expect(call.response()).rejects.toMatchObject({ code: Code.Cancelled, started: false });
    await tick(20);
    expect(sockets).toEqual([]);
  });

  test("leaving the loop cancels the call", async () => {
    const { call, socket } = await start();
    call.request(1);
    socket.accept().say(DATA(1)).say(DATA(2));
    for await (const _ of call) break;
    expect(socket.messages.slice(2)).toEqual([{ type: "cancel" }, { close: 1000 }]);
    expect(await call.status).toMatchObject({ code: Code.Cancelled });
  });

  test("a close without a terminal message is never a success", async () => {
    const { call, socket } = await start();
    socket.accept().say({ type: "headers", headers: { a: ["b"] } }).end(1000);
    await expect(call.response()).rejects.toMatchObject({ code: Code.Internal, close: { code: 1000, reason: "" }, headers: { a: ["b"] }, started: true });
  });

  test("a page that comes out of the back-forward cache finds its socket dead: UNAVAILABLE", async () => {
    const { call, socket } = await start();
    socket.accept().end(1006);
    await expect(call.response()).rejects.toMatchObject({ code: Code.Unavailable, started: true });
  });

  test("the end of the call ends waiting senders; those of a call that ended with OK too", async () => {
    const { call, socket } = await start();
    socket.accept({ receiveWindow: 1 });
    const sends = [call.send(1), call.send(2)];
    socket.say(END);
    for (const send of sends) await expect(send).rejects.toMatchObject({ code: Code.FailedPrecondition });
    await expect(call.send(3)).rejects.toMatchObject({ code: Code.FailedPrecondition });
  });

  test("promises without a handler cause no unhandled rejection", async () => {
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    const { call, socket } = await start();
    void call.send(1);
    void call.headers;
    void call.trailers;
    socket.accept().say({ type: "error", code: 5 }).end();
    void call.send(2);
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off("unhandledRejection", unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    expect(await call.headers).toEqual({});
  });

  test("await using cancels", async () => {
    const { call, socket } = await start();
    socket.accept();
    await call[Symbol.asyncDispose]();
    expect(call.error?.code).toBe(Code.Cancelled);
  });

  test("a forgotten call is cancelled at the next garbage collection", async () => {
    if (!globalThis.gc) throw new Error("run with --expose-gc");
    const { WebSocket, next } = script();
    (() => void new Client("http://gateway", { WebSocket }).json("a.B/C").request(1))();
    const socket = (await next()).accept().say(DATA(1));
    for (let count = 0; count < 50 && !socket.messages.some(({ type }) => type === "cancel"); count++) {
      globalThis.gc();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(socket.messages.slice(2)).toEqual([{ type: "cancel" }, { close: 1000 }]);
  });

  test("a call whose response is waited for is not forgotten", async () => {
    const { WebSocket, next } = script();
    const response = (() => new Client("http://gateway", { WebSocket }).json("a.B/C").request(1).response())();
    const status = (() => new Client("http://gateway", { WebSocket }).json("a.B/C").request(1).status)();
    const sockets = [(await next()).accept(), (await next()).accept()];
    for (let count = 0; count < 10; count++) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    for (const socket of sockets) socket.say(DATA(1)).say(END);
    expect(await response).toBe(1);
    expect((await status).code).toBe(0);
  });
});

describe("pipe", () => {
  test("sends all of a source, then half-closes", async () => {
    const { call, socket } = await start();
    socket.accept();
    await call.pipe([1, 2]);
    expect(socket.messages).toEqual([DATA(1), DATA(2), { type: "end_send" }]);
  });

  test("a source that throws cancels the call, and never half-closes it", async () => {
    const { call, socket } = await start();
    socket.accept();
    const problem = new Error("disk");
    const source = (async function* () {
      yield 1;
      throw problem;
    })();
    await expect(call.pipe(source)).rejects.toMatchObject({ code: Code.Cancelled, cause: problem });
    expect(socket.messages).toEqual([DATA(1), { type: "cancel" }, { close: 1000 }]);
  });

  test("a source that has nothing more to say does not keep the call's failure from being told", async () => {
    const { call, socket } = await start();
    socket.accept();
    const piped = call.pipe((async function* () { yield 1; await new Promise(() => {}); })());
    await tick(20);
    socket.say({ type: "error", code: 7 });
    await expect(piped).rejects.toMatchObject({ code: Code.PermissionDenied });
  });

  test("a call that ends with OK early ends it without an error", async () => {
    const { call, socket } = await start();
    socket.accept({ receiveWindow: 1 });
    const piped = call.pipe([1, 2, 3]);
    await tick(20);
    socket.say(END);
    await piped;
  });
});

describe("streams", () => {
  test("source.pipeThrough(call) gives the responses", async () => {
    const { call, socket } = await start();
    socket.accept();
    const source = new ReadableStream<unknown>({
      start(controller) {
        controller.enqueue("a");
        controller.close();
      },
    });
    const reader = source.pipeThrough(call).getReader();
    await vi.waitFor(() => expect(socket.messages).toEqual([DATA("a"), { type: "end_send" }]));
    socket.say(DATA("b")).say(END);
    expect(await reader.read()).toEqual({ done: false, value: "b" });
    expect((await reader.read()).done).toBe(true);
  });

  test("a failure errors the readable, and an aborted writable cancels the call", async () => {
    const failing = await start();
    failing.socket.accept().say({ type: "error", code: 5 });
    await expect(failing.call.readable.getReader().read()).rejects.toMatchObject({ code: 5 });
    const aborted = await start();
    aborted.socket.accept();
    await aborted.call.writable.abort("no");
    expect(aborted.call.error).toMatchObject({ code: Code.Cancelled, cause: "no" });
  });
});

test("a message that does not serialize ends the call with INVALID_ARGUMENT", async () => {
  for (const message of [undefined, 1n]) {
    const { call, socket } = await start();
    socket.accept();
    await expect(call.request(message).response()).rejects.toMatchObject({ code: Code.InvalidArgument, cause: expect.any(TypeError) });
    expect(socket.messages).toEqual([{ type: "cancel" }, { close: 1000 }]);
  }
});

describe("time", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("the deadline is sent, and kept before and after the socket is open", async () => {
    const early = await start({ timeoutMs: 500 });
    await vi.advanceTimersByTimeAsync(500);
    await expect(early.call.response()).rejects.toMatchObject({ code: Code.DeadlineExceeded, started: false });
    const late = await start({ timeoutMs: 500 });
    expect(late.socket.metadata["grpc-timeout"]).toEqual(["500m"]);
    late.socket.accept();
    await vi.advanceTimersByTimeAsync(500);
    await expect(late.call.response()).rejects.toMatchObject({ code: Code.DeadlineExceeded, started: true });
    expect(late.socket.messages).toEqual([{ type: "cancel" }, { close: 1000 }]);
  });

  test("a timeout that is longer than a timer can be does not fire at once", async () => {
    const timers = vi.spyOn(globalThis, "setTimeout");
    const { call, socket } = await start({ timeoutMs: 2 ** 31 * 40, connectTimeoutMs: Infinity, pongTimeoutMs: 0 });
    socket.accept();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(Math.max(...timers.mock.calls.map(([, ms]) => ms ?? 0))).toBe(2 ** 31 - 1);
    timers.mockRestore();
    expect(call.error).toBeUndefined();
    expect(socket.metadata["grpc-timeout"]?.[0]).toMatch(/^\d{1,8}S$/);
    call.cancel();
  });

  test("silence is probed before the gateway is given up", async () => {
    const { call, socket } = await start();
    socket.accept();
    await vi.advanceTimersByTimeAsync(90_001);
    expect(socket.messages).toEqual([{ type: "ping", pingId: 1 }]);
    socket.say({ type: "pong", pingId: 1 });
    await vi.advanceTimersByTimeAsync(100_002);
    await expect(call.response()).rejects.toMatchObject({ code: Code.Unavailable, rawMessage: expect.stringContaining("nothing was heard") });
  });

  test("an ended call waits for the gateway's close, then closes and lets go of every timer", async () => {
    const { socket } = await start();
    socket.accept().say(END);
    expect(socket.sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(2_001);
    expect(socket.sent).toEqual([{ close: undefined }]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("no timer is left behind a call that was closed", async () => {
    const { socket } = await start({ timeoutMs: 10_000 });
    socket.accept().say(END).end();
    expect(vi.getTimerCount()).toBe(0);
  });
});

test("the hooks of a call are called in order", async () => {
  const told: unknown[] = [];
  const on = Object.fromEntries(
    ["start", "open", "headers", "sent", "received", "end"].map((name) => [name, (call: { method: string }, what: unknown) => void told.push([name, call.method, what])]),
  );
  const { call, socket } = await start({ on });
  call.request(1);
  socket.accept().say({ type: "headers", headers: {} }).say(DATA(1)).say({ type: "error", code: 5, message: "m" }).end();
  await tick();
  expect(told.map(([name]: any) => name)).toEqual(["start", "sent", "open", "headers", "received", "end"]);
  expect(told.at(-1)).toEqual(["end", "a.B/C", { code: 5, message: "m", trailers: {} }]);
  expect(call.error).toBeInstanceOf(GrpcWsError);
});
