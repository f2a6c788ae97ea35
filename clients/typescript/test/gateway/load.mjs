// Back-pressure in both directions, in numbers:
//
//     node --expose-gc test/gateway/load.mjs FOLDER-OF-THE-PROGRAMS [MIB]
//
// A consumer of 20 messages a second under a flood, and an upload (16 MiB unless said otherwise) over a link of 5 MB/s with a
// round trip of 100 ms, by a client that keeps to the window and by one that ignores it.
import { link } from "./link.mjs";
import { bundle, startGateway, startUpstream } from "./programs.mjs";

const [programs, mib = "16"] = process.argv.slice(2);
if (!programs) {
  console.error("usage: node --expose-gc load.mjs FOLDER-OF-THE-PROGRAMS [MIB]");
  process.exit(64);
}
const { flood, upload, uploadBlindly } = await import(await bundle('export * from "./load.ts";', "load.mjs", "node"));
const [, address] = await startGateway(programs, await startUpstream(programs));

let [passed, failed] = [0, 0];
function check(name, isOk, numbers) {
  if (isOk) passed++;
  else failed++;
  console.log(`${isOk ? "ok  " : "FAIL"} ${name}: ${numbers}`);
}
const MIB = 1024 * 1024;
const mebibytes = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`;

const { received, grownBy, messages } = await flood(`ws://${address}`, 4);
// What was taken, the credit, and one message.
const limit = messages * 22_000 + MIB + 22_000;
check("a slow consumer of a flood receives what it takes and its credit", received <= limit, `${mebibytes(received)} of ${mebibytes(limit)}`);
check("its memory stays flat", grownBy < 8 * MIB, `${mebibytes(grownBy)} more`);

const path = await link(Number(address.split(":")[1]), { bytesPerSecond: 5_000_000, delayMs: 50 });
// A busy machine makes either slow now and then, so the best of three counts.
let times;
for (let round = 0; round < 3 && !(times?.kept <= 1.3 * times?.blind); round++) {
  times = { blind: await uploadBlindly(`ws://${path}`, Number(mib) * MIB), kept: await upload(`ws://${path}`, Number(mib) * MIB) };
}
const { kept, blind } = times;
check(`an upload of ${mib} MiB over 5 MB/s and 100 ms is no slower than 1.3 × a client that ignores the window`, kept <= 1.3 * blind, `${kept.toFixed(2)} s, ${blind.toFixed(2)} s`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
