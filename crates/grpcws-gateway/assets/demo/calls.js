// Calls as the page shows them: with every frame that passes, and how the WebSocket was closed.
import { Client, codeName } from "./grpcws.bundle.js";

/** How long the close is waited for once a call is over; one that never got a WebSocket has none. */
const CLOSE_MS = 3_000;

const encoder = new TextEncoder();

/** A WebSocket that tells of its frames and of its close; `Client` takes any. */
function traced(onFrame, onClose) {
  const tell = (direction, text) => {
    onFrame({ direction, type: JSON.parse(text).type, bytes: encoder.encode(text).length, text });
  };
  return class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols);
      this.addEventListener("message", ({ data }) => tell("received", data));
      this.addEventListener("close", ({ code }) => onClose({ code }));
    }

    send(text) {
      tell("sent", text);
      super.send(text);
    }
  };
}

/**
 * Starts a call of a route below `/ws/`, and returns it.
 *
 * Handlers, all optional: `frame({direction, type, bytes, text})` for every frame that passes, `open()`, `data(message)`,
 * and `end({code, status, message, closeCode})` once.
 */
export function startCall(path, { frame, open, data, end }) {
  let closed;
  const close = new Promise((resolve) => (closed = resolve));
  const client = new Client(location.origin, {
    WebSocket: traced((one) => frame?.(one), closed),
    on: { open: () => open?.() },
  });
  const call = client.json(path);
  follow(call, close, data, end);
  return call;
}

async function follow(call, close, data, end) {
  try {
    for await (const message of call) data?.(message);
  } catch {
    // The status says the same.
  }
  const { code, message } = await call.status;
  const none = new Promise((resolve) => setTimeout(resolve, CLOSE_MS, { code: "none" }));
  const closed = await Promise.race([close, none]);
  end?.({ code, status: codeName(code), message, closeCode: closed.code });
}
