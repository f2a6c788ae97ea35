// The client under test for connectrpc/conformance: each call goes through a WebSocket and a gateway.
//
//     node client.js proto|json FOLDER-OF-THE-PROGRAMS DESCRIPTORS [BROWSER MODULE LIBRARY]
//
// The calls are made by this process, or by a page in BROWSER: MODULE is the script with `invoke`, LIBRARY the folder of
// tests/browser/lib.
//
// The runner writes requests to the standard input and reads responses from the standard output, each with its length in
// front.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fromBinary } from "@bufbuild/protobuf";
import WebSocket from "ws";
import type { WebSocketConstructor } from "../../src/index.ts";
import { ClientCompatRequestSchema } from "../gen/conformance/connectrpc/conformance/v1/client_compat_pb.ts";
import { invoke } from "./invoke.ts";

/** The calls at one time: cases with deadlines need some slack on two cores. */
const PARALLEL = 16;

const [mode = "", programs = "", descriptors = "", browser = "", module = "", library = ""] = process.argv.slice(2);

/** Makes a call: request and response in protobuf's wire format. */
type Caller = (bytes: Uint8Array, url: string) => Promise<Uint8Array>;

interface Host {
  call: Caller;
  /** The origin that the gateways have to allow. */
  origin?: string;
  close(): Promise<void>;
}

const here: Host = {
  call: (bytes, url) => invoke(bytes, url, mode, (globalThis.WebSocket ?? WebSocket) as unknown as WebSocketConstructor),
  close: async () => {},
};

/** A page makes the calls. Nothing is between its WebSockets and the gateway. */
async function inBrowser(): Promise<Host> {
  const { Page } = await import(`${library}/page.mjs`);
  const { openBrowser } = await import(`${library}/engines.mjs`);
  const page = await Page.serve();
  page.route("/invoke.js", () => ({ type: "text/javascript", body: readFileSync(module, "utf8") }));
  const opened = await openBrowser(browser, `${page.origin}/`);
  console.error(`# ${opened.version}`);
  return {
    origin: page.origin,
    async call(bytes, url) {
      const work = async (text: string, url: string, mode: string): Promise<string> => {
        const { invoke } = await import("/invoke.js" as string);
        const response: Uint8Array = await invoke(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)), url, mode);
        return btoa(String.fromCharCode(...response));
      };
      const text: string = await page.evaluate(null, work, Buffer.from(bytes).toString("base64"), url, mode);
      return Buffer.from(text, "base64");
    },
    async close() {
      await opened.close();
      page.close();
    },
  };
}

const host = browser ? await inBrowser() : here;
const gateways = new Map<string, Promise<string>>();

/** One gateway for each of the runner's servers. */
function gateway(server: string): Promise<string> {
  let found = gateways.get(server);
  if (!found) {
    found = new Promise((resolve, reject) => {
      const parameters = ["serve", "--listen", "127.0.0.1:0", "--upstream", `http://${server}`, "--descriptor-set", descriptors];
      if (host.origin) parameters.push("--allow-origin", host.origin);
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
  const { host: name, port } = fromBinary(ClientCompatRequestSchema, bytes);
  const call = (async () => {
    const url = await gateway(`${name}:${port}`);
    const response = await host.call(bytes, url);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(response.length);
    process.stdout.write(Buffer.concat([length, response]));
  })();
  running.add(call);
  void call.then(() => running.delete(call));
  if (running.size >= PARALLEL) await Promise.race(running);
}
await Promise.all(running);
await host.close();
// The gateways run on; what was written is flushed first.
process.stdout.end(() => process.exit(0));
