// All four kinds of calls from Node, with no generated code: node main.mjs [URL]
import { Client } from "grpcws";
import WebSocket from "ws"; // Node 22 and later have one of their own.

const client = new Client(process.argv[2] ?? "http://127.0.0.1:8080", { WebSocket: globalThis.WebSocket ?? WebSocket });
const gameId = `node-${process.pid}`;
const service = "game.v1.GameService";

// Client streaming: several commands, one summary.
const commands = client.json(`${service}/SendCommands`);
await commands.pipe([
  { gameId, playerId: "node", join: { name: "Node" } },
  { move: { direction: "DIRECTION_RIGHT" } },
  { say: { text: "hello from Node" } },
]);
const { applied, received } = await commands.response();
console.log(`client streaming: ${received} commands, ${applied > 0 ? "applied" : "not applied"}`);

// Unary.
const game = await client.json(`${service}/GetGame`).request({ gameId }).response();
console.log(`unary: ${game.players.map(({ name }) => name).join()} in ${gameId.replace(/-.*/, "")}`);

// Server streaming.
for await (const event of client.json(`${service}/Subscribe`).request({ gameId, maxEvents: 1 })) {
  console.log(`server streaming: the last words were ${JSON.stringify(event.snapshot.recentChat.at(-1).text)}`);
}

// Bidi: play until our own message comes back, then half-close.
const play = client.json(`${service}/SyncGame`);
await play.send({ gameId, playerId: "node", join: {} });
await play.send({ sequence: "1", say: { text: "and back" } });
for await (const { event } of play) {
  if (event?.sequence !== "1") continue;
  console.log(`bidi: ${event.chat.name} said ${JSON.stringify(event.chat.text)}`);
  play.halfClose();
}
