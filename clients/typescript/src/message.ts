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

/** Reads the text of a frame; throws for what is not JSON or not a message. Members are looked at where they count. */
export function parseMessage(text: string): GatewayMessage {
  const message = JSON.parse(text) as GatewayMessage | null;
  if (typeof message?.type !== "string") throw new Error("a text frame without a type");
  return message;
}

/** The code and the details of an `error`. It is never a success, whatever number it has. */
export function readError({ code, message, error, details }: GatewayMessage): GrpcWsError {
  return new GrpcWsError(Object.values<unknown>(Code).includes(code) ? (code as Code) || Code.Unknown : Code.Unknown, String(message ?? error ?? ""), {
    details: Array.isArray(details) ? details.flatMap(readDetail) : [],
  });
}

/** A detail that does not decode is passed over: the status does not depend on it. */
function readDetail({ type, value, debug }: { type: string; value: string; debug?: unknown }): ErrorDetail[] {
  try {
    return [{ type, value: decodeBase64(value), debug }];
  } catch {
    return [];
  }
}
