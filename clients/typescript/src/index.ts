/**
 * gRPC streaming over WebSocket: all four kinds of calls in browsers, Node, Deno, Bun and Workers, through a grpcws
 * gateway.
 *
 * @module
 */
export { Call } from "./call.ts";
export { Client } from "./client.ts";
export { Code, codeName } from "./code.ts";
export { decodeBase64 } from "./encoding.ts";
export { GrpcWsError } from "./error.ts";
export { explainRefusal } from "./explain.ts";
export { resume } from "./resume.ts";
export type { BackoffOptions } from "./backoff.ts";
export type { ErrorDetail, ErrorParts, Status } from "./error.ts";
export type { Open } from "./message.ts";
export type { Metadata, MetadataInit, MetadataValue } from "./metadata.ts";
export type {
  CallInfo, CallOptions, ClientEvents, ClientOptions, MaybePromise, Refusal, TokenContext, WebSocketConstructor, WebSocketLike,
} from "./options.ts";
export type { ResumeOptions } from "./resume.ts";
