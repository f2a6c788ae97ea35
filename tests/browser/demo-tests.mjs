// The demo's page, played by two players: the tests that need nothing but the page, in order. Each goes on from the
// one before.
import assert from "node:assert/strict";
import { same, until } from "./lib/player.mjs";

/**
 * `open(name, game)` loads the page in a frame or a window of its own and returns its player. `players` gets `ada` and
 * `bob`, so that other tests can go on with them.
 */
export const demoTests = (players, open, game) => ({
  async "two players come into one game and see each other"() {
    const [ada, bob] = [await open("ada", game), await open("bob", game)];
    await ada.begin();
    await bob.begin();
    Object.assign(players, { ada, bob });
    assert.notEqual(ada.id, bob.id);
    await ada.sees(bob.id);
    await bob.sees(ada.id);
    await bob.showsAt(ada.id, await ada.position(ada.id));
    await ada.showsAt(bob.id, await bob.position(bob.id));
  },

  async "the log shows the beginning of the streams"() {
    const { ada } = players;
    for (const stream of ["sync", "subscribe"]) {
      for (const type of ["open", "headers", "data"]) {
        await ada.has(`[data-stream=${stream}][data-type=${type}][data-direction=received]`);
      }
    }
    await ada.has("[data-stream=sync][data-type=data][data-direction=sent]");
  },

  async "what ada does, bob sees"() {
    const { ada, bob } = players;
    for (let count = 0; count < 4; count += 1) await bob.showsAt(ada.id, await ada.step());
    const [x, y] = await ada.position(ada.id);
    await bob.shows(`[data-testid=cell-${x}-${y}][data-owner="${ada.id}"]`);
  },

  async "what bob does, ada sees"() {
    const { ada, bob } = players;
    for (let count = 0; count < 4; count += 1) await ada.showsAt(bob.id, await bob.step());
    const points = await bob.attribute(`entry-${bob.id}`, "data-points");
    assert.ok(Number(points) > 0, "steps give points");
    assert.ok(await until(async () => (await ada.attribute(`entry-${bob.id}`, "data-points")) === points));
  },

  async "chat and a new name reach the other page"() {
    const { ada, bob } = players;
    await ada.fill("say", "hello from ada");
    await bob.says("feed", /hello from ada/);
    await bob.clickOn("#you summary");
    await bob.fill("name", "Bob the Painter");
    await ada.says("players", /Bob the Painter/);
    await ada.says("feed", /is now Bob the Painter/);
  },

  async "the log pauses, goes on, and opens a frame"() {
    const { ada, bob } = players;
    await ada.click("pause");
    const rows = await ada.rows();
    const counted = await ada.text("log-count");
    await ada.showsAt(bob.id, await bob.step());
    assert.ok(await until(async () => (await ada.text("log-count")) !== counted), "frames are counted on");
    assert.equal(await ada.rows(), rows);
    await ada.click("pause");
    await ada.showsAt(bob.id, await bob.step());
    assert.ok(await until(async () => (await ada.rows()) > rows));
    await ada.click("pause");
    await ada.clickOn("[data-testid=log-row][data-type=data] summary");
    await ada.shows("[data-testid=log-row] pre");
    assert.match(await ada.evaluate(() => document.querySelector("[data-testid=log-row] pre").innerText), /"type": "data"/);
    await ada.click("pause");
  },

  async "a batch of commands is summed up, and the other page sees them"() {
    const { ada, bob } = players;
    const before = await bob.position(ada.id);
    await ada.click("batch");
    const seen = until(async () => !same(await bob.position(ada.id), before));
    await ada.says("batch-result", /\d+ of 16 applied, \d+ points/);
    assert.ok(await seen, "bob sees a step of the batch");
    await ada.has("[data-stream=commands][data-type=end_send][data-direction=sent]");
    await ada.has("[data-stream=commands][data-type=stream_end][data-direction=received]");
    assert.equal(await ada.rows("[data-stream=commands][data-type=data][data-direction=received]"), 1);
  },

  async "an error shows its status and its close code"() {
    const { ada } = players;
    await ada.click("fail");
    await ada.says("fail-result", /NOT_FOUND \(5\): game not found · close 4005/);
    await ada.has("[data-stream=missing][data-type=error][data-direction=received]");
  },

  async "half-close ends the game with OK, and the other page sees the player go away"() {
    const { ada, bob } = players;
    await ada.click("half-close");
    await ada.isIn("ended");
    await ada.says("status-detail", /OK \(0\).* close 1000/);
    await ada.has("[data-stream=sync][data-type=end_send][data-direction=sent]");
    await ada.has("[data-stream=sync][data-type=stream_end][data-direction=received]");
    await bob.sees(ada.id, ".away");
  },

  async "play again comes back as the same player"() {
    const { ada, bob } = players;
    const points = await bob.attribute(`entry-${ada.id}`, "data-points");
    await ada.click("again");
    await ada.isIn("open");
    await bob.sees(ada.id, ":not(.away)");
    assert.equal(await bob.attribute(`entry-${ada.id}`, "data-points"), points);
    await bob.showsAt(ada.id, await ada.step());
  },

  async "cancel ends the game with CANCELLED"() {
    const { ada } = players;
    await ada.click("cancel");
    await ada.isIn("ended");
    await ada.says("status-detail", /CANCELLED \(1\).* close 1000/);
    await ada.has("[data-stream=sync][data-type=cancel][data-direction=sent]");
    await ada.click("again");
    await ada.isIn("open");
  },

  async "a game whose id cannot be says so and does not try again"() {
    const lost = await open("lost", "No Game!");
    await lost.isIn("failed");
    await lost.says("status-detail", /INVALID_ARGUMENT \(3\): game_id must be 1 to 32 characters.* close 4003/);
    await lost.close();
  },

  async "the browser has nothing to complain about"() {
    const { ada, bob } = players;
    assert.deepEqual([...(await ada.complaints()), ...(await bob.complaints())], []);
  },
});
