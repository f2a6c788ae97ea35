import { codeName, type Code } from "./code.ts";
import type { Metadata } from "./metadata.ts";

/** How a call ended. */
export interface Status {
  /** The status code; `Code.Ok` is a success. */
  readonly code: Code;
  /** The status message, in English, possibly empty. */
  readonly message: string;
  /** The trailers, if the response had any. */
  readonly trailers: Metadata;
}

/** One of the messages that a server attached to its status. */
export interface ErrorDetail {
  /** The full name of the message, such as `google.rpc.RetryInfo`. */
  readonly type: string;
  /** The message in protobuf's wire format. */
  readonly value: Uint8Array<ArrayBuffer>;
  /** The message in protojson, if the gateway knows its type. */
  readonly debug?: unknown;
}

/** What a {@link GrpcWsError} has beside its code and its message. */
export interface ErrorParts {
  /** See {@link GrpcWsError.details}. */
  details?: readonly ErrorDetail[];
  /** See {@link GrpcWsError.headers}. */
  headers?: Metadata | undefined;
  /** See {@link GrpcWsError.trailers}. */
  trailers?: Metadata;
  /** See {@link GrpcWsError.close}. */
  close?: { readonly code: number; readonly reason: string };
  /** See {@link GrpcWsError.started}. */
  started?: boolean | undefined;
  /** What made the call fail, if that was an error of this program. */
  cause?: unknown;
}

/** The end of a call with any status but OK. The text is that of the gateway's close frame: `NOT_FOUND: game not found`. */
export class GrpcWsError extends Error {
  /** The name of the class. */
  override readonly name: string = "GrpcWsError";
  /** The status code. */
  readonly code: Code;
  /** The canonical name of the code, such as `NOT_FOUND`. */
  readonly status: string;
  /** The status message alone. */
  readonly rawMessage: string;
  /** What the server attached to the status. */
  readonly details: readonly ErrorDetail[] = [];
  /** The response headers; none if the response was trailers alone. */
  readonly headers?: Metadata | undefined;
  /** The trailers. */
  readonly trailers: Metadata = {};
  /** The WebSocket's close, if that decided the outcome. */
  readonly close?: { readonly code: number; readonly reason: string };
  /**
   * Whether the server may have seen the call. `false` only if it is certain that no request message left: then the
   * call can be repeated, whatever it does.
   */
  readonly started: boolean = true;

  /** Makes an error, as a test or a token function may have to. */
  constructor(code: Code, message: string, parts: ErrorParts = {}) {
    const status = codeName(code);
    super(message ? `${status}: ${message}` : status);
    this.code = code;
    this.status = status;
    this.rawMessage = message;
    Object.assign(this, parts);
  }
}

/** Returns the error itself if it is a `GrpcWsError`, or one with this code and the error as its cause. */
export function toError(cause: unknown, code: Code, text: string, started?: boolean): GrpcWsError {
  return cause instanceof GrpcWsError ? cause : new GrpcWsError(code, `${text}: ${(cause as Error)?.message ?? cause}`, { cause, started });
}
