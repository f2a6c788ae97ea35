// A link between client and gateway: so many bytes a second and so many milliseconds each way, with small buffers.
import { createServer, connect } from "node:net";

/** How much is on its way before the sender has to wait: as a link's own queue. */
const QUEUE = 512 * 1024;

function carry(from, to, { bytesPerSecond, delayMs }) {
  const way = [];
  let freeAt = 0;
  let queued = 0;
  let timer;
  // One timer for the first chunk: timers of their own would overtake one another.
  const deliver = () => {
    const now = performance.now();
    while (way.length && way[0].at <= now) {
      const { chunk } = way.shift();
      if (chunk === undefined) to.end();
      else {
        queued -= chunk.length;
        if (!to.destroyed) to.write(chunk);
      }
    }
    if (queued <= QUEUE) from.resume();
    timer = way.length ? setTimeout(deliver, way[0].at - now) : undefined;
  };
  const enter = (chunk, length) => {
    freeAt = Math.max(freeAt, performance.now()) + (length / bytesPerSecond) * 1000;
    way.push({ at: freeAt + delayMs, chunk });
    queued += length;
    if (queued > QUEUE) from.pause();
    timer ??= setTimeout(deliver, way[0].at - performance.now());
  };
  from.on("data", (chunk) => enter(chunk, chunk.length));
  from.on("end", () => enter(undefined, 0));
  from.on("error", () => to.destroy());
}

/** Listens in front of a port; returns the address. */
export async function link(port, options) {
  const server = createServer({ noDelay: true }, (client) => {
    const gateway = connect({ port, host: "127.0.0.1", noDelay: true });
    carry(client, gateway, options);
    carry(gateway, client, options);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  server.unref();
  return `127.0.0.1:${server.address().port}`;
}
