import original from "@panyam/servicekit-client";
import { afterEach, describe, expect, test, vi } from "vitest";
import * as ours from "./servicekit.ts";

afterEach(() => void vi.restoreAllMocks());

type Package = typeof ours;
type Events = unknown[];

/** Everything that a client tells, in order. */
function watch<C extends { onMessage: unknown; onError: unknown; onClose: unknown; onPing: unknown }>(client: C, events: Events): C {
  for (const name of ["onMessage", "onStreamEnd", "onError", "onClose", "onPing"]) {
    if (name in client) (client as Record<string, unknown>)[name] = (...parameters: unknown[]) => events.push([name, ...parameters]);
  }
  return client;
}

const attempt = (events: Events, work: () => unknown): void => {
  try {
    events.push(["returned", work()]);
  } catch (error) {
    events.push(["threw", String(error)]);
  }
};
const settled = (promise: Promise<void>, events: Events): Promise<unknown> =>
  promise.then((value) => events.push(["resolved", value]), (error: unknown) => events.push(["rejected", String(error)]));

/** What is done with either package; what comes of it has to be the same. */
const scripts: Record<string, (kit: Package, events: Events) => Promise<void> | void> = {
  "a stream by the mock": async (kit, events) => {
    const { client, controller } = kit.GRPCWSClient.createMock();
    watch(client, events);
    events.push(client.isConnected, client.readyState, controller.readyState, controller.sentMessages);
    attempt(events, () => client.send(1));
    attempt(events, () => controller.simulateOpen());
    const connected = settled(client.connect("ws://test"), events);
    events.push(client.readyState);
    attempt(events, () => client.endSend());
    controller.simulateOpen();
    await connected;
    await settled(client.connect("ws://test"), events);
    client.send({ a: 1 });
    client.endSend();
    client.cancel();
    client.send(undefined);
    events.push(controller.sentMessages, client.isConnected, client.readyState);
    controller.simulateMessage({ b: 2 });
    controller.simulateMessage(undefined);
    controller.simulateError();
    controller.simulateError("why");
    controller.simulateError("");
    controller.simulateClose(1006);
    events.push(client.isConnected, client.readyState, controller.readyState);
    attempt(events, () => client.send(1));
    client.close();
    client.close();
    events.push(client.readyState);
  },
  "raw messages": async (kit, events) => {
    const { WebSocket, controller } = kit.createMockWSPair();
    const client = watch(new kit.GRPCWSClient({ WebSocket }), events);
    const connected = settled(client.connect("ws://test"), events);
    controller.simulateOpen();
    await connected;
    for (const text of [
      '{"type":"ping","pingId":7}', '{"type":"ping"}', '{"type":"ping","pingId":0}', '{"type":"ping","pingId":null}', '{"type":"pong"}', '{"type":"news"}', '{"type":5}',
      "{}", "null", "5", '"x"', "[]", "{", "", '{"type":"error"}', '{"type":"error","error":null}', '{"type":"data"}', '{"type":"stream_end","trailers":{}}', '{"type":"cancel"}',
    ]) {
      events.push(text);
      attempt(events, () => controller.simulateRawMessage(text));
    }
    attempt(events, () => controller.simulateRawMessage(new TextEncoder().encode('{"type":"data","data":1}').buffer as ArrayBuffer));
    attempt(events, () => controller.simulateRawMessage(new ArrayBuffer(3)));
    events.push(controller.sentRaw);
  },
  "no pongs": async (kit, events) => {
    const { WebSocket, controller } = kit.createMockWSPair();
    const client = watch(new kit.TypedGRPCWSClient<number, number>({ WebSocket, autoPong: false }), events);
    const connected = settled(client.connect("ws://test"), events);
    controller.simulateOpen();
    await connected;
    controller.simulateRawMessage('{"type":"ping","pingId":7}');
    controller.simulateRawMessage('{"type":"data","data":7}');
    client.send(8);
    client.endSend();
    client.cancel();
    events.push(controller.sentRaw, client.isConnected, client.readyState);
    client.close();
    events.push(controller.readyState, client.readyState);
  },
  "a WebSocket that fails": async (kit, events) => {
    const { WebSocket, controller } = kit.createMockWSPair();
    const client = watch(new kit.BaseWSClient({ WebSocket }), events);
    const connected = settled(client.connect("ws://test"), events);
    controller.simulateWsError();
    controller.simulateClose();
    await connected;
    events.push(client.isConnected, client.readyState);
    attempt(events, () => client.sendRaw("x"));
    attempt(events, () => client.send("x"));
    const again = settled(client.connect("ws://test"), events);
    controller.simulateOpen();
    await again;
    client.sendRaw("x");
    client.send({ x: 1 });
    events.push(controller.sentRaw);
    class Refusing {
      constructor() {
        throw new SyntaxError("bad");
      }
    }
    await settled(new kit.BaseWSClient({ WebSocket: Refusing as never }).connect("ws://test"), events);
  },
  "a codec for bytes": async (kit, events) => {
    const { WebSocket, controller } = kit.createMockWSPair();
    const view = new Uint8Array([9, 1, 2, 9]).subarray(1, 3);
    const codec = new kit.BinaryCodec<number[], number>((data) => [...new Uint8Array(data)], () => view);
    const client = watch(new kit.BaseWSClient({ WebSocket, codec }), events);
    events.push(client.codec === codec);
    const connected = settled(client.connect("ws://test"), events);
    controller.simulateOpen();
    await connected;
    client.send(1);
    events.push([...new Uint8Array(controller.sentRaw[0] as ArrayBuffer)]);
    controller.simulateRawMessage(new Uint8Array([3]).buffer);
    for (const text of ["text", "{}", '{"type":"ping","pingId":1}']) controller.simulateRawMessage(text);
    attempt(events, () => new kit.BinaryCodec<string, string>(() => { throw new Error("x"); }, () => new Uint8Array()).decode(new ArrayBuffer(1)));
  },
  "the JSON codec": (kit, events) => {
    const codec = new kit.JSONCodec();
    attempt(events, () => codec.decode('{"a":1}'));
    attempt(events, () => codec.decode(new TextEncoder().encode("[1]").buffer as ArrayBuffer));
    attempt(events, () => codec.decode("{"));
    attempt(events, () => codec.encode({ a: 1 }));
    attempt(events, () => ({ ...kit.ReadyState }));
  },
};

describe("an application that changes its import sees no difference", () => {
  test.each(Object.entries(scripts))("%s", async (_, script) => {
    const told: Events[] = [];
    for (const kit of [original as unknown as Package, ours]) {
      const events: Events = [];
      vi.spyOn(console, "warn").mockImplementation((...parameters) => void events.push(["warn", ...parameters]));
      await script(kit, events);
      told.push(events);
    }
    const [theirs, mine] = told;
    expect(mine).toEqual(theirs);
    expect(mine?.length).toBeGreaterThan(3);
  });

  test("every value that it exports is here", () => {
    for (const name of Object.keys(original)) expect(ours).toHaveProperty(name);
  });
});
