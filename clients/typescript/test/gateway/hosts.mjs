// Runtimes that are no command: a page in a browser, and a Worker.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { openBrowser } from "../../../../tests/browser/lib/engines.mjs";
import { Page } from "../../../../tests/browser/lib/page.mjs";

/** Runs a module's `run` in a page, which posts the results back; nothing is between the page's WebSockets and the gateway. */
export async function inBrowser(name, module, start, only) {
  const page = await Page.serve();
  page.route("/gateway.js", () => ({ type: "text/javascript", body: module }));
  const urls = await start(page.origin);
  const browser = await openBrowser(name, `${page.origin}/`);
  console.log(`# ${browser.version}`);
  const work = page.evaluate(null, async (urls, only) => (await import("/gateway.js")).run({ ...urls, only }), urls, only);
  const results = await Promise.race([work, browser.ended.then(() => [{ name, error: `it ended\n${browser.printed.join("\n")}` }])]);
  await browser.close();
  page.close();
  return results;
}

/** Runs a Worker in workerd, by miniflare, and returns what it answers to one request. */
export async function inWorkerd(runtimes, file, { path = "", bindings = {}, body }) {
  const { Miniflare } = createRequire(`${runtimes}/`)("miniflare");
  const worker = new Miniflare({ modules: [{ type: "ESModule", path: "worker.mjs", contents: readFileSync(file, "utf8") }], compatibilityDate: "2026-01-01", bindings });
  try {
    const response = await worker.dispatchFetch(`http://worker/${path}`, body ? { method: "POST", body } : {});
    return await response.text();
  } finally {
    await worker.dispose();
  }
}
