// etcd as a process, and certificates for it.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { sleep } from "./checks.mjs";

const START_MS = 20_000;

/** A port that nobody has at the moment: etcd does not tell which one it has taken. */
async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** One member that is a cluster by itself. */
export class Etcd {
  /** Starts one whose data are in a folder of this name. `options` are further arguments; with `tls` it has HTTPS. */
  static async start(folder, { options = [], tls = false } = {}) {
    // Somebody else may take a port meanwhile.
    for (let tries = 1; ; tries += 1) {
      const etcd = new Etcd();
      const [client, peer] = [await freePort(), await freePort()];
      const url = `${tls ? "https" : "http"}://127.0.0.1:${client}`;
      Object.assign(etcd, { url, port: client });
      etcd.arguments = [
        ...["--data-dir", path.join(folder, String(client)), "--listen-client-urls", url, "--advertise-client-urls", url],
        ...["--listen-peer-urls", `http://127.0.0.1:${peer}`, "--initial-advertise-peer-urls", `http://127.0.0.1:${peer}`],
        ...["--initial-cluster", `default=http://127.0.0.1:${peer}`, "--heartbeat-interval", "20"],
        ...["--election-timeout", "200", "--listen-metrics-urls", `http://127.0.0.1:${await freePort()}`, ...options],
      ];
      if (await etcd.restart()) return etcd;
      if (tries === 3) throw new Error(`etcd does not start: ${etcd.output.slice(-2000)}`);
    }
  }

  /** Starts the process, on the data that there are. */
  async restart() {
    this.output = "";
    this.process = spawn("etcd", this.arguments, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.on("data", (chunk) => (this.output = (this.output + chunk).slice(-100_000)));
    }
    const metrics = this.arguments[this.arguments.indexOf("--listen-metrics-urls") + 1];
    const deadline = Date.now() + START_MS;
    while (Date.now() < deadline && this.process.exitCode === null) {
      const health = await fetch(`${metrics}/health`).then((answer) => answer.json(), () => ({}));
      if (health.health === "true") return true;
      await sleep(50);
    }
    this.kill();
    return false;
  }

  /** Ends it without a chance to say anything. */
  async kill() {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exit = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await exit;
  }

  /** Asks by etcd's own JSON over HTTP, with no gateway of ours between. */
  async rest(name, message) {
    const answer = await fetch(`${this.url}/v3/${name}`, { method: "POST", body: JSON.stringify(message) });
    return answer.json();
  }
}

/** Writes an authority, and certificates of a server and of a client that it has signed: `NAME.pem`, `NAME.key`. */
export function certificates(folder) {
  mkdirSync(folder, { recursive: true });
  const openssl = (...words) => execFileSync("openssl", words, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  openssl("req", "-x509", ...key, "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem");
  for (const [name, usage] of [["server", "serverAuth"], ["client", "clientAuth"]]) {
    writeFileSync(path.join(folder, "extensions"), `subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=${usage},clientAuth\n`);
    openssl("req", "-new", ...key.slice(0, -2), "-subj", `/CN=${name}`, "-keyout", `${name}.key`, "-out", `${name}.csr`);
    const sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extensions"];
    openssl("x509", "-req", "-in", `${name}.csr`, ...sign, "-out", `${name}.pem`);
  }
}
