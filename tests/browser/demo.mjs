// Plays the demo's page in headless Chromium: node demo.mjs http://HOST:PORT [SCREENSHOTS]
//
// Two players in one game; each has to see what the other one does. What needs Chromium's own protocol is here: real
// keys and touches, a phone's screen, and a connection that is lost. Prints a line for each test, and at last
// "N passed, N failed".
import assert from "node:assert/strict";
import { mkdtemp, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { demoTests } from "./demo-tests.mjs";
import { PATIENCE_MS, Player, same, until } from "./lib/player.mjs";

const [base, folder] = process.argv.slice(2);
if (!base) {
  console.error("usage: node demo.mjs http://HOST:PORT [SCREENSHOTS]");
  process.exit(64);
}
const screenshots = folder ?? (await mkdtemp(join(tmpdir(), "grpcws-demo-")));
await mkdir(screenshots, { recursive: true });

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

// === The page, driven by Chromium's own protocol ===

class WindowPlayer extends Player {
  #complaints = [];

  constructor(page) {
    super();
    this.page = page;
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && this.#complaints.push(message.text()));
    page.on("pageerror", (error) => this.#complaints.push(String(error)));
  }

  static async open(options, of = game, before = async () => {}) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(PATIENCE_MS);
    const player = new WindowPlayer(await context.newPage());
    await before(player.page);
    await player.page.goto(`${base}/?game=${encodeURIComponent(of)}`);
    return player;
  }

  evaluate(work, ...parameters) {
    return this.page.evaluate(`(${work})(...${JSON.stringify(parameters)})`);
  }

  press(code) {
    return this.page.keyboard.press(code);
  }

  clickOn(selector) {
    return this.page.locator(selector).first().click();
  }

  async enter(selector, text) {
    await this.page.locator(selector).fill(text);
    await this.page.locator(selector).press("Enter");
  }

  async complaints() {
    return this.#complaints;
  }

  screenshot(name) {
    return this.page.screenshot({ path: join(screenshots, `${name}.png`) });
  }

  close() {
    return this.page.context().close();
  }
}

// === The tests, in order: each goes on from the one before ===

const players = {};
const open = (name, game) => WindowPlayer.open({ ...DESKTOP, colorScheme: name === "bob" ? "dark" : "light" }, game);

const tests = {
  ...demoTests(players, open, game),

  async "the page looks as it should, in light and dark"() {
    const { ada, bob } = players;
    await ada.screenshot("desktop-light");
    await bob.screenshot("desktop-dark");
    for (const player of [ada, bob]) {
      const [board, viewport] = [await player.page.getByTestId("board").boundingBox(), player.page.viewportSize()];
      assert.ok(board.width > 300 && board.y + board.height < viewport.height, "the board is in sight");
    }
  },

  async "a lost connection is opened again"() {
    const sockets = [];
    const carol = await WindowPlayer.open(DESKTOP, game, (page) =>
      page.routeWebSocket(/\/sync$/, (socket) => {
        socket.connectToServer();
        sockets.push(socket);
      }),
    );
    await carol.begin();
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
    await players.bob.showsAt(carol.id, await carol.step());
    await carol.close();
  },

  async "a phone shows it all, plays by touch, and does not scroll sideways"() {
    const dora = await WindowPlayer.open({ ...PHONE, colorScheme: "light" });
    await dora.begin();
    await dora.screenshot("phone-light");
    const before = await dora.position(dora.id);
    for (const name of ["Right", "Down", "Left", "Up"]) {
      await dora.page.getByRole("button", { name, exact: true }).tap();
      if (await until(async () => !same(await dora.position(dora.id), before), 1500)) break;
    }
    const after = await dora.position(dora.id);
    assert.notDeepEqual(after, before);
    await players.bob.showsAt(dora.id, after);
    const [content, screen] = await dora.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= screen, `${content} px wide on a screen of ${screen}`);
    await dora.page.emulateMedia({ colorScheme: "dark" });
    await dora.page.screenshot({ path: join(screenshots, "phone-dark-full.png"), fullPage: true });
    assert.deepEqual(await dora.complaints(), []);
    await dora.close();
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
    await players.ada?.screenshot(`failed-${failed}-ada`).catch(() => {});
    await players.bob?.screenshot(`failed-${failed}-bob`).catch(() => {});
  }
}
await browser.close();
console.log(`screenshots in ${screenshots}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
