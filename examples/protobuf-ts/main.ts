// A client that protobuf-ts generated, unchanged: npm start -- [URL]
import { GrpcWsTransport } from "grpcws/protobuf-ts";
import WebSocket from "ws";
import { GameServiceClient } from "./gen/game/v1/game.client";
import { PlayerAction } from "./gen/game/v1/game";

const baseUrl = process.argv[2] ?? "http://127.0.0.1:8080";
// A browser has a WebSocket of its own: new GrpcWsTransport({ baseUrl })
const client = new GameServiceClient(new GrpcWsTransport({ baseUrl, WebSocket: (globalThis.WebSocket ?? WebSocket) as never }));
const [gameId, playerId] = [`protobuf-ts-${process.pid}`, "protobuf-ts"];

const play = client.syncGame();
await play.requests.send(PlayerAction.create({ gameId, playerId, action: { oneofKind: "join", join: { name: "protobuf-ts", color: 0 } } }));
await play.requests.send(PlayerAction.create({ sequence: "1", action: { oneofKind: "say", say: { text: "hello from protobuf-ts" } } }));
await play.requests.complete();
for await (const { update } of play.responses) {
  if (update.oneofKind !== "event" || update.event.event.oneofKind !== "chat") continue;
  const { name, text } = update.event.event.chat;
  console.log(`bidi: ${name} said ${JSON.stringify(text)}`);
}
const { response } = await client.getGame({ gameId });
console.log(`unary: ${response.players.map(({ name }) => name).join()}`);
