// The client under test for connectrpc/conformance: each call goes through a WebSocket and a gateway.
//
//     node client.js proto|json FOLDER-OF-THE-PROGRAMS DESCRIPTORS
//
// The runner writes requests to the standard input and reads responses from the standard output, each with its length in
// front.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fromBinary } from "@bufbuild/protobuf";
import WebSocket from "ws";
import type { WebSocketConstructor } from "../../src/index.ts";
import { ClientCompatRequestSchema } from "../gen/conformance/connectrpc/conformance/v1/client_compat_pb.ts";
import { invoke } from "./invoke.ts";

/** The calls at one time: cases with deadlines need some slack on two cores. */
const PARALLEL = 16;

const [mode = "", programs = "", descriptors = ""] = process.argv.slice(2);
const gateways = new Map<string, Promise<string>>();

/** One gateway for each of the runner's servers. */
function gateway(server: string): Promise<string> {
  let found = gateways.get(server);
  if (!found) {
    found = new Promise((resolve, reject) => {
      const parameters = ["serve", "--listen", "127.0.0.1:0", "--upstream", `http://${server}`, "--descriptor-set", descriptors];
      const program = spawn(`${programs}/grpcws`, parameters, { stdio: ["ignore", "pipe", "inherit"] });
      process.on("exit", () => program.kill("SIGKILL"));
      program.once("exit", (code) => reject(new Error(`the gateway ended with ${code}`)));
      createInterface(program.stdout).on("line", (line) => line.startsWith("listening ws://") && resolve(line.slice("listening ".length)));
    });
    gateways.set(server, found);
  }
  return found;
}

async function* requests(): AsyncGenerator<Uint8Array> {
  let buffer: Buffer = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    buffer = Buffer.concat([buffer, chunk as Buffer]);
    while (buffer.length >= 4 && buffer.length >= 4 + buffer.readUInt32BE()) {
      const end = 4 + buffer.readUInt32BE();
      yield buffer.subarray(4, end);
      buffer = buffer.subarray(end);
    }
  }
}

const running = new Set<Promise<void>>();
for await (const bytes of requests()) {
  const { host, port } = fromBinary(ClientCompatRequestSchema, bytes);
  const call = (async () => {
    const url = await gateway(`${host}:${port}`);
    const response = await invoke(bytes, url, mode, (globalThis.WebSocket ?? WebSocket) as unknown as WebSocketConstructor);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(response.length);
    process.stdout.write(Buffer.concat([length, response]));
  })();
  running.add(call);
  void call.then(() => running.delete(call));
  if (running.size >= PARALLEL) await Promise.race(running);
}
await Promise.all(running);
// The gateways run on; what was written is flushed first.
process.stdout.end(() => process.exit(0));
