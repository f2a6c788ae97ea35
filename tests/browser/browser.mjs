// One browser against the gateway and the demo, without a driver:
//
//     node browser.mjs chromium|firefox|webkit FOLDER-OF-THE-PROGRAMS [--only PART-OF-A-NAME]
//
// The folder is that of `cargo build`, with `grpcws` and `grpcws-test` in it.
import assert from "node:assert/strict";
import { Checks, sleep } from "../node/lib/checks.mjs";
import { verifyEnd } from "../node/lib/end.mjs";
import { decode } from "../node/lib/wire.mjs";
import { demoTests } from "./demo-tests.mjs";
import { NAMES, openBrowser } from "./lib/engines.mjs";
import { FramePlayer, serveDemo } from "./lib/frames.mjs";
import { Page } from "./lib/page.mjs";
import { end, listening } from "./lib/programs.mjs";
import { rows, script } from "./rows.mjs";

/** Streams of one kind of end, shared by the modes that have it, and how many of them are open at a time. */
const STREAMS = 60;
const WIDTH = 10;
const START_MS = 60_000;
const CHECK_MS = 60_000;

const [name, programs, ...rest] = process.argv.slice(2);
if (!NAMES.includes(name) || programs === undefined) {
  console.error("usage: node browser.mjs chromium|firefox|webkit FOLDER-OF-THE-PROGRAMS [--only PART-OF-A-NAME]");
  process.exit(64);
}
const checks = new Checks(rest[0] === "--only" ? rest[1] : undefined, CHECK_MS);

// === The streams ===

/** What arrived, in the form that `verifyEnd` takes; throws where it is not what the mode sends. */
function read({ frames, code, reason }, row, mode) {
  const messages = frames.map(({ text, binary }) =>
    binary === undefined
      ? JSON.parse(text)
      : { type: "data", binary: true, data: decode(`${row.method}Response`, Buffer.from(binary, "base64")) },
  );
  const types = messages.map(({ type }) => type);
  if (mode === "seed") assert.ok(!types.some((type) => ["open", "headers", "credit"].includes(type)), `${types}`);
  else assert.equal(types[0], "open");
  const data = messages.filter(({ type }) => type === "data");
  for (const message of data) assert.equal(message.binary ?? false, mode === "proto", "the kind of the frame");
  const isTerminal = ({ type }) => type === "stream_end" || type === "error";
  return {
    code,
    reason,
    responses: data.map((message) => message.data),
    terminals: messages.filter(isTerminal),
    afterTerminal: messages.slice(messages.findIndex(isTerminal) + 1 || Infinity),
  };
}

/** Throws unless the stream opened, everything of it arrived, and it was closed in order. */
function verify(played, row, mode) {
  assert.ok(played.isOpen, `the handshake failed: close ${played.code}`);
  const arrived = read(played, row, mode);
  verifyEnd(arrived, typeof row.want === "function" ? row.want(mode) : row.want, row.extra);
  if (row.exactly !== undefined) assert.deepEqual(arrived.responses, row.exactly);
  if (row.sequences !== undefined) assert.deepEqual(arrived.responses.map(({ sequence }) => sequence), row.sequences);
  assert.ok(played.wasClean || row.uploads, "the browser calls the close unclean");
}

/** Plays a row's streams in one mode; the failure shows how many of them there are, and the first. */
async function playStreams(page, gateway, row, mode) {
  const scripts = Array.from({ length: STREAMS / row.modes.length }, () => script(gateway, row, mode));
  const played = await page.evaluate(null, (scripts, width) => globalThis.playAll(scripts, width), scripts, WIDTH);
  assert.equal(played.length, scripts.length);
  const problems = played.flatMap((stream) => {
    try {
      verify(stream, row, mode);
      return [];
    } catch (error) {
      return [`${error.message}\n${JSON.stringify({ ...stream, frames: stream.frames.slice(-2) }).slice(0, 1000)}`];
    }
  });
  assert.equal(problems.length, 0, `${problems.length} of ${played.length} streams are not complete:\n${problems[0]}`);
}

/** Waits until the gateway has its descriptors, which come by reflection. */
async function known(page, gateway) {
  const probe = script(gateway, rows[0], "json");
  for (;;) {
    const [{ frames }] = await page.evaluate(null, (scripts) => globalThis.playAll(scripts, 1), [probe]);
    if (frames.some(({ text }) => text?.includes('"stream_end"'))) return;
    await sleep(50);
  }
}

/** Runs in the demo's page: the text beside the status when the page next waits to connect again. */
function nextReconnecting() {
  return new Promise((resolve) => {
    new MutationObserver(() => {
      const { textContent } = document.querySelector("[data-testid=status-detail]");
      if (document.querySelector("[data-testid=status]").dataset.state === "reconnecting" && textContent) resolve(textContent);
    }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  });
}

// === All of it ===

const page = await Page.serve();
const origin = ["--allow-origin", page.origin];
const [, upstream] = await listening(`${programs}/grpcws-test`, ["--listen", "127.0.0.1:0"], /^listening grpc:\/\/(.*)/);
const [, gateway] = await listening(
  `${programs}/grpcws`, ["serve", "--listen", "127.0.0.1:0", "--upstream", `http://${upstream}`, ...origin], /^listening ws:\/\/(.*)/);
const [server, demo] = await listening(
  `${programs}/grpcws`, ["demo", "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0", ...origin], /^listening ws:\/\/(.*)/);
serveDemo(page, demo);
const browser = await openBrowser(name, `${page.origin}/`);
console.log(`# ${browser.version}`);
const started = page.evaluate(null, () => true);
const late = sleep(START_MS).then(() => "it did not load the page");
const problem = await Promise.race([started.then(() => undefined), late, browser.ended.then(() => "it ended")]);
if (problem !== undefined) {
  console.log(`FAIL ${name}: ${problem}\n     ${browser.printed.join("\n     ")}\n0 passed, 1 failed`);
  process.exit(1);
}
await checks.check("the methods are known by reflection", () => known(page, gateway));
for (const row of rows) {
  for (const mode of row.modes) {
    await checks.check(`${row.name} [${mode}]`, () => playStreams(page, gateway, row, mode));
  }
}
const players = {};
const tests = demoTests(players, (name, game) => FramePlayer.open(page, name, game), `browser-${process.pid}`);
for (const [title, test] of Object.entries(tests)) await checks.check(`demo: ${title}`, test);
await checks.check("demo: a server that stops says so, and the page tries again", async () => {
  // The page shows it until it has tried again, which is soon.
  const said = players.ada.evaluate(nextReconnecting);
  end(server, "SIGTERM");
  // libsoup, which WebKitGTK opens WebSockets with, takes 1012 to 2999 for a violation. The terminal message came before.
  const code = name === "webkit" ? 1006 : 1012;
  assert.match(await said, new RegExp(`UNAVAILABLE \\(14\\): the gateway is shutting down · close ${code}$`));
});
await browser.close();
page.close();
checks.finish();
