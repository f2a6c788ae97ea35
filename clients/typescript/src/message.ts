import { Code } from "./code.ts";
import { decodeBase64 } from "./encoding.ts";
import { GrpcWsError, type ErrorDetail } from "./error.ts";

/** What a gateway says of itself, first of all. */
export interface Open {
  /** What the gateway understands beyond the first version of the protocol. */
  readonly features: readonly string[];
  /** The largest frame that the gateway takes. */
  readonly maxMessageBytes: number;
  /** The window for request messages that the stream begins with. */
  readonly receiveWindow: number;
  /** The time between two pings of the gateway; 0 where there are none. */
  readonly pingPeriodMs: number;
}

/** A message of the gateway (PROTOCOL §4.2), with the members that its type has; a foreign gateway's may be anything. */
export interface GatewayMessage extends Open {
  readonly type: string;
  readonly data?: unknown;
  readonly headers?: unknown;
  readonly trailers?: unknown;
  readonly bytes: number;
  readonly pingId: number;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly error?: unknown;
  readonly details?: unknown;
}

/** The integer members that a type has to have, with their minimum. */
const INTEGERS: Record<string, [keyof GatewayMessage, number][]> = {
  open: [["maxMessageBytes", 0], ["receiveWindow", 1], ["pingPeriodMs", 0]],
  credit: [["bytes", 1]],
  ping: [["pingId", 0]],
};

/** Reads the text of a frame; throws for what is not JSON, not a message, or lacks what its type needs. */
export function parseMessage(text: string): GatewayMessage {
  const message = JSON.parse(text) as GatewayMessage | null;
  if (typeof message?.type !== "string") throw new Error("a text frame without a type");
  for (const [name, least] of (Object.hasOwn(INTEGERS, message.type) && INTEGERS[message.type]) || []) {
    const value = message[name];
    if (!Number.isSafeInteger(value) || (value as number) < least) throw new Error(`${message.type} with a bad "${name}"`);
  }
  return message;
}

/** The code and the details of an `error`. It is never a success, whatever number it has. */
export function readError({ code, message, error, details }: GatewayMessage): GrpcWsError {
  return new GrpcWsError(isCode(code) && code !== Code.Ok ? code : Code.Unknown, String(message ?? error ?? ""), {
    details: Array.isArray(details) ? details.flatMap(readDetail) : [],
  });
}

function isCode(code: unknown): code is Code {
  return Object.values(Code).includes(code as Code);
}

/** A detail that does not decode is passed over: the status does not depend on it. */
function readDetail({ type, value, debug }: { type: string; value: string; debug?: unknown }): ErrorDetail[] {
  try {
    return [{ type, value: decodeBase64(value), debug }];
  } catch {
    return [];
  }
}
