// Everything that a client can do wrong, and what it gets: npm `ws` and bare sockets against PROTOCOL.md.
//
//     node abuse.mjs ws://HOST:PORT [--only PART-OF-A-NAME]
//
// The endpoint serves the methods of grpcws.test.v1 at /ws/test/server-stream (the request from the query),
// /ws/test/client-stream and /ws/test/bidi, with the default limits and no allow-list of origins.
import { Checks, readArguments } from "./lib/checks.mjs";
import { verifyEnd } from "./lib/end.mjs";
import { open } from "./lib/stream.mjs";
import { rows as credit } from "./rows/credit.mjs";
import { rows as ends } from "./rows/ends.mjs";
import { rawChecks, rows as frames } from "./rows/frames.mjs";
import { handshakeChecks, rows as handshake } from "./rows/handshake.mjs";
import { rows as messages } from "./rows/messages.mjs";

const { base, only } = readArguments("usage: node abuse.mjs ws://HOST:PORT [--only PART-OF-A-NAME]");
const checks = new Checks(only);

/** Opens the row's stream, acts, and compares the end. */
async function run(row, mode) {
  const stream = await open(base, row.path, { mode, ...row.options });
  try {
    await row.act?.(stream);
    const end = await stream.ended();
    const want = typeof row.want === "function" ? row.want(mode) : row.want;
    verifyEnd(row.anyReason ? { ...end, reason: "" } : end, want, row.extra);
    row.after?.(end, stream);
  } finally {
    stream.socket.terminate();
  }
}

for (const row of [...ends, ...messages, ...frames, ...credit, ...handshake]) {
  for (const mode of row.modes) await checks.check(`${row.name} [${mode}]`, () => run(row, mode));
}
await rawChecks(checks, base);
await handshakeChecks(checks, base);
checks.finish();
