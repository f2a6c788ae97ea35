// Plays streams by their scripts and returns what arrived.

function base64(buffer) {
  let text = "";
  for (const byte of new Uint8Array(buffer)) text += String.fromCharCode(byte);
  return btoa(text);
}

const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/** Whether a frame carries a response message. */
const isResponse = (content) => typeof content !== "string" || content.startsWith('{"type":"data"');

/**
 * Opens a WebSocket, goes through the steps, and waits for the close.
 *
 * A step is one of `{text}`, `{binary}` (base64), either with `times`; `{length}`, a text of so many bytes;
 * `{responses}`, which waits until so many response messages are there; and `{close}`.
 */
async function play({ url, protocols, steps }) {
  const socket = new WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  const frames = [];
  let responses = 0;
  let wake = () => {};
  let isClosed = false;
  socket.onmessage = ({ data }) => {
    if (isResponse(data)) responses += 1;
    frames.push(typeof data === "string" ? { text: data } : { binary: base64(data) });
    wake();
  };
  const closed = new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => {
      isClosed = true;
      wake();
      resolve({ code, reason, wasClean });
    };
  });
  const isOpen = await Promise.race([new Promise((resolve) => (socket.onopen = () => resolve(true))), closed.then(() => false)]);
  for (const step of isOpen ? steps : []) {
    if (step.responses !== undefined) {
      while (responses < step.responses && !isClosed) await new Promise((resolve) => (wake = resolve));
    } else if (step.close !== undefined) socket.close(step.close);
    else if (step.length !== undefined) socket.send(" ".repeat(step.length));
    else {
      const content = step.text ?? bytes(step.binary);
      for (let count = 0; count < (step.times ?? 1); count += 1) socket.send(content);
    }
  }
  return { isOpen, frames, ...(await closed) };
}

/** Plays every script, at most `width` at a time, and returns what arrived in the order of the scripts. */
export async function playAll(scripts, width) {
  const results = new Array(scripts.length);
  let next = 0;
  const worker = async () => {
    while (next < scripts.length) {
      const index = next++;
      results[index] = await play(scripts[index]);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}
