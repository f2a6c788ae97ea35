// The state of a game, as the events of `game.v1` tell it. protojson leaves out zeros and empty lists.

/** Reads a `Position`. */
export const at = (position) => ({ x: position?.x ?? 0, y: position?.y ?? 0 });

/** The member of `GameEvent.event` that is set. */
export function kindOf(event) {
  return ["snapshot", "joined", "moved", "scored", "left", "chat", "presenceChanged", "roundWon"].find((kind) => kind in event);
}

const readPlayer = (player) => ({
  id: player.playerId,
  name: player.name,
  color: (player.color ?? "COLOR_RED").replace("COLOR_", "").toLowerCase(),
  position: at(player.position),
  points: player.points ?? 0,
  gems: player.gems ?? 0,
  wins: player.wins ?? 0,
  away: player.presence === "PRESENCE_AWAY",
});

const readGem = (gem) => ({ kind: gem.kind === "GEM_KIND_CROSS" ? "cross" : "splash", ...at(gem.position) });

export class GameState {
  version = 0;
  width = 0;
  height = 0;
  target = 0;
  round = 1;
  /** Players by id, in the order of their coming. */
  players = new Map();
  /** Player ids by cell number, `y * width + x`. */
  owners = [];
  gems = [];

  /** Takes an event in; returns false for one that the state has already. */
  apply(event) {
    const version = Number(event.version ?? 0);
    if (event.snapshot) {
      this.#reset(event.snapshot);
      this.version = version;
      return true;
    }
    if (version <= this.version) return false;
    this.version = version;
    this.#change(event);
    return true;
  }

  #reset(snapshot) {
    this.width = snapshot.width;
    this.height = snapshot.height;
    this.target = snapshot.targetPoints;
    this.round = snapshot.round;
    this.players = new Map((snapshot.players ?? []).map((player) => [player.playerId, readPlayer(player)]));
    this.owners = new Array(this.width * this.height).fill(null);
    for (const [id, territory] of Object.entries(snapshot.territory ?? {})) this.#paint(id, territory.cells);
    this.gems = (snapshot.gems ?? []).map(readGem);
  }

  #change(event) {
    const id = event.playerId;
    const player = this.players.get(id);
    switch (kindOf(event)) {
      case "joined":
        this.players.set(id, readPlayer(event.joined.player));
        break;
      case "moved":
        if (player) player.position = at(event.moved.position);
        this.#paint(id, event.moved.painted);
        this.#score(event.moved.points);
        break;
      case "scored": {
        const taken = at(event.scored.gem.position);
        this.gems = this.gems.filter((gem) => gem.x !== taken.x || gem.y !== taken.y);
        if (event.scored.nextGem) this.gems.push(readGem(event.scored.nextGem));
        if (player) player.gems += 1;
        this.#paint(id, event.scored.painted);
        this.#score(event.scored.points);
        break;
      }
      case "left":
        this.players.delete(id);
        this.owners = this.owners.map((owner) => (owner === id ? null : owner));
        break;
      case "presenceChanged":
        if (player) player.away = event.presenceChanged.presence === "PRESENCE_AWAY";
        break;
      case "roundWon":
        this.round = event.roundWon.round + 1;
        this.owners.fill(null);
        this.gems = (event.roundWon.gems ?? []).map(readGem);
        for (const other of this.players.values()) Object.assign(other, { points: 0, gems: 0 });
        if (player) player.wins += 1;
        break;
    }
  }

  #paint(id, cells) {
    for (const cell of cells ?? []) this.owners[cell] = id;
  }

  #score(points) {
    for (const [id, value] of Object.entries(points ?? {})) {
      const player = this.players.get(id);
      if (player) player.points = value;
    }
  }
}
