// Does what the test program asks for, several things at a time, and posts what came of each.
import { playAll } from "/streams.js";

globalThis.playAll = playAll;

/** Calls a function, given as its source, in the page or in one of its frames. */
async function act({ frame, source, parameters }) {
  const realm = frame === null ? globalThis : document.getElementById(frame).contentWindow;
  return realm.eval(`(${source})`)(...parameters);
}

async function post(result) {
  await fetch("/result", { method: "POST", body: JSON.stringify(result) });
}

for (;;) {
  const work = await (await fetch("/work", { method: "POST" })).json();
  act(work).then(
    (value) => post({ id: work.id, value: value ?? null }),
    (error) => post({ id: work.id, error: `${error}\n${error?.stack ?? ""}` }),
  );
}
