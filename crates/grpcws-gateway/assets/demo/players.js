// The list of players, with their points on the way to the target.
import { make } from "./dom.js";

export function renderPlayers(list, state, self) {
  const players = [...state.players.values()].sort((one, other) => other.points - one.points || one.id.localeCompare(other.id));
  list.replaceChildren(
    ...players.map((player) => {
      const meter = make("progress", { max: state.target, value: Math.min(player.points, state.target), "aria-label": `Points of ${player.name}` });
      const notes = [
        player.id === self ? "you" : null,
        player.away ? "away" : null,
        player.gems > 0 ? `${player.gems} ${player.gems === 1 ? "gem" : "gems"}` : null,
        player.wins > 0 ? `${player.wins} won` : null,
      ].filter(Boolean);
      return make(
        "li",
        { "data-testid": `entry-${player.id}`, "data-player": player.id, "data-points": player.points, "data-color": player.color, class: player.away ? "away" : null },
        make("span", { class: "dot", "data-color": player.color }),
        make("span", { class: "name", text: player.name }),
        make("span", { class: "notes", text: notes.join(" · ") }),
        make("span", { class: "points", text: player.points }),
        meter,
      );
    }),
  );
}
