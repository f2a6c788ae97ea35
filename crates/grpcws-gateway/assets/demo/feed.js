// What happens in the game, in words: chat and events, the newest first. Steps are left out: the board shows them.
import { make, prepend } from "./dom.js";
import { kindOf } from "./state.js";

const LIMIT = 60;

export class Feed {
  #list;
  #names = new Map();
  #version = 0;

  constructor(list) {
    this.#list = list;
  }

  /** Takes an event of the `Subscribe` stream. */
  add(event) {
    const kind = kindOf(event);
    if (kind === "snapshot") {
      for (const player of event.snapshot.players ?? []) this.#names.set(player.playerId, player.name);
      for (const chat of event.snapshot.recentChat ?? []) this.#once(chat.time, () => this.#say(chat));
      return;
    }
    const name = this.#names.get(event.playerId) ?? event.playerId;
    switch (kind) {
      case "joined": {
        const { playerId, name: now } = event.joined.player;
        const before = this.#names.get(playerId);
        this.#names.set(playerId, now);
        if (before === undefined) this.#tell(event, `${now} joined`);
        else if (before !== now) this.#tell(event, `${before} is now ${now}`);
        break;
      }
      case "scored":
        this.#tell(event, `${name} took a ${event.scored.gem.kind === "GEM_KIND_CROSS" ? "cross" : "splash"} gem: ${(event.scored.painted ?? []).length} cells`);
        break;
      case "left":
        this.#names.delete(event.playerId);
        this.#tell(event, `${name} left`);
        break;
      case "presenceChanged":
        this.#tell(event, event.presenceChanged.presence === "PRESENCE_AWAY" ? `${name} is away` : `${name} is back`);
        break;
      case "chat":
        this.#once(event.chat.time, () => this.#say(event.chat));
        break;
      case "roundWon":
        this.#tell(event, `${name} won round ${event.roundWon.round} with ${event.roundWon.points} points`, "won");
        break;
    }
  }

  /** After a reconnection the snapshot repeats messages that are shown already. */
  #once(time, show) {
    const moment = Date.parse(time);
    if (moment <= this.#version) return;
    this.#version = moment;
    show();
  }

  #say(chat) {
    const line = make("li", { class: "chat", "data-testid": "chat-line" }, make("b", { text: chat.name }), ` ${chat.text}`);
    prepend(this.#list, line, LIMIT);
  }

  #tell(event, text, kind = "event") {
    prepend(this.#list, make("li", { class: kind, "data-testid": "feed-line", "data-version": event.version, text }), LIMIT);
  }
}
