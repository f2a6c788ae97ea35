// The demo's page as a player sees it. How code gets into the page, and how keys are pressed, is the subclass's.
import assert from "node:assert/strict";

/** Long, since the machine may be busy; nothing waits for it when all is well. */
export const PATIENCE_MS = 20_000;

export async function until(condition, limit = PATIENCE_MS) {
  const end = Date.now() + limit;
  do {
    if (await condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 25));
  } while (Date.now() < end);
  return false;
}

export const same = (one, other) => one[0] === other[0] && one[1] === other[1];
const at = (name) => `[data-testid="${name}"]`;
const row = (filter) => `[data-testid=log-row]${filter}`;

/**
 * A subclass has `evaluate(work, ...parameters)`, `press(code)`, `clickOn(selector)`, `enter(selector, text)`, which
 * sends the form too, `complaints()`, the page's errors and warnings, and `close()`.
 */
export class Player {
  /** Waits until the game is on and this player on the board. */
  async begin() {
    await this.isIn("open");
    this.id = await this.evaluate(() => document.body.dataset.player);
    await this.sees(this.id);
  }

  async shows(selector) {
    const found = await until(() => this.evaluate((selector) => document.querySelector(selector) !== null, selector));
    assert.ok(found, `there is no ${selector}`);
  }

  isIn(state) {
    return this.shows(`[data-testid=status][data-state=${state}]`);
  }

  /** Waits until this page has a player, `""`, or one that is `.away`. */
  sees(id, filter = "") {
    return this.shows(`${at(`player-${id}`)}${filter}`);
  }

  /** Waits for a frame in the log. */
  has(filter) {
    return this.shows(row(filter));
  }

  rows(filter = "") {
    return this.evaluate((selector) => document.querySelectorAll(selector).length, row(filter));
  }

  attribute(name, attribute) {
    return this.evaluate((selector, attribute) => document.querySelector(selector).getAttribute(attribute), at(name), attribute);
  }

  text(name) {
    return this.evaluate((selector) => document.querySelector(selector).innerText, at(name));
  }

  async says(name, pattern) {
    assert.ok(await until(async () => pattern.test(await this.text(name))), `${name} is "${await this.text(name)}", not ${pattern}`);
  }

  /** Where this page shows a player. */
  position(id) {
    return this.evaluate((selector) => {
      const { x, y } = document.querySelector(selector).dataset;
      return [Number(x), Number(y)];
    }, at(`player-${id}`));
  }

  async showsAt(id, position) {
    const there = await until(async () => same(await this.position(id), position));
    assert.ok(there, `${id} at ${position}, but shown at ${await this.position(id)}`);
  }

  /** Makes one step, in any direction that is free; returns where this page then shows its player. */
  async step() {
    const before = await this.position(this.id);
    for (const code of ["ArrowRight", "KeyS", "ArrowLeft", "KeyW"]) {
      await this.press(code);
      const moved = await until(async () => !same(await this.position(this.id), before), 1500);
      if (moved) return this.position(this.id);
    }
    throw new Error(`no way to go from ${before}`);
  }

  click(name) {
    return this.clickOn(at(name));
  }

  fill(name, text) {
    return this.enter(at(name), text);
  }
}
