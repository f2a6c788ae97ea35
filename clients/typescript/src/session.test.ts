import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { codeForClose } from "./close.ts";
import { Code, codeName } from "./code.ts";
import { GrpcWsError } from "./error.ts";
import { ClientSession, type Mode, type SessionOptions } from "./session.ts";

const vectors = (name: string): any => JSON.parse(readFileSync(new URL(`../../../vectors/${name}.json`, import.meta.url), "utf8"));
const OPTIONS: SessionOptions = { deadline: Infinity, credit: 0, pingPeriodMs: 0, pongTimeoutMs: 0, lingerMs: 2000 };
const OPEN = '{"type":"open","features":["credit"],"maxMessageBytes":4194304,"receiveWindow":65536,"pingPeriodMs":30000}';
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, "hex"));
const sent = (session: ClientSession): (string | null)[] => {
  const all = [];
  for (let next = session.pollTransmit(); next !== undefined; next = session.pollTransmit()) all.push(next);
  return all;
};
const live = (options: Partial<SessionOptions> = {}, mode: Mode = "grpcws.v1.json"): ClientSession => new ClientSession(mode, { ...OPTIONS, ...options }, 0);

describe("the vectors", () => {
  test("every code has its name", () => {
    for (const row of vectors("status").codes) expect(codeName(row.code)).toBe(row.status);
  });

  test.each(vectors("close_codes").client_reading as any[])("close $close without a terminal message means $status", ({ close, status }) => {
    expect(codeForClose(close ?? 1006)).toBe(status);
    const session = live();
    session.closed(close ?? 1006, "", 0);
    expect(session.outcome?.code).toBe(status);
    expect(session.isClosed).toBe(true);
  });

  const reasons: { name: string; code: number; message: string; reason: string }[] = vectors("status").reasons;
  test.each(reasons.filter(({ code, message, reason }) => code !== 0 && message !== "" && reason.endsWith(message)))(
    "the reason of a close is the message of its status: $name",
    ({ code, message, reason }) => {
      const session = live();
      session.closed(4000 + code, reason, 0);
      expect(session.outcome).toMatchObject({ code, rawMessage: message, message: reason, close: { code: 4000 + code, reason } });
    },
  );

  const messages: any[] = vectors("gateway_messages").rows;
  test.each(messages.filter(({ modes }) => modes.includes("v1.json")))("a gateway says: $name", ({ meaning, text }) => {
    const session = live();
    const event = session.receive(text, 0);
    const metadata = (list: [string, string][] = []): Record<string, string[]> => {
      const object: Record<string, string[]> = {};
      for (const [name, value] of list) {
        const isBinary = name.endsWith("-bin");
        (object[name] ??= []).push(isBinary ? Buffer.from(value, "hex").toString("base64").replace(/=/g, "") : value);
      }
      return object;
    };
    switch (meaning.type) {
      case "open":
        expect(event?.open).toMatchObject({ features: meaning.features, receiveWindow: meaning.receiveWindow, maxMessageBytes: meaning.maxMessageBytes });
        break;
      case "headers":
        expect(Object.keys(event?.headers ?? {})).toEqual(Object.keys(JSON.parse(text).headers));
        break;
      case "data":
        expect(event?.message).toEqual(JSON.parse(text).data);
        break;
      case "stream_end":
        expect(session.outcome).toBeNull();
        expect(session.trailers).toEqual(JSON.parse(text).trailers ?? {});
        break;
      case "error": {
        const { code, details = [] } = JSON.parse(text);
        expect(session.outcome).toMatchObject({ code, rawMessage: meaning.message });
        expect(session.outcome?.details.map(({ type, value }) => ({ type, value: Buffer.from(value).toString("base64").replace(/=/g, "") }))).toEqual(
          details.map(({ type, value }: any) => ({ type, value })),
        );
        expect(session.outcome?.trailers).toMatchObject(meaning.trailers?.length ? metadata(meaning.trailers.filter(([, value]: any) => /^[ -$&-~]*$/.test(value))) : {});
        break;
      }
      case "credit":
        expect(session.canSend).toBe(true);
        break;
      case "ping":
        expect(sent(session)).toEqual([`{"type":"pong","pingId":${meaning.pingId}}`]);
        break;
      case "pong":
        expect(event).toBeUndefined();
        break;
      default:
        throw new Error(`the test does not know ${meaning.type}`);
    }
  });

  const flows: any[] = [...vectors("flows").flows, ...vectors("races").flows];
  test.each(flows.filter(({ mode }) => mode !== "seed"))("the client's side of the flow: $name", (flow) => {
    const mode: Mode = `grpcws.${flow.mode as "v1.json" | "v1.proto"}`;
    const session = live({ credit: flow.options.credit ?? 0 }, mode);
    let now = 0;
    let terminal: { code: number } | undefined;
    let taken = 0;
    /** What the client says by itself, and the flow has not said yet. */
    let own: (string | null)[] = [];
    for (const step of flow.steps) {
      const [[name, value]] = Object.entries<any>(step) as [[string, any]];
      if (name === "time_ms") {
        now = value;
      } else if (name === "gateway_text" || name === "gateway_binary") {
        const message = name === "gateway_text" ? JSON.parse(value) : { type: "data" };
        if (["stream_end", "error"].includes(message.type)) terminal ??= { code: message.code ?? 0 };
        const event = session.receive(name === "gateway_text" ? value : bytes(value), now);
        taken += event?.cost ?? 0;
        own.push(...sent(session));
      } else if (name === "gateway_error") {
        terminal ??= value as { code: number };
        session.receive(JSON.stringify({ type: "error", ...value }), now);
      } else if (name === "client_binary" || (name === "client_text" && isData(value))) {
        session.messageSent(name === "client_text" ? Buffer.byteLength(value) : value.length / 2);
      } else if (name === "client_text") {
        const message = tryParse(value);
        if (message?.type === "end_send" && !session.outcome) session.halfClose();
        else if (message?.type === "cancel") session.abort(new GrpcWsError(Code.Cancelled, ""), now);
        else if (message?.type === "credit" && session.outcome === undefined && flow.options.credit && taken) {
          // The flows grant more often than a client does; what it grants, it may grant.
          session.messageTaken(taken);
          taken = 0;
        }
        own.push(...sent(session));
        if (message?.type === "pong" && terminal === undefined) expect(own).toContain(value);
        if (message?.type === "cancel" && terminal === undefined) expect(own).toContain(value);
      } else if (name === "client_close" || name === "client_lost") {
        session.closed(1006, "", now);
        return;
      } else if (name === "gateway_close" || name === "gateway_close_code") {
        const [code, reason] = name === "gateway_close" ? [value.code, value.reason ?? ""] : [value, ""];
        session.closed(code, reason, now);
        expect(session.isClosed).toBe(true);
        const expected = own.includes('{"type":"cancel"}') ? terminal?.code || Code.Cancelled : (terminal?.code ?? codeForClose(code));
        expect(session.outcome?.code ?? 0).toBe(own.includes('{"type":"cancel"}') ? Code.Cancelled : expected);
      }
    }
  });
});

const tryParse = (text: string): any => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
const isData = (text: string): boolean => tryParse(text)?.type === "data";

describe("request messages", () => {
  test("one goes before `open`, further ones wait for the window that it names", () => {
    const session = live();
    expect(session.canSend).toBe(true);
    session.messageSent(100);
    expect(session.canSend).toBe(false);
    session.receive(OPEN.replace("65536", "128"), 0);
    expect(session.canSend).toBe(true);
    session.messageSent(28);
    expect(session.canSend).toBe(false);
    session.receive('{"type":"credit","bytes":1}', 0);
    expect(session.canSend).toBe(true);
  });

  test("an empty message counts as one byte", () => {
    const session = live();
    session.receive(OPEN.replace("65536", "1"), 0);
    session.messageSent(0);
    expect(session.canSend).toBe(false);
  });

  test("none goes after the half-close, which is said once", () => {
    const session = live();
    session.halfClose();
    session.halfClose();
    expect(session.canSend).toBe(false);
    expect(sent(session)).toEqual(['{"type":"end_send"}']);
  });
});

describe("credit", () => {
  test("is granted in halves of the window, for the UTF-8 bytes of the frames", () => {
    const session = live({ credit: 100 });
    const frame = '{"type":"data","data":"你好，世界"}';
    expect(session.receive(frame, 0)).toEqual({ message: "你好，世界", cost: Buffer.byteLength(frame) });
    session.messageTaken(Buffer.byteLength(frame));
    expect(sent(session)).toEqual([]);
    session.receive(frame, 0);
    session.messageTaken(Buffer.byteLength(frame));
    expect(sent(session)).toEqual([`{"type":"credit","bytes":${2 * Buffer.byteLength(frame)}}`]);
  });

  test("a message beyond it is a violation, one that overdraws it is not", () => {
    const session = live({ credit: 3 }, "grpcws.v1.proto");
    expect(session.receive(new Uint8Array(10), 0)?.cost).toBe(10);
    session.receive(new Uint8Array(1), 0);
    expect(session.outcome).toMatchObject({ code: Code.Internal, rawMessage: expect.stringContaining("beyond the credit") });
    expect(sent(session)).toEqual(['{"type":"cancel"}', null]);
  });
});

describe("the outcome", () => {
  test("the first end counts, whatever comes later", () => {
    const session = live({ deadline: 5 });
    session.receive('{"type":"error","code":5,"message":"why"}', 0);
    session.abort(new GrpcWsError(Code.Cancelled, ""), 1);
    session.handleTimeout(6);
    session.closed(1000, "", 7);
    expect(session.outcome?.message).toBe("NOT_FOUND: why");
    expect(sent(session)).toEqual([]);
  });

  test.each([0, "5", 17, -1, 2.5, undefined])("an error with code %s is UNKNOWN, never a success", (code) => {
    const session = live();
    session.receive(JSON.stringify({ type: "error", code, message: "x" }), 0);
    expect(session.outcome?.code).toBe(Code.Unknown);
  });

  test.each([
    ["no JSON", "{"], ["no object", "5"], ["null", "null"], ["no type", "{}"], ["a type that is no text", '{"type":5}'],
    ["a credit without bytes", '{"type":"credit"}'], ["a credit of nothing", '{"type":"credit","bytes":0}'],
    ["a window above 2^53 - 1", '{"type":"credit","bytes":9007199254740991}'],
    ["open a second time", OPEN], ["open without a window", '{"type":"open","maxMessageBytes":1,"pingPeriodMs":1}'],
  ])("what breaks the protocol ends the call with INTERNAL: %s", (_, text) => {
    const session = live();
    session.receive(OPEN, 0);
    session.receive(text, 0);
    expect(session.outcome).toMatchObject({ code: Code.Internal, rawMessage: expect.stringMatching(/^the gateway broke the protocol: /) });
  });

  test("frames of another mode break the protocol", () => {
    const json = live();
    json.receive(new Uint8Array(1), 0);
    expect(json.outcome?.code).toBe(Code.Internal);
    const proto = live({}, "grpcws.v1.proto");
    proto.receive('{"type":"data","data":1}', 0);
    expect(proto.outcome?.code).toBe(Code.Internal);
  });

  test("types of later versions are passed over, those of Object's members too", () => {
    const session = live();
    for (const type of ["news", "constructor", "__proto__", "pong"]) session.receive(JSON.stringify({ type }), 0);
    expect(session.outcome).toBeUndefined();
  });

  test("metadata that is none is passed over", () => {
    const session = live();
    const text = '{"type":"stream_end","trailers":{"__proto__":["a"],"x y":["b"],"x-a":["c","é",5],"x-b":"d","x-c":[]}}';
    session.receive(text, 0);
    expect(session.outcome).toBeNull();
    expect(Object.entries(session.trailers)).toEqual([["__proto__", ["a"]], ["x-a", ["c"]], ["x-b", ["d"]]]);
  });
});

describe("time", () => {
  test("the deadline cancels the call", () => {
    const session = live({ deadline: 500 });
    expect(session.pollTimeout()).toBe(500);
    session.handleTimeout(500);
    expect(session.outcome?.code).toBe(Code.DeadlineExceeded);
    expect(sent(session)).toEqual(['{"type":"cancel"}', null]);
    expect(session.pollTimeout()).toBe(2500);
    session.handleTimeout(2500);
    expect(session.isClosed).toBe(true);
    expect(session.pollTimeout()).toBe(Infinity);
  });

  test("a silent gateway is probed, and lost when it does not answer for 10 s", () => {
    const session = live({ pongTimeoutMs: 90_000 });
    session.receive(OPEN, 1_000);
    expect(session.pollTimeout()).toBe(91_000);
    session.handleTimeout(91_000);
    expect(sent(session)).toEqual(['{"type":"ping","pingId":1}']);
    expect(session.outcome).toBeUndefined();
    session.handleTimeout(101_000);
    expect(session.outcome).toMatchObject({ code: Code.Unavailable, rawMessage: "nothing was heard of the gateway for 100 s" });
  });

  test("a timer that fires late proves nothing: there is one more probe", () => {
    const session = live({ pongTimeoutMs: 90_000 });
    session.receive(OPEN, 0);
    session.handleTimeout(3_600_000);
    session.handleTimeout(7_200_000);
    expect(session.outcome).toBeUndefined();
    expect(sent(session)).toHaveLength(2);
    session.receive('{"type":"pong","pingId":2}', 7_200_001);
    session.handleTimeout(7_210_000);
    expect(session.outcome).toBeUndefined();
    expect(session.pollTimeout()).toBe(7_290_001);
  });

  test("a gateway whose pings are rare has the time for three of them, one without pings is never judged", () => {
    const rare = live({ pongTimeoutMs: 90_000 });
    rare.receive(OPEN.replace("30000", "60000"), 0);
    expect(rare.pollTimeout()).toBe(180_000);
    const none = live({ pongTimeoutMs: 90_000 });
    none.receive(OPEN.replace("30000", "0"), 0);
    expect(none.pollTimeout()).toBe(Infinity);
  });

  test("the client pings if it is to", () => {
    const session = live({ pingPeriodMs: 20 });
    session.handleTimeout(20);
    session.handleTimeout(40);
    expect(sent(session)).toEqual(['{"type":"ping","pingId":1}', '{"type":"ping","pingId":2}']);
  });
});
