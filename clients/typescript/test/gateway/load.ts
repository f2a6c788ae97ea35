// What `load.mjs` runs: a flood to a slow consumer, and an upload by a client that keeps to the window and by one that does not.
import WebSocket from "ws";
import { Client, type WebSocketConstructor } from "../../src/index.ts";

const SERVICE = "grpcws.test.v1.TestService";
const client = (url: string, credit?: number): Client =>
  new Client(url, { WebSocket: WebSocket as unknown as WebSocketConstructor, ...(credit === undefined ? {} : { credit }) });

export interface Flood {
  received: number;
  grownBy: number;
  messages: number;
}

/** Takes 20 messages a second of a server that sends as fast as it may. */
export async function flood(url: string, seconds: number): Promise<Flood> {
  let received = 0;
  const slow = new Client(url, { WebSocket: WebSocket as unknown as WebSocketConstructor, on: { received: (_, bytes) => (received += bytes) } });
  const call = slow.json<object, object>(`${SERVICE}/ServerStream`).request({ count: "1000000", size: 16_384, firstSequence: "1" });
  const messages = call[Symbol.asyncIterator]();
  await messages.next();
  globalThis.gc?.();
  const before = process.memoryUsage();
  const held = ({ heapUsed, external, arrayBuffers }: NodeJS.MemoryUsage): number => heapUsed + external + arrayBuffers;
  let taken = 1;
  for (; taken < seconds * 20; taken++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    await messages.next();
  }
  globalThis.gc?.();
  const grownBy = held(process.memoryUsage()) - held(before);
  call.cancel();
  return { received, grownBy, messages: taken };
}

const CHUNK = 16_384;

/** ClientStreamRequest { sequence, payload } */
function message(sequence: number): Uint8Array<ArrayBuffer> {
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]);
  const head = [8, ...varint(sequence), 0x12, ...varint(CHUNK)];
  const bytes = new Uint8Array(head.length + CHUNK);
  bytes.set(head);
  return bytes;
}

/** Uploads with `send`, and returns how long it takes in seconds. */
export async function upload(url: string, bytes: number): Promise<number> {
  const begin = performance.now();
  const call = client(url).call(`${SERVICE}/ClientStream`);
  for (let sequence = 1; sequence <= bytes / CHUNK; sequence++) await call.send(message(sequence));
  await call.halfClose().response();
  return (performance.now() - begin) / 1000;
}

/** Uploads as fast as the socket takes it, whatever the window is. */
export async function uploadBlindly(url: string, bytes: number): Promise<number> {
  const begin = performance.now();
  const socket = new WebSocket(`${url}/ws/${SERVICE}/ClientStream`, ["grpcws.v1.proto"], { perMessageDeflate: false });
  await new Promise((resolve) => socket.once("open", resolve));
  const answered = new Promise<void>((resolve, reject) => {
    socket.on("message", (_, isBinary) => isBinary && resolve());
    socket.once("close", (code) => reject(new Error(`closed with ${code}`)));
  });
  for (let sequence = 1; sequence <= bytes / CHUNK; sequence++) {
    await new Promise((resolve) => socket.send(message(sequence), resolve));
  }
  socket.send('{"type":"end_send"}');
  await answered;
  socket.close();
  return (performance.now() - begin) / 1000;
}
