// The frames as they pass, in both directions, the newest first.
import { make } from "./dom.js";

const LIMIT = 300;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false });

export class MessageLog {
  #list;
  #count;
  #paused = false;
  #waiting = [];
  #frames = 0;
  #bytes = 0;
  #scheduled = false;

  constructor(list, count) {
    this.#list = list;
    this.#count = count;
  }

  get paused() {
    return this.#paused;
  }

  /** Stops showing frames; they are counted on. */
  pause(paused) {
    this.#paused = paused;
    if (paused) this.#waiting = [];
  }

  clear() {
    this.#waiting = [];
    this.#list.replaceChildren();
  }

  /** Takes a frame of a stream; `stream` is its short name. */
  add(stream, frame) {
    this.#frames += 1;
    this.#bytes += frame.bytes;
    if (!this.#paused) {
      this.#waiting.push({ stream, time: new Date(), ...frame });
      if (this.#waiting.length > LIMIT) this.#waiting.shift();
    }
    if (this.#scheduled) return;
    // One update of the document a picture, however many frames come. A hidden page draws no pictures.
    this.#scheduled = true;
    if (document.hidden) setTimeout(() => this.#show(), 200);
    else requestAnimationFrame(() => this.#show());
  }

  #show() {
    this.#scheduled = false;
    this.#count.textContent = `${this.#frames.toLocaleString()} frames · ${formatBytes(this.#bytes)}`;
    this.#list.prepend(...this.#waiting.reverse().map(row));
    this.#waiting = [];
    while (this.#list.children.length > LIMIT) this.#list.lastElementChild.remove();
  }
}

function row({ stream, time, direction, type, bytes, text }) {
  const sent = direction === "sent";
  const summary = make(
    "summary",
    {},
    make("span", { class: "arrow", text: sent ? "↑" : "↓", "aria-label": sent ? "sent" : "received" }),
    make("time", { text: clock.format(time) }),
    make("span", { class: "stream", text: stream }),
    make("span", { class: "type", text: type }),
    make("code", { text: preview(text) }),
    make("span", { class: "size", text: formatBytes(bytes) }),
  );
  const details = make("details", {}, summary);
  // Most rows are never opened: the whole text is only laid out when one is.
  details.addEventListener("toggle", () => details.querySelector("pre") ?? details.append(make("pre", { text: pretty(text) })), { once: true });
  return make("li", { "data-testid": "log-row", "data-direction": direction, "data-type": type, "data-stream": stream }, details);
}

/** The part of an envelope that differs from frame to frame. */
function preview(text) {
  return text.replace(/^\{"type":"[a-z_]+",?/, "").replace(/^"data":/, "").replace(/\}$/, "").slice(0, 160);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export function formatBytes(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
