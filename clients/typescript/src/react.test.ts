// @vitest-environment happy-dom
import { act, createElement, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Client, Code } from "./index.ts";
import { useCall, useStream, type UseCallResult, type UseStreamResult } from "./react.ts";
import { fakeGateway } from "./testing.ts";

let root: Root;
let renders = 0;
beforeEach(() => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  root = createRoot(document.body.appendChild(document.createElement("div")));
  renders = 0;
});
afterEach(() => act(() => root.unmount()));

/** Mounts a component that does nothing but to call the hook, and returns what it was last given. */
async function mount<P extends object, R>(hook: (props: P) => R, props: P, isStrict = false) {
  const result: { current: R } = { current: undefined as R };
  function Component(props: P): null {
    renders++;
    result.current = hook(props);
    return null;
  }
  const render = (props: P): Promise<void> =>
    act(async () => root.render(isStrict ? createElement(StrictMode, null, createElement(Component, props)) : createElement(Component, props)));
  await render(props);
  return { result, render };
}
/** React shows nothing inside of `act`. */
async function until(holds: () => void): Promise<void> {
  for (let count = 0; ; count++) {
    await act(() => new Promise((resolve) => setTimeout(resolve, 10)));
    try {
      return holds();
    } catch (error) {
      if (count === 200) throw error;
    }
  }
}

const server = (count = 3) => {
  const gateway = fakeGateway({
    "a.B/C": async function* (requests) {
      for await (const name of requests) {
        for (let n = 1; n <= count; n++) yield `${name}${n}`;
        if (name === "hold") await new Promise(() => {});
      }
    },
  });
  const client = new Client("http://gateway", { WebSocket: gateway.WebSocket });
  return { gateway, watch: (name: string, signal: AbortSignal) => client.json<string, string>("a.B/C", { signal }).request(name), client };
};
const append = (all: string[], message: string): string[] => [...all, message];

describe("useStream", () => {
  test("shows the messages, and how the stream ended", async () => {
    const { watch } = server();
    const { result } = await mount(() => useStream((signal) => watch("a", signal), [], { initial: [] as string[], reduce: append }), {});
    await until(() => expect(result.current.status).toBe("ended"));
    expect(result.current.data).toEqual(["a1", "a2", "a3"]);
  });

  test("renders once a frame, however fast messages come", async () => {
    const { watch } = server(1000);
    const { result } = await mount(() => useStream((signal) => watch("a", signal), []), {});
    await until(() => expect(result.current).toMatchObject({ status: "ended", data: "a1000" }));
    expect(renders).toBeLessThan(100);
  });

  test("StrictMode opens one call, and unmounting cancels it", async () => {
    const { watch, gateway } = server();
    const { result } = await mount(() => useStream((signal) => watch("hold", signal), []), {}, true);
    await until(() => expect(result.current.data).toBe("hold3"));
    expect(gateway.calls).toHaveLength(1);
    await act(() => root.unmount());
    await until(() => expect(gateway.calls[0]?.code).toBe(Code.Cancelled));
    root = createRoot(document.createElement("div"));
  });

  test("changed deps start anew from the initial data, and cancel the call before", async () => {
    const { watch, gateway } = server();
    const hook = ({ name }: { name: string }): UseStreamResult<string[]> => useStream((signal) => watch(name, signal), [name], { initial: [] as string[], reduce: append });
    const { result, render } = await mount(hook, { name: "hold" });
    await until(() => expect(result.current.data).toHaveLength(3));
    await render({ name: "b" });
    await until(() => expect(result.current).toMatchObject({ status: "ended", data: ["b1", "b2", "b3"] }));
    expect(gateway.calls[0]?.code).toBe(Code.Cancelled);
    await act(async () => result.current.restart());
    await until(() => expect(result.current).toMatchObject({ status: "ended", data: ["b1", "b2", "b3"] }));
    expect(gateway.calls).toHaveLength(3);
  });

  test("an error is shown; with resume the stream goes on behind the last message", async () => {
    const { watch, gateway } = server();
    const failing = await mount(() => useStream((signal) => watch("hold", signal), []), {});
    await until(() => expect(failing.result.current.data).toBe("hold3"));
    gateway.drop();
    await until(() => expect(failing.result.current).toMatchObject({ status: "error", error: { code: Code.Unavailable } }));
    const seen: unknown[] = [];
    const start = (signal: AbortSignal, last: string | undefined): AsyncIterable<string> => {
      seen.push(last);
      return watch("hold", signal);
    };
    const resuming = await mount(() => useStream(start, [start], { resume: { backoff: { initialMs: 1 } } }), {});
    await until(() => expect(resuming.result.current.data).toBe("hold3"));
    gateway.drop();
    await until(() => expect(seen).toEqual([undefined, "hold3"]));
  });

  test("a stream that is not enabled is idle, and runs once it is", async () => {
    const { watch, gateway } = server();
    const { result, render } = await mount(({ enabled }: { enabled: boolean }) => useStream((signal) => watch("hold", signal), [], { enabled }), { enabled: false });
    expect(result.current).toMatchObject({ status: "idle", data: undefined });
    expect(gateway.calls).toHaveLength(0);
    await render({ enabled: true });
    await until(() => expect(result.current.status).toBe("streaming"));
    await render({ enabled: false });
    expect(result.current).toMatchObject({ status: "idle", data: undefined });
    await until(() => expect(gateway.calls[0]?.code).toBe(Code.Cancelled));
  });
});

test("useCall sends requests and shows responses", async () => {
  const { client } = server(1);
  const hook = (): UseCallResult<string, string[]> =>
    useCall((signal) => client.json<string, string>("a.B/C", { signal }), [], { initial: [] as string[], reduce: append });
  const { result } = await mount(hook, {});
  await act(async () => {
    await result.current.send("a");
    await result.current.send("b");
  });
  await until(() => expect(result.current.data).toEqual(["a1", "b1"]));
  await act(async () => result.current.halfClose());
  await until(() => expect(result.current.status).toBe("ended"));
  await expect(result.current.send("c")).rejects.toMatchObject({ code: Code.FailedPrecondition });
});
