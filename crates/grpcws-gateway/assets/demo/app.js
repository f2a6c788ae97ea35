// The page: wires the game's streams to what is shown.
import { BoardView } from "./board.js";
import { startCall } from "./calls.js";
import { byId, make } from "./dom.js";
import { Feed } from "./feed.js";
import { listen } from "./input.js";
import { MessageLog } from "./log.js";
import { renderPlayers } from "./players.js";
import { COLORS, gameId, loadProfile, saveProfile } from "./profile.js";
import { GameState, kindOf } from "./state.js";
import { describeEnd, LastingCall, StreamRow } from "./streams.js";

const profile = await loadProfile();
const route = `v1/games/${encodeURIComponent(gameId)}`;
const state = new GameState();
const board = new BoardView(byId("board"));
const log = new MessageLog(byId("log"), byId("log-count"));
const feed = new Feed(byId("feed"));
/** Actions that the server has not answered yet: sequence to what and when. */
const pending = new Map();
let sequence = 0;
let drawing = false;

const game = new LastingCall(`${route}/sync`, new StreamRow("sync", log), {
  start: () => {
    pending.clear();
    join();
  },
  data: (update) => (update.rejected ? rejected(update.rejected) : happened(update.event)),
  status: showStatus,
});

const events = new LastingCall(`${route}/subscribe?player_id=${encodeURIComponent(profile.id)}`, new StreamRow("subscribe", log), {
  data: (event) => feed.add(event),
});

// === What the player does ===

function act(action) {
  if (!game.call) return;
  sequence += 1;
  pending.set(String(sequence), { action, at: performance.now() });
  game.call.send({ gameId, playerId: profile.id, sequence: String(sequence), ...action });
}

const colorName = (color) => `COLOR_${color.toUpperCase()}`;
const join = () => act({ join: { name: profile.name, color: colorName(profile.color) } });
const step = (direction) => act({ move: { direction: `DIRECTION_${direction.toUpperCase()}` } });

// === What the server says ===

function happened(event) {
  acknowledge(event.playerId === profile.id ? event.sequence : null);
  if (!state.apply(event)) return;
  const kind = kindOf(event);
  if (kind === "roundWon") celebrate(event);
  draw(kind === "scored" ? event.scored.painted : null);
  if (kind === "joined" && event.playerId === profile.id) showProfile();
}

function rejected({ sequence: number, reason }) {
  const direction = acknowledge(number)?.action.move?.direction;
  if (direction) board.bump(profile.id, direction.replace("DIRECTION_", "").toLowerCase());
  byId("board").dataset.rejected = reason;
}

function acknowledge(number) {
  const answered = pending.get(number);
  if (!answered) return null;
  pending.delete(number);
  byId("round-trip").textContent = `${Math.max(1, Math.round(performance.now() - answered.at))} ms`;
  return answered;
}

// === What is shown ===

function draw(flashed) {
  if (flashed) queueMicrotask(() => board.flash(flashed));
  if (drawing) return;
  drawing = true;
  queueMicrotask(() => {
    drawing = false;
    board.render(state, profile.id);
    renderPlayers(byId("players"), state, profile.id);
    byId("round").textContent = `Round ${state.round} · first to ${state.target}`;
  });
}

function showStatus(streamState, text, end) {
  const status = byId("status");
  status.dataset.state = streamState;
  status.querySelector("span").textContent = { open: "Connected", connecting: "Connecting", reconnecting: "Reconnecting", ended: "Ended", failed: "Ended" }[streamState];
  byId("status-detail").textContent = end ? `SyncGame: ${text}` : "";
  const live = streamState === "open" || streamState === "connecting";
  byId("half-close").disabled = byId("cancel").disabled = !live;
  byId("again").disabled = live;
  document.body.dataset.stream = streamState;
  // The feed shows that the player is away only when no stream of the player is left.
  if (streamState === "ended" || streamState === "failed") events.cancel();
}

function celebrate(event) {
  const winner = state.players.get(event.playerId);
  const banner = byId("banner");
  banner.replaceChildren(make("b", { text: winner?.name ?? event.playerId }), ` wins round ${event.roundWon.round}`);
  banner.dataset.color = winner?.color ?? "blue";
  banner.classList.add("shown");
  setTimeout(() => banner.classList.remove("shown"), 3500);
}

function showProfile() {
  byId("you-name").textContent = profile.name;
  const color = state.players.get(profile.id)?.color ?? profile.color;
  byId("you-dot").dataset.color = color;
  for (const input of byId("profile").elements.color) input.checked = input.value === color;
}

// === Controls ===

function listenToProfile() {
  const form = byId("profile");
  form.elements.name.value = profile.name;
  byId("colors").append(
    ...COLORS.map((color) =>
      make("label", { class: "swatch", title: color }, make("input", { type: "radio", name: "color", value: color, "aria-label": color }), make("span", { "data-color": color })),
    ),
  );
  const save = () => {
    profile.name = form.elements.name.value.trim() || profile.name;
    profile.color = form.elements.color.value || profile.color;
    saveProfile(profile);
    join();
    showProfile();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save();
    byId("you").open = false;
  });
  form.elements.name.addEventListener("change", save);
  byId("colors").addEventListener("change", save);
  document.addEventListener("click", (event) => byId("you").contains(event.target) || (byId("you").open = false));
}

function listenToStreams() {
  byId("half-close").addEventListener("click", () => game.halfClose());
  byId("cancel").addEventListener("click", () => game.cancel());
  byId("again").addEventListener("click", () => {
    game.connect();
    events.connect();
  });
  byId("batch").addEventListener("click", sendBatch);
  byId("fail").addEventListener("click", () => {
    const row = new StreamRow("missing", log);
    row.show("connecting", "connecting");
    startCall(`v1/games/missing/subscribe?player_id=${encodeURIComponent(profile.id)}`, {
      frame: (frame) => row.frame(frame),
      end: (end) => row.show("failed", describeEnd(end)),
    });
  });
}

/** Walks a square with client streaming: many commands, half-close, one summary. */
function sendBatch() {
  const row = new StreamRow("commands", log);
  const button = byId("batch");
  button.disabled = true;
  row.show("connecting", "connecting");
  const walk = ["right", "down", "left", "up"].flatMap((direction) => new Array(4).fill(direction));
  let timer = 0;
  let summary = null;
  const call = startCall(`${route}/commands`, {
    frame: (frame) => row.frame(frame),
    open: () => row.show("open", "open"),
    data: (message) => (summary = message),
    end: (end) => {
      clearInterval(timer);
      button.disabled = false;
      const applied = summary && `${summary.applied ?? 0} of ${summary.received ?? 0} applied, ${summary.points ?? 0} points`;
      row.show(end.code === 0 ? "ended" : "failed", applied ?? describeEnd(end));
    },
  });
  timer = setInterval(() => {
    const direction = walk.shift();
    if (direction) {
      call.send({ gameId, playerId: profile.id, move: { direction: `DIRECTION_${direction.toUpperCase()}` } });
    } else {
      clearInterval(timer);
      call.halfClose();
    }
  }, 70);
}

function listenToLog() {
  byId("pause").addEventListener("click", () => {
    log.pause(!log.paused);
    byId("pause").textContent = log.paused ? "Resume" : "Pause";
    byId("pause").setAttribute("aria-pressed", String(log.paused));
  });
  byId("clear").addEventListener("click", () => log.clear());
  byId("filter").addEventListener("change", (event) => (byId("log").dataset.only = event.target.value));
}

function listenToShare() {
  const address = new URL(location.href);
  address.search = `?game=${encodeURIComponent(gameId)}`;
  byId("second").href = address.href;
  byId("game-id").textContent = gameId;
  byId("share").addEventListener("click", async () => {
    let text = "Copied";
    try {
      await navigator.clipboard.writeText(address.href);
    } catch {
      text = address.href; // No clipboard without a secure context: show it instead.
    }
    byId("share").textContent = text;
    setTimeout(() => (byId("share").textContent = "Copy link"), 2500);
  });
}

byId("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = event.target.elements.text;
  const text = input.value.trim();
  if (text) act({ say: { text } });
  input.value = "";
});

document.body.dataset.player = profile.id;
listen({ board: byId("board"), pad: byId("pad"), step });
listenToProfile();
listenToStreams();
listenToLog();
listenToShare();
showProfile();
history.replaceState(null, "", `?game=${encodeURIComponent(gameId)}`);
game.connect();
events.connect();
