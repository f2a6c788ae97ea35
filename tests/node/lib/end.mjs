// How a stream is to end, and whether it did.
import assert from "node:assert/strict";

// PROTOCOL.md 4.4.
const NAMES = [
  ["OK", "OK"],
  ["CANCELLED", "Canceled"],
  ["UNKNOWN", "Unknown"],
  ["INVALID_ARGUMENT", "InvalidArgument"],
  ["DEADLINE_EXCEEDED", "DeadlineExceeded"],
  ["NOT_FOUND", "NotFound"],
  ["ALREADY_EXISTS", "AlreadyExists"],
  ["PERMISSION_DENIED", "PermissionDenied"],
  ["RESOURCE_EXHAUSTED", "ResourceExhausted"],
  ["FAILED_PRECONDITION", "FailedPrecondition"],
  ["ABORTED", "Aborted"],
  ["OUT_OF_RANGE", "OutOfRange"],
  ["UNIMPLEMENTED", "Unimplemented"],
  ["INTERNAL", "Internal"],
  ["UNAVAILABLE", "Unavailable"],
  ["DATA_LOSS", "DataLoss"],
  ["UNAUTHENTICATED", "Unauthenticated"],
];

export const statusName = (code) => NAMES[code][0];
export const goName = (code) => NAMES[code][1];

/** The RPC ended with OK. */
export const ok = () => ({ status: 0, close: 1000 });
/** The stream ended with an error; `message` is the text or a pattern for it. */
export const error = (status, message, close = 4000 + status) => ({ status, message, close });
/** No terminal message; `status` is the one in the close reason, or `undefined` for no reason. */
export const silent = (close, status) => ({ silent: true, close, status });

/** The close reason of a status: at most 123 bytes, cut at a character boundary. */
export function closeReason(status, message) {
  let text = message === "" ? statusName(status) : `${statusName(status)}: ${message}`;
  while (Buffer.byteLength(text) > 123) text = [...text].slice(0, -1).join("");
  return text;
}

/** The members, without the `date` that HTTP servers add, which is a trailer where there is nothing but trailers. */
function withoutDate(terminal) {
  const { date: _, ...trailers } = terminal.trailers ?? {};
  const { trailers: __, ...members } = terminal;
  return Object.keys(trailers).length === 0 ? members : { ...members, trailers };
}

/** Compares how a stream ended with how it was to end. `extra` members of the terminal are compared as given. */
export function verifyEnd(end, want, extra = {}) {
  const shown = JSON.stringify({ ...end, responses: end.responses.length });
  if (want.silent) {
    assert.deepEqual(end.terminals, [], "there is to be no terminal message");
    assert.equal(end.code, want.close, shown);
    const name = want.status === undefined ? "" : statusName(want.status);
    assert.ok(end.reason === name || end.reason.startsWith(`${name}: `), `the reason ${end.reason}`);
    return;
  }
  assert.equal(end.terminals.length, 1, `there is to be one terminal message: ${shown}`);
  const terminal = withoutDate(end.terminals[0]);
  assert.deepEqual(end.afterTerminal, [], "the terminal message is the last");
  if (want.status === 0) {
    assert.deepEqual(terminal, { type: "stream_end", ...extra });
    assert.deepEqual([end.code, end.reason], [want.close, "OK"]);
    return;
  }
  const { message } = terminal;
  const expected = {
    type: "error",
    error: `rpc error: code = ${goName(want.status)} desc = ${message}`,
    code: want.status,
    status: statusName(want.status),
    message,
    ...extra,
  };
  assert.deepEqual(terminal, expected);
  assert.deepEqual(Object.keys(terminal), Object.keys(expected), "the order of the members");
  if (want.message instanceof RegExp) assert.match(message, want.message);
  else assert.equal(message, want.message);
  assert.equal(end.code, want.close, shown);
  assert.equal(end.reason, closeReason(want.status, message));
}
