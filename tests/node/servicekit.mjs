// The npm package of the Go library's own clients, unchanged, against the demo's three routes.
//
//     node servicekit.mjs ws://HOST:PORT
//
// The demo has to run with a ping period of at most two seconds.
import assert from "node:assert/strict";
import servicekit from "@panyam/servicekit-client";
import WebSocket from "ws";
import { Checks, readArguments, sleep, withLimit } from "./lib/checks.mjs";

const WAIT_MS = 8_000;
const NOT_FOUND = "rpc error: code = NotFound desc = game not found";
const { GRPCWSClient, TypedGRPCWSClient } = servicekit;
const { base, only } = readArguments("usage: node servicekit.mjs ws://HOST:PORT [--only PART-OF-A-NAME]");

/** What went over the last socket: the package takes its class from the global and hides the socket. */
let wire;
globalThis.WebSocket = class extends WebSocket {
  constructor(url) {
    super(url);
    const traffic = { sent: [], received: [], close: undefined };
    wire = traffic;
    this.traffic = traffic;
    this.on("message", (content) => traffic.received.push(JSON.parse(content.toString())));
    this.on("close", (code, reason) => (traffic.close = { code, reason: reason.toString() }));
  }

  send(content, ...rest) {
    this.traffic.sent.push(JSON.parse(content));
    super.send(content, ...rest);
  }
};

let games = 0;
const newGame = () => `sk-${process.pid}-${(games += 1)}`;

/** A client and everything that it reports. */
function watch(Client) {
  const client = new Client();
  const events = { messages: [], errors: [], ends: 0, closes: 0, pings: [] };
  let wake = () => {};
  const note = (change) => (value) => {
    change(value);
    wake();
  };
  client.onMessage = note((message) => events.messages.push(message));
  client.onError = note((text) => events.errors.push(text));
  client.onStreamEnd = note(() => (events.ends += 1));
  client.onClose = note(() => (events.closes += 1));
  client.onPing = note((id) => events.pings.push(id));
  const until = async (holds, what) => {
    const deadline = Date.now() + WAIT_MS;
    while (!holds()) {
      const change = new Promise((resolve) => (wake = resolve));
      await withLimit(change, Math.max(deadline - Date.now(), 1), `${what} (${JSON.stringify(events)})`);
    }
  };
  return { client, events, until };
}

/** Connects to a route of the demo. */
async function connect(Client, game, route) {
  const watched = watch(Client);
  await withLimit(watched.client.connect(`${base}/ws/v1/games/${game}/${route}`), WAIT_MS, "connecting");
  return { ...watched, wire };
}

/** The end of a call that failed: one error with the text, then the close. */
async function expectError({ events, until, wire }, text, close) {
  await until(() => events.closes > 0, "the close");
  assert.deepEqual(events.errors, [text]);
  assert.equal(events.ends, 0);
  assert.equal(wire.close.code, close);
}

/** The end of a call that succeeded: `stream_end`, then the close. */
async function expectEnd({ events, until, wire }) {
  await until(() => events.closes > 0, "the close");
  assert.deepEqual(events.errors, []);
  assert.equal(events.ends, 1);
  assert.equal(wire.close.code, 1000);
}

const join = (name, sequence = "1") => ({ sequence, join: { name } });
const step = (direction, sequence) => ({ sequence, move: { direction: `DIRECTION_${direction}` } });

const checks = new Checks(only);

for (const Client of [GRPCWSClient, TypedGRPCWSClient]) {
  const check = (name, run) => checks.check(`${Client.name}: ${name}`, run);

  await check("subscribe: data, then the end of the stream", async () => {
    const game = newGame();
    const watched = await connect(Client, game, "subscribe?player_id=ann&max_events=1");
    await expectEnd(watched);
    const [event] = watched.events.messages;
    assert.equal(event.gameId, game);
    assert.equal(typeof event.snapshot, "object");
    assert.deepEqual(watched.wire.received.filter(({ type }) => type !== "ping").map(({ type }) => type), ["data", "stream_end"]);
  });

  await check("commands: endSend gets the reply", async () => {
    const game = newGame();
    const watched = await connect(Client, game, "commands");
    watched.client.send({ playerId: "bob", ...join("Bob") });
    watched.client.send({ playerId: "bob", ...step("UP", "2") });
    watched.client.send({ playerId: "bob", sequence: "3", say: { text: "hello" } });
    await sleep(100);
    assert.deepEqual(watched.events.messages, [], "there is no reply before endSend");
    watched.client.endSend();
    await expectEnd(watched);
    const [summary] = watched.events.messages;
    assert.deepEqual([summary.gameId, summary.playerId, summary.received], [game, "bob", "3"]);
    assert.equal(watched.events.messages.length, 1);
  });

  await check("sync: both directions while the stream is open, then endSend", async () => {
    const game = newGame();
    const watched = await connect(Client, game, "sync");
    watched.client.send({ playerId: "cat", ...join("Cat", "11") });
    await watched.until(() => watched.events.messages.length > 0, "the first update");
    watched.client.send({ playerId: "cat", sequence: "12", say: { text: "é ☺ 😈" } });
    const said = () => watched.events.messages.find(({ event }) => event?.chat !== undefined);
    await watched.until(() => said() !== undefined, "the chat");
    assert.deepEqual([said().event.sequence, said().event.chat.text], ["12", "é ☺ 😈"]);
    watched.client.endSend();
    await expectEnd(watched);
  });

  await check("one player's command reaches the other's subscription", async () => {
    const game = newGame();
    const viewer = await connect(Client, game, "subscribe?player_id=dan");
    await viewer.until(() => viewer.events.messages.length > 0, "the snapshot");
    const sender = await connect(Client, game, "commands");
    sender.client.send({ playerId: "eve", ...join("Eve", "21") });
    sender.client.endSend();
    await expectEnd(sender);
    const joined = () => viewer.events.messages.find((event) => event.joined?.player?.playerId === "eve");
    await viewer.until(() => joined() !== undefined, "Eve");
    assert.equal(joined().sequence, "21");
    viewer.client.close();
  });

  for (const route of ["subscribe?player_id=ann", "commands", "sync"]) {
    await check(`${route.split("?")[0]}: the text of an error`, async () => {
      const watched = await connect(Client, "missing", route);
      if (route !== "subscribe?player_id=ann" && watched.client.isConnected) {
        watched.client.send({ playerId: "ann", ...join("Ann") });
      }
      await expectError(watched, NOT_FOUND, 4005);
      assert.deepEqual(watched.events.messages, []);
    });

    await check(`${route.split("?")[0]}: cancel`, async () => {
      const watched = await connect(Client, newGame(), route);
      if (route === "sync") watched.client.send({ playerId: "ann", ...join("Ann") });
      if (route !== "commands") {
        await watched.until(() => watched.events.messages.length > 0, "the first message");
      }
      watched.client.cancel();
      await watched.until(() => watched.events.closes > 0, "the close");
      assert.deepEqual([watched.events.errors, watched.events.ends], [[], 0]);
      assert.equal(watched.wire.close.code, 1000);
    });
  }

  await check("a message that does not fit is an error that names the place", async () => {
    const watched = await connect(Client, newGame(), "sync");
    watched.client.send({ playerIdd: "ann" });
    await expectError(
      watched,
      'rpc error: code = InvalidArgument desc = line 1 column 24: unknown field "playerIdd" in game.v1.PlayerAction',
      4003,
    );
  });

  await check("pings are answered by pongs, and the stream goes on", async () => {
    const watched = await connect(Client, newGame(), "subscribe?player_id=ann");
    await watched.until(() => watched.events.pings.length >= 3, "three pings");
    assert.deepEqual(watched.events.pings.slice(0, 3), [1, 2, 3]);
    const pongs = watched.wire.sent.filter(({ type }) => type === "pong");
    assert.deepEqual(pongs.slice(0, 3), [1, 2, 3].map((pingId) => ({ type: "pong", pingId })));
    assert.equal(watched.client.isConnected, true);
    watched.client.close();
  });
}

checks.finish();
