import { afterEach, describe, expect, test, vi } from "vitest";
import { endAll, script } from "../test/lib/script.ts";
import { Client } from "./client.ts";
import { Code } from "./code.ts";
import { explainRefusal } from "./explain.ts";
import type { ClientOptions } from "./options.ts";

afterEach(() => {
  endAll();
  vi.unstubAllGlobals();
});

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** A call whose WebSocket is refused, and which asks why. */
async function refused(fetch: Fetch, options: ClientOptions = {}) {
  const asked = vi.fn<Fetch>(fetch);
  vi.stubGlobal("fetch", asked);
  const { WebSocket, next } = script();
  const call = new Client("https://gateway", { WebSocket, explain: explainRefusal, credit: 0, ...options }).json("a.B/C").request({});
  (await next()).fail();
  return { error: (await call.response().catch((error: unknown) => error)) as Error & Record<string, unknown>, asked, call };
}

const json = (status: number, body: unknown): Response => new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
const because = (status: number, code: number, message: string) => async () => json(status, { type: "error", code, message });

describe("what the gateway answers", () => {
  test.each([
    [401, 16, "no token", Code.Unauthenticated], [404, 12, "the descriptors have no method a.B/C", Code.Unimplemented],
    [403, 7, "origin not allowed", Code.PermissionDenied], [503, 14, "too many streams", Code.Unavailable], [431, 8, "too large", Code.ResourceExhausted],
  ])("%i is the error's text and code", async (status, code, message, expected) => {
    const { error } = await refused(because(status, code, message));
    expect(error).toMatchObject({ code: expected, rawMessage: `the WebSocket was refused: ${message} (HTTP ${status})`, started: false, close: { code: 1006 } });
  });

  test("426 says that the way of the upgrade is to blame", async () => {
    const { error } = await refused(async () => json(426, { code: 0, status: "OK" }));
    expect(error).toMatchObject({ code: Code.Unavailable, started: false });
    expect(error.message).toContain("a proxy does not pass upgrades on");
  });

  test.each([
    ["a page", () => new Response("<html>", { status: 502, headers: { "content-type": "text/html" } }), "(HTTP 502)"],
    ["nothing", () => new Response(null, { status: 404 }), "(HTTP 404)"], ["JSON of its own", () => json(404, { error: "nope" }), "(HTTP 404)"],
    ["JSON that is none", () => new Response("{", { status: 500, headers: { "content-type": "application/json" } }), "(HTTP 500)"],
  ])("%s is not taken for a gateway's", async (_, answer, text) => {
    const { error } = await refused(async () => answer());
    expect(error.message).toContain("is not a gateway");
    expect(error.message).toContain(text);
  });
});

describe("what a page may not read", () => {
  test("an opaque answer is that of an origin that is not allowed", async () => {
    vi.stubGlobal("location", new URL("https://page.example/app"));
    const { error, asked } = await refused(async (_, { mode }) => (mode === "no-cors" ? Response.error() : Promise.reject(new TypeError("Failed to fetch"))));
    expect(error.message).toContain("does not allow the origin https://page.example");
    expect(asked.mock.calls.map(([, { mode, credentials }]) => [mode, credentials])).toEqual([[undefined, "include"], ["no-cors", "include"]]);
    expect(asked.mock.calls[1]?.[1].headers).toBeUndefined();
  });

  test("no answer is no connection, in a page and elsewhere", async () => {
    const never: Fetch = () => Promise.reject(new TypeError("Failed to fetch"));
    expect((await refused(never)).error.message).toContain("nothing answers at https://gateway/ws/a.B/C");
    vi.stubGlobal("location", new URL("https://page.example/app"));
    expect((await refused(never)).error.message).toContain("nothing answers at https://gateway/ws/a.B/C");
  });
});

test("the probe offers what the handshake did, and no error shows it", async () => {
  const { error, asked } = await refused(because(401, 16, "no token"), { token: "secret", metadata: { "x-a": "b" } });
  const [url, { headers, redirect }] = asked.mock.calls[0] as Parameters<Fetch>;
  expect(url).toBe("https://gateway/ws/a.B/C");
  expect((headers as Record<string, string>)["grpcws-protocol"]).toMatch(/^grpcws\.v1\.json, grpcws\.bearer\.c2VjcmV0, grpcws\.metadata\./);
  expect(redirect).toBe("manual");
  expect(JSON.stringify(error) + error.stack).not.toContain("c2VjcmV0");
});

test("a call that is cancelled meanwhile is not kept, nor the request", async () => {
  let signal: AbortSignal | null | undefined;
  vi.stubGlobal("fetch", (_: string, init: RequestInit) => new Promise((_, reject) => {
    signal = init.signal;
    signal?.addEventListener("abort", () => reject(new Error("aborted")));
  }));
  const { WebSocket, next } = script();
  const call = new Client("https://gateway", { WebSocket, explain: explainRefusal }).json("a.B/C").request({});
  (await next()).fail();
  await vi.waitFor(() => expect(signal).toBeDefined());
  call.cancel();
  expect((await call.status).code).toBe(Code.Cancelled);
  expect(signal?.aborted).toBe(true);
});

test("a call that waits for the gateway does so only while it is unavailable", async () => {
  const { call, asked } = await refused(because(401, 16, "no token"), { waitForReady: true, backoff: { initialMs: 1 } });
  expect((await call.status).code).toBe(Code.Unauthenticated);
  expect(asked).toHaveBeenCalledTimes(1);
});

test("an explanation that fails leaves what is known", async () => {
  const { error } = await refused(because(404, 12, ""), { explain: () => Promise.reject(new Error("broken")) });
  expect(error).toMatchObject({ code: Code.Unavailable });
  expect(error.message).toContain("a page is not told why");
});
