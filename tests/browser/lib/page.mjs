// The page in the browser, and how this program makes it do things: it asks for work by HTTP and posts the result.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>grpcws</title>
<style>html, body, iframe { margin: 0; border: 0 } body { display: flex; height: 100vh } iframe { flex: 1 }</style>
<script type="module" src="/driver.js"></script>`;
const file = (name) => readFileSync(new URL(`../page/${name}`, import.meta.url));

export class Page {
  #server;
  #work = [];
  #waiting = [];
  #results = new Map();
  #number = 0;
  #routes = new Map([
    ["/", () => ({ type: "text/html", body: PAGE })],
    ["/driver.js", () => ({ type: "text/javascript", body: file("driver.js") })],
    ["/streams.js", () => ({ type: "text/javascript", body: file("streams.js") })],
    ["/favicon.ico", () => ({ type: "image/svg+xml", body: "" })],
  ]);

  /** Listens on a port of the system's choice. */
  static async serve() {
    const page = new Page();
    page.#server = createServer((request, response) => page.#answer(request, response).catch((error) => {
      response.writeHead(500).end(String(error));
    }));
    await new Promise((resolve) => page.#server.listen(0, "127.0.0.1", resolve));
    page.origin = `http://127.0.0.1:${page.#server.address().port}`;
    return page;
  }

  /** Answers requests whose path begins with `prefix` by `{type, body}` of `answer(path)`. */
  route(prefix, answer) {
    this.#routes.set(prefix, answer);
  }

  async #answer(request, response) {
    const { pathname } = new URL(request.url, this.origin);
    response.setHeader("cache-control", "no-store");
    if (pathname === "/work") return this.#handOut(response);
    if (pathname === "/result") {
      const body = await readAll(request);
      response.writeHead(204).end();
      return this.#take(JSON.parse(body));
    }
    const prefix = [...this.#routes.keys()].find((key) => pathname === key || (key !== "/" && pathname.startsWith(key)));
    if (prefix === undefined) return void response.writeHead(404).end();
    const { type, body } = await this.#routes.get(prefix)(pathname);
    response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(body);
  }

  #handOut(response) {
    if (this.#work.length > 0) return void response.end(this.#work.shift());
    this.#waiting.push(response);
    response.on("close", () => (this.#waiting = this.#waiting.filter((other) => other !== response)));
  }

  #take({ id, value, error }) {
    const { resolve, reject } = this.#results.get(id) ?? {};
    this.#results.delete(id);
    if (error !== undefined) reject?.(new Error(`in the page: ${error}`));
    else resolve?.(value);
  }

  /** Calls `work` with the parameters in a frame of the page, or in the page itself for `null`; returns its result. */
  evaluate(frame, work, ...parameters) {
    const id = (this.#number += 1);
    const text = JSON.stringify({ id, frame, source: String(work), parameters });
    const result = new Promise((resolve, reject) => this.#results.set(id, { resolve, reject }));
    if (this.#waiting.length > 0) this.#waiting.shift().end(text);
    else this.#work.push(text);
    return result;
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

async function readAll(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
