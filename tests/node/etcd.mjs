// etcd behind the gateway: transactions, watches, leases, tokens, client certificates, and a watch that outlives its server.
//
//     node etcd.mjs GRPCWS PROTOS [--only PART-OF-A-NAME]
//
// GRPCWS is the gateway's program; PROTOS a folder with etcd/api and gogoproto in it. `etcd` and `openssl` have to be on the
// path. etcd has no reflection: the gateway compiles its .proto files, whose annotations `google.api.http` are all POST.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { Checks, sleep, withLimit } from "./lib/checks.mjs";
import { Etcd, certificates } from "./lib/etcd.mjs";
import { open } from "./lib/stream.mjs";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { only: { type: "string" } } });
if (positionals.length !== 2) {
  console.error("usage: node etcd.mjs GRPCWS PROTOS [--only PART-OF-A-NAME]");
  process.exit(64);
}
const [program, protos] = positionals;
const folder = mkdtempSync(path.join(tmpdir(), "grpcws-etcd-"));
const checks = new Checks(values.only, 60_000);
const running = [];
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const base64 = (text) => Buffer.from(text).toString("base64");
const text = (encoded) => Buffer.from(encoded ?? "", "base64").toString();

/** A gateway of this server; the address to open. */
async function gateway(etcd, ...options) {
  const source = ["--proto", "etcd/api/etcdserverpb/rpc.proto", "-I", protos];
  const words = ["serve", "--listen", "127.0.0.1:0", "--upstream", etcd.url, ...source, ...options];
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, RUST_LOG: "error" } });
  running.push(child);
  const [line] = await withLimit(once(createInterface(child.stdout), "line"), 20_000, "the start of the gateway");
  return line.replace("listening ", "");
}

async function etcd(options) {
  const started = await Etcd.start(folder, options);
  running.push(started.process);
  return started;
}

/** Opens a method by its name, or a route that begins with v3. */
const start = (base, method, options = {}) =>
  open(base, method.startsWith("v3") ? method : `etcdserverpb.${method}`, { root: "/ws", mode: "json", ...options });

/** A call with one request: its response, or an error with the status. */
async function call(base, method, message, options) {
  const stream = await start(base, method, options);
  stream.request(message);
  const { responses, terminals } = await stream.ended();
  if (terminals[0]?.type !== "stream_end") throw Object.assign(new Error(terminals[0]?.message), terminals[0]);
  assert.equal(responses.length, 1);
  return responses[0];
}

const put = (base, key, value, options) => call(base, "KV/Put", { key: base64(key), value: base64(value) }, options);
/** Everything whose key begins so. */
const prefix = (key) => ({ key: base64(key), rangeEnd: base64(key.slice(0, -1) + String.fromCharCode(key.charCodeAt(key.length - 1) + 1)) });
const failsWith = (code, pattern) => (error) => {
  assert.equal(error.code, code, error.message);
  assert.match(error.message, pattern);
  return true;
};

// === A server without credentials ===

const plain = await etcd();
const base = await gateway(plain);

await checks.check("a transaction takes the branch that its comparison says", async () => {
  await put(base, "t/a", "1");
  const swap = (from, to) => ({
    compare: [{ target: "VALUE", result: "EQUAL", key: base64("t/a"), value: base64(from) }],
    success: [{ requestPut: { key: base64("t/a"), value: base64(to) } }],
    failure: [{ requestRange: { key: base64("t/a") } }],
  });
  const done = await call(base, "KV/Txn", swap("1", "2"));
  assert.ok(done.succeeded && done.responses[0].responsePut !== undefined, JSON.stringify(done));
  // By the path of its annotation, which etcd's own gateway has as POST.
  const failed = await call(base, "v3/kv/txn", swap("1", "3"));
  assert.equal(failed.succeeded, undefined);
  assert.equal(text(failed.responses[0].responseRange.kvs[0].value), "2");
  const { kvs } = await plain.rest("kv/range", { key: base64("t/a") });
  assert.equal(text(kvs[0].value), "2", "etcd says the same");
});

await checks.check("a watch tells each change once, in order, and can be cancelled", async () => {
  const stream = await start(base, "Watch/Watch");
  stream.request({ createRequest: { ...prefix("w/"), prevKv: true } });
  const { created, watchId } = await stream.response();
  assert.ok(created);
  for (let number = 0; number < 200; number += 1) await plain.rest("kv/put", { key: base64("w/a"), value: base64(String(number)) });
  const events = [];
  while (events.length < 200) events.push(...((await stream.response()).events ?? []));
  assert.deepEqual(events.map(({ kv }) => text(kv.value)), Array.from({ length: 200 }, (_, number) => String(number)));
  assert.deepEqual(events.slice(1).map(({ prevKv }) => text(prevKv.value)), events.slice(0, -1).map(({ kv }) => text(kv.value)));
  stream.request({ cancelRequest: { watchId: watchId ?? "0" } });
  assert.ok((await stream.response()).canceled);
  // etcd leaves the call open behind a half-close, so it is the client that ends it.
  stream.send({ type: "end_send" });
  stream.send({ type: "cancel" });
  const { terminals } = await stream.ended();
  assert.deepEqual(terminals.map(({ type, code }) => [type, code]), [["error", 1]]);
});

await checks.check("a watch from a revision that was compacted says so", async () => {
  const { header } = await put(base, "w/b", "1");
  await call(base, "KV/Compact", { revision: header.revision });
  const stream = await start(base, "v3/watch");
  stream.request({ createRequest: { key: base64("w/b"), startRevision: "1" } });
  for (;;) {
    const response = await stream.response();
    if (!response.canceled) continue;
    assert.equal(response.compactRevision, header.revision);
    break;
  }
  stream.socket.close(1000);
});

await checks.check("a lease lives for as long as it is kept alive", async () => {
  const { ID } = await call(base, "Lease/LeaseGrant", { TTL: "1" });
  await call(base, "KV/Put", { key: base64("l/a"), value: base64("x"), lease: ID });
  const there = async () => ((await plain.rest("kv/range", { key: base64("l/a") })).kvs ?? []).length === 1;
  const stream = await start(base, "Lease/LeaseKeepAlive");
  for (let kept = 0; kept < 8; kept += 1) {
    stream.request({ ID });
    assert.deepEqual([(await stream.response()).ID, await there()], [ID, true]);
    await sleep(400);
  }
  stream.send({ type: "end_send" });
  assert.equal((await stream.ended()).code, 1000);
  const deadline = Date.now() + 10_000;
  while (await there()) {
    assert.ok(Date.now() < deadline, "the lease does not end");
    await sleep(100);
  }
});

await checks.check("a snapshot is whole", async () => {
  const stream = await start(base, "Maintenance/Snapshot");
  stream.request({});
  const { responses, terminals } = await stream.ended();
  assert.equal(terminals[0].type, "stream_end");
  const sizes = responses.map(({ blob }) => Buffer.from(blob ?? "", "base64").length);
  const after = sizes.map((_, index) => sizes.slice(index + 1).reduce((sum, size) => sum + size, 0));
  // etcd 3.4 counts the checksum at the end in neither of them but the last.
  const left = responses.map(({ remainingBytes }) => Number(remainingBytes ?? 0));
  assert.ok(sizes[0] > 1000 && left.every((bytes, index) => after[index] - bytes === (index + 1 < left.length ? 32 : 0)), JSON.stringify({ sizes, left }));
});

// === A server that is killed and started again ===

/** Watches a prefix from a revision for as long as it takes, and notes what it is told: [revision, key]. */
async function watchOn(key, from, seen, isOver, counts) {
  let next = from;
  while (!isOver()) {
    const stream = await start(base, "Watch/Watch");
    stream.request({ createRequest: { ...prefix(key), startRevision: String(next) } });
    let terminal;
    for (let read = 0; terminal === undefined && !isOver(); ) {
      // The last messages are there before the close is.
      const isLast = stream.isClosed;
      for (; read < stream.messages.length; read += 1) {
        const message = stream.messages[read];
        if (message.type === "error" || message.type === "stream_end") terminal = message;
        if (message.type !== "data") continue;
        assert.ok(!message.data.canceled, JSON.stringify(message.data));
        for (const { kv } of message.data.events ?? []) {
          seen.push([Number(kv.modRevision), text(kv.key)]);
          next = Number(kv.modRevision) + 1;
        }
      }
      assert.ok(!isLast || terminal !== undefined, "a stream has an end");
      await sleep(5);
    }
    if (terminal !== undefined) {
      // What gRPC's own clients are told.
      assert.deepEqual([terminal.type, terminal.code], ["error", 14], JSON.stringify(terminal));
      counts.lost += 1;
      await sleep(50);
    }
    stream.socket.terminate();
  }
}

await checks.check("watches that go on behind a restart miss nothing and see nothing twice", async () => {
  let over = false;
  const counts = { lost: 0, written: 0, refused: 0 };
  const seen = Array.from({ length: 5 }, () => []);
  // What was before may have been compacted.
  const { header } = await call(base, "KV/Range", { key: base64("r/") });
  const from = Number(header.revision) + 1;
  const watches = seen.map((list) => watchOn("r/", from, list, () => over, counts));
  const writer = (async () => {
    for (let number = 0; !over; number += 1) {
      try {
        await put(base, `r/${String(number).padStart(6, "0")}`, "x");
        counts.written += 1;
      } catch (error) {
        assert.equal(error.code, 14, error.message);
        counts.refused += 1;
        await sleep(20);
      }
    }
  })();
  const all = Promise.all([writer, ...watches]);
  // It is awaited at the end, if nothing else has failed before.
  all.catch(() => {});
  for (let restart = 0; restart < 3; restart += 1) {
    await sleep(700);
    await plain.kill();
    await sleep(100);
    assert.ok(await plain.restart(), plain.output);
    running.push(plain.process);
    // Until calls get through again, as the connection's back-off has it.
    const before = counts.written;
    const deadline = Date.now() + 15_000;
    while (counts.written < before + 50) {
      assert.ok(Date.now() < deadline, `nothing was written: ${JSON.stringify(counts)}`);
      await sleep(20);
    }
  }
  // What etcd itself has. A key is written once, so its revision is that of its only event.
  const { kvs } = await plain.rest("kv/range", { ...{ key: base64("r/"), range_end: base64("r0") }, sort_target: "MOD", sort_order: "ASCEND" });
  const kept = kvs.map(({ mod_revision, key }) => [Number(mod_revision), text(key)]);
  const [last] = kept.at(-1);
  const deadline = Date.now() + 10_000;
  while (seen.some((list) => (list.at(-1)?.[0] ?? 0) < last)) {
    assert.ok(Date.now() < deadline, "a watch does not catch up");
    await sleep(20);
  }
  over = true;
  await all;
  for (const list of seen) assert.deepEqual(list.filter(([revision]) => revision <= last), kept);
  console.log(`     ${kept.length} revisions, ${counts.lost} streams lost, ${counts.refused} writes refused`);
  assert.ok(counts.lost >= 3 * seen.length, "each restart ended each watch");
});

// === Users ===

await checks.check("a token is metadata, by a header of the handshake and by a sub-protocol", async () => {
  await call(base, "Auth/UserAdd", { name: "root", password: "secret" });
  await call(base, "Auth/UserGrantRole", { user: "root", role: "root" });
  await call(base, "Auth/UserAdd", { name: "alice", password: "a" });
  await call(base, "Auth/RoleAdd", { name: "reader" });
  await call(base, "Auth/RoleGrantPermission", { name: "reader", perm: { permType: "READ", ...prefix("t/") } });
  await call(base, "Auth/UserGrantRole", { user: "alice", role: "reader" });
  await call(base, "Auth/AuthEnable", {});
  const login = async (name, password) => (await call(base, "Auth/Authenticate", { name, password })).token;
  const byHeader = (token) => ({ headers: { "grpc-metadata-token": token } });
  const bySubProtocol = (token) => ({
    protocols: [`grpcws.metadata.${Buffer.from(JSON.stringify({ token })).toString("base64url")}`],
  });
  await assert.rejects(put(base, "t/a", "9"), failsWith(3, /user name is empty/));
  await assert.rejects(put(base, "t/a", "9", byHeader("nonsense")), failsWith(16, /invalid auth token/));
  await assert.rejects(login("alice", "wrong"), failsWith(3, /authentication failed/));
  const [root, alice] = [await login("root", "secret"), await login("alice", "a")];
  for (const authorized of [byHeader, bySubProtocol]) {
    await put(base, "t/a", "9", authorized(root));
    const { kvs } = await call(base, "KV/Range", { key: base64("t/a") }, authorized(alice));
    assert.equal(text(kvs[0].value), "9");
    await assert.rejects(put(base, "t/a", "8", authorized(alice)), failsWith(7, /permission denied/));
  }
  const stream = await start(base, "Watch/Watch", bySubProtocol(alice));
  stream.request({ createRequest: prefix("t/") });
  assert.ok((await stream.response()).created);
  await put(base, "t/a", "10", byHeader(root));
  assert.equal(text((await stream.response()).events[0].kv.value), "10");
  stream.socket.close(1000);
});

// === A server that wants a client certificate ===

await checks.check("a gateway with a client certificate is let in, and one without it says why it is not", async () => {
  const keys = path.join(folder, "keys");
  certificates(keys);
  const pem = (name) => path.join(keys, name);
  const options = ["--cert-file", pem("server.pem"), "--key-file", pem("server.key"), "--client-cert-auth", "--trusted-ca-file", pem("ca.pem")];
  const secure = await etcd({ options, tls: true });
  const ca = ["--upstream-ca", pem("ca.pem")];
  const admitted = await gateway(secure, ...ca, "--upstream-cert", pem("client.pem"), "--upstream-key", pem("client.key"));
  await put(admitted, "m/a", "1");
  const stream = await start(admitted, "Watch/Watch");
  stream.request({ createRequest: { ...prefix("m/"), startRevision: "1" } });
  const events = [];
  while (events.length < 1) events.push(...((await stream.response()).events ?? []));
  assert.equal(text(events[0].kv.value), "1");
  stream.socket.close(1000);
  const stranger = await gateway(secure, ...ca);
  await assert.rejects(put(stranger, "m/a", "2"), failsWith(14, /does not accept the client certificate, or wants one/));
  // The alert races with what the gateway writes behind the handshake: the text is the same whoever wins.
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const list = spawnSync(program, ["list", "--upstream", secure.url, ...ca], { encoding: "utf8", timeout: 20_000 });
    assert.match(list.stderr, /does not accept the client certificate, or wants one/, `attempt ${attempt}`);
  }
});

checks.finish();
