// The example app in Chromium: Ada at a desk, Bob on a phone, behind a link on which one can see things happen.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { link } from "../gateway/link.mjs";

const PATIENCE_MS = 10_000;
const DESKTOP = { viewport: { width: 1280, height: 800 }, colorScheme: "light" };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme: "dark" };

/** Serves what `vite build` made, as `vite preview` does, with the gateway behind a slow link. */
async function serve(folder, address) {
  process.env.GATEWAY = `http://${await link(Number(address.split(":")[1]), { bytesPerSecond: 300_000, delayMs: 20 })}`;
  const { preview } = await import(createRequire(`${folder}/`).resolve("vite").replace(/index\.cjs$/, "dist/node/index.js"));
  const server = await preview({ root: folder, preview: { port: 0, host: "127.0.0.1" }, logLevel: "silent" });
  return [`http://127.0.0.1:${server.httpServer.address().port}`, () => server.close()];
}

export async function appTests(folder, address, screenshots) {
  const { chromium } = createRequire(new URL("../../../../tests/browser/package.json", import.meta.url))("playwright-core");
  const [url, stop] = await serve(folder, address);
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
  const complaints = [];

  async function enter(name, options, { path = "", before = async () => {}, status = "streaming" } = {}) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(PATIENCE_MS);
    const page = await context.newPage();
    await before(page);
    page.on("pageerror", (error) => complaints.push(`${name}: ${error}`));
    page.on("console", (message) => {
      // That nothing is reached is what the switch is for.
      if (["error", "warning"].includes(message.type()) && !/ERR_CONNECTION_REFUSED|:9\//.test(message.text())) complaints.push(`${name}: ${message.text()}`);
    });
    await page.goto(url + path);
    await page.getByLabel("Your name").fill(name);
    if (screenshots) await page.screenshot({ path: `${screenshots}/${name}-welcome.png` });
    await page.getByRole("button", { name: "Join" }).click();
    await page.locator(`.app[data-status=${status}]`).waitFor();
    return page;
  }
  const say = async (page, text) => {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.keyboard.press("Enter");
  };
  const sees = (page, text) => page.getByTestId("message").filter({ hasText: text }).waitFor();
  const shoot = (page, name) => screenshots && page.screenshot({ path: `${screenshots}/${name}.png` });
  const person = (page, name, online) => page.locator(`[data-testid=person][data-online=${online}]`).filter({ hasText: name });
  let [ada, bob] = [];

  const tests = Object.entries({
    async "two people see each other come in"() {
      ada = await enter("Ada", DESKTOP);
      await ada.getByText("Only you are here").waitFor();
      await ada.getByText("Nobody has said anything yet.").waitFor();
      bob = await enter("Bob", PHONE);
      await person(ada, "Bob", true).waitFor();
      await bob.getByText("2 people are here").waitFor();
    },
    async "what one says, the other reads"() {
      await say(ada, "Hi Bob! This goes over one bidirectional gRPC stream.");
      await sees(bob, "Hi Bob!");
      await say(bob, "In a browser? On a phone?");
      await sees(ada, "On a phone?");
      await say(ada, "Both. Look, here is where I am:");
      await sees(bob, "where I am");
    },
    async "a picture is uploaded with progress, and the other sees it"() {
      const seen = ada.evaluate(() => new Promise((done) => {
        const values = new Set();
        const observer = new MutationObserver(() => {
          const bar = document.querySelector("progress");
          if (bar) values.add(bar.value);
          else if (values.size) done([...values]);
        });
        observer.observe(document.body, { subtree: true, childList: true, attributes: true });
      }));
      await ada.locator("input[type=file]").setInputFiles({ name: "lake.jpg", mimeType: "image/jpeg", buffer: await picture(ada) });
      await ada.waitForFunction(() => document.querySelector("progress")?.value > 0.5);
      await shoot(ada, "upload-desktop");
      const values = (await seen).filter((value) => value > 0 && value < 1);
      assert.ok(values.length >= 5 && values.every((value, index) => !index || value > values[index - 1]), `the progress was ${values}`);
      for (const page of [ada, bob]) await page.waitForFunction(() => document.querySelector(".picture img")?.naturalWidth === 960);
      await say(bob, "Wow. I was there last summer");
      await sees(ada, "last summer");
      await shoot(ada, "chat-desktop");
      await shoot(bob, "chat-phone");
    },
    async "an upload that is cancelled goes away, and one that the server refuses says why"() {
      const count = await ada.getByTestId("message").count();
      const file = (name, bytes) => ({ name, mimeType: "image/png", buffer: Buffer.alloc(bytes) });
      await ada.locator("input[type=file]").setInputFiles(file("slow.png", 3_000_000));
      await ada.waitForFunction(() => document.querySelector("progress")?.value > 0);
      await ada.getByRole("button", { name: "Cancel the upload" }).click();
      await ada.getByTestId("upload").waitFor({ state: "detached" });
      for (const [name, bytes, reason] of [["empty.png", 0, "the picture is empty"], ["large.png", 5_000_000, "the picture is larger than 4 MiB"]]) {
        await ada.locator("input[type=file]").setInputFiles(file(name, bytes));
        await ada.getByTestId("upload").filter({ hasText: reason }).waitFor();
        await ada.getByRole("button", { name: "Dismiss" }).click();
      }
      assert.equal(await ada.getByTestId("message").count(), count, (await ada.getByTestId("message").allInnerTexts()).join("; ").replaceAll("\n", " "));
    },
    async "a lost connection is seen, and what is said meanwhile arrives once"() {
      await bob.getByRole("switch", { name: "Network" }).tap();
      await bob.getByText("Connection lost.").waitFor();
      await person(ada, "Bob", false).waitFor();
      await say(bob, "I am in a tunnel, can you hear me?");
      await bob.getByTestId("pending").waitFor();
      await shoot(bob, "reconnect-phone");
      await say(ada, "Bob?");
      await bob.getByRole("switch", { name: "Network" }).tap();
      await sees(ada, "in a tunnel");
      await sees(bob, "Bob?");
      await bob.getByText("Connection lost.").waitFor({ state: "detached" });
      await bob.getByTestId("pending").waitFor({ state: "detached" });
      await person(ada, "Bob", true).waitFor();
      for (const page of [ada, bob]) assert.equal(await page.getByText("in a tunnel").count(), 1);
    },
    async "the desk sees a lost connection as well"() {
      await ada.getByRole("switch", { name: "Network" }).click();
      await ada.getByText("Connection lost.").waitFor();
      await say(ada, "Now it is me");
      await ada.getByTestId("pending").waitFor();
      await shoot(ada, "reconnect-desktop");
      await ada.getByRole("switch", { name: "Network" }).click();
      await sees(bob, "Now it is me");
    },
    async "a room that cannot be says so, and one that is not there yet is waited for"() {
      const lost = await enter("Lost", DESKTOP, { path: "/?room=No%20Room!", status: "error" });
      await lost.getByText("Not connected").waitFor();
      await lost.getByText("game_id must be 1 to 32 characters").waitFor();
      await lost.getByRole("button", { name: "Connect again" }).waitFor();
      await lost.context().close();
      let attempts = 0;
      // The first two connections end at once, as those to a gateway that restarts.
      const before = (page) => page.routeWebSocket(/SyncGame/, (socket) => (attempts++ < 2 ? socket.close({ code: 1012 }) : socket.connectToServer()));
      const late = await enter("Late", PHONE, { before });
      assert.equal(attempts, 3);
      await late.context().close();
    },
    async "a picture whose download broke is fetched again after a reconnect"() {
      let isBroken = true;
      const before = (page) => page.routeWebSocket(/Download/, (socket) => (isBroken ? socket.close({ code: 1012 }) : socket.connectToServer()));
      const broken = await enter("Broken", DESKTOP, { before });
      await broken.getByTestId("message").filter({ hasText: "lake.jpg (the connection ended" }).waitFor();
      isBroken = false;
      await broken.getByRole("switch", { name: "Network" }).click();
      await broken.getByText("Connection lost.").waitFor();
      await broken.getByRole("switch", { name: "Network" }).click();
      await broken.getByRole("img", { name: "lake.jpg" }).waitFor();
      await broken.context().close();
    },
    async "words that were said twice arrive twice, even if the connection breaks between them"() {
      let [isCut, passed, current] = [false, 0];
      const before = (page) => page.routeWebSocket(/SyncGame/, (socket) => {
        // As long as it is cut, no other connection opens.
        if (isCut) return socket.close({ code: 1012 });
        const server = (current = socket).connectToServer();
        // Once it is cut, one more message reaches the gateway, and none comes back.
        socket.onMessage((message) => (!isCut || ++passed === 1) && server.send(message));
        server.onMessage((message) => isCut || socket.send(message));
      });
      const twice = await enter("Twice", DESKTOP, { before, path: "/?room=twice" });
      isCut = true;
      await say(twice, "hello");
      await say(twice, "hello");
      for (let waited = 0; passed < 2; waited += 20) {
        assert.ok(waited < PATIENCE_MS, `${passed} messages were sent`);
        await twice.waitForTimeout(20);
      }
      await current.close({ code: 1012 });
      await twice.getByText("Reconnecting… 2 messages wait here.").waitFor();
      await twice.locator("header").getByText("Connecting…").waitFor();
      isCut = false;
      await twice.evaluate(() => dispatchEvent(new Event("online")));
      await twice.getByTestId("message").nth(1).waitFor();
      await twice.getByTestId("pending").first().waitFor({ state: "detached" });
      assert.deepEqual(await twice.getByTestId("message").locator(".bubble").allInnerTexts(), ["hello", "hello"]);
      await twice.context().close();
    },
    async "what a call that failed took with it is sent when the user connects again"() {
      let current;
      const before = (page) => page.routeWebSocket(/SyncGame/, (socket) => {
        const isFirst = !current;
        const server = (current = socket).connectToServer();
        let isJoined = false;
        socket.onMessage((message) => {
          if (!isFirst || !isJoined) server.send(message);
          isJoined = true;
        });
      });
      const again = await enter("Again", DESKTOP, { before, path: "/?room=again" });
      await say(again, "is anybody there?");
      await again.getByTestId("pending").waitFor();
      await current.close({ code: 1008 });
      await again.getByText("Not connected").waitFor();
      await again.getByRole("button", { name: "Connect again" }).click();
      await sees(again, "is anybody there?");
      await again.getByTestId("pending").waitFor({ state: "detached" });
      await again.context().close();
    },
    async "it fits a phone, and the browser has nothing to complain about"() {
      const [content, screen] = await bob.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= screen, `${content} px wide on a screen of ${screen}`);
      assert.deepEqual(complaints, []);
    },
    async "who closes the page is away"() {
      await bob.context().close();
      await person(ada, "Bob", false).waitFor();
    },
  });
  return { tests, close: async () => Promise.all([browser.close(), stop()]) };
}

/** A landscape of some 250 kB. */
async function picture(page) {
  const base64 = await page.evaluate(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 960, height: 600 });
    const paint = canvas.getContext("2d");
    const sky = paint.createLinearGradient(0, 0, 0, 400);
    for (const [at, color] of [[0, "#20346b"], [0.5, "#c2557a"], [1, "#ffc27a"]]) sky.addColorStop(at, color);
    paint.fillStyle = sky;
    paint.fillRect(0, 0, 960, 600);
    paint.fillStyle = "#fff2c9";
    paint.arc(640, 330, 46, 0, 7);
    paint.fill();
    const hills = (base, height, color, step) => {
      paint.fillStyle = color;
      paint.beginPath();
      paint.moveTo(0, 600);
      for (let x = 0; x <= 960; x += 8) paint.lineTo(x, base - height * (0.6 + 0.4 * Math.sin(x / step) + 0.25 * Math.sin(x / (step / 3.1))));
      paint.lineTo(960, 600);
      paint.fill();
    };
    hills(420, 120, "#6b4a7d", 130);
    hills(450, 80, "#40345f", 90);
    const lake = paint.createLinearGradient(0, 420, 0, 600);
    lake.addColorStop(0, "#d58a6a");
    lake.addColorStop(1, "#27305c");
    paint.fillStyle = lake;
    paint.fillRect(0, 425, 960, 175);
    paint.fillStyle = "rgb(255 240 200 / 35%)";
    for (let y = 432; y < 590; y += 9) paint.fillRect(640 - (y - 400) / 2.6 + Math.sin(y) * 14, y, (y - 400) / 1.3, 3);
    const pixels = paint.getImageData(0, 0, 960, 600);
    for (let at = 0; at < pixels.data.length; at += 4) {
      const grain = (Math.random() - 0.5) * 22;
      for (let channel = 0; channel < 3; channel++) pixels.data[at + channel] += grain;
    }
    paint.putImageData(pixels, 0, 0);
    return canvas.toDataURL("image/jpeg", 0.9).split(",")[1];
  });
  return Buffer.from(base64, "base64");
}
