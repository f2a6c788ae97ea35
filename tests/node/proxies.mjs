// What the gateway believes of real proxies, and what it tells the server behind it.
//
//     node proxies.mjs PATH-OF-GRPCWS [--only PART-OF-A-NAME]
//
// A client at 127.0.0.2 reaches the gateway through HAProxy (PROXY protocol, version 1 and 2, and X-Forwarded-For) and
// nginx, all at 127.0.0.1, or directly. The fallback answers with the headers that it got.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, get } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { Checks, readArguments, sleep, withLimit } from "./lib/checks.mjs";

const CLIENT = "127.0.0.2";
const SOON_MS = 10_000;
const { base: program, only } = readArguments("usage: node proxies.mjs PATH-OF-GRPCWS [--only PART-OF-A-NAME]");
const checks = new Checks(only);
const folder = mkdtempSync(join(tmpdir(), "grpcws-proxies-"));
const started = [];

function start(command, args) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"] });
  started.push(child);
  return child;
}

/** Starts the gateway, and returns its port. */
async function gateway(...args) {
  const child = start(program, ["serve", "--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", ...args]);
  for await (const line of createInterface(child.stdout)) {
    const port = /^listening ws:\/\/.*:(\d+)$/.exec(line)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error("the gateway did not start");
}

/** A port that is free now. */
async function freePort() {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Waits until something listens. */
async function listening(port) {
  const deadline = Date.now() + SOON_MS;
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const open = await new Promise((resolve) => socket.once("connect", () => resolve(true)).once("error", () => resolve(false)));
    socket.destroy();
    if (open) return port;
    assert.ok(Date.now() < deadline, `nothing listens on ${port}`);
    await sleep(20);
  }
}

/** HAProxy before the gateway: `options` stand behind the server, `lines` in the part of the backend. */
async function haproxy(to, mode, options, lines = []) {
  const port = await freePort();
  const file = join(folder, `haproxy-${port}.cfg`);
  writeFileSync(file, [
    "defaults", ` mode ${mode}`, " timeout connect 5s", " timeout client 60s", " timeout server 60s",
    "listen one", ` bind 127.0.0.1:${port}`, ...lines.map((line) => ` ${line}`), ` server one 127.0.0.1:${to} ${options}`, "",
  ].join("\n"));
  start("haproxy", ["-db", "-f", file]);
  return listening(port);
}

/** nginx before the gateway, which says `https` of its clients, as one that ends TLS does. */
async function nginx(to) {
  const port = await freePort();
  const file = join(folder, "nginx.conf");
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  writeFileSync(file, `
    daemon off; error_log stderr crit; pid ${folder}/nginx.pid; events {}
    http {
      access_log off;
      ${paths.map((name) => `${name}_temp_path ${folder}/${name};`).join(" ")}
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://127.0.0.1:${to}; proxy_http_version 1.1;
          proxy_set_header Host $host; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
          proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto https;
        }
      }
    }`);
  start("nginx", ["-e", "stderr", "-c", file]);
  return listening(port);
}

/** The headers that the fallback gets of a request, or the status if it does not get it. */
async function told(port, headers = {}) {
  const answer = new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, localAddress: CLIENT, path: "/", headers: { host: "localhost", ...headers }, agent: false }, resolve)
      .once("error", reject);
  });
  const response = await withLimit(answer, SOON_MS, "the answer");
  const parts = [];
  for await (const part of response) parts.push(part);
  return response.statusCode === 200 ? JSON.parse(Buffer.concat(parts)) : response.statusCode;
}

/** Whether a page of this origin may open a WebSocket: the status of a handshake, 101 for one that is accepted. */
async function handshake(port, origin) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/a.B/C`, ["grpcws.v1.json"], { headers: { host: "localhost", origin } });
  const status = new Promise((resolve, reject) => {
    socket.once("open", () => resolve(101));
    socket.once("unexpected-response", (_, response) => resolve(response.statusCode));
    socket.once("error", reject);
  });
  try {
    return await withLimit(status, SOON_MS, "the handshake");
  } finally {
    socket.once("error", () => {});
    socket.terminate();
  }
}

const fallback = createServer((request, response) => response.end(JSON.stringify(request.headers)));
fallback.listen(0, "127.0.0.1");
await once(fallback, "listening");
const behind = ["--fallback", `http://127.0.0.1:${fallback.address().port}`];
const spoofed = { "x-forwarded-for": "8.8.8.8", "x-forwarded-proto": "https", "x-real-ip": "8.8.8.8", forwarded: "for=8.8.8.8" };

try {
  const wary = await gateway(...behind);
  const trusting = await gateway(...behind, "--trusted-proxies", "127.0.0.1");
  const optional = await gateway(...behind, "--trusted-proxies", "127.0.0.1", "--proxy-protocol", "optional");
  const required = await gateway(...behind, "--trusted-proxies", "127.0.0.1", "--proxy-protocol", "required");

  await checks.check("a stranger is not believed", async () => {
    for (const port of [wary, trusting, optional]) {
      const headers = await told(port, spoofed);
      assert.equal(headers["x-forwarded-for"], CLIENT);
      assert.equal(headers["x-forwarded-proto"], "http");
      assert.ok(!("x-real-ip" in headers) && !("forwarded" in headers), JSON.stringify(headers));
    }
  });

  for (const options of ["send-proxy", "send-proxy-v2"]) {
    for (const mode of ["tcp", "http"]) {
      await checks.check(`HAProxy names the client with ${options}, ${mode}`, async () => {
        for (const port of [optional, required]) {
          const headers = await told(await haproxy(port, mode, options), spoofed);
          assert.equal(headers["x-forwarded-for"], CLIENT);
          assert.equal(headers["x-forwarded-proto"], "http");
          assert.ok(!("x-real-ip" in headers), "the proxy passes headers that it has not looked at");
        }
      });
    }
  }

  await checks.check("a WebSocket opens behind send-proxy-v2", async () => {
    const port = await haproxy(required, "tcp", "send-proxy-v2");
    assert.equal(await handshake(port, "http://localhost"), 101);
    assert.equal(await handshake(port, "http://evil.example"), 403);
  });

  await checks.check("HAProxy's health checks say LOCAL and do no harm", async () => {
    const port = await haproxy(required, "tcp", "send-proxy-v2 check inter 100ms");
    await sleep(500);
    assert.equal((await told(port))["x-forwarded-for"], CLIENT);
  });

  await checks.check("HAProxy's x-forwarded-for counts if the proxy is trusted", async () => {
    const lines = ["option forwardfor"];
    assert.equal((await told(await haproxy(trusting, "http", "", lines), { "x-forwarded-for": "8.8.8.8" }))["x-forwarded-for"], CLIENT);
    assert.equal((await told(await haproxy(wary, "http", "", lines)))["x-forwarded-for"], "127.0.0.1");
  });

  await checks.check("the scheme that nginx names is told on, and compared with that of the page", async () => {
    const port = await nginx(trusting);
    const headers = await told(port, { "x-forwarded-for": "8.8.8.8" });
    assert.equal(headers["x-forwarded-for"], CLIENT);
    assert.equal(headers["x-forwarded-proto"], "https");
    assert.equal(await handshake(port, "https://localhost"), 101);
    assert.equal(await handshake(port, "http://localhost"), 403);
  });

  await checks.check("whoever is no trusted proxy is closed where a header is required", async () => {
    await assert.rejects(told(required, spoofed), /ECONNRESET|socket hang up/);
    const socket = connect({ port: required, host: "127.0.0.1", localAddress: CLIENT });
    socket.write("PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const received = [];
    socket.on("data", (bytes) => received.push(bytes)).on("error", () => {});
    await withLimit(once(socket, "close"), SOON_MS, "the end of the connection");
    assert.equal(Buffer.concat(received).length, 0);
  });
} finally {
  for (const child of started) child.kill("SIGKILL");
  fallback.close();
  rmSync(folder, { recursive: true, force: true });
}
checks.finish();
