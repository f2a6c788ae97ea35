// Plays the demo's page in headless Chromium: node demo.mjs http://HOST:PORT [SCREENSHOTS]
//
// Two players in one game; each has to see what the other one does. Prints a line for each test, and at last
// "N passed, N failed".
import assert from "node:assert/strict";
import { mkdtemp, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [base, folder] = process.argv.slice(2);
if (!base) {
  console.error("usage: node demo.mjs http://HOST:PORT [SCREENSHOTS]");
  process.exit(64);
}
const screenshots = folder ?? (await mkdtemp(join(tmpdir(), "grpcws-demo-")));
await mkdir(screenshots, { recursive: true });

/** Long, since the machine may be busy; nothing waits for it when all is well. */
const PATIENCE_MS = 20_000;
/** A game of this run's own, so that nobody else is on the board. */
const game = `browser-${process.pid}`;
const DESKTOP = { viewport: { width: 1440, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
});

// === The page, as a player sees it ===

class Player {
  complaints = [];

  constructor(page) {
    this.page = page;
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && this.complaints.push(message.text()));
    page.on("pageerror", (error) => this.complaints.push(String(error)));
  }

  static async open(options, before = async () => {}) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(PATIENCE_MS);
    const player = new Player(await context.newPage());
    await before(player.page);
    await player.page.goto(`${base}/?game=${game}`);
    await player.isIn("open");
    player.id = await player.page.locator("body").getAttribute("data-player");
    await player.token(player.id).waitFor();
    return player;
  }

  at(name) {
    return this.page.getByTestId(name);
  }

  token(id) {
    return this.at(`player-${id}`);
  }

  async isIn(state) {
    await this.page.locator(`[data-testid=status][data-state=${state}]`).waitFor();
  }

  /** Where this page shows a player. */
  async position(id) {
    const token = this.token(id);
    return [Number(await token.getAttribute("data-x")), Number(await token.getAttribute("data-y"))];
  }

  /** Makes one step, in any direction that is free; returns where this page then shows its player. */
  async step() {
    const before = await this.position(this.id);
    for (const key of ["ArrowRight", "KeyS", "ArrowLeft", "KeyW"]) {
      await this.page.keyboard.press(key);
      const moved = await until(async () => !same(await this.position(this.id), before), 1500);
      if (moved) return this.position(this.id);
    }
    throw new Error(`no way to go from ${before}`);
  }

  async showsAt(id, position) {
    assert.ok(await until(async () => same(await this.position(id), position)), `${id} at ${position}, but shown at ${await this.position(id)}`);
  }

  rows(filter) {
    return this.page.locator(`[data-testid=log-row]${filter}`);
  }

  async has(filter) {
    await this.rows(filter).first().waitFor();
  }

  async says(name, pattern) {
    const element = this.at(name);
    assert.ok(await until(async () => pattern.test(await element.innerText())), `${name} is "${await element.innerText()}", not ${pattern}`);
  }

  screenshot(name) {
    return this.page.screenshot({ path: join(screenshots, `${name}.png`) });
  }

  close() {
    return this.page.context().close();
  }
}

const same = (one, other) => one[0] === other[0] && one[1] === other[1];

async function until(condition, limit = PATIENCE_MS) {
  const end = Date.now() + limit;
  do {
    if (await condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 25));
  } while (Date.now() < end);
  return false;
}

// === The tests, in order: each goes on from the one before ===

let ada;
let bob;

const tests = {
  async "two players come into one game and see each other"() {
    ada = await Player.open({ ...DESKTOP, colorScheme: "light" });
    bob = await Player.open({ ...DESKTOP, colorScheme: "dark" });
    assert.notEqual(ada.id, bob.id);
    await ada.token(bob.id).waitFor();
    await bob.token(ada.id).waitFor();
    await bob.showsAt(ada.id, await ada.position(ada.id));
    await ada.showsAt(bob.id, await bob.position(bob.id));
  },

  async "the log shows the beginning of the streams"() {
    for (const stream of ["sync", "subscribe"]) {
      await ada.has(`[data-stream=${stream}][data-type=open][data-direction=received]`);
      await ada.has(`[data-stream=${stream}][data-type=headers][data-direction=received]`);
      await ada.has(`[data-stream=${stream}][data-type=data][data-direction=received]`);
    }
    await ada.has("[data-stream=sync][data-type=data][data-direction=sent]");
  },

  async "what ada does, bob sees"() {
    for (let count = 0; count < 4; count += 1) await bob.showsAt(ada.id, await ada.step());
    const [x, y] = await ada.position(ada.id);
    await bob.page.locator(`[data-testid=cell-${x}-${y}][data-owner="${ada.id}"]`).waitFor();
  },

  async "what bob does, ada sees"() {
    for (let count = 0; count < 4; count += 1) await ada.showsAt(bob.id, await bob.step());
    const points = await bob.at(`entry-${bob.id}`).getAttribute("data-points");
    assert.ok(Number(points) > 0, "steps give points");
    assert.ok(await until(async () => (await ada.at(`entry-${bob.id}`).getAttribute("data-points")) === points));
  },

  async "chat and a new name reach the other page"() {
    await ada.at("say").fill("hello from ada");
    await ada.at("say").press("Enter");
    await bob.says("feed", /hello from ada/);
    await bob.page.locator("#you summary").click();
    await bob.at("name").fill("Bob the Painter");
    await bob.at("name").press("Enter");
    await ada.says("players", /Bob the Painter/);
    await ada.says("feed", /is now Bob the Painter/);
  },

  async "the log pauses, goes on, and opens a frame"() {
    await ada.at("pause").click();
    const rows = await ada.rows("").count();
    const counted = await ada.at("log-count").innerText();
    await ada.showsAt(bob.id, await bob.step());
    assert.ok(await until(async () => (await ada.at("log-count").innerText()) !== counted), "frames are counted on");
    assert.equal(await ada.rows("").count(), rows);
    await ada.at("pause").click();
    await ada.showsAt(bob.id, await bob.step());
    assert.ok(await until(async () => (await ada.rows("").count()) > rows));
    await ada.at("pause").click();
    await ada.rows("[data-type=data]").first().locator("summary").click();
    assert.match(await ada.rows("").locator("pre").first().innerText(), /"type": "data"/);
    await ada.at("pause").click();
  },

  async "a batch of commands is summed up, and the other page sees them"() {
    const before = await bob.position(ada.id);
    await ada.at("batch").click();
    const seen = until(async () => !same(await bob.position(ada.id), before));
    await ada.says("batch-result", /\d+ of 16 applied, \d+ points/);
    assert.ok(await seen, "bob sees a step of the batch");
    await ada.has("[data-stream=commands][data-type=end_send][data-direction=sent]");
    await ada.has("[data-stream=commands][data-type=stream_end][data-direction=received]");
    assert.equal(await ada.rows("[data-stream=commands][data-type=data][data-direction=received]").count(), 1);
  },

  async "an error shows its status and its close code"() {
    await ada.at("fail").click();
    await ada.says("fail-result", /NOT_FOUND \(5\): game not found · close 4005/);
    await ada.has("[data-stream=missing][data-type=error][data-direction=received]");
  },

  async "the page looks as it should, in light and dark"() {
    await ada.screenshot("desktop-light");
    await bob.screenshot("desktop-dark");
    for (const player of [ada, bob]) {
      const [board, viewport] = [await player.at("board").boundingBox(), player.page.viewportSize()];
      assert.ok(board.width > 300 && board.y + board.height < viewport.height, "the board is in sight");
    }
  },

  async "half-close ends the game with OK, and the other page sees the player go away"() {
    await ada.at("half-close").click();
    await ada.isIn("ended");
    await ada.says("status-detail", /OK \(0\).* close 1000/);
    await ada.has("[data-stream=sync][data-type=end_send][data-direction=sent]");
    await ada.has("[data-stream=sync][data-type=stream_end][data-direction=received]");
    await bob.page.locator(`[data-testid=player-${ada.id}].away`).waitFor();
    await ada.screenshot("half-closed");
  },

  async "play again comes back as the same player"() {
    const points = await bob.at(`entry-${ada.id}`).getAttribute("data-points");
    await ada.at("again").click();
    await ada.isIn("open");
    await bob.page.locator(`[data-testid=player-${ada.id}]:not(.away)`).waitFor();
    assert.equal(await bob.at(`entry-${ada.id}`).getAttribute("data-points"), points);
    await bob.showsAt(ada.id, await ada.step());
  },

  async "cancel ends the game with CANCELLED"() {
    await ada.at("cancel").click();
    await ada.isIn("ended");
    await ada.says("status-detail", /CANCELLED \(1\).* close 1000/);
    await ada.has("[data-stream=sync][data-type=cancel][data-direction=sent]");
    await ada.has("[data-stream=sync][data-type=error][data-direction=received]");
    await ada.at("again").click();
    await ada.isIn("open");
  },

  async "a lost connection is opened again"() {
    let sockets = [];
    const carol = await Player.open(DESKTOP, (page) =>
      page.routeWebSocket(/\/sync$/, (socket) => {
        socket.connectToServer();
        sockets.push(socket);
      }),
    );
    const before = sockets.length;
    const states = carol.page.evaluate(
      () =>
        new Promise((resolve) => {
          const status = document.querySelector("[data-testid=status]");
          const detail = document.querySelector("[data-testid=status-detail]");
          new MutationObserver(() => {
            if (status.dataset.state === "reconnecting" && detail.textContent) resolve(detail.textContent);
          }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
        }),
    );
    await sockets.at(-1).close({ code: 1012, reason: "UNAVAILABLE: the gateway is shutting down" });
    assert.match(await states, /UNAVAILABLE \(14\).*shutting down.* close 1012/);
    await carol.isIn("open");
    assert.equal(sockets.length, before + 1);
    await bob.showsAt(carol.id, await carol.step());
    await carol.close();
  },

  async "a game whose id cannot be says so and does not try again"() {
    const context = await browser.newContext(DESKTOP);
    const page = await context.newPage();
    await page.goto(`${base}/?game=${encodeURIComponent("No Game!")}`);
    const lost = new Player(page);
    await lost.isIn("failed");
    await lost.says("status-detail", /INVALID_ARGUMENT \(3\): game_id must be 1 to 32 characters.* close 4003/);
    await context.close();
  },

  async "a phone shows it all, plays by touch, and does not scroll sideways"() {
    const dora = await Player.open({ ...PHONE, colorScheme: "light" });
    await dora.screenshot("phone-light");
    const before = await dora.position(dora.id);
    for (const name of ["Right", "Down", "Left", "Up"]) {
      await dora.page.getByRole("button", { name, exact: true }).tap();
      if (await until(async () => !same(await dora.position(dora.id), before), 1500)) break;
    }
    const after = await dora.position(dora.id);
    assert.notDeepEqual(after, before);
    await bob.showsAt(dora.id, after);
    const [content, screen] = await dora.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= screen, `${content} px wide on a screen of ${screen}`);
    await dora.page.emulateMedia({ colorScheme: "dark" });
    await dora.page.screenshot({ path: join(screenshots, "phone-dark-full.png"), fullPage: true });
    assert.deepEqual(dora.complaints, []);
    await dora.close();
  },

  async "the browser has nothing to complain about"() {
    assert.deepEqual([...ada.complaints, ...bob.complaints], []);
  },
};

let [passed, failed] = [0, 0];
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    passed += 1;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n     ${error.stack ?? error}`);
    await ada?.screenshot(`failed-${failed}-ada`).catch(() => {});
    await bob?.screenshot(`failed-${failed}-bob`).catch(() => {});
  }
}
await browser.close();
console.log(`screenshots in ${screenshots}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
