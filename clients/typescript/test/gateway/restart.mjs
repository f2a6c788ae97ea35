// A hundred streams that `resume` holds go on over a gateway that is killed and one that is stopped in order:
//
//     node test/gateway/restart.mjs FOLDER-OF-THE-PROGRAMS
//
// By their own sequence numbers, nothing is doubled or lost; and they do not all come back in the same moment.
import { end } from "../../../../tests/browser/lib/programs.mjs";
import { bundle, startGateway, startUpstream } from "./programs.mjs";

const [programs] = process.argv.slice(2);
if (!programs) {
  console.error("usage: node restart.mjs FOLDER-OF-THE-PROGRAMS");
  process.exit(64);
}
const { streams } = await import(await bundle('export * from "./restart.ts";', "restart.mjs", "node"));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const upstream = await startUpstream(programs);
const serve = (listen) => startGateway(programs, upstream, { listen, more: ["--grace", "0s"] });
let [gateway, address] = await serve("127.0.0.1:0");
let stopped = 0;
const running = streams(`ws://${address}`, async () => {
  for (const signal of ["SIGKILL", "SIGTERM"]) {
    await sleep(500);
    end(gateway, signal);
    await gateway.ended;
    stopped++;
    await sleep(300);
    [gateway] = await serve(address);
    await sleep(2_000);
  }
});
const limit = sleep(60_000).then(() => undefined);
const report = await Promise.race([running, limit]);

let [passed, failed] = [0, 0];
function check(name, problem) {
  if (problem) failed++;
  else passed++;
  console.log(problem ? `FAIL ${name}: ${problem}` : `ok   ${name}`);
}
check("all streams come to their end", report ? "" : "not within 60 s");
if (report) {
  const wrong = report.sequences.filter((sequence) => sequence.some((number, index) => number !== index + 1) || sequence.length !== report.sequences[0].length);
  check("nothing is doubled or lost", wrong.length ? `${wrong.length} streams: ${wrong[0].join(" ")}` : "");
  check("every stream was started again, twice", stopped === 2 && report.restarts.length >= 200 ? "" : `${report.restarts.length} starts after ${stopped} stops`);
  // The first waits are drawn from 0 to 500 ms: no tenth of a second has half of them.
  const tenths = new Map();
  for (const time of report.restarts.slice(0, 100)) tenths.set(Math.floor(time / 100), (tenths.get(Math.floor(time / 100)) ?? 0) + 1);
  check("they come back spread out", Math.max(...tenths.values()) < 50 ? "" : JSON.stringify([...tenths]));
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
