// A bidi call from Deno: deno run --allow-net main.ts [URL]
import { Client } from "grpcws"; // without a package.json: npm:grpcws

interface Action {
  gameId?: string;
  playerId?: string;
  sequence?: string;
  join?: { name?: string };
  say?: { text: string };
}
interface Update {
  event?: { sequence: string; chat?: { name: string; text: string } };
}

const client = new Client(Deno.args[0] ?? "http://127.0.0.1:8080");
const play = client.json<Action, Update>("game.v1.GameService/SyncGame");
await play.send({ gameId: `deno-${Deno.pid}`, playerId: "deno", join: { name: "Deno" } });
await play.send({ sequence: "1", say: { text: "hello from Deno" } });
for await (const { event } of play) {
  if (!event?.chat) continue;
  console.log(`bidi: ${event.chat.name} said ${JSON.stringify(event.chat.text)}`);
  play.halfClose();
}
