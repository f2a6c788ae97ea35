// The calls of the page: the game, its feed, and batches of commands. Each shows its frames and its end.
import { startCall } from "./calls.js";
import { byId } from "./dom.js";
import { Code } from "./grpcws.bundle.js";

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;

/** One row of the list of streams: what it is, whether it is open, how many messages went each way. */
export class StreamRow {
  #root;
  #sent = 0;
  #received = 0;

  constructor(name, log) {
    this.name = name;
    this.log = log;
    this.#root = byId(`stream-${name}`);
  }

  /** Shows a frame here and in the log. */
  frame(frame) {
    if (frame.direction === "sent") this.#sent += 1;
    else this.#received += 1;
    this.#root.querySelector(".counts").textContent = `↑${this.#sent} ↓${this.#received}`;
    this.log.add(this.name, frame);
  }

  show(state, text) {
    this.#root.dataset.state = state;
    this.#root.querySelector(".state").textContent = text;
  }
}

/** How a call ended, for people. */
export function describeEnd(end) {
  const message = end.message ? `: ${end.message}` : "";
  return `${end.status} (${end.code})${message} · close ${end.closeCode}`;
}

/**
 * A call that is opened again when the connection is lost, and not when somebody ended it.
 *
 * `start(call)` is called for each new call, `status(state, text, end)` when something changes.
 */
export class LastingCall {
  #path;
  #row;
  #handlers;
  #call = null;
  #wanted = false;
  #failures = 0;
  #timer = 0;

  constructor(path, row, handlers) {
    this.#path = path;
    this.#row = row;
    this.#handlers = handlers;
  }

  /** The open call, or `null`. */
  get call() {
    return this.#call;
  }

  connect() {
    clearTimeout(this.#timer);
    if (this.#call) return;
    this.#wanted = true;
    this.#show("connecting", "connecting");
    const call = startCall(this.#path, {
      frame: (frame) => this.#row.frame(frame),
      open: () => this.#show("open", "open"),
      data: (data) => {
        this.#failures = 0;
        this.#handlers.data(data);
      },
      end: (end) => this.#ended(end),
    });
    this.#call = call;
    this.#handlers.start?.(call);
  }

  halfClose() {
    this.#stop((call) => call.halfClose());
  }

  cancel() {
    this.#stop((call) => call.cancel());
  }

  #stop(how) {
    clearTimeout(this.#timer);
    this.#wanted = false;
    if (this.#call) how(this.#call);
    else this.#show("ended", "ended");
  }

  #ended(end) {
    this.#call = null;
    const text = describeEnd(end);
    const asked = !this.#wanted && end.code === Code.Cancelled;
    // Anything else than a lost connection comes back the same way.
    if (!this.#wanted || end.code !== Code.Unavailable) {
      this.#wanted = false;
      this.#show(end.code === Code.Ok || asked ? "ended" : "failed", text, end);
      return;
    }
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures);
    const delay = longest * (0.8 + 0.4 * Math.random());
    this.#failures += 1;
    this.#show("reconnecting", `again in ${(delay / 1000).toFixed(1)} s · ${text}`, end);
    this.#timer = setTimeout(() => this.connect(), delay);
  }

  #show(state, text, end = null) {
    this.#row.show(state, text);
    this.#handlers.status?.(state, text, end);
  }
}
