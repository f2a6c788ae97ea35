// Joins a game from Bun and prints what happens there: bun run main.ts [URL]
import { Client, resume } from "grpcws";

interface Event {
  version: string;
  snapshot?: { players?: { name: string }[] };
  joined?: { player: { name: string } };
  chat?: { name: string; text: string };
}

const client = new Client(process.argv[2] ?? "http://127.0.0.1:8080");
const gameId = `bun-${process.pid}`;

// Resumes when the gateway restarts or the network breaks. Here it ends after three events.
const events = resume<Event>((_last, _attempt, signal) =>
  client.json<object, Event>("game.v1.GameService/Subscribe", { signal }).request({ gameId, maxEvents: 3 }));

for await (const { snapshot, joined, chat } of events) {
  if (joined) console.log(`server streaming: ${joined.player.name} joined`);
  if (chat) console.log(`server streaming: ${chat.name} said ${JSON.stringify(chat.text)}`);
  if (!snapshot) continue;
  const commands = client.json<object, object>("game.v1.GameService/SendCommands");
  await commands.pipe([{ gameId, playerId: "bun", join: { name: "Bun" } }, { say: { text: "hello from Bun" } }]);
  await commands.response();
}
