// The demo's page in frames of the page that this program drives.
import { Player } from "./player.mjs";

/**
 * What runs before the demo's own scripts: the page is loaded from the test program and opens its WebSockets at the
 * demo, and what it complains about is kept.
 */
const before = (demo) => `<script>
const complaints = [];
addEventListener("error", (event) => complaints.push(event.message));
addEventListener("unhandledrejection", (event) => complaints.push(String(event.reason)));
for (const name of ["error", "warn"]) console[name] = (...words) => complaints.push(words.join(" "));
globalThis.WebSocket = class extends WebSocket {
  constructor(url, protocols) {
    const address = new URL(url);
    address.host = "${demo}";
    super(address, protocols);
  }
};
</script>`;

/** Lets the page load the demo's page at `/play` as it is at `demo`, and its assets. */
export function serveDemo(page, demo) {
  const load = async (path) => {
    const response = await fetch(`http://${demo}${path}`);
    return { type: response.headers.get("content-type"), body: Buffer.from(await response.arrayBuffer()) };
  };
  page.route("/assets/", load);
  page.route("/play", async () => {
    const { type, body } = await load("/");
    return { type, body: body.toString("utf8").replace("<head>", `<head>${before(demo)}`) };
  });
}

export class FramePlayer extends Player {
  #page;
  #frame;

  constructor(page, frame) {
    super();
    this.#page = page;
    this.#frame = frame;
  }

  static async open(page, name, game) {
    await page.evaluate(null, addFrame, name, `/play?game=${encodeURIComponent(game)}`);
    return new FramePlayer(page, name);
  }

  evaluate(work, ...parameters) {
    return this.#page.evaluate(this.#frame, work, ...parameters);
  }

  press(code) {
    return this.evaluate((code) => {
      document.body.dispatchEvent(new KeyboardEvent("keydown", { code, bubbles: true, cancelable: true }));
    }, code);
  }

  clickOn(selector) {
    return this.evaluate((selector) => document.querySelector(selector).click(), selector);
  }

  enter(selector, text) {
    return this.evaluate((selector, text) => {
      const input = document.querySelector(selector);
      input.value = text;
      input.form.requestSubmit();
    }, selector, text);
  }

  complaints() {
    return this.evaluate(() => complaints);
  }

  close() {
    return this.#page.evaluate(null, (name) => document.getElementById(name).remove(), this.#frame);
  }
}

/** Runs in the page. The frames share the storage of the tab, in which a player would find another one's name. */
function addFrame(name, address) {
  sessionStorage.clear();
  const frame = document.createElement("iframe");
  frame.id = name;
  frame.src = address;
  return new Promise((resolve) => {
    frame.onload = () => resolve();
    document.body.append(frame);
  });
}
