/** The status codes of gRPC, by name. */
export const Code = {
  Ok: 0,
  Cancelled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;

/** A status code of gRPC. */
export type Code = (typeof Code)[keyof typeof Code];

/** Returns the canonical name of a status code, such as `NOT_FOUND`; a number that is no code is `UNKNOWN`. */
export function codeName(code: number): string {
  // The names follow from the keys of `Code`: NotFound is NOT_FOUND.
  const key = Object.keys(Code)[code] ?? "Unknown";
  return key.replace(/\B[A-Z]/g, "_$&").toUpperCase();
}
