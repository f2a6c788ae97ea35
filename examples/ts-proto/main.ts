// A client that ts-proto generated, unchanged: npm start -- [URL]
import { createRpc } from "grpcws/ts-proto";
import WebSocket from "ws";
import { GameServiceClientImpl, type PlayerAction } from "./gen/game/v1/game.ts";

// A browser has a WebSocket of its own: createRpc("https://api.example.com")
const rpc = createRpc(process.argv[2] ?? "http://127.0.0.1:8080", { WebSocket: (globalThis.WebSocket ?? WebSocket) as never });
const client = new GameServiceClientImpl(rpc);
const [gameId, playerId] = [`ts-proto-${process.pid}`, "ts-proto"];

async function* actions(): AsyncGenerator<PlayerAction> {
  yield { gameId, playerId, sequence: "1", action: { $case: "join", join: { name: "ts-proto", color: 0 } } };
  yield { gameId, playerId, sequence: "2", action: { $case: "say", say: { text: "hello from ts-proto" } } };
}

for await (const { update } of client.SyncGame(actions())) {
  if (update?.$case !== "event" || update.event.event?.$case !== "chat") continue;
  const { name, text } = update.event.event.chat;
  console.log(`bidi: ${name} said ${JSON.stringify(text)}`);
}
const { players } = await client.GetGame({ gameId });
console.log(`unary: ${players.map(({ name }) => name).join()}`);
