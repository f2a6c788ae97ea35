import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { endAll, script, tick } from "../test/lib/script.ts";
import { Client } from "./client.ts";
import { Code } from "./code.ts";
import type { MetadataInit } from "./metadata.ts";
import type { ClientOptions } from "./options.ts";

afterEach(endAll);

async function open(options: ClientOptions = {}, metadata?: MetadataInit) {
  const { WebSocket, next } = script();
  const call = new Client("http://gateway", { WebSocket, credit: 0, ...options }).json("a.B/C", metadata ? { metadata } : {});
  const failed = call.status.then(() => undefined);
  return { call, socket: await Promise.race([next(), failed]) };
}

describe("URLs", () => {
  test.each([
    ["https://a.example", "wss://a.example/ws/p.S/M"], [new URL("https://a.example/"), "wss://a.example/ws/p.S/M"], ["http://a:8080/", "ws://a:8080/ws/p.S/M"],
    ["wss://a/prefix/", "wss://a/prefix/p.S/M"], ["ws://[::1]:80/x", "ws://[::1]:80/x/p.S/M"],
  ] as [string | URL, string][])("%s is called at %s", async (url, called) => {
    for (const method of ["p.S/M", "/p.S/M"]) {
      const { WebSocket, next } = script();
      new Client(url, { WebSocket }).json(method);
      expect((await next()).url).toBe(called);
    }
  });

  test("a path of a bound route keeps its query", async () => {
    const { WebSocket, next } = script();
    new Client("http://a", { WebSocket }).json("games/7/watch?to=2");
    expect((await next()).url).toBe("ws://a/ws/games/7/watch?to=2");
  });

  test("in a page it may be relative to it", async () => {
    vi.stubGlobal("location", new URL("https://page.example/app/"));
    const { WebSocket, next } = script();
    new Client("/ws", { WebSocket }).json("p.S/M");
    expect((await next()).url).toBe("wss://page.example/ws/p.S/M");
    vi.unstubAllGlobals();
  });

  test.each(["ftp://a", "https://user:secret@a", "https://a?q=1", "https://a#f", "https://", "https://a b/", "/ws"])("%s is refused", (url) => {
    expect(() => new Client(url)).toThrow(TypeError);
    try {
      new Client(url);
    } catch (error) {
      expect(String(error)).not.toContain("secret");
    }
  });
});

describe("options", () => {
  test.each<[ClientOptions, string]>([
    [{ timeoutMs: NaN }, "timeoutMs is NaN: use a number from 0 on"], [{ timeoutMs: -1 }, "timeoutMs is -1"], [{ credit: "5" as never }, "credit is 5"],
    [{ maxHandshakes: 0 }, "maxHandshakes is 0: use a number from 1 on"], [{ backoff: { initialMs: NaN } }, "initialMs"], [{ backoff: { multiplier: 0.5 } }, "multiplier"],
    [{ connectTimeoutMs: null as never }, "connectTimeoutMs"], [{ lingerMs: -5 }, "lingerMs"],
  ])("what cannot work is refused with its name", (options, text) => {
    expect(() => new Client("http://gateway", options)).toThrow(text);
  });

  test("those of a call too, where it is made", () => {
    const { WebSocket, sockets } = script();
    const client = new Client("http://gateway", { WebSocket });
    expect(() => client.json("a.B/C", { timeoutMs: NaN })).toThrow("timeoutMs is NaN");
    expect(() => client.call("a.B/C", { credit: -1 })).toThrow("credit is -1");
    expect(sockets).toEqual([]);
  });

  test("a time for ever does not pass at once", async () => {
    const { call, socket } = await open({ connectTimeoutMs: Infinity, timeoutMs: Infinity });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(call.error).toBeUndefined();
    expect(socket?.metadata).toEqual({});
  });
});

describe("metadata", () => {
  test("takes records, pairs and Headers, of the client and of the call", async () => {
    const { socket } = await open({ metadata: { "X-A": ["1", "2"], "x-none": undefined } }, [["x-a", "3"], ["x-b-bin", new Uint8Array([255, 254])]]);
    expect(socket?.metadata).toEqual({ "x-a": ["1", "2", "3"], "x-b-bin": ["__4"] });
    const headers = await open({}, new Headers({ a: "b" }));
    expect(headers.socket?.metadata).toEqual({ a: ["b"] });
  });

  test("functions are asked for it for each call", async () => {
    let count = 0;
    const options = { metadata: async () => ({ "x-count": String(++count) }) };
    expect((await open(options)).socket?.metadata).toEqual({ "x-count": ["1"] });
    expect((await open(options)).socket?.metadata).toEqual({ "x-count": ["2"] });
  });

  test.each<[MetadataInit, string]>([
    [{ "x a": "1" }, '"x a"'], [{ "": "1" }, '""'], [{ "x-a": "né" }, '"x-a"'], [{ "x-a": "a\nb" }, '"x-a"'], [{ "x-a": new Uint8Array(1) }, '"x-a"'],
    [{ a: "x".repeat(20000) }, "16384 bytes"],
  ])("what no gateway takes is refused by name, before a socket is opened", async (metadata, text) => {
    const { call, socket } = await open({}, metadata);
    expect(socket).toBeUndefined();
    expect(call.error).toMatchObject({ code: Code.InvalidArgument, rawMessage: expect.stringContaining(text), started: false });
  });

  test("the elements of the handshake are tokens without padding, so that every runtime takes them", async () => {
    for (const length of [1, 2, 3, 4]) {
      const { socket } = await open({ token: "~".repeat(length) }, { "x-a": "?>".repeat(length) });
      expect(socket?.protocols).toHaveLength(3);
      for (const name of socket?.protocols ?? []) expect(name).toMatch(/^[\w.-]+$/);
      expect(Buffer.from(socket?.protocols[1]?.slice("grpcws.bearer.".length) ?? "", "base64url").toString()).toBe("~".repeat(length));
    }
  });

  test("the credit is the client's to offer, and not the application's", async () => {
    const { socket } = await open({ credit: 7 }, { "grpcws-credit": "9" });
    expect(socket?.metadata["grpcws-credit"]).toEqual(["7"]);
  });
});

describe("tokens", () => {
  test("a function is asked before each attempt, and told why the one before failed", async () => {
    const token = vi.fn(async ({ attempt }: { attempt: number }) => `t${attempt}`);
    const { WebSocket, next } = script();
    new Client("http://gateway", { WebSocket, token, waitForReady: true, backoff: { initialMs: 1 } }).json("a.B/C");
    (await next()).fail();
    const socket = await next();
    expect(token.mock.calls.map(([context]) => context)).toMatchObject([{ method: "a.B/C", attempt: 0, previous: undefined }, { attempt: 1, previous: { code: Code.Unavailable } }]);
    expect(socket.protocols[1]).toBe(`grpcws.bearer.${Buffer.from("t1").toString("base64url")}`);
    socket.accept().end();
  });

  test("a function that throws ends the call with UNAUTHENTICATED", async () => {
    const problem = new Error("logged out");
    const { call, socket } = await open({ token: () => Promise.reject(problem) });
    expect(socket).toBeUndefined();
    expect(call.error).toMatchObject({ code: Code.Unauthenticated, cause: problem, started: false });
  });

  test("nothing that an error or a listener shows has the token in it", async () => {
    const secret = "very-secret";
    class Refusing {
      constructor(_: string, protocols: string[]) {
        throw new SyntaxError(`the subprotocol '${protocols[1]}' is invalid`);
      }
    }
    const { call } = await open({ token: secret, WebSocket: Refusing as never });
    await call.status;
    const shown = `${call.error} ${call.error?.stack} ${JSON.stringify(call.error)} ${String(call.error?.cause)}`;
    expect(shown).not.toContain(Buffer.from(secret).toString("base64url"));
    expect(shown).not.toContain(secret);
    expect(call.error).toMatchObject({ code: Code.InvalidArgument, started: false });
  });
});

describe("connecting", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const settle = (): Promise<void> => tick(40);

  test("without a WebSocket it says what to do, and only when a call is made", async () => {
    vi.stubGlobal("WebSocket", undefined);
    const call = new Client("http://gateway").json("a.B/C");
    await expect(call.response()).rejects.toMatchObject({ code: Code.FailedPrecondition, rawMessage: expect.stringContaining("option WebSocket") });
    vi.unstubAllGlobals();
  });

  test("a refused handshake is UNAVAILABLE with all causes, and has not started", async () => {
    const { WebSocket, next } = script();
    const call = new Client("http://gateway", { WebSocket }).json("a.B/C");
    (await next()).fail();
    const error = (await call.response().catch((error: unknown) => error)) as Error;
    expect(error).toMatchObject({ code: Code.Unavailable, started: false, close: { code: 1006 } });
    for (const cause of ["404", "403", "431", "200 WebSockets", "gateway at this URL"]) expect(error.message).toContain(cause);
  });

  test("an error without a close is the end after 100 ms", async () => {
    const { WebSocket, next } = script();
    const call = new Client("http://gateway", { WebSocket }).json("a.B/C");
    (await next()).onerror({});
    await vi.advanceTimersByTimeAsync(99);
    expect(call.error).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(call.error?.code).toBe(Code.Unavailable);
  });

  test("a close with another code than 1006 and no open event is a started call", async () => {
    const { WebSocket, sockets } = script();
    const call = new Client("http://gateway", { WebSocket, waitForReady: true }).json("a.B/C");
    await settle();
    sockets[0]?.end(4012, "UNIMPLEMENTED: unknown method");
    await expect(call.response()).rejects.toMatchObject({ code: Code.Unimplemented, rawMessage: "unknown method", started: true });
  });

  test("a gateway that does not answer the handshake is UNAVAILABLE after the connect timeout, and its socket is dropped", async () => {
    const { WebSocket, next } = script();
    const call = new Client("http://gateway", { WebSocket, connectTimeoutMs: 300 }).json("a.B/C");
    const socket = await next();
    await vi.advanceTimersByTimeAsync(300);
    await expect(call.response()).rejects.toMatchObject({ code: Code.Unavailable, rawMessage: expect.stringContaining("300 ms"), started: false });
    expect(socket.sent).toEqual([{ close: undefined }]);
  });

  test("waitForReady repeats a call that did not start, and never one that did", async () => {
    const { WebSocket, sockets } = script();
    const call = new Client("http://gateway", { WebSocket, waitForReady: true, connectTimeoutMs: 100_000 }).json("a.B/C").request(1);
    for (let attempt = 0; attempt < 5; attempt++) {
      await settle();
      expect(sockets).toHaveLength(attempt + 1);
      sockets[attempt]?.fail();
      await vi.advanceTimersByTimeAsync(31_000);
    }
    expect(call.error).toBeUndefined();
    sockets[5]?.accept();
    expect(sockets[5]?.messages).toHaveLength(2);
    sockets[5]?.end(1006);
    await expect(call.response()).rejects.toMatchObject({ code: Code.Unavailable, started: true });
    expect(sockets).toHaveLength(6);
  });

  test("a call that waits long leaves no listeners behind", async () => {
    const add = vi.spyOn(AbortSignal.prototype, "addEventListener");
    const remove = vi.spyOn(AbortSignal.prototype, "removeEventListener");
    const { WebSocket, sockets } = script();
    const call = new Client("http://gateway", { WebSocket, waitForReady: true, connectTimeoutMs: 100_000 }).json("a.B/C");
    for (let attempt = 0; attempt < 30; attempt++) {
      await settle();
      sockets.at(-1)?.fail();
      await vi.advanceTimersByTimeAsync(31_000);
    }
    expect(sockets).toHaveLength(31);
    expect(add.mock.calls.length - remove.mock.calls.length).toBeLessThan(3);
    call.cancel();
    vi.restoreAllMocks();
  });

  test("a call that waits for the gateway ends with its deadline or its signal", async () => {
    const { WebSocket, sockets } = script();
    const client = new Client("http://gateway", { WebSocket, waitForReady: true });
    const abort = new AbortController();
    const calls = [client.json("a.B/C", { timeoutMs: 5_000 }), client.json("a.B/C", { signal: abort.signal })];
    await settle();
    for (const socket of sockets) socket.fail();
    await settle();
    abort.abort();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(calls.map((call) => call.error?.code)).toEqual([Code.DeadlineExceeded, Code.Cancelled]);
  });

  test("at most eight handshakes are under way, of all clients together; a cancelled call leaves the queue", async () => {
    const { WebSocket, sockets } = script();
    const calls = Array.from({ length: 20 }, () => new Client("http://gateway", { WebSocket }).json("a.B/C"));
    await settle();
    expect(sockets).toHaveLength(8);
    calls[8]?.cancel();
    sockets[0]?.accept();
    sockets[1]?.fail();
    calls[2]?.cancel();
    await settle();
    expect(sockets).toHaveLength(11);
    for (let count = 0; count < 12; count++) {
      for (const socket of sockets) if (socket.readyState === 0) socket.accept();
      await settle();
    }
    expect(sockets).toHaveLength(19);
    for (const call of calls) call.cancel();
  });
});
