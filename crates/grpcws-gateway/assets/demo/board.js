// The board: cells, gems and players as elements, so that style, assistive technology and tests can see them.
import { make } from "./dom.js";

export class BoardView {
  #root;
  #cells = [];
  #gems = new Map();
  #tokens = new Map();
  #size = "";

  constructor(root) {
    this.#root = root;
  }

  /** Shows the state; `self` is the id of this page's player. */
  render(state, self) {
    this.#layOut(state);
    state.owners.forEach((owner, number) => this.#paint(this.#cells[number], state.players.get(owner), self));
    this.#renderGems(state);
    this.#renderTokens(state, self);
    const standings = [...state.players.values()].map((player) => `${player.name} ${player.points}`).join(", ");
    this.#root.setAttribute("aria-label", `Board of ${state.width} by ${state.height} cells. Points: ${standings}`);
  }

  /** Makes the paint and the tokens of a player that has just scored stand out for a moment. */
  flash(cells) {
    for (const number of cells ?? []) {
      const cell = this.#cells[number];
      if (!cell) continue;
      cell.classList.remove("flash");
      void cell.offsetWidth; // Without a layout in between the animation would not start again.
      cell.classList.add("flash");
    }
  }

  /** Lets the own token bump against what is in the way. */
  bump(id, direction) {
    const token = this.#tokens.get(id);
    token?.animate?.(
      [{ translate: "0 0" }, { translate: { up: "0 -18%", down: "0 18%", left: "-18% 0", right: "18% 0" }[direction] ?? "0 0" }, { translate: "0 0" }],
      { duration: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 140 },
    );
  }

  #layOut({ width, height }) {
    const size = `${width}×${height}`;
    if (size === this.#size) return;
    this.#size = size;
    this.#root.replaceChildren();
    this.#gems.clear();
    this.#tokens.clear();
    this.#root.style.setProperty("--columns", width);
    this.#root.style.setProperty("--rows", height);
    this.#cells = Array.from({ length: width * height }, (_, number) => {
      const [x, y] = [number % width, Math.floor(number / width)];
      return make("div", { class: "cell", "data-testid": `cell-${x}-${y}`, "data-x": x, "data-y": y });
    });
    this.#root.append(...this.#cells);
  }

  #paint(cell, owner, self) {
    const color = owner?.color ?? "";
    if (cell.dataset.owner === (owner?.id ?? "") && cell.dataset.color === color) return;
    cell.dataset.owner = owner?.id ?? "";
    cell.dataset.color = color;
    cell.classList.toggle("own", owner?.id === self);
  }

  #renderGems({ gems }) {
    const seen = new Set();
    for (const gem of gems) {
      const key = `${gem.kind}-${gem.x}-${gem.y}`;
      seen.add(key);
      if (this.#gems.has(key)) continue;
      const element = make("div", { class: `piece gem ${gem.kind}`, "data-testid": "gem", "data-x": gem.x, "data-y": gem.y, "data-kind": gem.kind }, make("i"));
      this.#gems.set(key, element);
      place(element, gem);
      this.#root.append(element);
    }
    removeOthers(this.#gems, seen);
  }

  #renderTokens({ players }, self) {
    for (const player of players.values()) {
      let token = this.#tokens.get(player.id);
      if (!token) {
        token = make("div", { class: "piece token", "data-testid": `player-${player.id}`, "data-player": player.id }, make("b"));
        this.#tokens.set(player.id, token);
        this.#root.append(token);
      }
      place(token, player.position);
      token.dataset.x = player.position.x;
      token.dataset.y = player.position.y;
      token.dataset.color = player.color;
      token.classList.toggle("self", player.id === self);
      token.classList.toggle("away", player.away);
      token.title = player.name;
      token.firstElementChild.textContent = [...player.name][0]?.toUpperCase() ?? "?";
    }
    removeOthers(this.#tokens, new Set(players.keys()));
  }
}

function place(element, { x, y }) {
  element.style.setProperty("--x", x);
  element.style.setProperty("--y", y);
}

function removeOthers(elements, keep) {
  for (const [key, element] of elements) {
    if (keep.has(key)) continue;
    element.remove();
    elements.delete(key);
  }
}
