import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Backoff } from "./backoff.ts";
import { Code } from "./code.ts";
import { GrpcWsError } from "./error.ts";
import { resume } from "./resume.ts";

const gone = (): GrpcWsError => new GrpcWsError(Code.Unavailable, "gone");
const target = new EventTarget();

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(1);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("resume", () => {
  test("goes on behind the last message after UNAVAILABLE, and ends with the stream", async () => {
    const starts: unknown[] = [];
    const numbers = resume<number>(async function* (last = 0, attempt) {
      starts.push([last, attempt]);
      yield last + 1;
      yield last + 2;
      if (attempt < 2) throw gone();
    });
    const seen: number[] = [];
    const done = (async () => {
      for await (const number of numbers) seen.push(number);
    })();
    await vi.advanceTimersByTimeAsync(10_000);
    await done;
    expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
    expect(starts).toEqual([[0, 0], [2, 1], [4, 2]]);
  });

  test("other errors end it, unless `retry` says otherwise", async () => {
    const denied = new GrpcWsError(Code.PermissionDenied, "no");
    const failing = async function* (): AsyncGenerator<number> { throw denied; };
    await expect(resume(failing).next()).rejects.toBe(denied);
    let count = 0;
    const next = resume<number>(async function* () { if (count++ < 1) throw denied; yield 7; }, { retry: (error) => error === denied }).next();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await next).toEqual({ done: false, value: 7 });
  });

  test("the wait grows by 1.6 up to 30 s, until a message comes", async () => {
    const at: number[] = [];
    const begin = performance.now();
    const numbers = resume<number>(async function* (_, attempt) {
      at.push(Math.round(performance.now() - begin));
      if (attempt === 10) yield 1;
      throw gone();
    });
    void numbers.next();
    await vi.advanceTimersByTimeAsync(200_000);
    void numbers.next();
    await vi.advanceTimersByTimeAsync(1_000);
    const waits = at.slice(1).map((time, index) => time - (at[index] ?? 0));
    expect(waits.slice(0, 9)).toEqual([1000, 1600, 2560, 4096, 6553, 10485, 16777, 26843, 30000]);
    expect(at).toHaveLength(12);
  });

  test("the signal ends the stream and the wait", async () => {
    const abort = new AbortController();
    let given: AbortSignal | undefined;
    const next = resume<number>(async function* (_, __, signal) { given = signal; throw gone(); }, { signal: abort.signal }).next();
    const failed = expect(next).rejects.toBe("enough");
    await vi.advanceTimersByTimeAsync(10);
    abort.abort("enough");
    await failed;
    expect(given?.aborted).toBe(true);
  });

  test("leaving the loop ends the stream", async () => {
    let signal: AbortSignal | undefined;
    for await (const _ of resume<number>(async function* (_, __, given) { signal = given; yield 1; await new Promise(() => {}); })) break;
    expect(signal?.aborted).toBe(true);
  });
});

describe("what ends a wait", () => {
  const listen = async (): Promise<typeof import("./backoff.ts")> => {
    vi.resetModules();
    vi.stubGlobal("addEventListener", target.addEventListener.bind(target));
    vi.stubGlobal("document", { visibilityState: "visible" });
    return import("./backoff.ts");
  };
  const pageshow = (persisted: boolean): Event => Object.assign(new Event("pageshow"), { persisted });

  test.each([["online", () => new Event("online")], ["visibilitychange", () => new Event("visibilitychange")], ["pageshow", () => pageshow(true)]])("%s", async (_, make) => {
    const backoff = new (await listen()).Backoff();
    backoff.begin();
    await vi.advanceTimersByTimeAsync(5);
    const ended = vi.fn();
    void backoff.wait().then(ended);
    await vi.advanceTimersByTimeAsync(100);
    expect(ended).not.toHaveBeenCalled();
    target.dispatchEvent(make());
    await vi.advanceTimersByTimeAsync(0);
    expect(ended).toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("after a page came back there is no wait, but after an hour there is: all clients of a gateway that restarts must not come at once", async () => {
    const backoff = new (await listen()).Backoff();
    backoff.begin();
    await vi.advanceTimersByTimeAsync(5);
    target.dispatchEvent(pageshow(true));
    const first = vi.fn();
    void backoff.wait().then(first);
    await vi.advanceTimersByTimeAsync(1);
    expect(first).toHaveBeenCalled();
    backoff.begin();
    target.dispatchEvent(pageshow(true));
    await vi.advanceTimersByTimeAsync(3_600_000);
    const second = vi.fn();
    void backoff.wait().then(second);
    await vi.advanceTimersByTimeAsync(100);
    expect(second).not.toHaveBeenCalled();
    vi.unstubAllGlobals();
  });

  test("full jitter spreads the waits from 0 to the longest", async () => {
    vi.mocked(Math.random).mockReturnValue(0.25);
    const ended = vi.fn();
    void new Backoff({ initialMs: 1000 }).wait().then(ended);
    await vi.advanceTimersByTimeAsync(249);
    expect(ended).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(ended).toHaveBeenCalled();
  });
});
