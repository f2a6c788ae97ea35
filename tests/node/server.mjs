// The test service grpcws.test.v1 on @grpc/grpc-js: a gRPC server that is not ours.
//
//     node server.mjs --listen 127.0.0.1:0
//
// prints `listening grpc://ADDR` once it serves. The proto is the Rust service's own file, and its comments say what
// each knob does. Here are the knobs that the suite bridge.mjs turns: a script comes in `test-script-bin` or in the
// first message, there is no pace, and Stats counts calls without listing them.
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";

const PROTO_ROOT = fileURLToPath(new URL("../../crates/grpcws-test/proto", import.meta.url));
const PACKAGE = "grpcws.test.v1";
const definitions = protoLoader.loadSync("grpcws/test/v1/test.proto", {
  includeDirs: [PROTO_ROOT],
  longs: String,
  bytes: Buffer,
});
const { TestService } = grpc.loadPackageDefinition(definitions).grpcws.test.v1;
const Script = definitions[`${PACKAGE}.Script`];
const Status = definitions[`${PACKAGE}.Failure`];
const [ECHO_HEADERS, ECHO_TRAILERS, ECHO_MESSAGE] = [1, 2, 3];
const PATTERN = Buffer.from(Array.from({ length: 251 }, (_, index) => index));

// === Knobs ===

/** `size` bytes in the pattern of the Rust service: byte `i` is `i % 251`. */
const payload = (size = 0) => Buffer.alloc(size, PATTERN);

const encodeBase64 = (bytes) => bytes.toString("base64").replace(/=+$/, "");

/** The metadata of a request, as a list of names and values. */
function received(call) {
  const names = Object.keys(call.metadata.getMap());
  const pairs = names.flatMap((name) => call.metadata.get(name).map((value) => [name, value]));
  const deadline = call.getDeadline();
  // grpc-js keeps the header to itself; what is left of the deadline says the same.
  if (deadline !== Infinity) pairs.push(["grpc-timeout", `${Math.max(Math.trunc(deadline - Date.now()), 0)}m`]);
  return pairs;
}

/** Everything in a response that is not a message. */
class Answer {
  #echoed;
  #failure;

  constructor(knobs, call) {
    this.headers = new grpc.Metadata();
    this.trailers = new grpc.Metadata();
    this.#failure = knobs.fail;
    this.limit = knobs.fail === undefined ? Infinity : Number(knobs.fail.after ?? 0);
    addAll(this.headers, knobs.responseHeaders);
    addAll(this.trailers, knobs.responseTrailers);
    for (const place of knobs.echoMetadata ?? []) {
      if (place === ECHO_MESSAGE) this.#echoed = received(call);
      const target = { [ECHO_HEADERS]: this.headers, [ECHO_TRAILERS]: this.trailers }[place];
      for (const [name, value] of received(call)) target?.add(`echo-${name}`, value);
    }
  }

  /** Writes the metadata of the request into the first response. */
  fill(response) {
    if (this.#echoed === undefined) return response;
    const metadata = {};
    for (const [name, value] of this.#echoed) {
      (metadata[name] ??= { values: [] }).values.push(Buffer.isBuffer(value) ? encodeBase64(value) : value);
    }
    this.#echoed = undefined;
    return { ...response, metadata };
  }

  /** The status to end with, or `undefined` for OK. */
  get failure() {
    if (!this.#failure?.code) return undefined;
    const { after: _, ...status } = this.#failure;
    if (status.details?.length > 0) {
      // A google.rpc.Status has the fields of Failure under the same numbers, without `after`.
      const encoded = Status.serialize(status);
      this.trailers.set("grpc-status-details-bin", encoded);
    }
    return { code: status.code, details: status.message ?? "", metadata: this.trailers };
  }
}

/** Adds a map from names to MetadataValues. */
function addAll(metadata, asked = {}) {
  for (const [name, { values = [] }] of Object.entries(asked)) {
    for (const value of values) metadata.add(name, name.endsWith("-bin") ? Buffer.from(value, "base64") : value);
  }
}

// === Statistics ===

/** The states of all calls, by their tags. */
const calls = new Map();

/** Counts calls with a tag, or all calls where it is empty. */
function readStats(tag) {
  const stats = { live: 0, started: 0, completed: 0, failed: 0, cancelled: 0 };
  for (const call of calls.values()) {
    if (tag !== "" && tag !== call.tag) continue;
    stats.started += 1;
    stats[call.state] += 1;
  }
  return stats;
}

class Ended extends Error {}

/** One RPC, and its entry in the statistics. */
class Call {
  received = 0;
  sent = 0;
  gaps = 0;
  #entry = { tag: "", state: "live" };
  #cancelled;

  constructor(call, behaviour) {
    this.call = call;
    calls.set(this, this.#entry);
    this.#cancelled = new Promise((_, reject) => {
      call.on("cancelled", () => {
        this.#end("cancelled");
        reject(new Ended());
      });
    });
    this.#cancelled.catch(() => {});
    behaviour(this).then(
      () => this.#end("completed"),
      (error) => {
        if (error instanceof Ended) this.#end("failed");
        else throw error;
      },
    );
  }

  #end(state) {
    if (this.#entry.state === "live") this.#entry.state = state;
  }

  /** Waits as asked, and sends the headers that were asked for. */
  async begin(knobs) {
    this.#entry.tag = knobs.tag ?? "";
    await this.sleep(knobs.initialDelayMs ?? 0);
    const answer = new Answer(knobs, this.call);
    if (Object.keys(answer.headers.getMap()).length > 0) this.call.sendMetadata(answer.headers);
    return answer;
  }

  /** Waits for ever where the time is negative, or until the caller gives up. */
  async sleep(milliseconds) {
    const over = new Promise((resolve) => {
      if (milliseconds >= 0) setTimeout(resolve, milliseconds);
    });
    await Promise.race([over, this.#cancelled]);
  }

  /** Waits for the first of these events of the stream. */
  async #event(...names) {
    const waiting = new AbortController();
    const events = names.map((name) => once(this.call, name, { signal: waiting.signal }));
    try {
      await Promise.race([...events, this.#cancelled]);
    } finally {
      waiting.abort();
    }
  }

  /** The requests of the stream, with their numbers checked. */
  async *requests() {
    let last;
    let ended = false;
    this.call.once("end", () => (ended = true));
    for (;;) {
      const request = this.call.read();
      if (request === null) {
        if (ended) return;
        await this.#event("readable", "end");
        continue;
      }
      this.received += 1;
      const sequence = BigInt(request.sequence ?? 0);
      if (last !== undefined && sequence !== last + 1n) this.gaps += 1;
      last = sequence;
      yield request;
    }
  }

  async write(response) {
    this.sent += 1;
    if (!this.call.write(response)) await this.#event("drain");
  }

  /** Ends a call that has a stream of responses. */
  end(answer) {
    const { failure } = answer;
    if (failure === undefined) {
      this.call.end(answer.trailers);
      return;
    }
    this.call.emit("error", failure);
    throw new Ended();
  }

  /** Ends a call that has one response. */
  answer(callback, answer, response) {
    const { failure } = answer;
    if (failure === undefined) {
      callback(null, answer.fill(response), answer.trailers);
      return;
    }
    callback(failure);
    throw new Ended();
  }

  /** The script of the metadata, or else that of the first request, which then comes with it. */
  async script(requests) {
    const [encoded] = this.call.metadata.get("test-script-bin");
    if (encoded !== undefined) return { script: Script.deserialize(encoded) };
    const { value: first } = await requests.next();
    return { script: first?.script ?? {}, first };
  }
}

// === Methods ===

async function unary(call, callback) {
  const { request } = call.call;
  const answer = await call.begin(request);
  call.answer(callback, answer, {
    sequence: request.sequence,
    payload: request.size > 0 ? payload(request.size) : request.payload,
    values: request.values,
  });
}

async function serverStream(call) {
  const { request } = call.call;
  const answer = await call.begin(request);
  const count = Math.min(Number(request.count ?? 0), answer.limit);
  const first = BigInt(request.firstSequence ?? 0);
  const bytes = payload(request.size);
  while (call.sent < count) {
    const values = call.sent === 0 ? request.values : undefined;
    await call.write(answer.fill({ sequence: String(first + BigInt(call.sent)), payload: bytes, values }));
  }
  await call.sleep(Number(request.holdOpenMs ?? 0));
  call.end(answer);
}

async function clientStream(call, callback) {
  const requests = call.requests();
  const { script, first } = await call.script(requests);
  const answer = await call.begin(script);
  const summary = { bytes: 0, payload: payload(script.size) };
  const enter = (request) => {
    summary.bytes += request.payload?.length ?? 0;
    summary.firstSequence ??= request.sequence;
    summary.lastSequence = request.sequence;
    summary.values = request.values ?? summary.values;
  };
  if (first !== undefined) enter(first);
  while (!script.ignoreInput && call.received < answer.limit) {
    const { value, done } = await requests.next();
    if (done) break;
    enter(value);
  }
  await call.sleep(Number(script.holdOpenMs ?? 0));
  const { received: messages, gaps } = call;
  call.answer(callback, answer, { ...summary, messages, gaps, inOrder: gaps === 0 });
}

async function bidi(call) {
  const requests = call.requests();
  const { script, first } = await call.script(requests);
  const answer = await call.begin(script);
  const begin = BigInt(script.firstSequence ?? 0);
  const reply = async (request) => {
    if (call.sent >= answer.limit) return;
    const response = {
      sequence: String(begin + BigInt(call.sent)),
      payload: script.size > 0 ? payload(script.size) : request?.payload,
      received: call.received,
      gaps: call.gaps,
      values: request?.values,
    };
    if (request !== undefined) response.requestSequence = request.sequence ?? 0;
    await call.write(answer.fill(response));
  };
  for (let spoken = 0; spoken < Number(script.speakFirst ?? 0); spoken += 1) await reply();
  let request = first;
  while (call.sent < answer.limit) {
    if (request !== undefined) {
      for (let replies = script.replies ?? 1; replies > 0; replies -= 1) await reply(request);
    }
    if (script.ignoreInput || call.sent >= answer.limit) break;
    const { value, done } = await requests.next();
    if (done) break;
    request = value;
  }
  await call.sleep(Number(script.holdOpenMs ?? 0));
  call.end(answer);
}

const server = new grpc.Server();
server.addService(TestService.service, {
  Unary: (call, callback) => new Call(call, (entry) => unary(entry, callback)),
  ServerStream: (call) => new Call(call, serverStream),
  ClientStream: (call, callback) => new Call(call, (entry) => clientStream(entry, callback)),
  Bidi: (call) => new Call(call, bidi),
  Stats: ({ request }, callback) => callback(null, readStats(request.tag ?? "")),
});
// Both versions, v1 and v1alpha.
new ReflectionService(definitions).addToServer(server);

const { values } = parseArgs({ options: { listen: { type: "string", default: "127.0.0.1:50051" } } });
const { listen } = values;
server.bindAsync(listen, grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listening grpc://${listen.slice(0, listen.lastIndexOf(":"))}:${port}`);
});
